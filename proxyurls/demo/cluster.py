"""The demo's cluster: the five services of "Accessing Clusters", and one in another namespace.

Their ports are those of Kubernetes' own addons of the time. That document's kube-dns is listed
without a port's name; its ports have names in real clusters, and so here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from proxyurls.demo.dashboard import Dashboard
from proxyurls.demo.dns import NameServer
from proxyurls.demo.elasticsearch import Elasticsearch
from proxyurls.demo.heapster import Heapster
from proxyurls.demo.kibana import Kibana
from proxyurls.demo.tweets import tweets
from proxyurls.testing import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM = "kube-system"
_DNS_PORTS = [
    {"name": "dns", "port": 53, "protocol": "UDP"},
    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
]


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[FakeCluster]:
    """The cluster, running as long as the ``with`` lasts.

    Args:
        port: where it listens on loopback; a free port with 0.

    Raises:
        OSError: it can't listen there.
    """
    elasticsearch = Elasticsearch([tweets()])
    dashboard = Dashboard(heapster := Heapster())
    with FakeCluster(port=port, anonymous=True) as cluster, NameServer() as names:
        for name, ports, upstream in (
            ("elasticsearch-logging", 9200, elasticsearch),
            ("kibana-logging", 5601, Kibana(elasticsearch)),
            ("kube-dns", _DNS_PORTS, names.address),
            ("monitoring-grafana", 80, dashboard),
            ("monitoring-heapster", 80, heapster),
        ):
            shown = name.removeprefix("monitoring-")
            labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": shown}
            cluster.add_service(name, SYSTEM, upstream=upstream, ports=ports, labels=labels)
        # Without a number or a name this one can't be reached: both of its ports have names.
        both = {"metrics": 9090, "http": 8080}
        cluster.add_service("dashboard", "shop", upstream=dashboard, ports=both)
        yield cluster
