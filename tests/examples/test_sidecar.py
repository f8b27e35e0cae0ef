"""sidecar/: a pod of two containers, and which of them a URL reaches."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .conftest import COOKBOOK, EXAMPLES, App, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from contract.cluster import APIServer

    from proxyurls.testing import FakeCluster

    from .conftest import Run

MANIFEST = EXAMPLES / "sidecar" / "pod.yaml"
PORTS = "sidecar/ports.py"


def manifest() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(MANIFEST.read_text("utf-8"))
    return made


def ports() -> dict[str, int]:
    """The declared ports by name, in the manifest's order."""
    declared = [port for each in manifest()["spec"]["containers"] for port in each["ports"]]
    return {port["name"]: port["containerPort"] for port in declared}


@pytest.fixture
def shop(fake_cluster: FakeCluster, follow: Callable[[str], httpx.Response]) -> App:
    """The pod, as the fake cluster takes it, at the address of one where something answers."""
    app = App({"/": "Hello, world!\nVersion: 1.0.0\n", "/metrics": "# HELP up\nup 1\n"})
    fake_cluster.add_pod("other", upstream=app, ports=list(ports().values()))
    other = follow(f"{fake_cluster.url}/api/v1/namespaces/default/pods/other").json()
    fake_cluster.create({**manifest(), "status": other["status"]})
    return app


def test_ports(fake_cluster: FakeCluster, shop: App, run: Run) -> None:
    """The bare name and each name get an URL of their own, and an answer."""
    done = run(PORTS, "shop", "http", "metrics:/metrics")
    assert (done.returncode, done.stderr) == (0, "")
    root = f"{fake_cluster.url}/api/v1/namespaces/default/pods"
    assert done.stdout.splitlines() == [
        f"default port: {root}/shop/proxy/",
        "    200 Hello, world!",
        f"port http: {root}/shop:8080/proxy/",
        "    200 Hello, world!",
        f"port metrics: {root}/shop:9100/proxy/metrics",
        "    200 # HELP up",
    ]
    assert shop.targets == ["/", "/", "/metrics"]
    seen = [request.headers["X-Forwarded-Uri"].split("/")[6] for request in shop.requests]
    assert seen == ["shop", "shop:8080", "shop:9100"]
    shown = re.sub(r"(?m)^(    200 ).*", r"\1…", done.stdout)
    shown = shown.replace(fake_cluster.url, "https://10.0.0.100:6443")
    session = f"```text\n$ python examples/{PORTS} shop http metrics:/metrics\n{shown}```\n"
    assert session in COOKBOOK.read_text("utf-8")


def test_unknown_port(shop: App, run: Run) -> None:
    """The ports that it has; nothing is asked."""
    said = refusal(run(PORTS, "shop", "admin"))
    assert "has no port named 'admin'; its ports: metrics (9100), http (8080)" in said
    assert shop.targets == []


def test_unknown_pod(run: Run) -> None:
    """A port's name needs the pod."""
    assert 'pods "nothing" not found' in refusal(run(PORTS, "nothing", "http"))


@pytest.fixture(scope="module")
def dialled(apiserver: APIServer) -> Callable[[dict[str, Any], str], str]:
    """Create a pod on the real apiserver, where nothing answers, and tell what it dials."""
    namespace = "sidecar-example"
    apiserver.add_namespace(namespace)
    path = f"/api/v1/namespaces/{namespace}/pods"
    with apiserver.listen() as listener:
        ip = listener.getsockname()[0]

    def send(method: str, target: str, kind: str, content: object) -> None:
        headers = {"Content-Type": f"application/{kind}"}
        body = json.dumps(content).encode()
        answer = apiserver.request(method, target, headers=headers, body=body)
        assert answer.status in (200, 201), answer

    def dialled(pod: dict[str, Any], port: str) -> str:
        name = pod["metadata"]["name"]
        if apiserver.get(f"{path}/{name}").status == 404:
            send("POST", path, "json", pod)
            status = {"podIP": ip, "podIPs": [{"ip": ip}]}
            send("PATCH", f"{path}/{name}/status", "merge-patch+json", {"status": status})
        message = apiserver.get(f"{path}/{name}{port}/proxy/").message
        found = re.search(rf"dial tcp {ip}:(\d+): connect: connection refused", message)
        assert found is not None, message
        return found[1]

    return dialled


@pytest.mark.parametrize(("port", "leads_to"), [("", "9100"), (":9100", "9100"), (":8080", "8080")])
def test_real_apiserver(
    dialled: Callable[[dict[str, Any], str], str], port: str, leads_to: str
) -> None:
    """It takes the manifest, and the default port is the sidecar's, which stands first."""
    assert list(ports().values()) == [9100, 8080]
    assert dialled(manifest(), port) == leads_to


def test_init_containers_do_not_count(dialled: Callable[[dict[str, Any], str], str]) -> None:
    """A port that an init container declares is no default."""
    pod = manifest()
    sidecar, app = pod["spec"]["containers"]
    pod["metadata"]["name"] = "native"
    pod["spec"] |= {"initContainers": [sidecar], "containers": [app]}
    assert dialled(pod, "") == "8080"
