"""The fake cluster: what there is in it, its users, and the tools that use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proxyurls import Cluster
from proxyurls.testing import FakeCluster

if TYPE_CHECKING:
    from .conftest import Get


@pytest.mark.parametrize("tls", [False, True])
def test_config(tls: bool) -> None:  # noqa: FBT001
    """Its config is what the library's own clients take."""
    with FakeCluster(tls=tls) as cluster:
        cluster.add_service("web", "shop", upstream=lambda _: "hi", ports={"http": 80})
        with Cluster(cluster.config()) as found:
            names = [record.name for record in found.services("shop")]
        assert names == ["web"]


@pytest.mark.parametrize("certificate", [False, True])
def test_users(cluster: FakeCluster, certificate: bool) -> None:  # noqa: FBT001
    """A user may do what was granted, by token or by certificate, and nothing else."""
    user = f"jane-{certificate}"
    credentials = cluster.add_user(user, certificate=certificate)
    assert credentials.token not in repr(credentials) or not credentials.token
    cluster.add_namespace("shop")
    cluster.grant(user, verbs=["list"], resources=["services"], namespace="shop")
    assert proxyurls(cluster, "services", "-n", "shop", "--context", user).returncode == 0
    run = proxyurls(cluster, "services", "-n", "default", "--context", user)
    assert run.returncode == 1
    assert f'User "{user}" cannot list' in run.stderr


def test_certificates_need_tls(fake_cluster: FakeCluster) -> None:
    """A client certificate without TLS is refused."""
    with pytest.raises(ValueError, match="needs FakeCluster"):
        fake_cluster.add_user("jane", certificate=True)


def test_create(fake_cluster: FakeCluster, get: Get) -> None:
    """Any object of a known kind can be stored, once, as kubectl create does."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}}
    fake_cluster.create(account)
    assert get("/api/v1/namespaces/default/serviceaccounts/x").json()["kind"] == "ServiceAccount"
    with pytest.raises(ValueError, match='serviceaccounts "x" already exists'):
        fake_cluster.create(account)
    fake_cluster.create({**account, "metadata": {"name": "x", "namespace": "new"}})
    assert get("/api/v1/namespaces/new").status_code == 200
    assert get("/api/v1/namespaces/new/serviceaccounts/x").status_code == 200


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, "no apps/v1 Deployment; it has v1 Nam"),
        ({"kind": "Service"}, "no None Service; it has"),
        ({"apiVersion": "v1", "kind": "Pod"}, "metadata.name: Required value"),
        (
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "x"},
                "spec": {"ports": [{"port": "http"}]},
            },
            'Service "x" is invalid: spec.ports',
        ),
    ],
)
def test_refused_manifests(fake_cluster: FakeCluster, manifest: Any, words: str) -> None:
    """A manifest that makes no sense is refused by an error that says what does."""
    with pytest.raises(ValueError, match=words):
        fake_cluster.create(manifest)


def test_service_again(fake_cluster: FakeCluster, get: Get) -> None:
    """A service that was deleted is gone with its endpoints, and may be added again."""
    base, slices = "/api/v1/namespaces/default", "/apis/discovery.k8s.io/v1/endpointslices"
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    url = f"{fake_cluster.url}{base}/services/web"
    for text in ("one", "two"):
        fake_cluster.add_service("web", upstream=lambda _, text=text: text)
        assert get(f"{base}/services/web/proxy/").text == text
        assert httpx.delete(url, headers=headers, trust_env=False).status_code == 200
        assert get(f"{base}/services/web/proxy/").status_code == 404
        assert get(f"{base}/endpoints/web").status_code == 404
        owners = [item["metadata"]["labels"] for item in get(slices).json()["items"]]
        assert {"kubernetes.io/service-name": "web"} not in owners


def test_service_or_nothing(fake_cluster: FakeCluster, get: Get) -> None:
    """Where a service can't have its endpoints it isn't made either."""
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web"}}
    fake_cluster.create(endpoints)
    with pytest.raises(ValueError, match='endpoints "web" already exists'):
        fake_cluster.add_service("web")
    assert get("/api/v1/namespaces/default/services/web").status_code == 404


@pytest.mark.parametrize("kind", ["Service", "Pod", "Node"])
def test_nothing_specified(fake_cluster: FakeCluster, get: Get, kind: str) -> None:
    """A manifest's fields that are null are as if they weren't there."""
    head = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
    fake_cluster.create({**head, "spec": None, "status": None})
    scope = "" if kind == "Node" else "/namespaces/default"
    found = get(f"/api/v1{scope}/{kind.lower()}s/x").json()
    assert found["spec"] is not None
    assert found["status"] is not None


PORTS: dict[str, tuple[Any, list[tuple[str | None, int, str]]]] = {
    "number": (8080, [(None, 8080, "TCP")]),
    "names": ({"a": 1, "b": 2}, [("a", 1, "TCP"), ("b", 2, "TCP")]),
    "manifest": (
        [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "web", "port": 53}],
        [("dns", 53, "UDP"), ("web", 53, "TCP")],
    ),
}


@pytest.mark.parametrize(("ports", "made"), PORTS.values(), ids=PORTS)
def test_ports(fake_cluster: FakeCluster, get: Get, ports: Any, made: object) -> None:
    """A service's ports are its endpoints' too, and the TCP ones lead to the upstream."""
    fake_cluster.add_service("web", ports=ports, upstream=lambda _: "hi")
    root = "/api/v1/namespaces/default"
    service = get(f"{root}/services/web").json()
    endpoints = get(f"{root}/endpoints/web").json()
    piece = get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web-0").json()
    for found in (service["spec"]["ports"], endpoints["subsets"][0]["ports"], piece["ports"]):
        assert [(one.get("name"), one["port"], one["protocol"]) for one in found] == made
    name = service["spec"]["ports"][-1].get("name", "")
    assert get(f"{root}/services/web:{name}/proxy/").text == "hi"


def test_app_protocol(fake_cluster: FakeCluster, get: Get) -> None:
    """A port's appProtocol is its endpoints' too, and its targetPort is where the pod listens."""
    port = {"name": "x", "port": 80, "appProtocol": "https", "targetPort": 8443}
    fake_cluster.add_service("web", ports=[port], upstream=lambda _: "hi")
    root = "/api/v1/namespaces/default"
    assert get(f"{root}/services/web").json()["spec"]["ports"] == [{**port, "protocol": "TCP"}]
    behind = get(f"{root}/endpoints/web").json()["subsets"][0]["ports"]
    expected = {"name": "x", "port": 8443, "appProtocol": "https", "protocol": "TCP"}
    assert behind == [expected]
    assert get(f"{root}/services/web:80/proxy/").text == "hi"
    assert get(f"{root}/pods/web-0/proxy/").text == "hi"


@pytest.mark.parametrize("ports", [0, 70000, {"a": "80"}, [{"name": "x"}], [{"port": None}]])
def test_impossible_ports(fake_cluster: FakeCluster, ports: Any) -> None:
    """What can't be a port is refused."""
    with pytest.raises(ValueError, match="a port has a number from 1 to 65535"):
        fake_cluster.add_service("web", ports=ports)


