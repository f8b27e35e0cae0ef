"""Every decision of `access`, as tables: who asks, from where, with what, and what comes of it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from proxyurls.gateway.access import (
    API,
    Access,
    Asset,
    Confirm,
    Facts,
    Forward,
    HandOver,
    Open,
    Own,
    Refuse,
)

PORT = 8001
APP, OTHER = "grafana--monitoring", "jupyter--lab"
HOST = f"{APP}.localhost:{PORT}"
INDEX = f"localhost:{PORT}"
DOCUMENT = {"mode": "navigate", "dest": "document"}
TYPED = {"site": "none", **DOCUMENT}
LINK = {"site": "cross-site", **DOCUMENT}
OWN = {"site": "same-origin", "mode": "cors", "dest": "empty"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def gateway(port: int | None = PORT, **options: Any) -> Access:
    numbers = itertools.count(1)
    options = {"clock": Clock(), "random": lambda: f"random{next(numbers)}", **options}
    return Access(b"secret", port, **options)


def facts(host: str = HOST, path: str = "/", method: str = "GET", **more: Any) -> Facts:
    return Facts(method, host, path, **more)


def enter(access: Access, url: str, **more: Any) -> Any:
    """Follow an address that the gateway gave."""
    host, _, rest = url.removeprefix("http://").partition("/")
    path, _, query = rest.partition("?")
    return access.decide(facts(host, f"/{path}", query=query, **{**TYPED, **more}))


def cookie(access: Access, host: str = HOST) -> str:
    """The cookie of a host, as a browser sends it."""
    label = host.partition(".localhost")[0] if ".localhost" in host else ""
    given = enter(access, access.address(label, "/").replace(access.host(label), host))
    assert isinstance(given, HandOver), given
    return given.cookie.partition(";")[0]


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.example",
        f"localhost.evil.example:{PORT}",
        f"{APP}.localhost.evil.example:{PORT}",
        f"evil.example:{PORT}",
        f"localhost.:{PORT}",
        f"{APP}.localhost.:{PORT}",
        "localhost",
        "localhost:8002",
        f"{APP}.localhost",
        f"{APP}.localhost:80",
        f"{APP}.localhost:8001:8001",
        f"a.{APP}.localhost:{PORT}",
        f".localhost:{PORT}",
        f"{'x' * 64}.localhost:{PORT}",
        f"user@localhost:{PORT}",
        f"localhost:{PORT}/",
        f"127.0.0.2:{PORT}",
        f"2130706433:{PORT}",
        f"[::2]:{PORT}",
        f"::1:{PORT}",
        "[::1]",
        f"localhost :{PORT}",
        f"localhost\t:{PORT}",
        "localhost:0x1f41",
        "localhost:08001 ",
        "",
    ],
)
def test_a_host_that_is_not_ours(host: str) -> None:
    """DNS rebinding, wrong ports and spellings: refused, whatever else a request has."""
    access = gateway(token=False, api=True)
    assert access.decide(facts(host, **TYPED)) == Refuse(421, "host", True)
    assert access.decide(facts(host, "/api", "POST", site="same-origin")).status == 421  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("host", "decision"),
    [
        (INDEX, Own("/")),
        (f"LocalHost:{PORT}", Own("/")),
        (f"127.0.0.1:{PORT}", Own("/")),
        (f"[::1]:{PORT}", Own("/")),
        (HOST, Forward(APP)),
        (HOST.upper(), Forward(APP)),
        (f"x_1-.localhost:{PORT}", Forward("x_1-")),
        (f"{'x' * 63}.localhost:{PORT}", Forward("x" * 63)),
    ],
)
def test_the_hosts_that_are_ours(host: str, decision: object) -> None:
    """The index at three plain names, and each app at its own."""
    assert gateway(token=False).decide(facts(host)) == decision


def test_the_standard_port_is_left_out() -> None:
    """As browsers do."""
    access = gateway(80, token=False)
    assert access.decide(facts("localhost")) == Own("/")
    assert access.decide(facts("localhost:80")) == Own("/")
    assert access.decide(facts("localhost:8001")) == Refuse(421, "host", True)
    assert access.link(APP, "/d") == f"http://{APP}.localhost/d"


REQUESTS = [
    # what it is, how it comes, whether the app gets it
    ("typed", {**TYPED}, Forward(APP)),
    ("a click in the app", {"site": "same-origin", **DOCUMENT}, Forward(APP)),
    ("the app's fetch", {**OWN}, Forward(APP)),
    (
        "the app's form",
        {"method": "POST", "origin": f"http://{HOST}", "site": "same-origin", **DOCUMENT},
        Forward(APP),
    ),
    (
        "a form of an app with no-referrer",
        {"method": "POST", "origin": "null", "site": "same-origin", **DOCUMENT},
        Forward(APP),
    ),
    (
        "the app's own frame",
        {"site": "same-origin", "mode": "navigate", "dest": "iframe"},
        Forward(APP),
    ),
    ("the app's WebSocket", {"websocket": True, "origin": f"http://{HOST}"}, Forward(APP)),
    ("curl", {}, Forward(APP)),
    ("curl posts", {"method": "POST"}, Forward(APP)),
    ("a program's WebSocket", {"websocket": True}, Forward(APP)),
    ("another site's link", {**LINK}, Confirm(APP, f"http://{HOST}")),
    (
        "a page of another port",
        {"site": "same-site", **DOCUMENT},
        Confirm(APP, f"http://{HOST}"),
    ),
    (
        "another site's form",
        {"method": "POST", "origin": "https://evil.example", **LINK},
        Refuse(403, "site", False),
    ),
    (
        "its form without fetch metadata",
        {"method": "POST", "origin": "https://evil.example"},
        Refuse(403, "site", False),
    ),
    ("a form of nowhere", {"method": "POST", "origin": "null"}, Refuse(403, "site", False)),
    (
        "its fetch",
        {"origin": "https://evil.example", "site": "cross-site", "mode": "cors", "dest": "empty"},
        Refuse(403, "site", False),
    ),
    (
        "its image",
        {"site": "cross-site", "mode": "no-cors", "dest": "image"},
        Refuse(403, "site", False),
    ),
    (
        "its frame",
        {"site": "cross-site", "mode": "navigate", "dest": "iframe"},
        Refuse(403, "site", False),
    ),
    (
        "its script, at another port",
        {"site": "same-site", "mode": "no-cors", "dest": "script"},
        Refuse(403, "site", False),
    ),
    (
        "its WebSocket",
        {"websocket": True, "origin": "https://evil.example"},
        Refuse(403, "site", False),
    ),
    (
        "a WebSocket of nowhere",
        {"websocket": True, "origin": "null", "site": "same-origin"},
        Refuse(403, "site", False),
    ),
    (
        "a WebSocket of https",
        {"websocket": True, "origin": f"https://{HOST}"},
        Refuse(403, "site", False),
    ),
    (
        "another app's fetch",
        {"origin": f"http://{OTHER}.localhost:{PORT}", "site": "cross-site", "mode": "cors"},
        Refuse(403, "site", False),
    ),
    (
        "another app's WebSocket",
        {"websocket": True, "origin": f"http://{OTHER}.localhost:{PORT}"},
        Refuse(403, "site", False),
    ),
    (
        "the index's fetch",
        {"origin": f"http://{INDEX}", "site": "cross-site", "mode": "cors"},
        Refuse(403, "site", False),
    ),
    (
        "one origin, said to be another site",
        {"origin": f"http://{HOST}", "site": "cross-site", "mode": "cors"},
        Refuse(403, "site", False),
    ),
    (
        "another origin, said to be the same",
        {"origin": "https://evil.example", "site": "same-origin", "mode": "cors"},
        Refuse(403, "site", False),
    ),
    ("a word that we don't know", {"site": "sideways", "mode": "cors"}, Refuse(403, "site", False)),
]


@pytest.mark.parametrize("token", [True, False])
@pytest.mark.parametrize(("what", "how", "decision"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_who_asks_an_app(what: str, how: dict[str, Any], decision: object, *, token: bool) -> None:
    """Every kind of request to an app's host, with the host's cookie (or --no-token)."""
    access = gateway(token=token)
    how = {"cookie": cookie(access) if token else "", **how}
    assert access.decide(facts(path="/d/x", **how)) == decision


@pytest.mark.parametrize(("what", "how", "decision"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_nothing_reaches_an_app_without_a_cookie(
    what: str, how: dict[str, Any], decision: object
) -> None:
    """The same requests without a cookie, and with wrong ones."""
    access = gateway()
    name = access.cookie_name
    other = cookie(access, INDEX)
    right = cookie(access)
    for sent in (
        *("", f"{name}=", f"{name}=x", other, right[:-1], f"{right}x", f"x{right}"),
        right.replace(str(PORT), "8002"),
        right.upper(),
        f"{name}=\udcff",
    ):
        got = access.decide(facts(path="/d/x", **{"cookie": sent, **how}))
        assert not isinstance(got, Forward), sent
    assert access.decide(facts(path="/d/x", cookie=f"a=b; {right}; c=d")) == Forward(APP)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, Refuse(403, "token", True)),
        ({"method": "POST"}, Refuse(403, "token", False)),
        ({**OWN}, Refuse(403, "token", False)),
        ({"websocket": True, "origin": f"http://{HOST}"}, Refuse(403, "token", False)),
    ],
)
def test_no_cookie(how: dict[str, Any], expected: object) -> None:
    """Nobody is led anywhere but a person who looks at a page."""
    assert gateway().decide(facts(**how)) == expected


def test_from_the_terminal() -> None:
    """The address in the terminal is good once, for its host, and leads to its path."""
    access = gateway()
    url = access.link(APP, "/d/home?x=1")
    assert url == f"http://{HOST}/.proxyurls/enter?token=random1"
    given = enter(access, url)
    assert given == HandOver("/d/home?x=1", given.cookie, by_page=False)
    value, *attributes = given.cookie.split("; ")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert value.startswith(f"proxyurls-{PORT}=")
    assert "random1" not in value
    assert enter(access, url) == Refuse(403, "stale", True)
    assert enter(access, url, cookie=value) == HandOver("/")
    assert enter(access, access.link()) == HandOver("/", cookie_of(access, INDEX), by_page=False)


def cookie_of(access: Access, host: str) -> str:
    return f"{cookie(access, host)}; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"site": "cross-site", "mode": "no-cors", "dest": "image"},
        {"site": "cross-site", "mode": "navigate", "dest": "iframe"},
        {"websocket": True},
    ],
)
def test_a_token_is_for_pages(change: dict[str, Any]) -> None:
    """What isn't a page in a window of its own neither gets a cookie nor uses the token up."""
    access = gateway()
    url = access.link(APP)
    assert enter(access, url, **change) == Refuse(403, "site", False)
    assert isinstance(enter(access, url), HandOver)


