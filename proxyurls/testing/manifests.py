"""The objects that the fake cluster makes by itself, as manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proxyurls.testing.resources import RBAC, SLICE_OF

if TYPE_CHECKING:
    from proxyurls.testing.refusal import Object

Ports = int | Mapping[str, int] | Sequence[Mapping[str, Any]]


def manifest(
    kind: str,
    name: str,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
    *,
    version: str = "v1",
) -> Object:
    """An object that is nothing but its name and its labels."""
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def service_ports(ports: Ports) -> list[Object]:
    """Ports as a Service has them.

    Args:
        ports: one number, numbers by name, or ports as Kubernetes writes them.

    Raises:
        TypeError: it is nothing of the kind.
        ValueError: one of them has no such number as ports have.
    """
    if isinstance(ports, int):
        ports = [{"port": ports}]
    elif isinstance(ports, Mapping):
        ports = [{"name": name, "port": number} for name, number in ports.items()]
    for port in ports:
        if not isinstance(port, Mapping):
            raise TypeError(f"ports are 80, {{'http': 80}} or [{{'port': 80}}], not {ports!r}")
        if port.get("port") not in range(1, 65536):
            raise ValueError(f"a port has a number from 1 to 65535: {port!r}")
    return [{"protocol": "TCP", **port} for port in ports]


def endpoint_ports(ports: Sequence[Object]) -> list[Object]:
    """Where the ports of a Service lead to in its pods."""
    made = []
    for port in ports:
        target = port.get("targetPort")
        one = {key: port[key] for key in ("name", "protocol", "appProtocol") if port.get(key)}
        made.append({**one, "port": target if isinstance(target, int) else port["port"]})
    return made


def endpoints(
    name: str, namespace: str, ports: list[Object], pod_name: str, ip: str
) -> list[Object]:
    """The Endpoints and the EndpointSlice of a service; empty ones without an address."""
    reference = {"kind": "Pod", "name": pod_name, "namespace": namespace}
    old = manifest("Endpoints", name, namespace)
    label = {SLICE_OF: name}
    new = manifest("EndpointSlice", f"{name}-0", namespace, label, version="discovery.k8s.io/v1")
    subset = {"addresses": [{"ip": ip, "targetRef": reference}], "ports": ports}
    piece = {"addresses": [ip], "conditions": {"ready": True}, "targetRef": reference}
    old["subsets"] = [subset] if ip else []
    new |= {"addressType": "IPv4", "ports": ports, "endpoints": [piece] if ip else []}
    return [old, new]


def pod(
    name: str, namespace: str, ports: list[Object], ip: str, labels: Mapping[str, str] | None = None
) -> Object:
    """A Pod that runs, with one container."""
    declared = [{"containerPort": port["port"], "protocol": port["protocol"]} for port in ports]
    made = manifest("Pod", name, namespace, labels)
    made["spec"] = {"containers": [{"name": "main", "image": "none", "ports": declared}]}
    made["status"] = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
    return made


def node(name: str, ip: str) -> Object:
    """A Node with a kubelet at the usual port."""
    made = manifest("Node", name)
    made["status"] = {
        "addresses": [{"type": "InternalIP", "address": ip}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }
    return made


def roles(
    name: str,
    kind: str,
    user: str,
    namespace: str,
    *,
    verbs: Sequence[str],
    plurals: Sequence[str],
    names: Sequence[str],
) -> list[Object]:
    """A Role or ClusterRole with one rule on the core group, and its binding to one user."""
    role = manifest(kind, name, namespace, version=f"{RBAC}/v1")
    rule = {"apiGroups": [""], "verbs": list(verbs), "resources": list(plurals)}
    role["rules"] = [{**rule, "resourceNames": list(names)}]
    binding = manifest(f"{kind}Binding", name, namespace, version=f"{RBAC}/v1")
    binding["subjects"] = [{"apiGroup": RBAC, "kind": "User", "name": user}]
    binding["roleRef"] = {"apiGroup": RBAC, "kind": kind, "name": name}
    return [role, binding]