@pytest.mark.parametrize("ports", ["80", [80], ["80"], [("http", 80)]])
def test_ports_of_other_types(fake_cluster: FakeCluster, get: Get, ports: Any) -> None:
    """What is no way to write ports is refused in words that show the ways, and nothing is made."""
    with pytest.raises(TypeError, match=r"ports are 80, {'http': 80} or \[{'port': 80}\], not"):
        fake_cluster.add_service("web", ports=ports)
    assert get("/api/v1/namespaces/default/services/web").status_code == 404


@pytest.mark.parametrize(("ports", "first"), [(8080, 8080), ([9090, 8080], 9090)])
def test_pod_ports(fake_cluster: FakeCluster, get: Get, ports: Any, first: int) -> None:
    """A pod has one port or some, the first of which is the default."""
    fake_cluster.add_pod("p", ports=ports, upstream=lambda _: "hi")
    root = "/api/v1/namespaces/default/pods/p"
    declared = get(root).json()["spec"]["containers"][0]["ports"]
    assert declared[0] == {"containerPort": first, "protocol": "TCP"}
    assert get(f"{root}/proxy/").text == get(f"{root}:8080/proxy/").text == "hi"
    with pytest.raises(TypeError, match="ports are 80"):
        fake_cluster.add_pod("q", ports="8080")  # type: ignore[arg-type]


@pytest.mark.parametrize("certificate", [False, True])
def test_user_twice(cluster: FakeCluster, certificate: bool) -> None:  # noqa: FBT001
    """A user's name is one user's, and the first one's credential goes on."""
    name = f"twice-{certificate}"
    token = cluster.add_user(name).token
    with pytest.raises(ValueError, match=f"has a user '{name}' already"):
        cluster.add_user(name, certificate=certificate)
    with pytest.raises(ValueError, match="has a user 'admin' already"):
        cluster.add_user("admin")
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{cluster.url}/version", headers=headers, verify=False, trust_env=False)
    assert answer.status_code == 200
    contexts = json.loads(cluster.kubeconfig.read_text())["contexts"]
    assert [one["name"] for one in contexts].count(name) == 1


