"""The cluster that README and docs/ talk about: the services of "Accessing Clusters".

Its elasticsearch-logging answers for real, over a little data; the others are only listed, as is
the pod of examples/sidecar/.
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


class Elasticsearch(BaseHTTPRequestHandler):
    """``_cluster/health`` and ``_search?q=FIELD:VALUE``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as Elasticsearch would, with far less in it."""
        url = urlsplit(self.path)
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
        else:
            status, value = 404, {"error": f"no handler found for uri [{self.path}]"}
        indent = 2 if query.get("pretty") == ["true"] else None
        body = (json.dumps(value, indent=indent) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _search(expression: str) -> dict[str, Any]:
    field, _, wanted = expression.partition(":")
    hits = [{"_source": tweet} for tweet in TWEETS if tweet.get(field) == wanted]
    return {"hits": {"total": len(hits), "hits": hits}}


def fill(apiserver: APIServer, elasticsearch: tuple[str, int]) -> None:
    """Create the services.

    Args:
        apiserver: a cluster with nothing in it.
        elasticsearch: where `Elasticsearch` listens.
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
    containers = [[ContainerPort(9100, "metrics")], [ContainerPort(8080, "http")]]
    apiserver.add_pod("shop", ip=None, ports=containers)