def test_a_token_is_for_one_host() -> None:
    """Elsewhere it is worth nothing, and stays good where it belongs."""
    access = gateway()
    url = access.link(APP)
    for host in (INDEX, f"{OTHER}.localhost:{PORT}"):
        assert enter(access, url.replace(HOST, host)) == Refuse(403, "stale", True)
    assert isinstance(enter(access, url), HandOver)


def test_a_ticket_expires() -> None:
    """After a minute; what the terminal shows does not."""
    clock = Clock()
    access = gateway(clock=clock)
    ticket, link = access.address(APP, "/"), access.link(APP)
    clock.now += 61
    assert enter(access, ticket) == Refuse(403, "stale", True)
    clock.now += 36000
    assert isinstance(enter(access, link), HandOver)


def test_tickets_take_no_memory() -> None:
    """Of thousands of tickets that nobody uses, the newest are kept."""
    access = gateway()
    first, *_, last = [access.address(APP, "/") for _ in range(3000)]
    assert enter(access, first) == Refuse(403, "stale", True)
    assert isinstance(enter(access, last), HandOver)
    assert len(access._tickets) < 1001


def test_from_the_index_to_an_app() -> None:
    """The index sends the browser on with a ticket. What follows a redirect from there would count
    as another site's, so a page of ours leads on.
    """
    access = gateway()
    request = facts(
        INDEX,
        f"/.proxyurls/open/{APP}",
        query="path=/d/x%3Fy%3D1",
        cookie=cookie(access, INDEX),
        site="same-origin",
        **DOCUMENT,
    )
    opened = access.decide(request)
    assert opened == Open(APP, "/d/x?y=1")
    given = enter(access, access.address(opened.label, opened.path), site="cross-site")
    assert given == HandOver("/d/x?y=1", given.cookie, by_page=True)
    sent = {"cookie": given.cookie.partition(";")[0], "site": "same-origin", **DOCUMENT}
    assert access.decide(facts(**sent)) == Forward(APP)


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "https://evil.example/", "/a\r\nb", "", "d/x"]
)
def test_the_index_leads_to_no_other_site(path: str) -> None:
    """Whatever path it is told to open."""
    access = gateway(token=False)
    query = f"path={path}"
    request = facts(INDEX, f"/.proxyurls/open/{APP}", query=query, **TYPED)
    assert access.decide(request) == Open(APP, "/")


