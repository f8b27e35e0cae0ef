"""Step 8 on the real apiserver: no pod is behind a service, for want of the right labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lab import grant

if TYPE_CHECKING:
    from .lab import Lab


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
    lab.serve("bare", pod="bare-5f7b-x")
    assert lab.doctor(*report.argv).healthy


def test_no_selector_and_no_pod(lab: Lab) -> None:
    """There is no pod that may be meant, so nothing can be typed."""
    lab.service("lonely", {"port": 80})
    report = lab.doctor(lab.target("lonely"))
    assert report.cause["name"] == "no-endpoints"
    assert lab.remedy(report) == "give it a selector, or an Endpoints object"
    lab.pod("someone")
    lab.serve("lonely", pod="someone")
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
    lab.serve("orders", pod="orders-1")
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
    lab.serve("stock", pod="stock-1")
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
    lab.serve("night", pod="night-1")
    assert lab.doctor(*report.argv).healthy


def test_pods_may_not_be_listed(lab: Lab) -> None:
    """Without a selector that is sure; whose pods may be meant is not told."""
    lab.service("secluded", {"port": 80})
    who = grant(lab, "secluded", "services", "endpoints")
    report = lab.doctor(lab.target("secluded"), who)
    assert report.cause["name"] == "no-endpoints"
    assert report.cause["text"].endswith("so nothing is behind it")


def test_nothing_else_may_be_listed(lab: Lab) -> None:
    """Who may list neither Deployments nor other namespaces' pods is told what is sure."""
    lab.service("shy", {"port": 80}, selector={"is": "shy"})
    who = grant(lab, "shy", "services", "endpoints", "pods")
    report = lab.doctor(lab.target("shy"), who)
    assert report.cause["name"] == "selector-mismatch"
    assert report.cause["text"].endswith("selects is=shy, and no pod has that")
