"""The index page in Chromium: search, keyboard, copying, staying current, looks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from discovery.servers import Answer, Asked, Loopback
from gateway.entries import SERVER, entry, href, port, snapshot
from gateway.test_pages import XSS

from proxyurls.gateway import pages
from proxyurls.gateway.index import IndexPage
from proxyurls.gateway.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page
    from typing_extensions import Self

    from proxyurls.gateway.feed import Entry

SHOP = (
    entry("grafana", "monitoring", port(3000), labels={"kubernetes.io/name": "Dashboards"}),
    entry("prometheus", "monitoring", port(9090, "web"), port(10901, "grpc")),
    entry("checkout", "shop", port(8080), readiness=Readiness(0, 2)),
    entry("database", "shop", type="ExternalName", externalName="db.example.com"),
    entry("payments", "shop", port(443, "tls"), readiness=Readiness(1, 3), type="LoadBalancer"),
    entry("syslog", "shop", port(514, protocol="UDP"), readiness=Readiness(0, 0)),
)


class Host:
    """The index page, its assets and nothing else, on loopback. A test sets what there is."""

    def __init__(self) -> None:
        self.broken = 0  # the status to answer everything with
        self.messages: dict[str, bytes] = {}  # other pages, by path
        self.asked: list[str] = []
        self.opened: list[str] = []  # the apps
        self._versions = itertools.count()
        self.show(*SHOP)
        self._page = IndexPage(lambda: self.shown, href, cluster="kind-demo", server=SERVER)
        self._server = Loopback(self._answer)
        self.url = self._server.url

    def show(self, *entries: Entry, **changes: object) -> None:
        """From now on there are these services."""
        version = (next(self._versions), 0)
        self.shown = snapshot(entries, **{"version": version, **changes})

    def _answer(self, asked: Asked) -> Answer:
        self.asked.append(asked.target)
        if self.broken:
            return Answer(b"", self.broken)
        path, _, query = asked.target.partition("?")
        if path.startswith(pages.ASSETS):
            asset = pages.asset(path.removeprefix(pages.ASSETS))
            assert asset is not None, path
            return Answer(asset.body, 200, dict(asset.headers))
        if path in self.messages:
            return Answer(self.messages[path], 200, dict(pages.HEADERS))
        if path.startswith("/open/"):
            self.opened.append(path)
            return Answer(b"<title>opened</title>", 200, {"Content-Type": "text/html"})
        words = parse_qs(query).get("q", [""])[0]
        given = self._page.answer(words, asked.headers.get("if-none-match", ""))
        return Answer(given.body, given.status, dict(given.headers))

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(None, None, None)


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


@pytest.fixture
def index(page: Page, host: Host) -> Iterator[Page]:
    """The page, opened. No script of it may fail, and nothing may break its policy."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Policy" in said.text else None)
    page.goto(host.url)
    yield page
    assert problems == []


def shown(page: Page) -> list[str]:
    """The names of the services that can be seen."""
    return [name.strip() for name in page.locator(".name:visible").all_inner_texts()]


