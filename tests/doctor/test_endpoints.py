"""Step 8 on the real apiserver: what is missing between a service and its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .lab import running

if TYPE_CHECKING:
    from .lab import Lab

SINCE = "2026-11-25T01:02:03Z"


def mend(lab: Lab, name: str, pod: str, *ports: dict[str, Any]) -> None:
    """Do the endpoints controller's part, once the remedy has been applied."""
    lab.serve(name, *ports, pod=pod)


def test_healthy(lab: Lab) -> None:
    """A pod is behind it: its address is named."""
    report = lab.doctor(lab.web("fine"))
    assert report.healthy
    assert report.step("endpoints") == (
        "ok",
        f"1 of 1 addresses ready: {lab.ip}:{lab.port} is pod 'fine-0'",
    )


def test_no_selector(lab: Lab) -> None:
    """Neither selector nor Endpoints: a selector for the pod of that name."""
    lab.pod("bare-5f7b-x", labels={"app": "bare", "pod-template-hash": "5f7b"})
    lab.service("bare", {"port": 80})
    assert lab.said("bare") == (404, 'services "bare" not found')
    report = lab.doctor(lab.target("bare"))
    assert report.cause["name"] == "no-endpoints"
    assert report.cause["text"] == (
        f"service 'bare' in namespace {lab.namespace!r} has no selector and no Endpoints, "
        "so nothing is behind it; pod 'bare-5f7b-x' may be meant"
    )
    assert lab.remedy(report) == (
        f"kubectl patch service bare -n {lab.namespace} --type=merge "
        """-p '{"spec": {"selector": {"app": "bare"}}}'"""
    )
    lab.run(report)
    mend(lab, "bare", "bare-5f7b-x")
    assert lab.doctor(*report.argv).healthy


def test_no_selector_and_no_pod(lab: Lab) -> None:
    """There is no pod that may be meant, so nothing can be typed."""
    lab.service("lonely", {"port": 80})
    report = lab.doctor(lab.target("lonely"))
    assert report.cause["name"] == "no-endpoints"
    assert lab.remedy(report) == "give it a selector, or an Endpoints object"
    lab.pod("someone")
    mend(lab, "lonely", "someone")
    assert lab.doctor(*report.argv).healthy


def test_wrong_label(lab: Lab) -> None:
    """The selector's value is misspelt: which label differs, and the patch that mends it."""
    lab.pod("orders-1", labels={"app": "orders", "tier": "back"})
    lab.service("orders", {"port": 80}, selector={"app": "ordres", "tier": "back"})
    lab.endpoints("orders")
    assert lab.said("orders") == (503, 'no endpoints available for service "orders"')
    report = lab.doctor(lab.target("orders"))
    assert report.cause["name"] == "selector-mismatch"
    assert report.cause["text"] == (
        f"service 'orders' in namespace {lab.namespace!r} selects app=ordres,tier=back, "
        "and no pod has that; pod 'orders-1' has app=orders"
    )
    assert lab.remedy(report) == (
        f"kubectl patch service orders -n {lab.namespace} --type=merge "
        """-p '{"spec": {"selector": {"app": "orders"}}}'"""
    )
    lab.run(report)
    mend(lab, "orders", "orders-1")
    assert lab.doctor(*report.argv).healthy


def test_label_too_many(lab: Lab) -> None:
    """The pod lacks one of the labels: the patch takes it out of the selector."""
    lab.pod("stock-1", labels={"app": "stock"})
    lab.service("stock", {"port": 80}, selector={"app": "stock", "release": "blue"})
    report = lab.doctor(lab.target("stock"))
    assert report.cause["name"] == "selector-mismatch"
    assert report.cause["text"].endswith("; pod 'stock-1' has no label release")
    assert '"release": null' in lab.remedy(report)
    lab.run(report)
    mend(lab, "stock", "stock-1")
    assert lab.doctor(*report.argv).healthy


