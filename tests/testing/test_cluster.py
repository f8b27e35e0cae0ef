"""The fake cluster: its life, its users, and the tools that use it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from proxyurls import Cluster
from proxyurls.testing import FakeCluster

if TYPE_CHECKING:
    from .conftest import Get


def test_life() -> None:
    """It ends with its with; nothing is left of it: no thread, no file, no port."""
    threads = threading.active_count()
    with FakeCluster() as cluster:
        kubeconfig, url = cluster.kubeconfig, cluster.url
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        with pytest.raises(RuntimeError, match="running already"):
            cluster.start()
    cluster.stop()
    assert not kubeconfig.parent.exists()
    assert threading.active_count() == threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
    with pytest.raises(RuntimeError, match="isn't running"):
        _ = cluster.kubeconfig


def test_async_with() -> None:
    """It may be used in an event loop, and does not block it."""

    async def main() -> int:
        async with FakeCluster() as cluster, httpx.AsyncClient(trust_env=False) as client:
            cluster.add_service("web", upstream=lambda _: "hi")
            return (await client.get(f"{cluster.url}/version")).status_code

    assert asyncio.run(main()) == 200


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
    """Any object of a known kind can be stored, once."""
    content = {"metadata": {"name": "x"}}
    fake_cluster.create("serviceaccounts", content, "default")
    assert get("/api/v1/namespaces/default/serviceaccounts/x").json()["kind"] == "ServiceAccount"
    with pytest.raises(ValueError, match="already exists"):
        fake_cluster.create("serviceaccounts", content, "default")
    with pytest.raises(LookupError):
        fake_cluster.create("deployments", content, "default", group="apps")


def test_watch(fake_cluster: FakeCluster) -> None:
    """A watch tells of what is there, and of what comes."""
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    url = f"{fake_cluster.url}/api/v1/namespaces/default/services?watch=1"
    with httpx.stream("GET", url, headers=headers, trust_env=False) as answer:
        lines = answer.iter_lines()
        assert '"name": "kubernetes"' in next(lines)
        fake_cluster.add_service("web")
        line = next(lines)
        assert '"type": "ADDED"' in line
        assert '"name": "web"' in line


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


def test_kubectl_create(filled: FakeCluster, kubectl: str, tmp_path: Path) -> None:
    """Kubectl creates what a file says; what it makes up by itself is protobuf, and refused."""
    path = tmp_path / "ns.json"
    path.write_text('{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "fresh"}}')
    done = run(filled, kubectl, "create", "--validate=false", "-f", str(path))
    assert done.stdout == "namespace/fresh created\n", done.stderr
    assert "no protobuf" in run(filled, kubectl, "create", "ns", "other").stderr


def test_kubectl_proxy(filled: FakeCluster, kubectl: str) -> None:
    """What kubectl proxy serves is the fake's."""
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(filled.kubeconfig)}
    with subprocess.Popen(
        [kubectl, "proxy", "--port=0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            answer = httpx.get(f"http://{address}{GRAFANA}/x", trust_env=False)
        finally:
            process.terminate()
    assert answer.text == "asked /x"