@pytest.mark.parametrize("field", ["verbs", "resources", "names"])
def test_grant_of_a_text(fake_cluster: FakeCluster, get: Get, field: str) -> None:
    """A text where a list of them should be is no list of its letters."""
    lists: Any = {"verbs": ["get"], "resources": ["services"], "names": []}
    with pytest.raises(TypeError, match=r"\['get'\], not 'get'"):
        fake_cluster.grant("jane", **{**lists, field: "get"})
    roles = get("/apis/rbac.authorization.k8s.io/v1/clusterroles").json()["items"]
    assert roles == []


# the tools


def run(cluster: FakeCluster, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the cluster's kubeconfig and nothing of this machine's."""
    home = cluster.kubeconfig.parent
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    environment["KUBECONFIG"] = str(cluster.kubeconfig)
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def proxyurls(cluster: FakeCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run our own command."""
    return run(cluster, sys.executable, "-m", "proxyurls", *arguments)


@pytest.fixture(scope="module")
def filled(cluster: FakeCluster) -> FakeCluster:
    """The cluster with two services."""
    labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "Grafana"}
    cluster.add_service(
        "grafana", "kube-system", upstream=lambda request: f"asked {request.target}", labels=labels
    )
    cluster.add_service("db", type="NodePort", ports={"sql": 5432})
    return cluster


GRAFANA = "/api/v1/namespaces/kube-system/services/grafana/proxy"


def test_our_commands(filled: FakeCluster) -> None:
    """services, fetch and cluster-info work against it."""
    assert "grafana" in proxyurls(filled, "services", "-A").stdout
    fetched = proxyurls(filled, "fetch", "grafana.kube-system", "x?y")
    assert (fetched.returncode, fetched.stdout.strip()) == (0, "asked /x?y")
    assert filled.url + GRAFANA in proxyurls(filled, "cluster-info").stdout


@pytest.fixture
def kubectl() -> str:
    """The real kubectl."""
    path = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")).expanduser() / "kubectl"
    if not path.exists():
        pytest.skip("KUBEBUILDER_ASSETS names no folder with kubectl")
    return str(path.absolute())


def test_anonymous(kubectl: str) -> None:
    """Kubectl sends no token to an http server, and is an administrator if that's allowed."""
    for anonymous in (False, True):
        with FakeCluster(anonymous=anonymous) as cluster:
            done = run(cluster, kubectl, "get", "services")
            assert done.returncode == (0 if anonymous else 1)
            assert anonymous or "(Forbidden)" in done.stderr
            wrong = {"Authorization": "Bearer wrong"}
            answer = httpx.get(f"{cluster.url}/api/v1/services", headers=wrong, trust_env=False)
            assert answer.status_code == 401


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("cluster-info", "Grafana"),
        ("get svc -A", "5432:3"),
        ("get svc -A -o wide", "SELECTOR"),
        ("get svc db -o jsonpath={.spec.type}", "NodePort"),
        ("get pods -n kube-system", "grafana-0   1/1     Running"),
        ("get endpoints,endpointslices -A", "grafana"),
        ("get ns", "kube-system   Active"),
        ("get nodes", ""),
        (f"get --raw {GRAFANA}/x", "asked /x"),
        ("delete svc db --wait=false", 'service "db" deleted'),
        ("version", "v1.20.2"),
        ("api-resources", "endpointslices"),
    ],
)
def test_kubectl(filled: FakeCluster, kubectl: str, arguments: str, shown: str) -> None:
    """Kubectl works against it."""
    done = run(filled, kubectl, *arguments.split())
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_kubectl_protobuf(filled: FakeCluster, kubectl: str) -> None:
    """What kubectl makes up by itself is protobuf, and refused in words that say so."""
    assert "no protobuf" in run(filled, kubectl, "create", "ns", "other").stderr


def test_kubectl_dry_run(filled: FakeCluster, kubectl: str, tmp_path: Path) -> None:
    """A dry run is refused rather than taken for more."""
    path = tmp_path / "ns.json"
    path.write_text('{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "fresh"}}')
    done = run(filled, kubectl, "create", "--dry-run=server", "-f", str(path))
    assert "has no dry runs" in done.stderr
    assert run(filled, kubectl, "get", "ns", "fresh").returncode == 1
