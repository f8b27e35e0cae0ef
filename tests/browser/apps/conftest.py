"""A gateway in front of the real apiserver, apps behind it, and a browser that was let in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from browser.conftest import TIME_LIMIT
from proxyurls import service

from .app import App
from .gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer
    from playwright.sync_api import Browser, Page, StorageState

NAMESPACE = "site"


class Site(NamedTuple):
    """Two services of one namespace, ``one`` and ``two``, each with an `App` behind it."""

    one: App
    two: App


@pytest.fixture(scope="package")
def site(apiserver: APIServer) -> Iterator[Site]:
    """Two apps behind the real apiserver."""
    apiserver.add_namespace(NAMESPACE)
    with contextlib.ExitStack() as stack:
        apps = []
        for name in ("one", "two"):
            prefix = service(name, NAMESPACE).path().rstrip("/")
            app = stack.enter_context(App(apiserver.listen(), name, prefix))
            apiserver.add_service(name, NAMESPACE, upstream=app.address)
            apps.append(app)
        yield Site(*apps)


@pytest.fixture(scope="package")
def gateway(apiserver: APIServer) -> Iterator[Gateway]:
    """``proxyurls serve``, to which `visitor` has been let in."""
    with Gateway(apiserver.kubeconfig, "serve") as running:
        yield running


def let_in(browser: Browser, gateway: Gateway, *origins: str) -> StorageState:
    """The cookies of one who opened the gateway's link, and then went to some apps."""
    first = browser.new_context()
    page = first.new_page()
    page.goto(gateway.link)
    for origin in origins:
        page.goto(f"{origin}/")
        assert page.url == f"{origin}/"
    cookies = first.storage_state()
    first.close()
    return cookies


@pytest.fixture(scope="package")
def signed_in(browser: Browser, gateway: Gateway) -> StorageState:
    """The cookies of one who was let in."""
    return let_in(browser, gateway)


@pytest.fixture
def visitor(browser: Browser, signed_in: StorageState) -> Iterator[Page]:
    """A blank page of a browser that the gateway let in, but that was at no app yet."""
    made = browser.new_context(storage_state=signed_in)
    made.set_default_timeout(TIME_LIMIT)
    yield made.new_page()
    made.close()
