"""An apiserver that says what no apiserver would: anything, in any place."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from discovery.servers import Answer, Asked, Loopback

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

Place = tuple["str | int", ...]

# Where a real apiserver takes any text, or at least where nothing of ours has to refuse it.
SHOWN: dict[str, Place] = {
    "label": ("metadata", "labels", "kubernetes.io/name"),
    "other label": ("metadata", "labels", "x"),
    "annotation": ("metadata", "annotations", "x"),
    "type": ("spec", "type"),
    "externalName": ("spec", "externalName"),
    "appProtocol": ("spec", "ports", 0, "appProtocol"),
    "protocol": ("spec", "ports", 0, "protocol"),
    "ip": ("status", "loadBalancer", "ingress", 0, "ip"),
    "hostname": ("status", "loadBalancer", "ingress", 1, "hostname"),
}
# Where only names of Kubernetes can stand.
NAMED: dict[str, Place] = {
    "name": ("metadata", "name"),
    "namespace": ("metadata", "namespace"),
    "port name": ("spec", "ports", 0, "name"),
}


def service(name: str = "web") -> dict[str, Any]:
    """A harmless one, with something in every place."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "Web"},
            "annotations": {"x": "y"},
        },
        "spec": {
            "type": "LoadBalancer",
            "externalName": "db.test",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "http"}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.test"}]}},
    }


def put(whole: Any, place: Place, value: object) -> Any:
    """A copy with the value at a place."""
    made = copy.deepcopy(whole)
    at = made
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return made


class Cluster:
    """Answers lists and services by their paths. What it says is to be set before it is asked."""

    def __init__(self) -> None:
        self.services: Sequence[Any] = [service()]
        self.metadata: object = {"resourceVersion": "1"}
        self.always: Answer | None = None
        self._server = Loopback(self._answer)
        self.url = self._server.url

    @property
    def asked(self) -> list[Asked]:
        """The requests so far."""
        return self._server.requests

    def _answer(self, asked: Asked) -> Answer:
        if self.always is not None:
            return self.always
        path = asked.target.partition("?")[0]
        if path.endswith("/proxy/"):
            return Answer(b"hello\n", headers={"Content-Type": "text/plain", "Server": "app"})
        if path.endswith("/services/web"):
            return Answer(json.dumps(self.services[0]).encode())
        items = list(self.services) if path.endswith("/services") else []
        if path.endswith(("/nodes", "/namespaces")):
            items = [{"metadata": {"name": "shop"}}]
        if "watch=1" in asked.target:
            return status(410, "too old")  # so the list is read anew
        found = {"kind": "List", "apiVersion": "v1", "metadata": self.metadata, "items": items}
        return Answer(json.dumps(found).encode(), headers={"Content-Type": "application/json"})

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)


def status(code: int, text: str, *, reason: str = "Forbidden") -> Answer:
    """A refusal in words of one's own."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {"continue": text},
        "message": text,
        "reason": reason,
        "code": code,
    }
    return Answer(json.dumps(body).encode(), code, {"Content-Type": "application/json"})
