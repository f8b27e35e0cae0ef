"""builtin_services.py: the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import App, refusal

if TYPE_CHECKING:
    from proxyurls.testing import FakeCluster

    from .conftest import Run

BUILTIN = {"kubernetes.io/cluster-service": "true"}


def test_report(fake_cluster: FakeCluster, run: Run) -> None:
    """One that answers, one that has no such page, one that has no endpoints; and no other."""
    page, api = App({"/": "<p>Kibana"}), App({"/": {"kind": "Status"}})
    add = fake_cluster.add_service
    add("kibana", "kube-system", ports=5601, upstream=page, labels=BUILTIN)
    named = {**BUILTIN, "kubernetes.io/name": "grafana"}
    add("monitoring-grafana", "kube-system", ports={"http": 80}, upstream=App({}), labels=named)
    add("heapster", "kube-system", ports=80, labels=BUILTIN)
    add("other", "kube-system", ports=80, upstream=api)
    done = run("builtin_services.py")
    assert (done.returncode, done.stderr) == (0, "")
    root = f"{fake_cluster.url}/api/v1/namespaces/kube-system/services"
    refused = '503 Service Unavailable: no endpoints available for service "heapster"'
    assert done.stdout.splitlines() == [
        "| service | URL | GET / |",
        "| --- | --- | --- |",
        f"| heapster | {root}/heapster:80/proxy/ | {refused} |",
        f"| kibana | {root}/kibana:5601/proxy/ | 200 OK |",
        f"| grafana | {root}/monitoring-grafana:80/proxy/ | 404 Not Found |",
    ]
    assert (page.targets, api.targets) == (["/"], [])


def test_no_such_namespace(run: Run) -> None:
    """A name that can't be one."""
    said = refusal(run("builtin_services.py", "-n", "Kube_System"))
    assert "did you mean 'kube-system'?" in said
