"""Step 8 on the real apiserver: what is missing between a service and its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .lab import CRASH, grant, not_ready, running

if TYPE_CHECKING:
    from .lab import Lab


def test_healthy(lab: Lab) -> None:
    """A pod is behind it: its address is named."""
    report = lab.doctor(lab.web("fine"))
    assert report.healthy
    assert report.step("endpoints") == (
        "ok",
        f"1 of 1 addresses ready: {lab.ip}:{lab.port} is pod 'fine-0'",
    )


def test_some_ready(lab: Lab) -> None:
    """One ready address is enough."""
    lab.pod("half-1")
    lab.service("half", {"port": 80})
    subset = {"addresses": [lab.address("half-1")], "ports": [{"port": lab.port}]}
    lab.endpoints("half", {**subset, "notReadyAddresses": [{"ip": "10.1.2.3"}]})
    report = lab.doctor(lab.target("half"))
    assert report.healthy
    assert report.step("endpoints")[1].startswith("1 of 2 addresses ready: ")


def test_not_ready_addresses_published(lab: Lab) -> None:
    """By publishNotReadyAddresses, which a pod that is not ready counts."""
    lab.pod("eager-1", labels={"app": "eager"}, status=running(lab.ip, ready=False))
    selector = {"app": "eager"}
    lab.service("eager", {"port": 80}, selector=selector, publishNotReadyAddresses=True)
    lab.serve("eager", pod="eager-1")
    report = lab.doctor(lab.target("eager"))
    assert report.healthy
    assert "publishNotReadyAddresses" in report.step("endpoints")[1]


def test_no_controller(lab: Lab) -> None:
    """The pods are ready, and nobody has written Endpoints."""
    lab.pod("late-1", labels={"app": "late"})
    lab.service("late", {"port": 80}, selector={"app": "late"})
    report = lab.doctor(lab.target("late"))
    assert report.cause["name"] == "no-endpoints"
    assert "the endpoints controller is late, or does not run" in report.cause["text"]
    lab.run(report)
    lab.serve("late", pod="late-1")
    assert lab.doctor(*report.argv).healthy


def test_target_port_undeclared(lab: Lab) -> None:
    """The targetPort is a name that no container declares, so the controller leaves it out."""
    ports = [{"containerPort": lab.port, "name": "web"}]
    lab.pod("typo-1", labels={"app": "typo"}, ports=ports)
    lab.service("typo", {"port": 80, "targetPort": "wbe"}, selector={"app": "typo"})
    lab.endpoints("typo")
    assert lab.said("typo:80") == (503, 'no endpoints available for service "typo"')
    report = lab.doctor(lab.target("typo"))
    assert report.cause["name"] == "port-not-served"
    assert report.cause["text"] == (
        f"port 80 of service 'typo' in namespace {lab.namespace!r} leads to the pods' port named "
        f"'wbe', and their containers declare web ({lab.port})"
    )
    lab.run(report)
    spec = lab.apiserver.get(f"/api/v1/namespaces/{lab.namespace}/services/typo").json()["spec"]
    assert spec["ports"][0]["targetPort"] == "web"
    lab.serve("typo", pod="typo-1")
    assert lab.doctor(*report.argv).healthy


def test_one_target_port_undeclared(lab: Lab) -> None:
    """The same for one port of two: the endpoints have the other."""
    lab.pod("two-1", labels={"app": "two"}, ports=[{"containerPort": lab.port, "name": "web"}])
    ports = (
        {"port": 80, "name": "http", "targetPort": "web"},
        {"port": 81, "name": "admin", "targetPort": "admin"},
    )
    lab.service("two", *ports, selector={"app": "two"})
    lab.serve("two", ports[0], pod="two-1")
    assert lab.doctor(lab.target("two:80")).healthy
    assert lab.said("two:81") == (503, 'no endpoints available for service "two:81"')
    report = lab.doctor(lab.target("two:81"))
    assert report.cause["name"] == "port-not-served"
    lab.run(report)
    lab.serve("two", *ports, pod="two-1")
    assert lab.doctor(*report.argv).healthy


def test_a_port_without_endpoints(lab: Lab) -> None:
    """The port that another one of the service needs stays as it is."""
    lab.pod("partial-1")
    ports = [{"port": 80 + n, "name": name, "targetPort": lab.port} for n, name in enumerate("ab")]
    lab.service("partial", *ports)
    lab.serve("partial", ports[0], pod="half-1")
    report = lab.doctor(lab.target("partial:b"))
    assert report.cause["name"] == "port-not-served"
    lab.run(report)
    assert lab.doctor(*report.argv).healthy
    assert lab.doctor(lab.target("partial:a")).healthy


def test_port_of_another_name(lab: Lab) -> None:
    """Endpoints made by hand whose port has not the service's port's name."""
    lab.pod("misnamed-1")
    lab.service("misnamed", {"port": 80, "name": "http", "targetPort": lab.port})
    lab.serve("misnamed", {"name": "web"}, pod="misnamed-1")
    message = 'no endpoints available for service "misnamed:80"'
    assert lab.said("misnamed:80") == (503, message)
    report = lab.doctor(lab.target("misnamed"))
    assert report.cause["name"] == "port-not-served"
    assert report.cause["text"] == (
        f"the endpoints of service 'misnamed' in namespace {lab.namespace!r} have port "
        f"{lab.port} (named web), and none of the name of port 80 (named http)"
    )
    lab.run(report)
    assert lab.doctor(*report.argv).healthy


def test_port_without_a_name(lab: Lab) -> None:
    """The reverse: the endpoints' port has a name, and the service's has none."""
    lab.pod("nameless-1")
    lab.service("nameless", {"port": 80, "targetPort": lab.port})
    lab.serve("nameless", {"name": "web"}, pod="nameless-1")
    report = lab.doctor(lab.target("nameless"))
    assert report.cause["name"] == "port-not-served"
    assert report.cause["text"].endswith("none of the name of port 80, which has no name")
    lab.run(report)
    assert lab.doctor(*report.argv).healthy


def test_no_reference(lab: Lab) -> None:
    """An address without targetRef, which a pod has: the patch names that pod."""
    lab.pod("loose-1")
    lab.service("loose", {"port": 80})
    lab.endpoints("loose", {"addresses": [lab.address(None)], "ports": [{"port": lab.port}]})
    assert lab.said("loose") == (503, 'no endpoints available for service "loose"')
    report = lab.doctor(lab.target("loose"))
    assert report.cause["name"] == "no-target-ref"
    assert report.cause["text"] == (
        "the apiserver proxies to pods of the namespace alone, and behind service 'loose' in "
        f"namespace {lab.namespace!r} {lab.ip} has no targetRef"
    )
    lab.run(report)
    assert lab.doctor(*report.argv).healthy


@pytest.mark.parametrize("fault", ["namespace", "gone", "address"])
def test_wrong_reference(lab: Lab, fault: str) -> None:
    """A targetRef to another namespace, to a pod that is gone, or to one with another address."""
    name = f"stale-{fault}"
    lab.pod(f"{name}-1")
    lab.pod(f"{name}-2", status=running("10.9.9.9"))
    reference = {
        "namespace": {"namespace": "default", "name": f"{name}-1"},
        "gone": {"namespace": lab.namespace, "name": f"{name}-0"},
        "address": {"namespace": lab.namespace, "name": f"{name}-2"},
    }[fault]
    address = {"ip": lab.ip, "targetRef": {"kind": "Pod", **reference}}
    lab.service(name, {"port": 80})
    lab.endpoints(name, {"addresses": [address], "ports": [{"port": lab.port}]})
    assert lab.said(name) == (503, f'no endpoints available for service "{name}"')
    report = lab.doctor(lab.target(name))
    assert report.cause["name"] == "no-target-ref"
    assert {
        "namespace": f"{lab.ip} has a targetRef to namespace 'default'",
        "gone": f"{lab.ip} has a targetRef to pod '{name}-0', which is not there",
        "address": f"{lab.ip} is not the address of pod '{name}-2' (10.9.9.9)",
    }[fault] in report.cause["text"]
    lab.run(report)
    assert lab.doctor(*report.argv).healthy


def test_outside_address(lab: Lab) -> None:
    """An address of no pod: it can't be reached so, and is what to ask."""
    lab.service("legacy", {"port": 80, "targetPort": 8080})
    lab.endpoints("legacy", {"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 8080}]})
    assert lab.said("legacy") == (503, 'no endpoints available for service "legacy"')
    report = lab.doctor(lab.target("legacy"), "/x")
    assert (report.cause["name"], lab.remedy(report)) == (
        "no-target-ref",
        "curl http://192.0.2.7:8080/x",
    )


def test_the_apiserver_itself(lab: Lab) -> None:
    """The service `kubernetes` has the apiserver's address, which is no pod's."""
    report = lab.doctor("https:kubernetes.default:443")
    assert (report.cause["name"], lab.remedy(report)) == (
        "no-target-ref",
        "proxyurls fetch --raw /",
    )
    lab.run(report)


def test_forbidden_addresses(lab: Lab) -> None:
    """Loopback and link-local addresses can't even be written into Endpoints."""
    for ip in ("127.0.0.1", "169.254.1.1", "::1"):
        content = {"metadata": {"name": "self"}, "subsets": [{"addresses": [{"ip": ip}]}]}
        path = f"/api/v1/namespaces/{lab.namespace}/endpoints"
        with pytest.raises(AssertionError, match="422"):
            lab.apiserver.create(path, content)


def slices(lab: Lab, name: str, *, ready: bool = True) -> None:
    """Make an EndpointSlice, as its controller would, and no Endpoints."""
    piece = {
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [lab.ip],
                "conditions": {"ready": ready},
                "targetRef": lab.address(f"{name}-0")["targetRef"],
            }
        ],
        "ports": [{"name": "", "port": lab.port, "protocol": "TCP"}],
    }
    version = "v1" if lab.apiserver.serves_slices else "v1beta1"
    lab.make("endpointslices", piece, group=f"discovery.k8s.io/{version}")


