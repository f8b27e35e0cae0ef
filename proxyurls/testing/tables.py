"""Lists as Tables, which kubectl prints.

Source: k8s.io/kubernetes, pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxyurls.testing.refusal import Object

_COLUMNS: dict[str, tuple[str, ...]] = {
    "services": ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "*Selector"),
    "pods": ("Name", "Ready", "Status", "Restarts", "Age", "*IP", "*Node"),
    "nodes": ("Name", "Status", "Roles", "Age", "Version", "*Internal-IP"),
    "namespaces": ("Name", "Status", "Age"),
    "endpoints": ("Name", "Endpoints", "Age"),
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def table(plural: str, items: list[Object], metadata: Object) -> Object:
    """A list as a Table."""
    names = _COLUMNS.get(plural, ("Name", "Created At"))
    columns = [
        {
            "name": name.lstrip("*"),
            "type": "string",
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": int(name.startswith("*")),
        }
        for name in names
    ]
    rows = []
    for item in items:
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        partial["metadata"] = item["metadata"]
        cells = [item["metadata"]["name"], *_cells(plural, item)]
        rows.append({"cells": cells, "object": partial})
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**head, "columnDefinitions": columns, "rows": rows}


def _cells(plural: str, item: Object) -> list[Any]:
    """The cells behind the name."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    age = _age(item["metadata"]["creationTimestamp"])
    if plural == "services":
        ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
        external = ",".join(entry.get("ip") or entry["hostname"] for entry in ingress)
        pending = "<pending>" if spec["type"] == "LoadBalancer" else "<none>"
        external = spec.get("externalName") or external or pending
        ports = ",".join(map(_port, spec.get("ports") or ())) or "<none>"
        selector = ",".join(f"{key}={value}" for key, value in (spec.get("selector") or {}).items())
        cluster_ip = spec.get("clusterIP") or "<none>"
        return [spec["type"], cluster_ip, external, ports, age, selector or "<none>"]
    if plural == "pods":
        count = len(spec.get("containers") or ())
        ip = status.get("podIP", "<none>")
        return [f"{count}/{count}", status.get("phase", "Pending"), 0, age, ip, "<none>"]
    if plural == "nodes":
        addresses = status.get("addresses") or ({"address": "<none>"},)
        return ["Ready", "<none>", age, "v1.20.2", addresses[0]["address"]]
    if plural == "namespaces":
        return [status.get("phase", "Active"), age]
    if plural == "endpoints":
        found = [
            f"{address['ip']}:{port['port']}"
            for subset in item.get("subsets") or ()
            for address in subset.get("addresses") or ()
            for port in subset.get("ports") or ()
        ]
        return [",".join(found) or "<none>", age]
    return [item["metadata"]["creationTimestamp"]]


def _port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port['protocol']}"


def _age(created: str) -> str:
    then = datetime.fromisoformat(created.replace("Z", "+00:00"))
    seconds = int((datetime.now(timezone.utc) - then).total_seconds())
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"