def test_a_typed_host_is_let_in_by_the_index() -> None:
    """A host without its cookie asks the index's host for a ticket; another site can't."""
    access = gateway()
    asked = access.decide(facts(path="/d/x", query="y=1", **TYPED))
    assert isinstance(asked, HandOver)
    assert asked.cookie == ""
    assert asked.location.startswith(f"http://{INDEX}/.proxyurls/open/{APP}?via=")
    index = {"cookie": cookie(access, INDEX), "site": "cross-site"}
    assert enter(access, asked.location) == Refuse(403, "token", True)
    assert enter(access, asked.location, **index) == Open(APP, "/d/x?y=1")
    # the ticket is used up, and another label has none
    assert enter(access, asked.location, **index) == Confirm("", f"http://{INDEX}")
    again = access.decide(facts(**TYPED))
    assert isinstance(again, HandOver)
    elsewhere = again.location.replace(APP, OTHER, 1)
    assert enter(access, elsewhere, **index) == Confirm("", f"http://{INDEX}")
    # nor has another path, whoever asked for the ticket
    other_path = f"{again.location}delete"
    assert enter(access, other_path, **index) == Confirm("", f"http://{INDEX}")


@pytest.mark.parametrize(
    "target", ["/", "/a%20b+c?x=%2F&y=a%26b#", "/%ff/?a", "/?", "/a;b?path=/x"]
)
def test_a_typed_address_keeps_its_spelling(target: str) -> None:
    """To the byte, on its way by the index."""
    access = gateway()
    path, _, query = target.partition("?")
    asked = access.decide(facts(path=path, query=query, **TYPED))
    assert isinstance(asked, HandOver)
    index = {"cookie": cookie(access, INDEX), "site": "cross-site"}
    assert enter(access, asked.location, **index) == Open(APP, target.removesuffix("?"))


