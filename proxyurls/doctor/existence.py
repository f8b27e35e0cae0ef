"""Step 5: whether the service, pod or node exists, and which was meant if it does not."""

from __future__ import annotations

from difflib import get_close_matches

from proxyurls.causes import typed
from proxyurls.doctor import commands, near
from proxyurls.doctor.case import Found, Skipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxyurls.doctor.case import Case

_SHOWN = 5


def check(case: Case) -> str:
    """Say what was found, or which was meant.

    Args:
        case: what to look into.

    Raises:
        Found: "no-such-service", "no-such-pod", "no-such-node" or "no-such-namespace".
        ClusterError: as for `APIClient.get_json`.
    """
    seen = case.lookup
    if seen.refusal:
        return Skipped(f"the {case.kind} may not be read ({seen.refusal})")
    if seen.found is None:
        raise {"service": _no_service, "pod": _no_pod, "node": _no_node}[case.kind](case)
    if (case.name, case.target.namespace) == (seen.typed, seen.space):
        return f"{label(case)} is there"
    return f"{seen.typed!r} is taken for {label(case)}: {seen.how}"


def label(case: Case) -> str:
    """The object in words: ``service 'web' in namespace 'shop'``."""
    space = case.target.namespace
    return f"{case.kind} {case.name!r}" + (f" in namespace {space!r}" if space else "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _absence(case: Case) -> tuple[str, str]:
    """The cause and how its text begins: even the namespace may be missing."""
    spaces = near.namespaces(case)
    if spaces is None:
        return f"no-such-{case.kind}", f"there is no {label(case)}"
    close = f", but {_listed(spaces)}" if spaces else ""
    return "no-such-namespace", f"there is no namespace {case.lookup.space!r}{close}"


def _no_service(case: Case) -> Found:
    cause, text = _absence(case)
    found = near.services(case)
    same = [full.partition(".")[2] for full in found if full.startswith(f"{case.name}.")]
    if same:
        where = (get_close_matches(case.lookup.space or "", same, n=1) or same)[0]
        text += f"; a service of that name is in {_listed([repr(one) for one in same])}"
        return Found(cause, text, case.command(namespace=where))
    if near.exists(case, f"/api/v1/namespaces/{case.lookup.space}/pods/{case.name}"):
        return Found(cause, f"{text}; a pod has that name", _other_kind(case, "pod"))
    if not found:
        return Found(cause, text, "proxyurls services -A")
    name, _, where = found[0].partition(".")
    text += f"; near: {_listed(found)}"
    return Found(cause, text, case.command(name=name, namespace=where))


def _no_pod(case: Case) -> Found:
    cause, text = _absence(case)
    spaces, names = near.pods(case)
    if spaces:
        text += f"; a pod of that name is in {_listed([repr(one) for one in spaces])}"
        return Found(cause, text, case.command(namespace=spaces[0]))
    if near.exists(case, f"/api/v1/namespaces/{case.lookup.space}/services/{case.name}"):
        return Found(cause, f"{text}; a service has that name", _other_kind(case, "service"))
    if names:
        return Found(cause, f"{text}; near: {_listed(names)}", case.command(name=names[0]))
    if cause == "no-such-namespace":
        return Found(cause, text, "kubectl get namespaces")
    return Found(cause, text, commands.in_namespace(case, "get", "pods"))


def _no_node(case: Case) -> Found:
    names, text = near.nodes(case), f"there is no {label(case)}"
    if names:
        return Found("no-such-node", f"{text}; near: {_listed(names)}", case.command(name=names[0]))
    return Found("no-such-node", text, commands.in_namespace(case, "get", "nodes"))


def _other_kind(case: Case, kind: str) -> str:
    """The same request to another kind of object of that name."""
    port = case.port if isinstance(case.port, int) or kind == "service" else None
    return commands.fetch(case, typed(kind, case.name, case.lookup.space, port, case.scheme))
