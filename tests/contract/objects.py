"""Kubernetes objects as JSON: what the real apiserver is filled with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cluster import Address, ContainerPort, Port

Object = dict[str, Any]
Subsets = dict[str, list[Object]]  # the ports of each address


def meta(name: str, namespace: str | None) -> Object:
    """An object that is nothing but its name."""
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"metadata": metadata}


def service(
    name: str,
    namespace: str,
    ports: Sequence[Port],
    *,
    type: str,  # noqa: A002  (the field's name)
    external_name: str | None,
) -> Object:
    """A Service without a selector; without an address of its own where none is needed."""
    spec: Object = {"type": type, "externalName": external_name, "ports": []}
    if type == "ClusterIP":
        spec["clusterIP"] = "None"
    for port in ports:
        one: Object = {"port": port.port, "name": port.name, "protocol": port.protocol}
        one |= {"appProtocol": port.app_protocol, "nodePort": port.node_port}
        spec["ports"].append(one)
    return {**meta(name, namespace), "spec": spec}


def pod_of(ip: str) -> str:
    """The name of the pod that stands behind an endpoint's address."""
    return "ip-" + ip.replace(".", "-").replace(":", "-")


def subsets(namespace: str, ports: Sequence[Port], upstream: Address | None) -> Subsets:
    """Which ports each upstream's address has."""
    by_ip: Subsets = {}
    for port in ports:
        ip, number = port.upstream or upstream or (None, 0)
        if ip is not None:
            one = {"name": port.name, "port": number, "protocol": port.protocol}
            by_ip.setdefault(ip, []).append(one)
    return by_ip


def _reference(ip: str, namespace: str) -> Object:
    return {"kind": "Pod", "name": pod_of(ip), "namespace": namespace}


def endpoints(name: str, namespace: str, by_ip: Subsets) -> Object:
    """An Endpoints object. The proxy wants each address to be that of a pod of the namespace."""
    return {
        **meta(name, namespace),
        "subsets": [
            {"addresses": [{"ip": ip, "targetRef": _reference(ip, namespace)}], "ports": ports}
            for ip, ports in by_ip.items()
        ],
    }


def slices(name: str, namespace: str, by_ip: Subsets) -> list[Object]:
    """The same as EndpointSlices."""
    made = []
    for number, (ip, ports) in enumerate(by_ip.items()):
        piece = meta(f"{name}-{number}", namespace)
        piece["metadata"]["labels"] = {"kubernetes.io/service-name": name}
        endpoint: Object = {"addresses": [ip], "conditions": {"ready": True}}
        endpoint["targetRef"] = _reference(ip, namespace)
        piece |= {"addressType": "IPv4", "endpoints": [endpoint], "ports": ports}
        made.append(piece)
    return made


def pod(name: str, namespace: str, ports: Sequence[Sequence[ContainerPort]]) -> Object:
    """A Pod with one container for each row of ports."""
    containers = [
        {
            "name": f"c{number}",
            "image": "none",
            "ports": [
                {"containerPort": port.port} | ({"name": port.name} if port.name else {})
                for port in row
            ],
        }
        for number, row in enumerate(ports)
    ]
    return {**meta(name, namespace), "spec": {"containers": containers}}


def roles(
    name: str,
    namespace: str | None,
    kind: str,
    *,
    user: str,
    verbs: Sequence[str],
    resources: Sequence[str],
    names: Sequence[str],
) -> tuple[Object, Object]:
    """A role with one rule on the core group, and its binding to one user."""
    group = "rbac.authorization.k8s.io"
    rule: Object = {"apiGroups": [""], "verbs": list(verbs), "resources": list(resources)}
    if names:
        rule["resourceNames"] = list(names)
    role = {**meta(name, namespace), "rules": [rule]}
    binding = {
        **meta(name, namespace),
        "roleRef": {"apiGroup": group, "kind": kind, "name": name},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    return role, binding


def access_review(
    user: str, verb: str, resource: str, names: Sequence[str], namespace: str | None
) -> Object:
    """The question whether a user may do something."""
    plain, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "resource": plain, "subresource": subresource}
    attributes |= {"name": names[0] if names else "", "namespace": namespace or ""}
    return {"spec": {"user": user, "resourceAttributes": attributes}}
