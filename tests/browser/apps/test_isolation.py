"""What one page may not do to another: the attacks of a browser, tried for real.

Each attack is tried from the app's own page too, where it must get through: otherwise its
failure elsewhere would say nothing.
"""

from __future__ import annotations

import http.server
import secrets
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from browser.conftest import TIME_LIMIT

from .conftest import let_in
from .gateway import Gateway
from .scripts import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer
    from playwright.sync_api import Browser, BrowserContext, Page, Request, Response

    from .conftest import Site

# Each takes an address, and is done when the browser has done what it would.
ATTACKS = {
    "fetch": """async url => {
        await fetch(url, {mode: "no-cors", credentials: "include"}); }""",
    "fetch that reads": """async url => {
        await (await fetch(url, {credentials: "include"})).text(); }""",
    "fetch that posts": """async url => {
        await fetch(url, {
            method: "POST", body: "text=x", mode: "no-cors", credentials: "include",
            headers: {"Content-Type": "application/x-www-form-urlencoded"}}); }""",
    "image": """url => new Promise((resolve, reject) => {
        const image = new Image(); image.src = url;
        image.onload = resolve; image.onerror = () => reject(new Error("no image")); })""",
    "script": """url => new Promise((resolve, reject) => {
        const script = document.createElement("script"); script.src = url;
        script.onload = resolve; script.onerror = () => reject(new Error("no script"));
        document.head.append(script); })""",
    "iframe": """url => new Promise(resolve => {
        const frame = document.createElement("iframe"); frame.src = url;
        frame.onload = resolve; document.body.append(frame); })""",
    "WebSocket": """url => new Promise((resolve, reject) => {
        const socket = new WebSocket(url.replace("http:", "ws:"));
        socket.onopen = resolve; socket.onerror = () => reject(new Error("no socket")); })""",
    "EventSource": """url => new Promise((resolve, reject) => {
        const source = new EventSource(url, {withCredentials: true});
        source.onmessage = () => { source.close(); resolve(); };
        source.onerror = () => { source.close(); reject(new Error("no events")); }; })""",
    "form": """url => {
        const form = document.createElement("form"); form.action = url; form.method = "post";
        const field = document.createElement("input"); field.name = "text"; form.append(field);
        document.body.append(form); form.submit(); }""",
    "form in a frame": """url => new Promise(resolve => {
        const frame = document.createElement("iframe"); frame.name = "inner";
        const form = document.createElement("form"); form.action = url; form.method = "post";
        const field = document.createElement("input"); field.name = "text"; form.append(field);
        document.body.append(frame, form);
        frame.onload = resolve; form.target = "inner"; form.submit(); })""",
    "beacon": "url => { navigator.sendBeacon(url, new URLSearchParams({text: 'x'})); }",
}
# Where an attack gets an answer that it can use, and so what it must be aimed at.
PLACES = {
    "image": "/image.svg",
    "script": "/app.js",
    "WebSocket": "/socket",
    "EventSource": "/events",
    "form": "/form",
    "form in a frame": "/form",
    "fetch that posts": "/form",
    "beacon": "/form",
}
# Those of which the browser hides even the refusal, and those that need an answer of some kind.
HIDDEN = {"fetch that reads", "WebSocket", "EventSource"}
LOADED = {"image", "script"}


class Elsewhere(http.server.ThreadingHTTPServer):
    """Another site: the same page at any path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.port = self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Complain, unless it is a browser that has moved on."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>elsewhere</title><p>elsewhere</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        # The whole address, were the browser to tell it.
        self.send_header("Referrer-Policy", "unsafe-url")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """The other site's server."""
    with Elsewhere() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["", "--no-token"], ids=["token", "no-token"])
def with_api(request: pytest.FixtureRequest, apiserver: APIServer) -> Iterator[Gateway]:
    """A gateway that hands out the API too: there's more to take.

    Once as it is, and once without a token, where no cookie is needed and the origin alone counts.
    """
    with Gateway(apiserver.kubeconfig, "serve", "--api", *request.param.split()) as running:
        yield running


@pytest.fixture(scope="module")
def victims(browser: Browser, with_api: Gateway, site: Site) -> Iterator[BrowserContext]:
    """The browser of one who uses the index and both apps."""
    apps = [with_api.app(app.name, "site") for app in site]
    context = browser.new_context(storage_state=let_in(browser, with_api, *apps))
    context.set_default_timeout(TIME_LIMIT)
    yield context
    context.close()


@pytest.fixture
def victim(victims: BrowserContext) -> Iterator[Page]:
    """A page of it."""
    page = victims.new_page()
    yield page
    page.close()


ATTACKERS = {
    "another site": "http://127.0.0.1:{elsewhere}/",
    "another port of localhost": "http://localhost:{elsewhere}/",
    "another host below localhost": "http://elsewhere.localhost:{elsewhere}/",
    "another app": "http://two--site.localhost:{gateway}/",
}