def test_who_has_no_cookie_pushes_nobody_out() -> None:
    """Thousands of pages asked for without one leave every ticket in flight as it was."""
    access = gateway()
    ticket, link = access.address(APP, "/"), access.link(OTHER)
    for _ in range(3000):
        assert isinstance(access.decide(facts(**TYPED)), HandOver)
    assert isinstance(enter(access, ticket), HandOver)
    assert isinstance(enter(access, link), HandOver)
    assert len(access._vias) < 1001


def test_another_site_with_a_wrong_token() -> None:
    """It is no way around the question."""
    access = gateway()
    url = f"http://{HOST}/.proxyurls/enter?token=x"
    sent = {"cookie": cookie(access), "site": "cross-site"}
    assert enter(access, url, **sent) == Confirm(APP, f"http://{HOST}")


INDEX_REQUESTS = [
    ("/", {**TYPED}, Own("/")),
    ("/", {**LINK}, Own("/")),
    ("/", {"site": "cross-site", "mode": "navigate", "dest": "iframe"}, Refuse(403, "site", False)),
    ("/.proxyurls/events", {**OWN}, Own("/.proxyurls/events")),
    (
        "/.proxyurls/events",
        {"site": "cross-site", "mode": "cors", "origin": f"http://{HOST}"},
        Refuse(403, "site", False),
    ),
    ("/.proxyurls/open/x", {**LINK}, Confirm("", f"http://{INDEX}")),
    ("/favicon.ico", {**OWN}, Refuse(404, "path", False)),
]


