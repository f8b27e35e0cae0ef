"""What a server fills into objects: addresses, node ports, protocols, a first status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyurls.testing import refusal

if TYPE_CHECKING:
    from proxyurls.testing.refusal import Object
    from proxyurls.testing.resources import Resource

_STATUS: dict[str, Object] = {
    "namespaces": {"phase": "Active"},
    "nodes": {},
    "pods": {"phase": "Pending"},
    "services": {"loadBalancer": {}},
}


class Defaults:
    """Completes objects, and never gives an address twice."""

    def __init__(self) -> None:
        self._addresses = iter(f"10.96.{n // 250}.{n % 250 + 1}" for n in range(60000))
        self._node_ports = iter(range(30000, 32768))

    def complete(self, resource: Resource, content: Object) -> Object:
        """An object as it is stored.

        Raises:
            Refusal: it lacks a name, or has a port without a number.
        """
        if not (content.get("metadata") or {}).get("name"):
            problem = "metadata.name: Required value: name or generateName is required"
            raise refusal.invalid(resource.kind, "", problem)
        made = {
            key: value
            for key, value in content.items()
            if key not in ("kind", "apiVersion") and value is not None
        }
        if resource.plural in _STATUS:
            made = {"spec": {}, "status": _STATUS[resource.plural], **made}
        if resource.plural == "services":
            made["spec"] = self._service(content["metadata"]["name"], made["spec"])
        return made

    def _service(self, name: str, given: Object) -> Object:
        spec = {key: value for key, value in given.items() if value is not None}
        kind = spec.setdefault("type", "ClusterIP")
        if kind != "ExternalName" and not spec.get("clusterIP"):
            spec["clusterIP"] = next(self._addresses)
        ports = []
        for number, given_port in enumerate(spec.pop("ports", ())):
            port = {key: value for key, value in given_port.items() if value not in (None, "")}
            if port.get("port") not in range(1, 65536):
                problem = "must be between 1 and 65535, inclusive"
                value = port.get("port", 0)
                problem = f"spec.ports[{number}].port: Invalid value: {value}: {problem}"
                raise refusal.invalid("Service", name, problem)
            port = {"protocol": "TCP", "targetPort": port["port"], **port}
            if kind in ("NodePort", "LoadBalancer") and "nodePort" not in port:
                port["nodePort"] = next(self._node_ports)
            ports.append(port)
        return {**spec, "ports": ports} if ports else spec
