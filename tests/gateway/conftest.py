"""What the gateway's tests share: a namespace with apps, and a gateway in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from contract.cluster import APIServer, Port
from contract.upstream import Arrived, Upstream, arrived

from proxyurls import load_config

from .running import Reply, Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.fixtures import Serve

    from proxyurls.config import Config

NAMESPACE = "gateway"
WEB = f"web--{NAMESPACE}"
ROOT = f"/api/v1/namespaces/{NAMESPACE}/services"


@dataclass(frozen=True)
class Site:
    """The namespace ``gateway`` with the services ``web`` (port 80, unnamed), ``named`` (ports
    http 8080 and admin 9090), ``secure`` (443, https), ``dns`` (UDP alone) and ``unready``.
    """

    apiserver: APIServer
    web: Upstream
    admin: Upstream
    secure: Upstream

    def config(self, context: str = "admin", **options: Any) -> Config:
        """The apiserver and a user."""
        return load_config(str(self.apiserver.kubeconfig), context=context, **options)


@pytest.fixture(scope="session")
def site(apiserver: APIServer, serve: Serve) -> Site:
    """The namespace."""
    made = Site(apiserver, web=serve(), admin=serve(), secure=serve(tls=True))
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=made.web.address)
    named = [
        Port(9090, "admin", upstream=made.admin.address),
        Port(8080, "http", upstream=made.web.address),
    ]
    apiserver.add_service("named", NAMESPACE, ports=named)
    apiserver.add_service("secure", NAMESPACE, ports=[Port(443)], upstream=made.secure.address)
    apiserver.add_service("dns", NAMESPACE, ports=[Port(53, protocol="UDP")], endpoints=False)
    apiserver.add_service("unready", NAMESPACE)
    return made


@dataclass(frozen=True)
class Gate:
    """A gateway in front of the site, and this client let in to ``web``."""

    gateway: Running
    site: Site

    def send(self, target: str | bytes = "/", method: str = "GET", **options: Any) -> Reply:
        """Send a request to ``web``."""
        return self.gateway.request(target, method, **{"label": WEB, **options})

    def echo(self, target: str | bytes = "/", method: str = "GET", **options: Any) -> Arrived:
        """Send a request to ``web``, and read what arrived."""
        reply = self.send(target, method, **options)
        assert reply.status == 200, reply
        return arrived(reply.body)


def let_in(gateway: Running, label: str = WEB, path: str = "/") -> Reply:
    """Go to an app from the index, as a browser does."""
    if gateway.host() not in gateway.cookies:
        assert gateway.enter(gateway.link).status == 303
    opened = gateway.request(f"/.proxyurls/open/{label}?path={path}")
    assert opened.status == 303, opened
    return gateway.enter(opened.headers["Location"])


@pytest.fixture(scope="module")
def gate(site: Site) -> Iterator[Gate]:
    """The gateway, with its token."""
    with running(site.config()) as gateway:
        assert let_in(gateway).status == 303
        yield Gate(gateway, site)
