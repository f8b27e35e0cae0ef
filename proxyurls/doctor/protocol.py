"""Step 7: whether the port speaks what the apiserver can proxy, which is HTTP over TCP."""

from __future__ import annotations

from shlex import join

from proxyurls.doctor import commands
from proxyurls.doctor.case import Found, Skipped
from proxyurls.doctor.existence import label
from proxyurls.doctor.lookup import container_ports
from proxyurls.doctor.port import asked_port, command, usable
from proxyurls.doctor.shapes import a_name
from proxyurls.server import join as join_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case

_RULE = ", and the apiserver proxies HTTP over TCP"


def check(case: Case) -> str:
    """Say what the port speaks.

    Args:
        case: what to look into.

    Raises:
        Found: "external-name", "not-tcp", or "no-such-port" where a service has none at all.
    """
    if case.kind == "node":
        return Skipped("a node's ports have no protocol of their own: it is TCP")
    if case.lookup.found is None:
        return Skipped(f"the {case.kind} may not be read")
    if case.kind == "pod":
        return _check_pod(case)
    spec = case.lookup.found.get("spec") or {}
    if spec.get("type") == "ExternalName":
        raise _external(case, spec)
    if not spec.get("ports"):
        raise _no_ports(case)
    port = asked_port(case)
    protocol = port.get("protocol") or "TCP"
    if protocol != "TCP":
        return _other_protocol(case, spec["ports"], port, protocol)
    if spec.get("clusterIP") == "None":
        return "TCP; the service is headless, which the apiserver doesn't mind: it asks a pod"
    return "TCP"


def _external(case: Case, spec: dict[str, Any]) -> Found:
    host = spec.get("externalName") or ""
    text = f"{label(case)} is an ExternalName, a DNS alias for {host}: there is nothing to proxy to"
    if not a_name(host.rstrip(".")):  # no apiserver keeps such a one; it is in no command then
        return Found("external-name", text)
    port = next((p for p in spec.get("ports") or [] if case.port in (None, p["port"])), None)
    number = case.port if isinstance(case.port, int) else (port or {}).get("port")
    scheme = case.scheme or ("http" if number == 80 else "https")
    default = {"http": 80, "https": 443}[scheme]
    where = host if number in (None, default) else f"{host}:{number}"
    url = join_url(f"{scheme}://{where}", "/" + case.suffix.lstrip("/"))
    return Found("external-name", text, join(["curl", url]))


def _no_ports(case: Case) -> Found:
    number = case.port if isinstance(case.port, int) else 443 if case.scheme == "https" else 80
    change = {"spec": {"ports": [{"port": number}]}}
    text = f"{label(case)} has no ports"
    return Found("no-such-port", text, commands.patch(case, "service", change))


def _other_protocol(
    case: Case, ports: list[dict[str, Any]], port: dict[str, Any], protocol: str
) -> str:
    twins = [
        other
        for other in ports
        if other["port"] == port["port"] and (other.get("protocol") or "TCP") == "TCP"
    ]
    if any(twin.get("targetPort") == port.get("targetPort") for twin in twins):
        return f"TCP: port {port['port']} is {protocol} and TCP, with the same port of the pods"
    text = f"port {port['port']} of {label(case)} is {protocol}{_RULE}"
    can = usable(case)
    same = [p for p in can if p.port == port["port"]]
    if not can:
        raise Found("not-tcp", f"{text}; it has no TCP port")
    raise Found("not-tcp", text, command(case, (same or can)[0]))


def _check_pod(case: Case) -> str:
    ports = container_ports(case)
    number = case.target.port or (ports[0]["containerPort"] if ports else None)
    named = [p for p in ports if isinstance(case.port, str) and p.get("name") == case.port]
    declared = named or [p for p in ports if p["containerPort"] == number]
    protocols = [p.get("protocol") or "TCP" for p in declared]
    if not protocols or "TCP" in protocols:
        return "TCP"
    text = f"port {number} of {label(case)} is {protocols[0]}{_RULE}"
    tcp = [p for p in ports if (p.get("protocol") or "TCP") == "TCP"]
    if not tcp:
        raise Found("not-tcp", f"{text}; it declares no TCP port")
    raise Found("not-tcp", text, case.command(port=tcp[0]["containerPort"]))
