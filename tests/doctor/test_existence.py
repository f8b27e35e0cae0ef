"""Step 5 on the real apiserver: there is no such object, and which was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .lab import Lab

ELSEWHERE = "doctor-elsewhere"


@pytest.fixture
def elsewhere(lab: Lab) -> Lab:
    """Another namespace."""
    lab.apiserver.add_namespace(ELSEWHERE)
    return type(lab)(lab.apiserver, ELSEWHERE, lab.app, lab.doctor)


def test_there(lab: Lab) -> None:
    """A service that is there is said to be."""
    report = lab.doctor(lab.web("there"))
    assert report.healthy
    text = f"service 'there' in namespace {lab.namespace!r} is there"
    assert report.step("existence") == ("ok", text)


def test_near_name(lab: Lab) -> None:
    """A mistyped name: the near one is named, and is what to type."""
    lab.web("grafana-main")
    assert lab.said("grafana-mian:80") == (404, 'services "grafana-mian" not found')
    report = lab.doctor(lab.target("grafana-mian:80"), "/d?x=1")
    assert report.cause["name"] == "no-such-service"
    assert report.cause["text"] == (
        f"there is no service 'grafana-mian' in namespace {lab.namespace!r}; "
        f"near: grafana-main.{lab.namespace}"
    )
    assert lab.remedy(report) == f"proxyurls fetch grafana-main.{lab.namespace}:80 '/d?x=1'"
    assert '"/d?x=1"' in lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_near_bare_name(lab: Lab) -> None:
    """The same without a port: then `fetch` has looked for near ones itself."""
    lab.web("prometheus-main")
    report = lab.doctor(lab.target("prometheus-mian"))
    assert report.cause["name"] == "no-such-service"
    assert lab.remedy(report) == f"proxyurls fetch prometheus-main.{lab.namespace}"
    assert lab.doctor.remedied(report).healthy


def test_in_another_namespace(lab: Lab, elsewhere: Lab) -> None:
    """The same name in another namespace is what to type."""
    elsewhere.web("loki")
    assert lab.said("loki:80") == (404, 'services "loki" not found')
    report = lab.doctor(lab.target("loki:80"))
    assert report.cause["name"] == "no-such-service"
    assert report.cause["text"].endswith(f"; a service of that name is in {ELSEWHERE!r}")
    assert lab.remedy(report) == f"proxyurls fetch loki.{ELSEWHERE}:80"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_found_in_another_namespace(lab: Lab, elsewhere: Lab) -> None:
    """Where `fetch` would go to another namespace by itself, so does doctor, and says so."""
    elsewhere.web("tempo")
    report = lab.doctor("tempo")
    assert report.healthy
    assert report.step("existence") == (
        "ok",
        f"'tempo' is taken for service 'tempo' in namespace {ELSEWHERE!r}: the exact name",
    )


def test_found_by_display_name(lab: Lab) -> None:
    """The display name will do."""
    lab.pod("mimir-0")
    lab.apiserver.add_service(
        "mimir-frontend",
        lab.namespace,
        upstream=lab.app.address,
        labels={"kubernetes.io/name": "mimir"},
    )
    report = lab.doctor(lab.target("mimir"))
    assert report.healthy
    assert report.step("existence")[1] == (
        f"'mimir' is taken for service 'mimir-frontend' in namespace {lab.namespace!r}: "
        "its display name"
    )


def test_several(lab: Lab) -> None:
    """Several fit: they are named, and the first is what to type."""
    for name in ("shard-a", "shard-b"):
        lab.web(name)
    report = lab.doctor(lab.target("shard"))
    assert report.cause["name"] == "no-such-service"
    assert f"near: shard-a.{lab.namespace}, shard-b.{lab.namespace}" in report.cause["text"]
    assert lab.remedy(report) == f"proxyurls fetch shard-a.{lab.namespace}"
    assert lab.doctor.remedied(report).healthy


def test_no_namespace(lab: Lab) -> None:
    """A mistyped namespace: the apiserver speaks of the service, doctor of the namespace."""
    lab.web("vector")
    assert lab.apiserver.get("/api/v1/namespaces/doctor-existense/services/vector/proxy/").message
    report = lab.doctor("vector.doctor-existense:80")
    assert report.cause["name"] == "no-such-namespace"
    assert report.cause["text"].startswith("there is no namespace 'doctor-existense', but ")
    assert lab.namespace in report.cause["text"]
    assert lab.remedy(report) == f"proxyurls fetch vector.{lab.namespace}:80"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_a_pod_of_that_name(lab: Lab) -> None:
    """A pod's name typed as a service's."""
    lab.pod("job-7")
    assert lab.said(f"job-7:{lab.port}") == (404, 'services "job-7" not found')
    report = lab.doctor(lab.target(f"job-7:{lab.port}"))
    assert report.cause["name"] == "no-such-service"
    assert report.cause["text"].endswith("; a pod has that name")
    assert lab.remedy(report) == f"proxyurls fetch pod/job-7:{lab.port} -n {lab.namespace}"
    lab.run(report)
    assert lab.doctor(f"pod/job-7:{lab.port}", f"--namespace={lab.namespace}").healthy


def test_nothing_near(lab: Lab) -> None:
    """Nothing is near: the list of all services is what to type."""
    report = lab.doctor(lab.target("qqqqqqqq"))
    assert report.cause["name"] == "no-such-service"
    assert report.cause["text"] == f"there is no service 'qqqqqqqq' in namespace {lab.namespace!r}"
    assert lab.remedy(report) == "proxyurls services -A"
    assert "NAMESPACE" in lab.run(report)


def test_no_pod(lab: Lab) -> None:
    """A pod that its Deployment has replaced: the new one is near."""
    lab.pod("shop-5d9f-abcde")
    assert lab.said("shop-5d9f-zzzzz", "pods") == (404, 'pods "shop-5d9f-zzzzz" not found')
    report = lab.doctor(f"pod/shop-5d9f-zzzzz:{lab.port}", f"--namespace={lab.namespace}")
    assert report.cause["name"] == "no-such-pod"
    assert report.cause["text"].endswith("; near: shop-5d9f-abcde")
    assert (
        lab.remedy(report) == f"proxyurls fetch pod/shop-5d9f-abcde:{lab.port} -n {lab.namespace}"
    )
    lab.run(report)
    assert lab.doctor(f"pod/shop-5d9f-abcde:{lab.port}", f"--namespace={lab.namespace}").healthy


def test_pod_in_another_namespace(lab: Lab, elsewhere: Lab) -> None:
    """A pod of that name in another namespace."""
    elsewhere.pod("db-0")
    report = lab.doctor(f"pod/db-0:{lab.port}", f"--namespace={lab.namespace}")
    assert report.cause["name"] == "no-such-pod"
    assert report.cause["text"].endswith(f"; a pod of that name is in {ELSEWHERE!r}")
    assert lab.remedy(report) == f"proxyurls fetch pod/db-0:{lab.port} -n {ELSEWHERE}"
    lab.run(report)


def test_a_service_of_that_name(lab: Lab) -> None:
    """A service's name typed as a pod's."""
    lab.web("cart")
    report = lab.doctor("pod/cart", f"--namespace={lab.namespace}")
    assert report.cause["name"] == "no-such-pod"
    assert report.cause["text"].endswith("; a service has that name")
    assert lab.remedy(report) == f"proxyurls fetch cart.{lab.namespace}"
    lab.run(report)
    assert lab.doctor(f"cart.{lab.namespace}").healthy


def test_no_pod_at_all(lab: Lab) -> None:
    """Nothing is near: the list of pods; and of namespaces where even that is missing."""
    report = lab.doctor("pod/qqqqqqqq", f"--namespace={lab.namespace}")
    assert (report.cause["name"], lab.remedy(report)) == (
        "no-such-pod",
        f"kubectl get pods -n {lab.namespace}",
    )
    lab.run(report)
    report = lab.doctor("pod/qqqqqqqq", "--namespace=qqqqqqqq")
    assert (report.cause["name"], lab.remedy(report)) == (
        "no-such-namespace",
        "kubectl get namespaces",
    )
    lab.run(report)


def test_no_node(lab: Lab) -> None:
    """A node by its short name, or by its address: its name is what to type."""
    name = "worker-3.example.internal"
    lab.apiserver.add_node(name, ip="192.0.2.33", kubelet_port=10250)
    assert lab.said("worker-3", "nodes") == (404, 'nodes "worker-3" not found')
    for typed in ("worker-3", "192.0.2.33"):
        report = lab.doctor(f"node/{typed}:80")
        assert report.cause["name"] == "no-such-node"
        assert report.cause["text"] == f"there is no node {typed!r}; near: {name}"
        assert lab.remedy(report) == f"proxyurls fetch node/{name}:80"
        assert lab.doctor.remedied(report).step("existence")[0] == "ok"
    report = lab.doctor("node/qqqqqqqq")
    assert lab.remedy(report) == "kubectl get nodes"
    lab.run(report)


def test_may_not_be_read(lab: Lab) -> None:
    """Who may not read a service may still proxy to it: it is tried as it was typed."""
    lab.web("closed")
    lab.apiserver.grant(
        "caller", verbs=["get"], resources=["services/proxy"], namespace=lab.namespace
    )
    report = lab.doctor(lab.target("closed"), "--as=caller")
    assert report.healthy
    for step in ("existence", "port", "protocol", "endpoints"):
        assert report.step(step)[0] == "skipped"
    assert 'User "caller" cannot list resource "services"' in report.step("existence")[1]


def test_nothing_may_be_listed(lab: Lab) -> None:
    """Who may list nothing is told what is sure, and what to type all the same."""
    for resource in ("services", "pods"):
        lab.apiserver.grant("getter", verbs=["get"], resources=[resource], namespace=lab.namespace)
    lab.apiserver.grant("getter", verbs=["get"], resources=["nodes"])
    space = f"--namespace={lab.namespace}"
    report = lab.doctor("absent:80", space, "--as=getter")
    assert report.cause["text"] == f"there is no service 'absent' in namespace {lab.namespace!r}"
    report = lab.doctor("pod/absent:80", space, "--as=getter")
    assert report.cause["text"] == f"there is no pod 'absent' in namespace {lab.namespace!r}"
    report = lab.doctor("node/absent", "--as=getter")
    assert report.cause["text"] == "there is no node 'absent'"
    lab.apiserver.grant("viewer", verbs=["get"], resources=["services"], namespace=lab.namespace)
    assert lab.doctor("absent:80", space, "--as=viewer").cause["name"] == "no-such-service"


@pytest.mark.parametrize(("typed", "plural"), [("pod/x:80", "pods"), ("node/x:80", "nodes")])
def test_machines_may_not_be_read(lab: Lab, typed: str, plural: str) -> None:
    """A pod or node that may not be read is tried as it was typed."""
    user = f"{plural}-caller"
    lab.apiserver.grant(user, verbs=["get"], resources=[f"{plural}/proxy"])
    space = (f"--namespace={lab.namespace}",) if plural == "pods" else ()
    report = lab.doctor(typed, *space, f"--as={user}")
    assert [report.step(step)[0] for step in ("existence", "port", "endpoints")] == ["skipped"] * 3
    assert report.cause["name"] == f"no-such-{plural[:-1]}"
