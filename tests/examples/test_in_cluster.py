"""The pod's program and its manifest, on the real apiserver."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from contract.cluster import Port
from contract.upstream import arrived
from in_pod.pod import Pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.cluster import APIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MANIFEST = EXAMPLES / "in-cluster" / "deployment.yaml"
LINKS = str(EXAMPLES / "in-cluster" / "links.py")
NAMESPACE = "links-example"


def objects() -> dict[str, Any]:
    """The manifest's objects by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text())}


def test_manifest_holds_together() -> None:
    """Its parts name each other, and it fixes no namespace: that's for `kubectl apply -n`."""
    made = objects()
    assert sorted(made) == ["ClusterRole", "Deployment", "Role", "RoleBinding", "ServiceAccount"]
    assert all("namespace" not in each["metadata"] for each in made.values())
    account = made["ServiceAccount"]["metadata"]["name"]
    template = made["Deployment"]["spec"]["template"]
    assert template["spec"]["serviceAccountName"] == account
    assert made["Deployment"]["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    assert made["RoleBinding"]["roleRef"]["name"] == made["Role"]["metadata"]["name"]
    assert made["RoleBinding"]["subjects"] == [{"kind": "ServiceAccount", "name": account}]


def test_image_copies_what_there_is() -> None:
    """The Dockerfile's sources exist, and it runs the program that the manifest means."""
    text = (EXAMPLES / "in-cluster" / "Dockerfile").read_text()
    sources = [
        name for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for name in line.split()
    ]
    assert "examples/in-cluster/links.py" in sources
    assert [name for name in sources if not (ROOT / name).exists()] == []


@pytest.fixture(scope="module")
def kubectl(apiserver: APIServer) -> Callable[..., str]:
    """Run kubectl as the admin, in the example's namespace."""
    program = apiserver.kubectl
    if program is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")

    def kubectl(*argv: str, check: bool = True) -> str:
        command = [str(program), "--kubeconfig", str(apiserver.kubeconfig), "-n", NAMESPACE, *argv]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, done
        return done.stdout

    return kubectl


@pytest.fixture(scope="module")
def applied(apiserver: APIServer, serve: Serve, kubectl: Callable[..., str]) -> Upstream:
    """The manifest, applied beside the services ``grafana``, ``dashboard`` and ``vault``."""
    app, tls = serve(), serve(tls=True)
    apiserver.add_namespace(NAMESPACE)
    add = apiserver.add_service
    add("grafana", NAMESPACE, ports=[Port(3000)], upstream=app.address)
    add("dashboard", NAMESPACE, ports=[Port(443)], upstream=tls.address)
    add("vault", NAMESPACE, ports=[Port(8200)], upstream=app.address)
    add("dns", NAMESPACE, ports=[Port(53, protocol="UDP")])
    said = kubectl("apply", "-f", str(MANIFEST))
    assert said.count(" created\n") == 5, said
    user = f"--as=system:serviceaccount:{NAMESPACE}:links"
    end = time.monotonic() + 20  # until the authorizer has seen the binding
    while kubectl("auth", "can-i", "list", "services", user, check=False) != "yes\n":
        assert time.monotonic() < end
        time.sleep(0.05)
    return app


@pytest.fixture
def pod(apiserver: APIServer, applied: Upstream, tmp_path: Path) -> Pod:
    token = apiserver.service_account_token(NAMESPACE, "links")
    return Pod(tmp_path, apiserver, NAMESPACE, token)


def url(segment: str, server: str = "https://k8s.example:6443") -> str:
    return f"{server}/api/v1/namespaces/{NAMESPACE}/services/{segment}/proxy/"


def test_links(pod: Pod) -> None:
    """links.py lists what can be proxied to, at the address that the manifest sets."""
    (container,) = objects()["Deployment"]["spec"]["template"]["spec"]["containers"]
    public = {each["name"]: each["value"] for each in container["env"]}
    done = pod.run("python", LINKS, PERIOD="0", **public)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"dashboard: {url('https:dashboard:443')}",
        f"grafana: {url('grafana:3000')}",
        f"vault: {url('vault:8200')}",
    ]
    done = pod.run("python", LINKS, PERIOD="0")
    assert f"grafana: {url('grafana:3000', pod.apiserver.server)}\n" in done.stdout


def test_links_go_on(pod: Pod) -> None:
    """It runs on: tells what changed, and stands a token that is refused until the next one."""
    with pod.start("python", LINKS, PERIOD="0.1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert "dashboard" in process.stdout.readline()
            good = (pod.mount / "token").read_text()
            pod.rotate("refused")
            assert "answered 401 Unauthorized" in process.stderr.readline()
            pod.apiserver.add_service("added", NAMESPACE)
            pod.rotate(good)
            shown = [process.stdout.readline() for _ in range(3)]
            assert any(line.startswith("added: ") for line in shown)
        finally:
            process.kill()
            process.communicate()


def test_links_not_allowed(pod: Pod, kubectl: Callable[..., str]) -> None:
    """An account without the role: one line that says what is missing."""
    token = pod.apiserver.service_account_token(NAMESPACE, "stranger")
    pod.rotate(token)
    done = pod.run("python", LINKS, PERIOD="0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert 'cannot list resource "services"' in done.stderr


@pytest.mark.parametrize("target", ["grafana", "grafana:3000", "dashboard", "https:dashboard:443"])
def test_allowed_segments(pod: Pod, target: str) -> None:
    """The role's own comment: what `proxyurls fetch` asks for once it knows the port."""
    done = pod.proxyurls("fetch", target, "/api/health")
    assert (done.returncode, done.stderr) == (0, "")
    assert arrived(done.stdout.encode()).target == "/api/health"


@pytest.mark.parametrize(
    ("argv", "verb", "segment"),
    [
        (["vault"], "get", "vault:8200"),
        (["http:grafana:3000"], "get", "http:grafana:3000"),
        (["https:grafana:3000"], "get", "https:grafana:3000"),
        (["https:dashboard:"], "get", "https:dashboard:"),
        (["grafana", "-d", "x"], "create", "grafana:3000"),
    ],
)
def test_forbidden_segments(
    pod: Pod, applied: Upstream, argv: list[str], verb: str, segment: str
) -> None:
    """Any other segment is refused, be it the same service's, and any other method."""
    before = len(applied.requests)
    done = pod.proxyurls("fetch", *argv)
    assert done.returncode == 1
    assert (
        f'services "{segment}" is forbidden: User "system:serviceaccount:{NAMESPACE}:links" '
        f'cannot {verb} resource "services/proxy" in API group "" in the namespace "{NAMESPACE}"'
    ) in done.stderr
    assert len(applied.requests) == before


def test_all_namespaces_need_a_binding(pod: Pod, kubectl: Callable[..., str]) -> None:
    """The ClusterRole grants nothing until it is bound."""
    assert pod.proxyurls("services", "-A", "-o", "name").returncode == 1
    account = f"--serviceaccount={NAMESPACE}:links"
    kubectl(
        "create", "clusterrolebinding", NAMESPACE, "--clusterrole=links-of-all-namespaces", account
    )
    end = time.monotonic() + 20
    while (done := pod.proxyurls("services", "-A", "-o", "name")).returncode != 0:
        assert time.monotonic() < end, done
    assert "grafana" in done.stdout
    kubectl("delete", "clusterrolebinding", NAMESPACE)