@pytest.mark.parametrize(("path", "how", "decision"), INDEX_REQUESTS)
def test_the_index(path: str, how: dict[str, Any], decision: object) -> None:
    """It is our own; nothing of another site but a link to it."""
    access = gateway()
    sent = {"cookie": cookie(access, INDEX), **how}
    assert access.decide(facts(INDEX, path, **sent)) == decision
    assert isinstance(access.decide(facts(INDEX, path, **how)), (Refuse, Confirm))


def test_assets_take_no_cookie() -> None:
    """Every page of ours needs them, on whatever host; another site gets none."""
    access = gateway()
    path = "/.proxyurls/assets/index.css"
    style = {"mode": "no-cors", "dest": "style"}
    for host in (INDEX, HOST):
        assert access.decide(facts(host, path, site="same-origin", **style)) == Asset("index.css")
        refused = access.decide(facts(host, path, site="cross-site", **style))
        assert refused == Refuse(403, "site", False)
    assert access.decide(facts("evil.example", path)) == Refuse(421, "host", True)


def test_what_is_reserved_reaches_no_app() -> None:
    """Neither on an app's host nor where there is but one."""
    for access, host in ((gateway(), HOST), (gateway(only="a", single=True), INDEX)):
        sent = {"cookie": cookie(access, host), **OWN}
        got = access.decide(facts(host, "/.proxyurls/else", **sent))
        assert got == Refuse(404, "path", False)


API_REQUESTS = [
    ("kubectl", "/api/v1/pods", {}, API()),
    ("kubectl applies", "/api/v1/pods", {"method": "PATCH"}, API()),
    ("kubectl exec", "/api/v1/namespaces/x/pods/y/exec", {"websocket": True}, API()),
    ("curl", "/", {}, API()),
    ("a browser", "/", {**TYPED}, Own("/")),
    ("the index itself", "/", {**OWN}, Own("/")),
    ("a browser's", "/api", {**TYPED}, API()),
    ("a link", "/api", {**LINK}, Confirm("", f"http://{INDEX}")),
    (
        "an app's fetch",
        "/api/v1/secrets",
        {"origin": f"http://{HOST}", "site": "cross-site", "mode": "cors"},
        Refuse(403, "site", False),
    ),
    (
        "an app's WebSocket",
        "/api/v1/namespaces/x/pods/y/exec",
        {"websocket": True, "origin": f"http://{HOST}"},
        Refuse(403, "site", False),
    ),
    (
        "a site's form",
        "/api/v1/pods",
        {"method": "POST", "origin": "https://evil.example"},
        Refuse(403, "site", False),
    ),
]