def test_pods_elsewhere(lab: Lab) -> None:
    """The pods are in another namespace, which a selector never reaches."""
    space = "doctor-pods-elsewhere"
    lab.apiserver.add_namespace(space)
    other = type(lab)(lab.apiserver, space, lab.app, lab.doctor)
    other.pod("zebra-1", labels={"animal": "zebra"})
    lab.service("zoo", {"port": 80}, selector={"animal": "zebra"})
    report = lab.doctor(lab.target("zoo"))
    assert report.cause["name"] == "selector-mismatch"
    assert report.cause["text"].endswith(
        f"; pod 'zebra-1' of namespace {space!r} has, but a service selects in its own alone"
    )
    assert lab.remedy(report) == f"proxyurls services -n {space}"
    lab.run(report)
    other.service("zoo", {"port": 80}, selector={"animal": "zebra"})
    other.serve("zoo", pod="zebra-1")
    report = lab.doctor(*report.argv)
    assert lab.remedy(report) == f"proxyurls fetch zoo.{space}:80"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_nothing_like_it(lab: Lab) -> None:
    """No pod resembles what is selected: the list of what there is."""
    lab.service("ghost", {"port": 80}, selector={"spirit": "none"})
    report = lab.doctor(lab.target("ghost"))
    assert report.cause["name"] == "selector-mismatch"
    assert report.cause["text"].endswith("selects spirit=none, and no pod has that")
    words = "kubectl get deployments,statefulsets,daemonsets,pods"
    assert lab.remedy(report) == f"{words} -n {lab.namespace}"
    lab.run(report)