def search(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Search by name, namespace, port or type")


def ask_now(page: Page) -> None:
    """Let the page look for changes, as it does when it's seen again."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_what_is_there(index: Page, host: Host) -> None:
    """By role and name, as a screen reader gives it."""
    assert index.title() == "Services of kind-demo"
    assert [one.inner_text() for one in index.get_by_role("heading", level=2).all()] == [
        "monitoring",
        "shop",
    ]
    region = index.get_by_role("region", name="monitoring")
    assert region.get_by_role("link").all_inner_texts() == [
        "grafana",
        "prometheus",
        "9090 web",
        "10901 grpc",
    ]
    index.get_by_role("button", name="Copy the proxy URL of grafana, port 3000").wait_for()
    assert index.get_by_role("status").inner_text() == "6 services"
    index.get_by_role("link", name="prometheus, port 10901 grpc").click()
    assert index.title() == "opened"
    assert host.opened[-1] == "/open/prometheus:10901.monitoring"


def test_search(index: Page) -> None:
    """Each key narrows the list; the address keeps the words; a reload shows the same."""
    search(index).press_sequentially("shop")
    assert shown(index) == ["checkout", "database", "payments", "syslog"]
    assert index.get_by_role("status").inner_text() == "4 of 6 services"
    assert not index.get_by_role("region", name="monitoring").is_visible()
    search(index).press_sequentially(" LOAD")
    assert shown(index) == ["payments"]
    assert index.url.endswith("?q=shop%20LOAD")
    index.reload()
    assert shown(index) == ["payments"]
    search(index).fill("nowhere")
    assert shown(index) == []
    assert index.get_by_text("No service has all of these words.").is_visible()
    search(index).fill("")
    assert len(shown(index)) == 6
    assert index.url.endswith("/")


def test_keyboard(index: Page, host: Host) -> None:
    """A slash searches, arrows move, Escape clears, Enter opens the first hit."""

    def focused() -> str:
        return str(index.evaluate("document.activeElement.id || document.activeElement.innerText"))

    index.keyboard.press("/")
    assert focused() == "q"
    index.keyboard.type("a/b")
    assert search(index).input_value() == "a/b"
    index.keyboard.press("Escape")
    assert search(index).input_value() == ""
    index.keyboard.press("Enter")  # nothing was searched for
    assert index.title() == "Services of kind-demo"
    index.keyboard.press("ArrowDown")
    assert focused() == "grafana"
    index.keyboard.press("Tab")
    assert focused() == "Copy URL"
    index.keyboard.press("ArrowDown")
    assert focused() == "prometheus"
    index.keyboard.press("ArrowDown")
    index.keyboard.press("ArrowDown")
    assert focused() == "payments"  # the database between them has no link
    for _ in range(3):
        index.keyboard.press("ArrowUp")
    assert focused() == "grafana"
    index.keyboard.press("ArrowUp")
    assert focused() == "q"
    index.keyboard.type("pay")
    index.keyboard.press("Enter")
    index.wait_for_url("**/open/**")
    assert host.opened[-1] == "/open/payments.shop"


def test_copy(index: Page, context: BrowserContext) -> None:
    """The button puts the proxy URL on the clipboard, and says so."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = index.get_by_role("button", name="Copy the proxy URL of payments, port 443")
    button.click()
    index.get_by_text("Copied").wait_for()
    copied = index.evaluate("navigator.clipboard.readText()")
    assert copied == f"{SERVER}/api/v1/namespaces/shop/services/https:payments:443/proxy/"


def test_copy_by_hand(index: Page) -> None:
    """Where the browser lets nothing onto the clipboard, the URL is shown to be copied."""
    index.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error('no')); }")
    said: list[str] = []

    def answer(dialog: Dialog) -> None:
        said.append(dialog.default_value)
        dialog.dismiss()

    index.on("dialog", answer)
    index.get_by_role("button", name="Copy the proxy URL of grafana, port 3000").click()
    index.wait_for_timeout(100)
    assert said == [f"{SERVER}/api/v1/namespaces/monitoring/services/grafana:3000/proxy/"]


def test_stays_current(index: Page, host: Host) -> None:
    """What changes shows by itself; the search, the focus and what is equal stay as they are."""
    search(index).fill("shop")
    link = index.get_by_role("link", name="payments")
    link.focus()
    index.evaluate("document.activeElement.mine = 'kept'")
    new = entry("a-new-one", "shop", port(80))
    other = entry("elsewhere", "team", port(80))
    host.show(*SHOP[:2], new, *SHOP[2:], other)
    index.get_by_role("link", name="a-new-one").wait_for()
    assert shown(index) == ["a-new-one", "checkout", "database", "payments", "syslog"]
    assert index.get_by_role("status").inner_text() == "5 of 8 services"
    assert index.evaluate("document.activeElement.mine") == "kept"

    healed = entry("payments", "shop", port(443, "tls"), readiness=Readiness(3, 3))
    host.show(new, healed)
    index.get_by_text("3 ready", exact=True).wait_for()
    assert shown(index) == ["a-new-one", "payments"]
    assert index.evaluate("document.activeElement.innerText") == "payments"
    search(index).fill("")
    assert shown(index) == ["a-new-one", "payments"]

    host.show(new, healed, problem="connection refused", seen=1_700_000_000.0)
    index.get_by_text("connection refused").wait_for()
    assert shown(index) == ["a-new-one", "payments"]
    host.show(new, healed)
    index.get_by_text("connection refused").wait_for(state="detached")