@pytest.mark.parametrize(
    ("what", "path", "how", "decision"), API_REQUESTS, ids=[row[0] for row in API_REQUESTS]
)
def test_the_api(what: str, path: str, how: dict[str, Any], decision: object) -> None:
    """With --api alone, at the plain hosts alone; with --no-token as kubectl proxy has it."""
    access = gateway(api=True, token=False)
    assert access.decide(facts(INDEX, path, **how)) == decision
    strict = gateway(api=True)
    if decision == API():
        assert strict.decide(facts(INDEX, path, **how)).status == 403  # type: ignore[union-attr]
        sent = {"cookie": cookie(strict, INDEX), **how}
        assert strict.decide(facts(INDEX, path, **sent)) == API()
        assert gateway(token=False).decide(facts(INDEX, path, **how)) != API()
        assert access.decide(facts(HOST, path, **how)) == Forward(APP)


def test_one_target_alone() -> None:
    """``open`` serves one app at its own host; ``--single`` at the plain one, and no other."""
    opened = gateway(only=APP)
    sent = {"cookie": cookie(opened)}
    assert opened.decide(facts(**sent)) == Forward(APP)
    assert opened.decide(facts(f"{OTHER}.localhost:{PORT}")) == Refuse(421, "host", True)
    assert opened.decide(facts(**TYPED)) == Refuse(403, "token", True)
    plain = {"cookie": cookie(opened, INDEX)}
    assert opened.decide(facts(INDEX, **plain)) == Refuse(404, "host", True)

    single = gateway(only=APP, single=True)
    link = single.link(path="/d")
    assert link == f"http://{INDEX}/.proxyurls/enter?token=random1"
    given = enter(single, link)
    assert given.location == "/d"
    sent = {"cookie": given.cookie.partition(";")[0]}
    assert single.decide(facts(INDEX, **sent)) == Forward("")
    assert single.decide(facts(INDEX, query="token=of-the-app", **sent)) == Forward("")
    assert single.decide(facts(INDEX, **sent, **LINK)) == Confirm("", f"http://{INDEX}")
    assert single.decide(facts(HOST, **sent)) == Refuse(421, "host", True)


def test_a_unix_socket() -> None:
    """Its file says who may; any port will do."""
    access = gateway(None)
    for host in ("localhost", "localhost:8001", "127.0.0.1"):
        assert access.decide(facts(host)) == Own("/")
    assert access.decide(facts(f"{APP}.localhost")) == Forward(APP)
    assert access.decide(facts("evil.example")) == Refuse(421, "host", True)
    assert access.link() == "http://localhost/"


def test_further_hosts() -> None:
    """--allow-remote adds an address, --accept-hosts what matches it, whatever the port."""
    remote = gateway(token=False, name="192.168.1.5")
    assert remote.decide(facts(f"192.168.1.5:{PORT}")) == Own("/")
    assert remote.decide(facts("192.168.1.5:80")) == Refuse(421, "host", True)
    matching = gateway(token=False, any_host=lambda name: name.endswith(".corp.example"))
    assert matching.decide(facts("dev.corp.example")) == Own("/")
    assert matching.decide(facts("dev.corp.example:9")) == Own("/")
    assert matching.decide(facts(HOST)) == Forward(APP)
    assert matching.decide(facts(f"evil.example:{PORT}")) == Refuse(421, "host", True)


def test_two_runs_know_nothing_of_each_other() -> None:
    """A cookie of yesterday's gateway is worth nothing today."""
    one, two = gateway(), Access(b"another", PORT, random=lambda: "random1")
    assert two.decide(facts(cookie=cookie(one))) == Refuse(403, "token", True)
    assert enter(two, one.link(APP)) == Refuse(403, "stale", True)


def test_bytes_that_are_no_text_in_a_path() -> None:
    """They come back from the index's host as they were."""
    decision = gateway().decide(facts(path="/\udcff", query="\udce9=%", **TYPED))
    assert isinstance(decision, HandOver)
    assert decision.location.endswith("&path=/%FF%3F%E9%3D%25")


def test_a_host_that_is_ours_in_lower_case_alone() -> None:
    """The Kelvin sign's lower case is a "k", but no host name of ours has it."""
    assert gateway().decide(facts("\u212aibana--a.localhost:8001", **TYPED)) == Refuse(
        421, "host", navigation=True
    )
