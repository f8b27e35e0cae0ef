"""A hostile cluster as ``doctor`` reads it: the object, what is behind it, and who is asking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from discovery.servers import Answer, Asked

from .cluster import Cluster, put, service, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cluster import Place

    World = dict[str, Any]

_JSON = {"Content-Type": "application/json"}
_REFERENCE = {"kind": "Pod", "name": "web-0", "namespace": "shop"}


def world() -> World:
    """All is well: the objects by the last word of their paths, and the app's answer."""
    labels = {"app": "web"}
    shop = service()
    shop["spec"]["selector"] = dict(labels)
    shop["spec"]["ports"][0]["targetPort"] = "http"
    return {
        "version": {"gitVersion": "v1.31.0"},
        "selfsubjectaccessreviews": {"status": {"allowed": True}},
        "selfsubjectreviews": {"status": {"userInfo": {"username": "bob"}}},
        "services": [shop],
        "endpoints": [
            {
                "metadata": {"name": "web", "namespace": "shop"},
                "subsets": [
                    {
                        "addresses": [{"ip": "10.1.2.3", "targetRef": dict(_REFERENCE)}],
                        "notReadyAddresses": [],
                        "ports": [{"name": "http", "port": 8080}],
                    }
                ],
            }
        ],
        "endpointslices": [
            {
                "metadata": {"name": "web-x", "namespace": "shop"},
                "addressType": "IPv4",
                "endpoints": [
                    {
                        "addresses": ["10.1.2.3"],
                        "conditions": {"ready": True},
                        "targetRef": dict(_REFERENCE),
                    }
                ],
                "ports": [{"name": "http", "port": 8080}],
            }
        ],
        "pods": [
            {
                "metadata": {"name": "web-0", "namespace": "shop", "labels": dict(labels)},
                "spec": {
                    "containers": [
                        {
                            "name": "app",
                            "readinessProbe": {},
                            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                        }
                    ]
                },
                "status": {
                    "phase": "Running",
                    "reason": "Started",
                    "message": "x",
                    "podIP": "10.1.2.3",
                    "podIPs": [{"ip": "10.1.2.3"}],
                    "conditions": [
                        {
                            "type": "Ready",
                            "status": "True",
                            "reason": "R",
                            "message": "m",
                            "lastTransitionTime": "2026-11-25T02:00:00Z",
                        }
                    ],
                    "containerStatuses": [
                        {"name": "app", "ready": True, "restartCount": 1, "state": {}}
                    ],
                    "initContainerStatuses": [],
                },
            }
        ],
        "nodes": [
            {
                "metadata": {"name": "node-1"},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                    "conditions": [{"type": "Ready", "status": "False", "reason": "Gone"}],
                    "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                },
            }
        ],
        "namespaces": [{"metadata": {"name": "shop"}}],
        "deployments": [],
        "statefulsets": [],
        "proxy": {"status": 200, "body": "hello\n", "headers": {"Content-Type": "text/plain"}},
    }


def changed(*changes: tuple[Place, object]) -> Callable[[], World]:
    """A world with other values in some places."""

    def make() -> World:
        made = world()
        for place, value in changes:
            made = put(made, place, value)
        return made

    return make


