"""Step 9: whether http or https is asked for, and what says that it should be."""

from __future__ import annotations

from proxyurls.discovery import scheme_of
from proxyurls.doctor.answer import get
from proxyurls.doctor.case import Found, Skipped
from proxyurls.errors import ClusterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case
    from proxyurls.target import Target


def check(case: Case) -> str:
    """Compare the scheme with appProtocol, port name and number; with --probe, ask the app.

    Raises:
        Found: the app speaks the other scheme.
    """
    asked = case.target.scheme or "http"
    if case.target.kind == "node":
        return Skipped("a node's kubelet port has the kubelet's own scheme, others the one typed")
    if case.probe:
        return _probe(case, asked)
    port = _port(case)
    if port is None:
        return Skipped(f"{asked}: nothing here says which one it should be")
    scheme, why = scheme_of(port)
    if scheme == asked:
        return f"{asked}: {why}"
    return Skipped(f"{asked} as typed, although {why}: the answer will tell")


def _port(case: Case) -> dict[str, Any] | None:
    """The ServicePort object that the target means, if it can be told."""
    if case.service is None:
        return None
    ports: list[dict[str, Any]] = (case.service.get("spec") or {}).get("ports") or []
    for port in ports:
        if case.target.port in (port.get("port"), port.get("name")):
            return port
    return ports[0] if case.target.port is None and len(ports) == 1 else None


def _probe(case: Case, asked: str) -> str:
    first = works(case, case.target)
    if first:
        return f"{asked}: the app answers to it"
    other = {"http": "https", "https": "http"}[asked]
    if works(case, in_scheme(case.target, other)):
        raise Found(
            f"speaks-{other}",
            f"the app answers to {other}, and not to {asked}",
            case.command(scheme=other, port=case.target.port),
        )
    case.mute = True
    return Skipped(f"the app answers neither to {asked} nor to {other}")


def in_scheme(target: Target, scheme: str) -> Target:
    """The same target in another scheme."""
    return type(target)(target.kind, target.name, target.namespace, target.port, scheme)


def works(case: Case, target: Target) -> bool:
    """Whether the app answers for its root, in the target's scheme and in HTTP."""
    try:
        answer = get(case, target, target.path())
    except ClusterError:
        return False
    return answer.refusal is None and not answer.causes
