"""Step 4: whether the user may use the proxy to just this name segment."""

from __future__ import annotations

from http import HTTPStatus
from shlex import join

from proxyurls.causes import typed
from proxyurls.doctor import commands, identity, manifests
from proxyurls.doctor.case import Found, Skipped
from proxyurls.doctor.lookup import container_ports, look_up
from proxyurls.doctor.review import may
from proxyurls.errors import APIStatusError
from proxyurls.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.doctor.case import Case

_FORBIDDEN = " is forbidden: "
_UNTOLD = "NAME-OF-THE-USER"


def check(case: Case) -> str:
    """Look the target up, and ask the apiserver whether the user may proxy to it.

    RBAC compares the whole segment with the rule's resourceNames, and takes the verb from the HTTP
    method (tests/contract/test_rbac.py).

    Args:
        case: what to look into.

    Raises:
        Found: "not-allowed", or "no-credential" where nobody is asking.
        ClusterError: as for `APIClient.get_json`.
    """
    look_up(case)
    target = case.target
    what = f"{target.kind}s/proxy {str(target.segment)!r}" + _in(target)
    if isinstance(case.port, str) and target.kind == "pod" and target.port is None:
        return Skipped(f"RBAC sees the port's number, and the number of {case.port!r} is not known")
    try:
        if may(case, "get", target):
            posts = may(case, "create", target)
            return f"get {'and create are' if posts else 'is'} allowed on {what}" + (
                "" if posts else ", create is not: GET works, POST does not"
            )
        # The bare name is what a Role that was written by hand is likely to have.
        bare = Target(target.kind, target.name, target.namespace)
        asked = [other for other in (*spellings(case), bare) if other != target]
        others = {str(other.segment): other for other in asked if may(case, "get", other)}
    except APIStatusError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        unknown, others = f"whether get is allowed on {what} can't be asked ({error.detail})", {}
    else:
        unknown = f"the review says that get is not allowed on {what}"
    if case.lookup.missing:
        # Nobody should be asked for a right to what isn't there.
        return Skipped(f"{unknown}; it isn't there either")
    message = identity.answer_of_proxy(case)
    if _FORBIDDEN not in message:
        return Skipped(f"{unknown}, but a request was let through")
    raise _not_allowed(case, what, identity.user(case, message), others)


def _in(target: Target) -> str:
    return f" in namespace {target.namespace!r}" if target.namespace else ""


def _not_allowed(case: Case, what: str, user: str | None, others: dict[str, Target]) -> Found:
    """The cause, and the Role to ask for; or another spelling, if there is a right to one.

    Args:
        case: what is looked into.
        what: what may not be got.
        user: who may not, if that can be told.
        others: by segment, what the user may get, the bare name perhaps among them.
    """
    if user == "system:anonymous":
        return Found(
            "no-credential", f"user 'system:anonymous', which is nobody, may not get {what}"
        )
    who = "the user of these credentials" if user is None else f"user {user!r}"
    text = f"{who} may not get {what}"
    if others:
        names = " and ".join(map(repr, others))
        text += f"; there is a right to {names}, but RBAC compares the whole segment"
    same = [other for other in others.values() if other in spellings(case)]
    if same:
        return Found("not-allowed", text, _command(case, same[0]))
    if user is None:
        text += "; the apiserver does not tell the user's name"
    return Found("not-allowed", text, manifests.proxy_role(case.target, user or _UNTOLD))


def _command(case: Case, target: Target) -> str:
    """A command that asks for just this segment: `fetch` looks up a bare name."""
    if target.port or target.scheme or case.kind != "service" or case.lookup.refusal:
        words = (target.kind, target.name, target.namespace, target.port, target.scheme)
        return commands.fetch(case, typed(*words))
    return join(["proxyurls", "fetch", "--raw", target.path(case.suffix)])


def spellings(case: Case) -> list[Target]:
    """The other targets that lead to the same port in the same scheme, as far as that is known.

    Args:
        case: whose target and object it is about.
    """
    target = case.target
    ports: list[int | str | None] = [target.port]
    if case.service:
        ports += _service_ports(case.service, target.port)
    elif case.kind == "pod":
        declared = container_ports(case)
        first = declared[0]["containerPort"] if declared else None
        if first and target.port in (None, first):
            ports += [first, None]
    schemes = ["https"] if target.scheme == "https" else ["http", None]
    if case.kind == "node":  # without a port it is the kubelet's own scheme
        schemes = [target.scheme] if target.port is None else schemes
    found = [
        Target(target.kind, target.name, target.namespace, port, scheme)
        for port in dict.fromkeys(ports)
        for scheme in schemes
    ]
    return [other for other in found if other != target]


def _service_ports(service: dict[str, object], port: int | str | None) -> list[int | str | None]:
    """All ways to write one port of a service: its number, its name, or nothing."""
    spec = service.get("spec")
    declared = spec.get("ports") if isinstance(spec, dict) else None
    found: list[int | str | None] = []
    for one in declared or []:
        name, number = one.get("name") or None, one["port"]
        if port in (name, number):
            first = next(p for p in declared or [] if p["port"] == number)
            return [name, number] if first is one else [name]
    return found