def test_scaled_to_zero(lab: Lab) -> None:
    """The Deployment behind it has no replicas: the command that gives it one."""
    labels = {"app": "night"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    lab.make("deployments", {"metadata": {"name": "night"}, "spec": spec}, group="apps/v1")
    lab.service("night", {"port": 80}, selector=labels)
    lab.endpoints("night")
    assert lab.said("night") == (503, 'no endpoints available for service "night"')
    report = lab.doctor(lab.target("night"))
    assert report.cause["name"] == "scaled-to-zero"
    assert report.cause["text"] == (
        f"deployment 'night' behind service 'night' in namespace {lab.namespace!r} has 0 replicas"
    )
    assert lab.remedy(report) == (f"kubectl scale deployment/night --replicas=1 -n {lab.namespace}")
    lab.run(report)
    lab.pod("night-1", labels=labels)  # the controllers' part
    mend(lab, "night", "night-1")
    assert lab.doctor(*report.argv).healthy


def waiting(reason: str, message: str, **more: object) -> dict[str, Any]:
    """The status of a container that waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "app", "ready": False, "restartCount": 0, "state": state, **more}


def not_ready(*containers: dict[str, Any], **more: object) -> dict[str, Any]:
    """The status of a pod that is not ready since a known time."""
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": SINCE}
    return {
        "phase": "Pending",
        "conditions": [{**ready, "reason": "ContainersNotReady", "message": "app"}],
        "containerStatuses": [{"image": "none", "imageID": "", **one} for one in containers],
        **more,
    }


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available",
}
LAST = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
CRASH = waiting("CrashLoopBackOff", "back-off", restartCount=7, lastState=LAST)
ENDED = {"terminated": {"exitCode": 2, "reason": "Error"}}


@pytest.mark.parametrize(
    ("status", "why", "command"),
    [
        (
            not_ready(waiting("ImagePullBackOff", 'Back-off pulling image "none"')),
            "container 'app' waits: ImagePullBackOff: Back-off pulling image \"none\"",
            "describe pod",
        ),
        (
            not_ready(CRASH, phase="Running"),
            "container 'app' waits: CrashLoopBackOff: back-off, exit code 137, restarted 7 times",
            "logs",
        ),
        (
            not_ready({**waiting("", ""), "state": ENDED}, phase="Running"),
            "container 'app' ended: Error, exit code 2",
            "describe pod",
        ),
        (
            not_ready(
                {"name": "app", "ready": False, "restartCount": 0, "state": {"running": {}}},
                phase="Running",
            ),
            "container 'app' runs, and its readiness probe fails",
            "describe pod",
        ),
        (
            {"phase": "Pending", "conditions": [UNSCHEDULABLE]},
            "it is on no node: Unschedulable: 0/3 nodes are available",
            "describe pod",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
            "it is Failed: Evicted: low on memory",
            "describe pod",
        ),
        ({}, "it is Pending", "describe pod"),
        ({"phase": "Running"}, "its kubelet has not said that it is", "describe pod"),
    ],
    ids=[
        *("image", "crash", "ended", "probe", "unschedulable", "evicted", "new", "silent"),
    ],
)
def test_not_ready(
    lab: Lab, request: pytest.FixtureRequest, status: dict[str, Any], why: str, command: str
) -> None:
    """A pod is there and not ready: which, since when, why; and what shows more."""
    name = f"sick-{request.node.callspec.id}"
    labels = {"app": name}
    lab.pod(f"{name}-1", labels=labels, status=status)
    lab.apiserver.create(
        f"/api/v1/namespaces/{lab.namespace}/pods/{name}-1",
        {"metadata": {"annotations": {"seen": "yes"}}},
        method="PATCH",
    )
    lab.service(name, {"port": 80}, selector=labels)
    address = lab.address(f"{name}-1")
    lab.endpoints(name, {"notReadyAddresses": [address], "ports": [{"port": lab.port}]})
    assert lab.said(name) == (503, f'no endpoints available for service "{name}"')
    report = lab.doctor(lab.target(name))
    assert report.cause["name"] == "pods-not-ready"
    since = f" since {SINCE}" if "containerStatuses" in status else ""
    assert report.cause["text"] == (
        f"no pod behind service '{name}' in namespace {lab.namespace!r} is ready: "
        f"pod '{name}-1'{since}: {why}"
    )
    assert lab.remedy(report).startswith(f"kubectl {command} {name}-1 ")
    if command != "logs":  # a log is the kubelet's to show, and there is none
        assert f"{name}-1" in lab.run(report)
    lab.report(f"{name}-1", running(lab.ip))  # the kubelet's part, once the app is mended
    mend(lab, name, f"{name}-1")
    assert lab.doctor(*report.argv).healthy


def test_not_ready_and_no_endpoints(lab: Lab) -> None:
    """The same where not even an Endpoints object is there yet."""
    lab.pod("slow-1", labels={"app": "slow"}, status=not_ready(CRASH))
    lab.service("slow", {"port": 80}, selector={"app": "slow"})
    assert lab.said("slow") == (404, 'services "slow" not found')
    assert lab.doctor(lab.target("slow")).cause["name"] == "pods-not-ready"


def test_not_ready_without_selector(lab: Lab) -> None:
    """Endpoints made by hand whose addresses are not ready."""
    lab.pod("hand-1", status=not_ready(CRASH))
    lab.service("hand", {"port": 80})
    address = lab.address("hand-1")
    lab.endpoints("hand", {"notReadyAddresses": [address], "ports": [{"port": lab.port}]})
    assert "pod 'hand-1' since" in lab.doctor(lab.target("hand")).cause["text"]
    lab.endpoints("hand", {"notReadyAddresses": [{"ip": lab.ip}], "ports": [{"port": lab.port}]})
    report = lab.doctor(lab.target("hand"))
    assert report.cause["name"] == "pods-not-ready"
    assert report.cause["text"].endswith(f"is ready: {lab.ip}")
    lab.run(report)


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
    mend(lab, "late", "late-1")
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
    mend(lab, "typo", "typo-1")
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
    mend(lab, "two", "two-1", *ports)
    assert lab.doctor(*report.argv).healthy


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


def grant(lab: Lab, user: str, *resources: str) -> str:
    """Let a user read some kinds of objects, and use the proxy."""
    lab.apiserver.grant(user, verbs=["get", "list"], resources=resources, namespace=lab.namespace)
    lab.apiserver.grant(user, verbs=["get"], resources=["services/proxy"], namespace=lab.namespace)
    return f"--as={user}"


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
