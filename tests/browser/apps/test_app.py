"""An app that knows nothing of a prefix, in a browser, at its own root."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from .app import COOKIE, EVENTS
from .scripts import run

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Site
    from .gateway import Gateway

TALK = """async ([text, size]) => {
  const socket = new WebSocket(
    `ws://${location.host}/socket`, ["first.example", "second.example"]);
  socket.binaryType = "arraybuffer";
  const next = () => new Promise((resolve, reject) => {
    socket.onmessage = event => resolve(event.data);
    socket.onerror = () => reject(new Error("the socket broke"));
  });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("no socket"));
  });
  socket.send(text);
  const answer = await next();
  socket.send(new Uint8Array(size).fill(7));
  const bytes = new Uint8Array(await next());
  socket.close(4321, "enough");
  return {
    protocol: socket.protocol,
    answer,
    size: bytes.length,
    sevens: bytes.every(byte => byte === 7),
  };
}"""

PART = """() => new Promise(resolve => {
  const socket = new WebSocket(`ws://${location.host}/socket`);
  socket.onopen = () => socket.send("bye");
  socket.onclose = event => resolve([event.code, event.reason, event.wasClean]);
})"""

LISTEN = """count => new Promise((resolve, reject) => {
  const seen = [], source = new EventSource("/events");
  source.onmessage = event => {
    seen.push([event.data, performance.now()]);
    if (seen.length === count) { source.close(); resolve(seen); }
  };
  source.onerror = () => reject(new Error("no events"));
})"""

WORK = """async () => {
  await navigator.serviceWorker.register("/worker.js");
  await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) {
    await new Promise(resolve => {
      navigator.serviceWorker.addEventListener("controllerchange", resolve);
    });
  }
  return (await fetch("/from-worker")).text();
}"""


@pytest.fixture
def one(gateway: Gateway, site: Site) -> str:
    """The origin of the app ``one``."""
    return gateway.app("one", "site")


@pytest.fixture
def home(visitor: Page, one: str) -> Page:
    """Its home page."""
    visitor.goto(f"{one}/")
    return visitor


def test_what_the_page_names_is_loaded(home: Page, one: str) -> None:
    """A stylesheet, an image, a script, and what the script fetches, all from rooted URLs."""
    assert home.title() == "one"
    assert home.url == f"{one}/"
    home.get_by_text("one a=1").wait_for()
    colour = home.locator("h1").evaluate("title => getComputedStyle(title).color")
    assert colour == "rgb(1, 2, 3)"
    assert home.locator("#image").evaluate("image => [image.complete, image.naturalWidth]") == [
        True,
        7,
    ]


def test_a_text_that_mentions_the_prefix_stays(home: Page) -> None:
    """Only links lose it."""
    mention = "The proxy's path is /api/v1/namespaces/site/services/one/proxy/, as text."
    assert home.locator("#mention").inner_text() == mention


@pytest.mark.parametrize("link", ["rooted", "relative", "absolute"])
def test_links_stay_at_the_apps_own_root(home: Page, one: str, link: str) -> None:
    """However a link is written, it leads to the app's own page, and back again."""
    assert home.locator(f"#{link}").evaluate("link => link.href") == f"{one}/second"
    home.click(f"#{link}")
    home.get_by_text("the second page of one").wait_for()
    assert home.url == f"{one}/second"
    home.click("#back")
    home.wait_for_url(f"{one}/")


def test_a_redirect(home: Page, one: str) -> None:
    home.click("#redirect")
    home.get_by_text("the second page of one").wait_for()
    assert home.url == f"{one}/second?redirected=1"


def test_a_form(home: Page, one: str, site: Site) -> None:
    """Its fields arrive, and Host, Origin and Referer agree with each other."""
    home.fill("#post input", "Grüße & <b>")
    home.click("#post button")
    home.get_by_text("you sent: Grüße & <b>").wait_for()
    assert home.url == f"{one}/form"
    posted = site.one.to("/form")[-1]
    assert posted.values("Host") == [one.removeprefix("http://")]
    assert posted.values("Origin") == [one]
    assert posted.values("Referer") == [f"{one}/"]


def test_a_login_by_cookie(home: Page, one: str) -> None:
    """The cookie is kept: for this page, and for the next one."""
    home.click("#login button")
    home.get_by_text("you are one").wait_for()
    assert home.url == f"{one}/private"
    another = home.context.new_page()
    another.goto(f"{one}/private")
    assert another.locator("p").inner_text() == "you are one"


def test_two_apps_cookies_do_not_mix(visitor: Page, gateway: Gateway, site: Site) -> None:
    """Both apps call it ``session``, and each gets its own alone; neither gets the gateway's."""
    for app in site:
        visitor.goto(f"{gateway.app(app.name, 'site')}/")
        visitor.click("#login button")
        visitor.get_by_text(f"you are {app.name}").wait_for()
    for app in site:
        visitor.goto(f"{gateway.app(app.name, 'site')}/private")
        assert visitor.locator("p").inner_text() == f"you are {app.name}"
        assert app.to("/private")[-1].values("Cookie") == [f"{COOKIE}={app.name}"]


def test_a_router_of_the_history_api(visitor: Page, one: str) -> None:
    """With ``<base href>``: it moves, survives a reload, goes back, and a link leads out of it."""
    visitor.goto(f"{one}/routed/")
    assert visitor.locator("main").inner_text() == "route:"
    visitor.click("#user")
    assert visitor.url == f"{one}/routed/users/7"
    assert visitor.locator("main").inner_text() == "route: users/7"
    visitor.reload()
    assert visitor.locator("main").inner_text() == "route: users/7"
    visitor.go_back()
    assert visitor.url == f"{one}/routed/"
    visitor.click("#out")
    visitor.wait_for_url(f"{one}/second")


def test_a_websocket(home: Page, site: Site) -> None:
    """Text and bytes, the app's choice of the subprotocols, and the browser's close code."""
    assert run(home, TALK, ["Grüße", 3_000_000]) == {
        "protocol": "second.example",
        "answer": "one: Grüße",
        "size": 3_000_000,
        "sevens": True,
    }
    end = time.monotonic() + 5
    while not site.one.close_codes and time.monotonic() < end:
        time.sleep(0.02)
    assert site.one.close_codes == [4321]


def test_the_apps_close_code_reaches_the_page(home: Page) -> None:
    assert run(home, PART) == [4001, "as you wish", True]


def test_server_sent_events(home: Page) -> None:
    """Each comes when it is sent, not with the last."""
    seen = run(home, LISTEN, EVENTS)
    assert [text for text, _ in seen] == [f"one {number}" for number in range(EVENTS)]
    first, last = seen[0][1], seen[-1][1]
    assert last - first > 200  # ms; they are sent 200 ms apart


def test_a_service_worker(home: Page, one: str, gateway: Gateway, site: Site) -> None:
    """It serves its own app's origin, and none of another's."""
    assert run(home, WORK) == f"the worker of {one}/"
    home.goto(f"{gateway.app('two', 'site')}/")
    assert run(home, "async () => (await fetch('/from-worker')).status") == 404
    assert site.one.to("/from-worker") == []
