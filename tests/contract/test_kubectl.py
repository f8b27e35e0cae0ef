"""What kubectl does with the server."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from .cluster import Port
from .kubectl import command, kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from .cluster import APIServer
    from .conftest import Site

NAMESPACE = "hands"


@pytest.fixture(scope="module")
def hands(apiserver: APIServer) -> APIServer:
    """An apiserver with a namespace of these tests' own."""
    apiserver.add_namespace(NAMESPACE)
    return apiserver


def manifest(folder: Path, *ports: int, **labels: str) -> str:
    """A file with a service and a service account; the file's name."""
    metadata = {"name": "web", "labels": labels}
    listed = [{"name": f"p{port}", "port": port} for port in ports]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
    items = [
        {**service, "spec": {"ports": listed, "selector": {"a": "b"}}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "acc"}},
    ]
    path = folder / "manifest.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return str(path)


def run(hands: APIServer, *arguments: str) -> str:
    """Run kubectl in our namespace, which must do what it was told; what it says."""
    done = kubectl(hands, "-n", NAMESPACE, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(hands: APIServer) -> dict[str, Any]:
    """The service as kubectl gets it."""
    found: dict[str, Any] = json.loads(run(hands, "get", "svc", "web", "-o", "json"))
    return found


def test_create_and_delete(hands: APIServer, tmp_path: Path) -> None:
    """Create, create again, delete."""
    path = manifest(tmp_path, 80)
    assert run(hands, "create", "-f", path) == "service/web created\nserviceaccount/acc created\n"
    again = kubectl(hands, "-n", NAMESPACE, "create", "-f", path)
    assert again.returncode == 1
    assert 'services "web" already exists' in again.stderr
    said = run(hands, "delete", "-f", path)
    assert said == 'service "web" deleted\nserviceaccount "acc" deleted\n'
    assert kubectl(hands, "-n", NAMESPACE, "get", "svc", "web").returncode == 1


def test_apply(hands: APIServer, tmp_path: Path) -> None:
    """Apply makes, leaves, changes; ports come and go, and what others set stays."""
    path = manifest(tmp_path, 80, 81, tier="front", old="x")
    assert "service/web created" in run(hands, "apply", "-f", path)
    assert "service/web unchanged" in run(hands, "apply", "-f", path)
    assert run(hands, "label", "svc", "web", "other=y") == "service/web labeled\n"
    path = manifest(tmp_path, 82, 80, tier="back")
    assert "service/web configured" in run(hands, "apply", "-f", path)
    found = shown(hands)
    ports = {port["port"]: (port["name"], port["protocol"]) for port in found["spec"]["ports"]}
    assert ports == {80: ("p80", "TCP"), 82: ("p82", "TCP")}
    assert found["metadata"]["labels"] == {"tier": "back", "other": "y"}
    assert set(found["spec"]) >= {"clusterIP", "selector", "type"}
    run(hands, "delete", "-f", path)


def test_patch(hands: APIServer, tmp_path: Path) -> None:
    """Patches of both kinds: a JSON one replaces a list, a strategic one merges it by port."""
    path = manifest(tmp_path, 80, 81)
    run(hands, "create", "-f", path)
    port = [{"name": "new", "port": 82}]
    for kind, ports in {"strategic": {80, 81, 82}, "merge": {82}}.items():
        patch = json.dumps({"spec": {"ports": port}})
        run(hands, "patch", "svc", "web", f"--type={kind}", "-p", patch)
        assert {port["port"] for port in shown(hands)["spec"]["ports"]} == ports
    run(hands, "delete", "-f", path)


def test_watch(hands: APIServer, tmp_path: Path) -> None:
    """Get -w shows what is there, then what happens to it."""
    path = manifest(tmp_path, 80)
    run(hands, "create", "-f", path)
    line, environment = command(hands, "-n", NAMESPACE, "get", "svc", "-w", "--show-labels")
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("NAME ")
            assert process.stdout.readline().startswith("web ")
            run(hands, "label", "svc", "web", "seen=yes")
            assert process.stdout.readline().rstrip().endswith("seen=yes")
            run(hands, "delete", "-f", path)
            assert process.stdout.readline().startswith("web ")
        finally:
            process.terminate()


def test_wide_lists(hands: APIServer, site: Site) -> None:
    """Lists of all that there is have the columns that are known of them."""
    said = run(hands, "get", "svc,po,no,ep", "-A", "-o", "wide")
    heads = [line.split() for line in said.splitlines() if line.startswith("NAMESPACE")]
    assert heads[0][2:] == ["TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]
    assert heads[1][2:8] == ["READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert heads[2][2:7] == ["STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP"]
    assert heads[3][2:] == ["ENDPOINTS", "AGE"]
    rows = {tuple(line.split()[:2]) for line in said.splitlines()}
    assert {("facts", "service/web"), ("facts", "pod/app"), ("facts", "endpoints/web")} <= rows
    assert next(row for row in rows if "node/machine" in row) > ("node/machine",)


def test_table(apiserver: APIServer) -> None:
    """A list in kubectl is a table with all its columns."""
    run = kubectl(apiserver, "get", "services", "-n", "default", "-o", "wide")
    assert run.stderr == ""
    heads = run.stdout.splitlines()[0].split()
    assert heads == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]


def test_raw(site: Site) -> None:
    """Get --raw reaches an app."""
    done = kubectl(site.apiserver, "get", "--raw", site.root("web:80") + "/x?b=2&a=1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["target"].startswith("/x?")


def test_raw_queries(site: Site) -> None:
    """Get --raw itself drops a pair with a ; in it, and may reorder the others."""
    done = kubectl(site.apiserver, "get", "--raw", site.root("web") + "/x?b=2&c;d=3&a=1")
    assert done.returncode == 0, done.stderr
    query = json.loads(done.stdout)["target"].partition("?")[2]
    assert sorted(query.split("&")) == ["a=1", "b=2"]


def test_raw_of_a_missing_service(site: Site) -> None:
    """Get --raw tells of the server's refusal."""
    done = kubectl(site.apiserver, "get", "--raw", site.root("none") + "/")
    assert done.returncode == 1
    assert 'services "none" not found' in done.stderr


def test_proxy(site: Site) -> None:
    """Kubectl proxy passes to an app what is behind its address."""
    line, environment = command(site.apiserver, "proxy", "--port=0")
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://{address}{site.root('web')}/a%2Fb?q", timeout=10) as answer:
                assert json.load(answer)["target"] == "/a/b?q"
        finally:
            process.terminate()


def test_cluster_info(apiserver: APIServer) -> None:
    """Cluster-info names the server, and the cluster's own services with their proxy URLs."""
    labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "Board"}
    apiserver.add_service("board", "kube-system", ports=[Port(443, "https")], labels=labels)
    said = kubectl(apiserver, "cluster-info").stdout
    assert f"is running at {apiserver.server}\n" in said
    root = "/api/v1/namespaces/kube-system/services/https:board:https/proxy"
    assert f"Board is running at {apiserver.server}{root}\n" in said


def test_create_as_a_plain_user(hands: APIServer, tmp_path: Path) -> None:
    """Create asks for /openapi/v2, which whoever is known may have."""
    for plural in ("services", "serviceaccounts"):
        hands.grant("reader", verbs=["create"], resources=[plural], namespace=NAMESPACE)
    path = manifest(tmp_path, 80)
    said = run(hands, "--context", "reader", "create", "-f", path)
    assert said == "service/web created\nserviceaccount/acc created\n"
    run(hands, "delete", "-f", path)
