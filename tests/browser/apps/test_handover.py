"""How the browser is let in: a link that is good once, and that leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from .gateway import Gateway
from .scripts import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer
    from playwright.sync_api import Browser, Page

    from .conftest import Site


@pytest.fixture
def fresh(apiserver: APIServer, site: Site) -> Iterator[Gateway]:
    """``proxyurls serve`` whose link nobody opened yet."""
    with Gateway(apiserver.kubeconfig, "serve") as running:
        yield running


@pytest.fixture(params=["", "--single"], ids=["name", "single"])
def opened(request: pytest.FixtureRequest, apiserver: APIServer, site: Site) -> Iterator[Gateway]:
    """``proxyurls open`` whose link nobody opened yet; at the app's own name, and at localhost."""
    command = ["open", "one.site", "/private?from=terminal", *request.param.split()]
    with Gateway(apiserver.kubeconfig, *command) as running:
        name = "localhost" if request.param else "one--site.localhost"
        assert running.origin == f"http://{name}:{running.port}"
        yield running


def token_of(link: str) -> str:
    """The token in a printed link."""
    (token,) = parse_qs(urlsplit(link).query)["token"]
    assert len(token) >= 22  # 128 bits and more
    return token


def history(page: Page) -> list[str]:
    """Every address in a page's history, as the browser keeps it."""
    session = page.context.new_cdp_session(page)
    entries = session.send("Page.getNavigationHistory")["entries"]
    return [str(entry["url"]) for entry in entries]


def test_serve_leaves_no_token_anywhere(page: Page, fresh: Gateway, site: Site) -> None:
    """Neither in the address bar, the history, a script's reach, nor in what an app is sent."""
    before = len(site.one.requests)
    page.goto(fresh.link)
    assert page.url == f"{fresh.origin}/"
    # Through the page's own link, as a person would.
    page.get_by_role("link", name="one", exact=True).first.click()
    page.get_by_text("one a=1").wait_for()
    assert page.url == f"{fresh.app('one', 'site')}/"
    visited = history(page)
    assert [url for url in visited if not url.startswith("about:")] == [
        f"{fresh.origin}/",
        f"{fresh.app('one', 'site')}/",
    ]
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("document.referrer") == ""
    cookies = {cookie["value"] for cookie in page.context.cookies()}
    assert len(cookies) == 2  # the index's and the app's, and they differ
    secrets = {token_of(fresh.link), *cookies}
    sent = site.one.requests[before:]
    assert sent[0].path == "/"
    for request in sent:
        everything = repr((request.target, request.headers, request.body))
        assert not [secret for secret in secrets if secret in everything]
        assert "proxyurls" not in everything.lower()
        assert set(request.values("Referer")) <= {f"{fresh.app('one', 'site')}/"}
    assert token_of(fresh.link) not in fresh.output.replace(fresh.link, "")


def test_open_leads_to_the_page(page: Page, opened: Gateway, site: Site) -> None:
    """Path and query included; and the app sees nothing of how it went."""
    before = len(site.one.requests)
    page.goto(opened.link)
    page.get_by_text("you are nobody").wait_for()
    assert page.url == f"{opened.origin}/private?from=terminal"
    assert not [url for url in history(page) if "token" in url]
    (sent, *_) = site.one.requests[before:]
    assert sent.target == "/private?from=terminal"
    assert sent.values("Referer") == []
    assert sent.values("Cookie") == []


def test_a_link_is_good_for_one_browser(
    page: Page, opened: Gateway, site: Site, browser: Browser
) -> None:
    """Who finds it in a terminal's scrollback gets a page that says so, and nothing else."""
    page.goto(opened.link)
    page.get_by_text("you are nobody").wait_for()
    before = site.one.paths()
    another = browser.new_context()
    late = another.new_page()
    answer = late.goto(opened.link)
    assert answer is not None
    assert answer.status == 403
    assert another.cookies() == []
    assert late.goto(f"{opened.origin}/private").status == 403  # type: ignore[union-attr]
    another.close()
    assert site.one.paths() == before


def test_without_the_link_there_is_nothing(page: Page, fresh: Gateway, site: Site) -> None:
    """No token, and a wrong one: a page that says what to do."""
    before = site.one.paths()
    for address in (f"{fresh.origin}/", f"{fresh.app('one', 'site')}/", f"{fresh.origin}/?token=x"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403
        assert "Open the address that the terminal shows" in page.inner_text("body")
    assert site.one.paths() == before
    assert page.context.cookies() == []


def test_ctrl_c_with_a_page_open(page: Page, fresh: Gateway, site: Site) -> None:
    """The gateway ends, although a WebSocket is open, and the page is told."""
    page.goto(fresh.link)
    page.goto(f"{fresh.app('one', 'site')}/")
    run(
        page,
        """() => new Promise((resolve, reject) => {
          const socket = new WebSocket(`ws://${location.host}/socket`);
          socket.onopen = resolve;
          socket.onerror = () => reject(new Error("no socket"));
          socket.onclose = () => { window.wasTold = true; };
        })""",
    )
    assert fresh.interrupt() == 130
    page.wait_for_function("window.wasTold")
    assert "Traceback" not in fresh.output
