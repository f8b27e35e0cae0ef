"""What these tests share: a few apps in one namespace, behind each kind of apiserver."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from contract.cluster import Port
from contract.fixtures import KINDS

from proxyurls import load_config

from .asking import ASKS, NAMESPACE

if TYPE_CHECKING:
    from contract.cluster import APIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    from proxyurls import Config

    from .asking import Ask


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Behave alike on every kind of apiserver."""
    if "apiserver" in metafunc.fixturenames:
        metafunc.parametrize("apiserver", KINDS, indirect=True, scope="session")


@dataclass(frozen=True)
class Site:
    """The services ``web`` (80 and, named, 8080), ``other`` (80) and ``secure`` (443, by TLS)."""

    apiserver: APIServer
    web: Upstream
    other: Upstream
    secure: Upstream

    def config(self, user: str = "admin") -> Config:
        """The Config of a user: admin has a certificate, token and reader have tokens."""
        return load_config(str(self.apiserver.kubeconfig), context=user, environ={})


@pytest.fixture(scope="session")
def site(apiserver: APIServer, serve: Serve) -> Site:
    made = Site(apiserver, serve(), serve(), serve(tls=True))
    apiserver.add_namespace(NAMESPACE)
    ports = [Port(80, "http"), Port(8080, "admin")]
    apiserver.add_service("web", NAMESPACE, ports=ports, upstream=made.web.address)
    apiserver.add_service("other", NAMESPACE, upstream=made.other.address)
    apiserver.add_service("secure", NAMESPACE, ports=[Port(443)], upstream=made.secure.address)
    return made


@pytest.fixture(params=ASKS)
def either(request: pytest.FixtureRequest) -> Ask:
    """Either client: ``either(config, request, …, **options)``."""
    return ASKS[request.param]


@pytest.fixture
def ask(site: Site, either: Ask) -> Ask:
    """Either client, as admin."""
    made: Any = partial(either, site.config())
    ask: Ask = made
    return ask