def test_order_is_kept(index: Page, host: Host) -> None:
    """Whatever comes and goes, the page has what a fresh one has, in its order."""
    many = [entry(f"svc-{n}", f"ns-{n % 3}", port(80)) for n in range(12)]
    many.sort(key=lambda one: (one.service.namespace, one.service.name))
    for chosen in (many[::2], many[1::2], many, many[3:5], [], many[::-1], many):
        host.show(*chosen)
        ask_now(index)
        expected = [one.service.name for one in chosen]
        index.wait_for_function(
            "all => [...document.querySelectorAll('.name')].map(n => n.innerText).join() == all",
            arg=",".join(expected),
        )
        sections = len(index.locator("section").all())
        assert sections == len(list(itertools.groupby(chosen, lambda one: one.service.namespace)))


def test_a_gateway_that_is_gone(index: Page, host: Host) -> None:
    """The list stays, what is wrong is said, and the page recovers."""
    alert = index.get_by_role("alert")
    for status, said in ((403, "open the address in its terminal"), (500, "answered 500")):
        host.broken = status
        index.get_by_text(said).wait_for()
        assert "Not current since" in alert.inner_text()
        assert len(shown(index)) == 6
    host.broken = 0
    alert.wait_for(state="hidden")


def test_a_gateway_that_has_ended(index: Page, host: Host) -> None:
    """The same without any answer."""
    index.route("**/*", lambda route: route.abort())
    index.get_by_text("The gateway does not answer.").wait_for()
    index.unroute("**/*")
    index.get_by_role("alert").wait_for(state="hidden")


