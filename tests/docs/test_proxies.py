"""What docs/proxies.md says of kubectl proxy, which tests/contract/ does not look at."""

from __future__ import annotations

import http.client
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from contract.upstream import arrived

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contract.cluster import APIServer
    from contract.fixtures import Serve

    Answer = tuple[int, str | None, bytes]

APP = "/api/v1/namespaces/proxies/services/web/proxy/x"


class KubectlProxy:
    """A running `kubectl proxy`."""

    def __init__(self, apiserver: APIServer, *options: str) -> None:
        if apiserver.kubectl is None:
            pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
        command = [str(apiserver.kubectl), "--kubeconfig", str(apiserver.kubeconfig), *options]
        self.process = subprocess.Popen(
            [*command, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        host, _, port = line.split()[-1].rpartition(":")
        assert host == "127.0.0.1", line
        self.port = int(port)

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Status, media type and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        found = answer.status, answer.headers["Content-Type"], answer.read()
        connection.close()
        return found

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def kubectl_proxy(apiserver: APIServer, serve: Serve) -> Iterator[KubectlProxy]:
    """One in front of the real apiserver, with an app behind it."""
    apiserver.add_namespace("proxies")
    apiserver.add_service("web", "proxies", upstream=serve().address)
    proxy = KubectlProxy(apiserver)
    yield proxy
    proxy.close()


def test_what_an_app_sees(apiserver: APIServer, kubectl_proxy: KubectlProxy) -> None:
    """The apiserver's Host, the client's Origin, two addresses, and no credential."""
    origin = f"http://localhost:{kubectl_proxy.port}"
    status, _, body = kubectl_proxy.get(APP, {"Origin": origin})
    seen = arrived(body)
    assert status == 200
    assert seen.values("Host") == [urlsplit(apiserver.server).netloc]
    assert seen.values("Origin") == [origin]
    assert len(seen.values("X-Forwarded-For")[0].split(", ")) == 2
    assert seen.values("User-Agent")[0].startswith("kubectl/")
    assert seen.values("Authorization") == []
    _, _, body = kubectl_proxy.get(APP, {"User-Agent": "mine"})
    assert arrived(body).values("User-Agent") == ["mine"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [(APP, {"Host": "evil.example"}), ("/api/v1/namespaces/default/pods/x/exec", {})],
)
def test_what_it_refuses(
    kubectl_proxy: KubectlProxy, path: str, headers: Mapping[str, str]
) -> None:
    """A foreign Host, and the paths that run commands: in plain text."""
    status, kind, body = kubectl_proxy.get(path, headers)
    assert (status, kind, body) == (403, "text/plain; charset=utf-8", b"Forbidden\n")


def test_no_apiserver(apiserver: APIServer) -> None:
    """A 500 in plain text."""
    proxy = KubectlProxy(apiserver, "--server=https://127.0.0.1:1")
    try:
        status, kind, body = proxy.get("/version", {})
    finally:
        proxy.close()
    assert (status, kind) == (500, "text/plain; charset=utf-8")
    assert b"connect: connection refused" in body
