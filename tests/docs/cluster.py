"""The cluster that README and docs/ talk about: the services of "Accessing Clusters".

Its elasticsearch-logging answers for real, over a little data, and so do a Prometheus, an
Alertmanager and a kubelet, a line or two each; the others are only listed, as is the pod of
examples/sidecar/.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from contract.cluster import ContainerPort, Port

if TYPE_CHECKING:
    from contract.cluster import APIServer

SERVER = "https://10.0.0.100:6443"  # as long as the real one's URL, which keeps columns aligned
CLUSTER_SERVICE = {"kubernetes.io/cluster-service": "true"}
TWEETS = (
    {"user": "kimchy", "message": "trying out Elasticsearch"},
    {"user": "elastic", "message": "welcome"},
    {"user": "kimchy", "message": "it works through the apiserver"},
)
METRICS = """\
# HELP kubelet_running_pods Number of pods that have a running pod sandbox
# TYPE kubelet_running_pods gauge
kubelet_running_pods 7
"""
UP = {"metric": {"__name__": "up", "job": "kubelet"}, "value": [1764031080, "1"]}
ALERT = {"labels": {"alertname": "Watchdog"}, "status": {"state": "active"}}


class Apps(BaseHTTPRequestHandler):
    """``_cluster/health`` and ``_search?q=FIELD:VALUE``, and what the other apps are asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as they would, with far less in it."""
        url = urlsplit(self.path)
        status: int
        value: Any
        query = parse_qs(url.query)
        if url.path == "/_cluster/health":
            status, value = (
                200,
                {
                    "cluster_name": "kubernetes_logging",
                    "status": "yellow",
                    "number_of_nodes": 1,
                    "active_primary_shards": 5,
                    "unassigned_shards": 5,
                },
            )
        elif url.path == "/":
            status, value = 200, {"tagline": "You Know, for Search"}
        elif url.path == "/_search":
            status, value = 200, _search(query["q"][0])
        elif url.path == "/api/v1/query":
            found = {"resultType": "vector", "result": [UP] if query["query"] == ["up"] else []}
            status, value = 200, {"status": "success", "data": found}
        elif url.path == "/api/v2/alerts":
            status, value = 200, [ALERT]
        elif url.path == "/metrics":
            status, value = 200, METRICS
        else:
            status, value = 404, {"error": f"no handler found for uri [{self.path}]"}
        indent = 2 if query.get("pretty") == ["true"] else None
        text = value if isinstance(value, str) else json.dumps(value, indent=indent) + "\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if text is not value else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _search(expression: str) -> dict[str, Any]:
    field, _, wanted = expression.partition(":")
    hits = [{"_source": tweet} for tweet in TWEETS if tweet.get(field) == wanted]
    return {"hits": {"total": len(hits), "hits": hits}}


def fill(apiserver: APIServer, elasticsearch: tuple[str, int], kubelet: tuple[str, int]) -> None:
    """Create the services, a pod and a node.

    Args:
        apiserver: a cluster with nothing in it.
        elasticsearch: where `Apps` listens.
        kubelet: where it does so by https.
    """
    system = "kube-system"
    apiserver.add_service(
        "elasticsearch-logging",
        system,
        ports=[Port(9200)],
        upstream=elasticsearch,
        labels=CLUSTER_SERVICE,
    )
    apiserver.add_service(
        "kibana-logging", system, ports=[Port(5601)], labels=CLUSTER_SERVICE, endpoints=False
    )
    apiserver.add_service(
        "kube-dns",
        system,
        ports=[Port(53, "dns", protocol="UDP"), Port(53, "dns-tcp"), Port(9153, "metrics")],
        labels=CLUSTER_SERVICE,
        endpoints=False,
    )
    for name in ("grafana", "heapster"):
        apiserver.add_service(
            f"monitoring-{name}",
            system,
            ports=[Port(80)],
            labels={**CLUSTER_SERVICE, "kubernetes.io/name": name},
            endpoints=False,
        )
    apiserver.add_namespace("monitoring")
    apiserver.add_service(
        "grafana",
        "monitoring",
        ports=[Port(3000, "http"), Port(9094, "gossip")],
        upstream=elasticsearch,
    )
    apiserver.add_service("alertmanager", "monitoring", ports=[Port(8443)], endpoints=False)
    apiserver.add_namespace("prometheus")
    for name, port in (("prometheus", 9090), ("alertmanager", 9093)):
        apiserver.add_service(
            name, "prometheus", ports=[Port(port, "http-web")], upstream=elasticsearch
        )
    apiserver.grant(
        "reader",
        verbs=["get"],
        resources=["services/proxy"],
        names=["prometheus:9090"],
        namespace="prometheus",
    )
    apiserver.add_node("worker-1", ip=kubelet[0], kubelet_port=kubelet[1])
    containers = [[ContainerPort(9100, "metrics")], [ContainerPort(8080, "http")]]
    apiserver.add_pod("shop", ip=None, ports=containers)