def test_a_page_that_nobody_sees_does_not_ask(index: Page, host: Host) -> None:
    """A tab in the background costs nothing; seen again it asks at once."""
    index.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    index.wait_for_timeout(2500)
    before = len(host.asked)
    index.wait_for_timeout(2500)
    assert len(host.asked) == before
    index.evaluate(
        "Object.defineProperty(document, 'hidden', {value: false});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    index.wait_for_timeout(500)
    assert len(host.asked) == before + 1


def test_nothing_from_elsewhere(page: Page, host: Host) -> None:
    """Every request goes to the gateway."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(host.url)
    page.wait_for_timeout(2500)
    assert len(asked) >= 4
    assert all(url.startswith(host.url + "/") for url in asked)


def test_without_script(browser: Browser, host: Host) -> None:
    """The links and the search work; what would not is not there."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(host.url)
    assert len(shown(page)) == 6
    assert page.locator("button:visible").count() == 0
    search(page).fill("shop pay")
    search(page).press("Enter")
    assert page.url == f"{host.url}/?q=shop+pay"
    assert shown(page) == ["payments"]
    page.get_by_role("link", name="payments").click()
    assert host.opened[-1] == "/open/payments.shop"
    context.close()


@pytest.mark.parametrize("text", XSS)
def test_hostile_names(page: Page, host: Host, text: str) -> None:
    """Nothing from the cluster becomes markup, neither at first nor when the list is renewed."""
    ran: list[str] = []

    def alerted(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", alerted)
    bad = entry(
        "web", "shop", port(80, text), port(81, "b", text), labels={"kubernetes.io/name": text}
    )
    host.show(bad, problem=text)
    page.goto(f"{host.url}/?q=web")
    assert page.locator(".also").inner_text() == text
    elements = "[...document.querySelectorAll('*')].map(e => e.tagName).join()"
    before = page.evaluate(elements)
    host.show(bad._replace(readiness=Readiness(2, 2)), problem=text)
    ask_now(page)
    page.get_by_text("2 ready").wait_for()
    assert page.evaluate(elements) == before
    assert ran == []
    assert page.locator("script").count() == 1


def test_the_policy_holds(page: Page, host: Host) -> None:
    """Markup that got in all the same would do nothing: no script, style or picture of its own."""
    page.goto(host.url)
    page.evaluate(
        """() => {
            window.broken = [];
            document.addEventListener("securitypolicyviolation",
                event => window.broken.push(event.effectiveDirective));
            document.querySelector("main").insertAdjacentHTML("beforeend",
                `<img src=x onerror="window.ran = 1"><a id=j href="javascript:window.ran=1">j</a>
                 <img src="http://127.0.0.1:9/x"><iframe src="http://127.0.0.1:9/"></iframe>
                 <p style="color: red">`);
            const script = document.createElement("script");
            script.textContent = "window.ran = 1";
            document.body.append(script);
            document.getElementById("j").click();
        }"""
    )
    page.wait_for_function("window.broken.length >= 5")
    broken = set(page.evaluate("window.broken"))
    assert {
        "script-src-attr",
        "script-src-elem",
        "img-src",
        "frame-src",
        "style-src-attr",
    } <= broken
    assert page.evaluate("window.ran") is None


def test_two_thousand_services(page: Page, host: Host) -> None:
    """All of them, searched at once."""
    many = [entry(f"svc-{n:04}", f"team-{n // 50:02}", port(80), port(81)) for n in range(2000)]
    host.show(*many)
    page.goto(host.url)
    assert page.get_by_role("status").inner_text() == "2000 services"
    search(page).fill("svc-1234")
    assert shown(page) == ["svc-1234"]
    search(page).fill("")
    host.show(*many[1:])
    page.get_by_text("1999 services").wait_for()


LOOKS = {
    "desktop-light": (1280, 800),
    "desktop-dark": (1280, 800),
    "phone-light": (390, 844),
    "phone-dark": (320, 640),
}

# WCAG 2.1, 1.4.3: every text against the nearest background that is painted behind it.
CONTRASTS = """() => {
    const parts = color => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const color = parts(getComputedStyle(node).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim());
        if (!own || !node.checkVisibility()) continue;
        const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        found.push([ratio, node.className || node.tagName, node.innerText]);
    }
    return found;
}"""


def contrast(page: Page) -> None:
    """All text can be read: at least 4.5 to 1."""
    found = page.evaluate(CONTRASTS)
    assert len(found) >= 3
    assert [one for one in found if one[0] < 4.5] == []


@pytest.mark.parametrize("name", LOOKS)
def test_looks(browser: Browser, host: Host, artefacts: Path, name: str) -> None:
    """Nothing hangs over the edge, all can be read, in the dark and on a phone; and a picture."""
    long = entry("a" * 63, "b" * 63, port(8443, "https-very-long1"), type="NodePort")
    width, height = LOOKS[name]
    dark = name.endswith("dark")
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(host.url)
    picture = page.screenshot(path=artefacts / f"index-{name}.png")
    assert picture.startswith(b"\x89PNG")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0]")
    assert (int(back) < 128) == dark
    host.show(*SHOP, long, problem="connection refused", namespace="shop", seen=1.0)
    page.reload()
    contrast(page)
    overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overhang) == 0
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_messages_look(browser: Browser, host: Host, artefacts: Path, scheme: str) -> None:
    """The other pages likewise, at a phone's width."""
    links = [pages.Link("All services", "/")]
    bodies = {
        "error": pages.error(502, "No answer", "It refused.", remedy="Start it.", links=links),
        "confirm": pages.confirm("http://a--b.localhost:1", "/x" * 99, app="a in namespace b"),
        "unknown": pages.unknown_host("a" * 63 + ".localhost", links, index="/"),
    }
    context = browser.new_context(
        viewport={"width": 320, "height": 640},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    host.messages = {f"/{name}": body for name, body in bodies.items()}
    for name in bodies:
        page.goto(f"{host.url}/{name}")
        page.screenshot(path=artefacts / f"{name}-{scheme}.png")
        contrast(page)
        overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overhang) == 0
    context.close()