_SERVICE: Place = ("services", 0)
_ADDRESS: Place = ("endpoints", 0, "subsets", 0, "addresses", 0)
_POD: Place = ("pods", 0)
_STATE: Place = (*_POD, "status", "containerStatuses", 0, "state")
_ENDED = {"terminated": {"reason": "Error", "message": "m", "exitCode": 3}}
HTML = {"Content-Type": "text/html"}
_NOBODY: tuple[tuple[Place, object], ...] = ((("endpoints",), []), (("endpointslices",), []))
_UNREADY: tuple[tuple[Place, object], ...] = (
    *_NOBODY,
    ((*_POD, "status", "conditions", 0, "status"), "False"),
)
_FORBIDDEN = 'services "web" is forbidden: User "bob" cannot get resource "services/proxy" in x'
WEB = ("web:http",)
# By what is found: the words that are typed, and the world.
WORLDS: dict[str, tuple[tuple[str, ...], Callable[[], World]]] = {
    "healthy": (WEB, changed()),
    "looked up": (("web",), changed()),
    "near": (("we:80",), changed()),
    "no-such-namespace": (("web:80", "-n", "other"), changed()),
    "selector-mismatch": (WEB, changed(*_NOBODY, ((*_POD, "metadata", "labels", "app"), "webb"))),
    "no selector": (WEB, changed(*_NOBODY, ((*_SERVICE, "spec", "selector"), {}))),
    "waits": (WEB, changed(*_UNREADY, (_STATE, {"waiting": {"reason": "R", "message": "m"}}))),
    "ended": (WEB, changed(*_UNREADY, (_STATE, _ENDED))),
    "not scheduled": (
        WEB,
        changed(*_UNREADY, ((*_POD, "status", "conditions", 0, "type"), "PodScheduled")),
    ),
    "pending": (WEB, changed(*_UNREADY, ((*_POD, "status", "phase"), "Pending"))),
    "not ready": (WEB, changed(*_UNREADY)),
    "no such target": (
        WEB,
        changed(*_NOBODY, ((*_SERVICE, "spec", "ports", 0, "targetPort"), "x")),
    ),
    "scaled-to-zero": (
        WEB,
        changed(
            *_NOBODY,
            (("pods",), []),
            (
                ("deployments",),
                [
                    {
                        "metadata": {"name": "web"},
                        "spec": {
                            "replicas": 0,
                            "template": {"metadata": {"labels": {"app": "web"}}},
                        },
                    }
                ],
            ),
        ),
    ),
    "port-not-served": (
        WEB,
        changed((("endpoints", 0, "subsets", 0, "ports"), [{"name": "other", "port": 8080}])),
    ),
    "no targetRef": (WEB, changed(((*_ADDRESS, "targetRef"), None))),
    "targetRef elsewhere": (WEB, changed(((*_ADDRESS, "ip"), "10.9.9.9"))),
    "slices alone": (WEB, changed((("endpoints",), []))),
    "no-such-port": (("web:81",), changed()),
    "not-tcp": (WEB, changed(((*_SERVICE, "spec", "ports", 0, "protocol"), "UDP"))),
    "external-name": (WEB, changed(((*_SERVICE, "spec", "type"), "ExternalName"))),
    "not-allowed": (
        WEB,
        changed(
            (("selfsubjectaccessreviews",), {"status": {"allowed": False}}),
            (("proxy",), {"status": 403, "message": _FORBIDDEN}),
        ),
    ),
    "refused": (WEB, changed((("proxy",), {"status": 503, "message": "no endpoints available x"}))),
    "redirect": (
        WEB,
        changed((("proxy",), {"status": 302, "headers": {"Location": "http://db/x?y"}})),
    ),
    "page": (
        WEB,
        changed((("proxy",), {"body": "<a href='http://db.shop.svc/x?y'>", "headers": HTML})),
    ),
    "app-answered": (WEB, changed((("proxy", "status"), 500))),
    "pod": (("pod/web-0:http",), changed()),
    "pod without address": (
        ("pod/web-0",),
        changed(((*_POD, "status", "podIPs"), []), ((*_POD, "status", "podIP"), "")),
    ),
    "pod, no such port": (("pod/web-0:x",), changed()),
    "no-such-pod": (("pod/web",), changed()),
    "node": (("node/node-1",), changed()),
    "no-such-node": (("node/node",), changed()),
}


# What is found in those that are not named after their cause.
CAUSES: dict[str, str | None] = {
    **dict.fromkeys(("healthy", "looked up", "slices alone", "pod", "node")),
    **dict.fromkeys(("waits", "ended", "not scheduled", "pending", "not ready"), "pods-not-ready"),
    **dict.fromkeys(("redirect", "page"), "in-cluster-links"),
    **dict.fromkeys(("no targetRef", "targetRef elsewhere"), "no-target-ref"),
    "near": "no-such-service",
    "no selector": "no-endpoints",
    "no such target": "port-not-served",
    "refused": "pods-not-ready",
    "pod without address": "address-not-allowed",
    "pod, no such port": "no-such-port",
}


class Examined(Cluster):
    """Answers what ``doctor`` asks, out of a world."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world()
        self.date = ""

    def _answer(self, asked: Asked) -> Answer:
        if self.always is not None:
            return self.always
        path, _, query = asked.target.partition("?")
        if "/proxy/" in path:
            return self._app()
        before, last = ["", *path.strip("/").split("/")][-2:]
        if last in ("version", "selfsubjectaccessreviews", "selfsubjectreviews"):
            return _object(self.world[last], self.date)
        if last in self.world and "/namespaces/other/" not in path:
            return _object({"kind": "List", "metadata": {}, "items": self._items(last, query)})
        if "/namespaces/other" in path:
            return status(404, f'{before} "{last}" not found', reason="NotFound")
        name = {"services": "web", "pods": "web-0", "nodes": "node-1", "namespaces": "shop"}
        if before in self.world and self.world[before] and last == name.get(before, "web"):
            return _object(self.world[before][0])
        return status(404, f'{before} "{last}" not found', reason="NotFound")

    def _items(self, plural: str, query: str) -> object:
        """The list; of pods those that a service selects alone, where that is asked for."""
        items = self.world[plural]
        wrong = {"webb", "x"}
        if plural == "pods" and "labelSelector" in query:
            return [pod for pod in items if not (_labels(pod) & wrong)]
        return items

    def _app(self) -> Answer:
        said = self.world["proxy"]
        if "message" in said:
            return status(said["status"], said["message"])
        body = said.get("body", "").encode(errors="surrogatepass")
        return Answer(body, said.get("status", 200), said.get("headers", {}))


def _object(found: object, date: str = "") -> Answer:
    if isinstance(found, dict):
        found = {"kind": "Object", "apiVersion": "v1", **found}
    headers = {**_JSON, "Date": date} if date else _JSON
    return Answer(json.dumps(found).encode(), headers=headers)


def _labels(pod: Any) -> set[str]:
    found = (pod["metadata"] or {}).get("labels") if isinstance(pod, dict) else None
    texts = found.values() if isinstance(found, dict) else ()
    return {one for one in texts if isinstance(one, str)}
