"""What the contract's tests share: one namespace with an app behind every kind of target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .cluster import APIServer, ContainerPort, Port, Response
from .fixtures import KINDS
from .upstream import Arrived, Upstream, arrived

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .fixtures import Serve

NAMESPACE = "facts"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the contract against every kind of apiserver."""
    if "apiserver" in metafunc.fixturenames:
        metafunc.parametrize("apiserver", KINDS, indirect=True, scope="session")


@dataclass(frozen=True)
class Site:
    """The namespace ``facts`` with

    - services: ``web`` (port 80, unnamed), ``multi`` (named ports http 80, admin 8080 and tls 443,
      the latter https), ``secure`` (443, unnamed, https), ``idle`` (no ready address),
      ``bare`` (no Endpoints object)
    - pods: ``app`` (two containers; the second declares ports), ``mute`` (no ports declared),
      ``homeless`` (no address)
    - a node ``machine`` whose kubelet is the https app.
    """

    apiserver: APIServer
    plain: Upstream
    admin: Upstream
    tls: Upstream

    def root(self, segment: str, kind: str = "services") -> str:
        """The path of a target's root, without the slash behind it."""
        scope = "" if kind == "nodes" else f"/namespaces/{NAMESPACE}"
        return f"/api/v1{scope}/{kind}/{segment}/proxy"

    def get(self, suffix: str = "/", *, segment: str = "web", kind: str = "services") -> Response:
        """GET something behind a target."""
        return self.apiserver.get(self.root(segment, kind) + suffix)

    def send(
        self,
        suffix: str = "/",
        *,
        segment: str = "web",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Send any request to a service."""
        target = self.root(segment) + suffix
        return self.apiserver.request(method, target, headers=headers, body=body)

    def echo(
        self,
        suffix: str = "/",
        *,
        segment: str = "web",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Arrived:
        """Send any request to a service, and read what arrived."""
        answer = self.send(suffix, segment=segment, method=method, headers=headers, body=body)
        assert answer.status == 200, answer
        return arrived(answer.body)

    def hears(self, upstream: Upstream, segment: str, kind: str = "services") -> bool:
        """Whether it's this upstream that a segment leads to."""
        before = len(upstream.requests)
        answer = self.get("/who", segment=segment, kind=kind)
        assert answer.status == 200, answer
        return len(upstream.requests) == before + 1 and upstream.last.target == "/who"


@pytest.fixture(scope="session")
def site(apiserver: APIServer, serve: Serve) -> Site:
    """The namespace that most facts are seen in."""
    made = Site(apiserver, plain=serve(), admin=serve(), tls=serve(tls=True))
    apiserver.add_namespace(NAMESPACE)
    add = apiserver.add_service
    add("web", NAMESPACE, upstream=made.plain.address)
    add("secure", NAMESPACE, ports=[Port(443)], upstream=made.tls.address)
    multi = [
        Port(80, "http", upstream=made.plain.address),
        Port(8080, "admin", upstream=made.admin.address),
        Port(443, "tls", upstream=made.tls.address),
    ]
    add("multi", NAMESPACE, ports=multi)
    add("idle", NAMESPACE)
    add("bare", NAMESPACE, endpoints=False)
    ip, port = made.plain.address
    declared = [ContainerPort(port, "web"), ContainerPort(made.admin.address[1], "admin")]
    apiserver.add_pod("app", NAMESPACE, ip=ip, ports=[(), declared])
    apiserver.add_pod("mute", NAMESPACE, ip=ip)
    apiserver.add_pod("homeless", NAMESPACE, ip=None)
    ip, port = made.tls.address
    apiserver.add_node("machine", ip=ip, kubelet_port=port)
    return made