def test_slices_alone(lab: Lab) -> None:
    """EndpointSlices and no Endpoints: that is enough from Kubernetes 1.35 on."""
    lab.pod("sliced-0")
    lab.service("sliced", {"port": 80})
    slices(lab, "sliced")
    report = lab.doctor(lab.target("sliced"))
    if not report.healthy:
        assert lab.said("sliced") == (404, 'services "sliced" not found')
        assert report.cause["name"] == "no-endpoints"
        assert "has EndpointSlices and no Endpoints" in report.cause["text"]
        lab.run(report, stdin=True)
    assert lab.doctor(*report.argv).healthy


def test_slices_not_ready(lab: Lab) -> None:
    """What EndpointSlices say of readiness counts where there are no Endpoints."""
    lab.pod("cut-0", status=not_ready(CRASH))
    lab.service("cut", {"port": 80})
    slices(lab, "cut", ready=False)
    report = lab.doctor(lab.target("cut"))
    assert report.cause["name"] == "pods-not-ready"
    assert "pod 'cut-0' since" in report.cause["text"]


def test_may_read_services_alone(lab: Lab) -> None:
    """Who may read neither Endpoints nor EndpointSlices is told so, and no false cause."""
    who = grant(lab, "narrow", "services")
    report = lab.doctor(lab.web("narrow"), who)
    assert report.healthy
    result, text = report.step("endpoints")
    assert result == "skipped"
    assert 'User "narrow" cannot get resource "endpoints"' in text


