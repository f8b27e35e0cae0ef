"""Services for the index page, as discovery and the endpoints would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxyurls.discovery import record
from proxyurls.gateway.feed import Entry, Snapshot
from proxyurls.gateway.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxyurls.target import Target

SERVER = "https://10.0.0.100:6443"
ALL_READY = Readiness(1, 1)


def port(number: int, name: str = "", protocol: str = "TCP", **more: Any) -> dict[str, Any]:
    """A ServicePort object."""
    return {"port": number, "name": name, "protocol": protocol, **more}


def entry(
    name: str,
    namespace: str = "default",
    *ports: dict[str, Any],
    readiness: Readiness | None = ALL_READY,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Entry:
    """A service on the page; with no ports given it has port 80."""
    meta = {"name": name, "namespace": namespace, "labels": labels or {}}
    content = {"metadata": meta, "spec": {"ports": list(ports) or [port(80)], **spec}}
    return Entry(record(content, SERVER), readiness)


def snapshot(entries: Iterable[Entry] = (), **changes: Any) -> Snapshot:
    """All is well, unless told otherwise."""
    plain = Snapshot(
        version=(1, 1),
        entries=tuple(entries),
        loaded=True,
        namespace=None,
        seen=0.0,
        problem="",
        endpoints_problem="",
    )
    return plain._replace(**changes)


def href(target: Target) -> str:
    """The address of an app, as a gateway might have it; it says the whole target."""
    return f"/open/{target.segment}.{target.namespace}"
