"""Step 6: whether the service or pod has the port that is asked for."""

from __future__ import annotations

from proxyurls.discovery import record
from proxyurls.doctor.case import Found, Skipped
from proxyurls.doctor.existence import label
from proxyurls.doctor.lookup import container_ports
from proxyurls.doctor.near import close
from proxyurls.segment import NameSegment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.discovery import ServicePort
    from proxyurls.doctor.case import Case


def check(case: Case) -> str:
    """Say which port is asked, or which there are.

    Args:
        case: what to look into.

    Raises:
        Found: "no-such-port" or "port-needed".
    """
    if case.kind == "pod":
        return _check_pod(case)
    if case.kind == "node":
        return _check_node(case)
    if case.service is None:
        return Skipped("the service's ports are not known, since it may not be read")
    spec = case.service.get("spec") or {}
    if spec.get("type") == "ExternalName" or not spec.get("ports"):
        return Skipped("the service has no ports that the apiserver could proxy to")
    port = asked_port(case)
    return f"port {_shown(port)}" + ("" if case.target.port else ", the default: it is unnamed")


def asked_port(case: Case) -> dict[str, Any]:
    """The port of the Service object that the apiserver takes for the one asked for.

    A number means the first port that has it, a name the port of that name, and nothing the port
    without a name (tests/contract/test_location.py).

    Args:
        case: with the service looked up.

    Raises:
        Found: "no-such-port" or "port-needed": there is none.
    """
    wanted = case.target.port
    for port in _ports(case):
        name = port.get("name") or ""
        if wanted == port["port"] if isinstance(wanted, int) else (wanted or "") == name:
            return port
    raise _no_port(case)


def usable(case: Case) -> list[ServicePort]:
    """The service's ports that have a proxy URL, the web's first."""
    if case.service is None:
        return []
    known = record(case.service, case.config.base_url)
    return sorted((p for p in known.ports if p.url), key=lambda p: p.url != known.url)


def command(case: Case, port: ServicePort) -> str:
    """What to type for one of the service's ports.

    Args:
        case: what was typed; its scheme is kept.
        port: one of `usable`.
    """
    segment = NameSegment.parse(port.segment or "")
    return case.command(port=segment.port, scheme=case.scheme or segment.scheme)


def _ports(case: Case) -> list[dict[str, Any]]:
    spec = (case.service or {}).get("spec") or {}
    found: list[dict[str, Any]] = spec.get("ports") or []
    return found


def _shown(port: dict[str, Any]) -> str:
    name, protocol = port.get("name"), port.get("protocol") or "TCP"
    return (
        f"{port['port']}"
        + (f"/{protocol}" if protocol != "TCP" else "")
        + (f" (named {name})" if name else "")
    )


def _no_port(case: Case) -> Found:
    wanted, ports, can = case.target.port, _ports(case), usable(case)
    has = "its ports: " + ", ".join(map(_shown, ports))
    if wanted is None:
        text = f"{label(case)} has named ports only, so one must be typed; {has}"
        return Found("port-needed", text, command(case, can[0]) if can else None)
    text = f"{label(case)} has no port {wanted!r}; {has}"
    meant = None
    for port in ports:
        for field, what in (("targetPort", "the pods' port"), ("nodePort", "the nodes' port")):
            if port.get(field) == wanted:
                meant = meant or port
                text += f"; {wanted} is {what} behind its port {port['port']}"
    if meant is None:
        names = close(str(wanted), [port.get("name") or "" for port in ports])
        meant = next((port for port in ports if names and port.get("name") == names[0]), None)
    chosen = next((p for p in can if meant and (p.port, p.name) == _key(meant)), None)
    chosen = chosen or (can[0] if can else None)
    return Found("no-such-port", text, command(case, chosen) if chosen else None)


def _key(port: dict[str, Any]) -> tuple[int, str]:
    return port["port"], port.get("name") or ""


def _check_pod(case: Case) -> str:
    if case.lookup.found is None:
        return Skipped("the pod's ports are not known, since it may not be read")
    ports = container_ports(case)
    if isinstance(case.port, str) and case.target.port is None:
        raise _no_pod_port(case, ports)
    declared = {port["containerPort"]: port for port in reversed(ports)}
    number = case.target.port
    if number is None and ports:
        return f"port {_container(ports[0])}, the first that its containers declare"
    if number is None:
        default = 443 if case.target.scheme == "https" else 80
        return f"its containers declare no port, so it is asked at {default}, its scheme's own"
    if number in declared:
        return f"port {_container(declared[number])}"
    has = ", ".join(map(_container, ports)) or "none"
    return f"port {number} as typed; its containers declare {has}, which does not matter"


def _container(port: dict[str, Any]) -> str:
    return _shown({**port, "port": port["containerPort"]})


def _no_pod_port(case: Case, ports: list[dict[str, Any]]) -> Found:
    has = ", ".join(map(_container, ports)) or "none"
    text = f"{label(case)} has no port named {case.port!r}; its ports: {has}"
    tcp = [port for port in ports if (port.get("protocol") or "TCP") == "TCP"]
    names = close(str(case.port), [port.get("name") or "" for port in tcp])
    tcp.sort(key=lambda port: not names or port.get("name") != names[0])
    remedy = case.command(port=tcp[0]["containerPort"]) if tcp else case.command(port=80)
    return Found("no-such-port", text, remedy)


def _check_node(case: Case) -> str:
    node = case.lookup.found
    if node is None:
        return Skipped("the node's kubelet is not known, since the node may not be read")
    endpoints = (node.get("status") or {}).get("daemonEndpoints") or {}
    kubelet = (endpoints.get("kubeletEndpoint") or {}).get("Port") or 10250
    if case.target.port in (None, kubelet):
        return f"port {kubelet}, its kubelet's, in the kubelet's own scheme"
    return f"port {case.target.port} as typed; its kubelet's is {kubelet}"