def test_may_not_read_pods(lab: Lab) -> None:
    """Who may not read pods is told what Endpoints say, and that the rest can't be told."""
    who = grant(lab, "podless", "services", "endpoints")
    report = lab.doctor(lab.web("podless"), who)
    assert report.healthy
    assert report.step("endpoints")[0] == "ok"
    lab.service("podless-too", {"port": 80}, selector={"app": "x"})
    lab.endpoints("podless-too")
    report = lab.doctor(lab.target("podless-too"), who)
    assert report.cause["name"] == "no-endpoints"
    assert 'User "podless" cannot list resource "pods"' in report.cause["text"]
    assert lab.remedy(report).startswith(f"kubectl get pods -l app=x -n {lab.namespace}")
    address = lab.address("podless-0")
    lab.endpoints("podless-too", {"notReadyAddresses": [address], "ports": [{"port": 1}]})
    report = lab.doctor(lab.target("podless-too"), who)
    assert report.cause["name"] == "pods-not-ready"
    assert report.cause["text"].endswith(f"is ready: {lab.ip} (pod 'podless-0')")


def test_pods_may_not_be_listed(lab: Lab) -> None:
    """Where pods may not be read, what is sure is told, and what there is instead of a patch."""
    who = grant(lab, "distant", "services", "endpoints")
    lab.service("distant", {"port": 80, "targetPort": "web"}, selector={"app": "distant"})
    lab.serve("distant", {"name": "other"}, pod="distant-0")
    report = lab.doctor(lab.target("distant"), who)
    assert report.cause["name"] == "port-not-served"
    assert "have port " in report.cause["text"]
    lab.endpoints("distant", {"addresses": [lab.address(None)], "ports": [{"port": lab.port}]})
    report = lab.doctor(lab.target("distant"), who)
    assert report.cause["name"] == "no-target-ref"
    assert lab.remedy(report) == f"curl http://{lab.ip}:{lab.port}/ "[:-1]


def test_nothing_behind_it_may_be_read(lab: Lab) -> None:
    """Where neither may be read, the apiserver's answer tells; that it exists is known."""
    who = grant(lab, "outer", "services")
    lab.service("hollow", {"port": 80})
    report = lab.doctor(lab.target("hollow"), who)
    assert report.step("existence")[0] == "ok"
    assert report.step("endpoints")[0] == "skipped"
    assert report.cause["name"] == "no-endpoints"


def test_slices_may_not_be_read(lab: Lab) -> None:
    """EndpointSlices that may not be read, and no Endpoints: the apiserver is asked."""
    who = grant(lab, "unsliced", "services", "endpoints")
    lab.pod("hidden-0")
    lab.service("hidden", {"port": 80})
    slices(lab, "hidden")
    report = lab.doctor(lab.target("hidden"), who)
    if report.healthy:  # from Kubernetes 1.35 on
        assert "a request gets through" in report.step("endpoints")[1]
    else:
        assert report.cause["name"] == "no-endpoints"
