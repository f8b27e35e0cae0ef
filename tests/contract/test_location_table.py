"""The table of locations from Kubernetes' own test (``resource_location.json``), case by case.

Its addresses are made-up ones; each is played by an upstream of its own, and a pod's or
node's ports by those that the upstreams happen to have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .cluster import APIServer, ContainerPort, Port
from .upstream import Upstream

if TYPE_CHECKING:
    from .conftest import Site
    from .fixtures import Serve

TABLE = json.loads(Path(__file__).with_name("resource_location.json").read_text("utf-8"))
NAMESPACE = "table"
Upstreams = dict[str, Upstream]


@pytest.fixture(scope="module")
def services(apiserver: APIServer, serve: Serve) -> Upstreams:
    """The table's services; an upstream for each address and port."""
    apiserver.add_namespace(NAMESPACE)
    upstreams: Upstreams = {}
    fixture = TABLE["service"]["fixture"]
    for name, ports in fixture["services"].items():
        behind = fixture["endpoints"][name]
        ready = {port["name"]: port["port"] for port in behind.get("ports", [])}
        made = []
        for port in ports:
            address = None
            if port["name"] in ready:
                place = f"{behind['addresses'][0]['ip']}:{ready[port['name']]}"
                address = upstreams.setdefault(place, serve()).address
            made.append(Port(port["port"], port["name"], upstream=address))
        apiserver.add_service(name, NAMESPACE, ports=made)
    return upstreams


def root(kind: str, segment: str) -> str:
    """A path to something in the table's namespace."""
    return f"/api/v1/namespaces/{NAMESPACE}/{kind}/{segment}/proxy/case"


@pytest.mark.parametrize("case", TABLE["service"]["cases"], ids=lambda case: case["id"])
def test_service(apiserver: APIServer, services: Upstreams, case: dict[str, Any]) -> None:
    """Each service of the table leads where the table says, or fails as it says."""
    upstreams = services
    for upstream in upstreams.values():
        upstream.requests.clear()
    answer = apiserver.get(root("services", case["id"]))
    if case["error"]:
        assert (answer.status, answer.message) == (case["derived_status"], case["derived_message"])
        return
    scheme, _, place = case["location"].rpartition("//")
    if scheme == "https:":  # the upstream speaks none, so it's TLS that fails
        assert "does not look like a TLS handshake" in answer.message
        return
    assert answer.status == 200
    assert [key for key, upstream in upstreams.items() if upstream.requests] == [place]


@pytest.fixture(scope="module")
def pod(apiserver: APIServer, serve: Serve) -> Upstreams:
    """The table's pod, as p, and an upstream for each of its ports."""
    apiserver.add_namespace(NAMESPACE)
    upstreams: Upstreams = {}
    rows = []
    for container in TABLE["pod"]["fixture"]["spec"]["containers"]:
        row = []
        for port in container.get("ports", []):
            upstream = upstreams[str(port["containerPort"])] = serve()
            row.append(ContainerPort(upstream.address[1], port.get("name", "")))
        rows.append(row)
    ip = next(iter(upstreams.values())).address[0]
    apiserver.add_pod("p", NAMESPACE, ip=ip, ports=rows)
    return upstreams


@pytest.mark.parametrize("case", TABLE["pod"]["cases"], ids=lambda case: case["id"])
def test_pod(apiserver: APIServer, pod: Upstreams, case: dict[str, Any]) -> None:
    """Each pod of the table leads where the table says, or fails as it says."""
    segment = case["id"]
    for number, upstream in pod.items():
        upstream.requests.clear()
        segment = segment.replace(number, str(upstream.address[1]))
    answer = apiserver.get(root("pods", segment))
    if "status" in case:
        assert (answer.status, answer.message) == (case["status"], case["message"])
        return
    assert answer.status == 200
    port = case["location"].rpartition(":")[2]
    assert [key for key, upstream in pod.items() if upstream.requests] == [port]


@pytest.mark.parametrize("case", TABLE["pod"]["errors"], ids=lambda case: str(case["podIPs"]))
def test_pod_address(apiserver: APIServer, case: dict[str, Any]) -> None:
    """A pod without an address that may be proxied to fails as the table says."""
    apiserver.add_namespace(NAMESPACE)
    ip = next(iter(case["podIPs"]), None)
    name = f"at-{ip}".lower().replace(".", "-")
    apiserver.add_pod(name, NAMESPACE, ip=ip)
    answer = apiserver.get(root("pods", name))
    assert (answer.status, answer.message) == (case["status"], case["message"])


@pytest.mark.parametrize("case", TABLE["node"]["cases"], ids=lambda case: case["id"])
def test_node(site: Site, case: dict[str, Any]) -> None:
    """Each node of the table leads where the table says, or fails as it says."""
    kubelet, other = site.tls, site.plain
    segment = case["id"].replace("n", "machine", 1) if case["id"][0] == "n" else case["id"]
    segment = segment.replace("http:n", "http:machine")
    if "status" in case:
        answer = site.get(segment=segment, kind="nodes")
        assert (answer.status, answer.message) == (case["status"], case["message"])
        return
    segment = segment.replace("10250", str(kubelet.address[1]))
    segment = segment.replace("9100", str(other.address[1]))
    upstream = kubelet if case["transport"] == "kubelet" else other
    assert site.hears(upstream, segment, "nodes")