@pytest.fixture(params=ATTACKERS)
def attacker(
    request: pytest.FixtureRequest, victim: Page, elsewhere: Elsewhere, with_api: Gateway
) -> Page:
    """A page that means harm, in that same browser."""
    address = ATTACKERS[request.param].format(elsewhere=elsewhere.port, gateway=with_api.port)
    victim.goto(address)
    return victim


class Outcome(NamedTuple):
    """What came of an attack: the status of each answer, and whether the page was content."""

    statuses: list[int]
    content: bool


def attack(page: Page, how: str, place: str) -> Outcome:
    """Try an attack, and wait for its end."""
    url = f"{place}?{secrets.token_hex(8)}"  # which the browser has not got already
    from playwright.sync_api import Error

    statuses: list[int] = []
    failed: list[str] = []

    def answered(response: Response) -> None:
        if response.url == url:
            statuses.append(response.status)

    def broke_off(request: Request) -> None:
        if request.url == url:
            failed.append(str(request.failure))

    page.on("response", answered)
    page.on("requestfailed", broke_off)
    try:
        run(page, ATTACKS[how], url)
        content = True
    except Error:  # the page is told that it failed, or is gone
        content = False
    for _ in range(100):
        if statuses or failed or how == "WebSocket":  # which has answered by now
            break
        page.wait_for_timeout(20)
    else:
        raise AssertionError(f"{how}: the browser asked nothing of {place}")
    if how == "form":
        page.wait_for_url(url)
    page.remove_listener("response", answered)
    page.remove_listener("requestfailed", broke_off)
    return Outcome(statuses, content)


@pytest.mark.parametrize("how", ATTACKS)
def test_the_attacks_would_work(victim: Page, how: str, with_api: Gateway, site: Site) -> None:
    """From the app's own page, each gets through."""
    origin = with_api.app("one", "site")
    victim.goto(f"{origin}/")
    place = PLACES.get(how, "/private")
    before = len(site.one.to(place))
    outcome = attack(victim, how, origin + place)
    assert outcome.content or how == "form"  # which leaves the page
    assert len(site.one.to(place)) == before + 1


@pytest.mark.parametrize("how", ATTACKS)
def test_no_other_origin_gets_through(
    attacker: Page, how: str, with_api: Gateway, site: Site
) -> None:
    """Neither to an app, nor to it through the API, nor to the index: it gets a refusal."""
    address = attacker.url
    before = site.one.paths()
    place = PLACES.get(how, "/private")
    through_api = "/api/v1/namespaces/site/services/one/proxy"
    targets = (
        with_api.app("one", "site") + place,
        with_api.origin + through_api + place,
        f"{with_api.origin}/",
    )
    for target in targets:
        outcome = attack(attacker, how, target)
        assert outcome.statuses == ([] if how in HIDDEN else [403])
        assert not (outcome.content and how in HIDDEN | LOADED)
        attacker.goto(address)
    assert site.one.paths() == before


def test_the_api_is_there(victim: Page, with_api: Gateway, site: Site) -> None:
    """For the one who may: otherwise the refusals above would say nothing."""
    before = len(site.one.to("/private"))
    victim.goto(f"{with_api.origin}/api/v1/namespaces/site/services/one/proxy/private")
    assert len(site.one.to("/private")) == before + 1


def test_a_link_from_elsewhere_asks_first(attacker: Page, with_api: Gateway, site: Site) -> None:
    """Nothing is sent to the app until the person says so; then its page opens as linked to."""
    origin = with_api.app("one", "site")
    before = site.one.paths()
    follow_link(attacker, f"{origin}/private?from=elsewhere")
    assert attacker.url.startswith(f"{origin}/")
    assert attacker.title() != "private"
    assert site.one.paths() == before
    attacker.get_by_role("link").first.click()
    attacker.get_by_text("you are nobody").wait_for()
    assert attacker.url == f"{origin}/private?from=elsewhere"
    arrived = site.one.requests[-1]
    assert arrived.target == "/private?from=elsewhere"
    assert all("elsewhere." not in referer for referer in arrived.values("Referer"))


def follow_link(page: Page, address: str) -> None:
    """Click on a link to an address that the page has got."""
    page.evaluate(
        """address => {
          const link = document.createElement("a");
          link.href = address; link.textContent = "a nice picture";
          document.body.prepend(link);
        }""",
        address,
    )
    page.get_by_text("a nice picture").click()
    page.wait_for_url(lambda url: url != "about:blank" and "nice" not in url)
    page.wait_for_load_state()


@pytest.mark.parametrize(
    "name",
    ["localhost.evil.example", "one--site.localhost.evil.example", "one--site.localhost."],
)
def test_another_name_of_this_machine(
    victim: Page, name: str, with_api: Gateway, site: Site
) -> None:
    """DNS rebinding: the attacker's name leads here, and so his pages would share our origin."""
    before = site.one.paths()
    answer = victim.goto(f"http://{name}:{with_api.port}/private")
    assert answer is not None
    assert answer.status == 421
    assert site.one.paths() == before
