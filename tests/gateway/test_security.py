"""What must not get through: a test for each row of the threat table, on both apiservers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from contract.fixtures import KINDS
from contract.upstream import reply

from .conftest import NAMESPACE, ROOT, WEB, let_in
from .running import Reply, running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .conftest import Gate, Site

pytestmark = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")

EVIL = "http://evil.example"
DOCUMENT = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
LINK = {"Sec-Fetch-Site": "cross-site", **DOCUMENT}
CROSS = {"Sec-Fetch-Site": "cross-site"}


def quiet(gate: Gate, target: str = "/", method: str = "GET", **options: object) -> Reply:
    """Send a request, of which nothing may reach the app."""
    before = len(gate.site.web.requests)
    got = gate.send(target, method, **options)
    assert len(gate.site.web.requests) == before, "it reached the app"
    return got


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.example",
        f"{WEB}.localhost.evil.example",
        f"{WEB}.localhost.:{{port}}",
        "localhost.:{port}",
        f"{WEB}.localhost:1",
        "evil.example:{port}",
        "",
    ],
)
def test_dns_rebinding(gate: Gate, host: str) -> None:
    """A name that is not ours is refused, with the cookie of the right one too."""
    cookie = gate.gateway.cookies[gate.gateway.host(WEB)]
    named = host.format(port=gate.gateway.port)
    assert quiet(gate, host=named, headers={"Cookie": cookie}).status == 421


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Origin": EVIL, **LINK}),
        ("POST", {"Origin": EVIL}),
        ("GET", {"Origin": EVIL, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", **CROSS}),
        ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", **CROSS}),
        ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", **CROSS}),
        ("GET", {"Origin": f"http://other--{NAMESPACE}.localhost", **CROSS}),
        ("DELETE", {"Origin": "null"}),
    ],
    ids=["form", "old form", "fetch", "image", "frame", "another app", "sandbox"],
)
def test_another_site_asks(gate: Gate, method: str, headers: Mapping[str, str]) -> None:
    """Its requests are refused, the cookie notwithstanding."""
    assert quiet(gate, "/delete", method, headers=headers).status == 403


def test_a_link_on_another_site(gate: Gate) -> None:
    """The app opens with the next click; the link itself sends nothing."""
    got = quiet(gate, "/d/x?y=1", headers={**LINK, "Referer": f"{EVIL}/page"})
    assert got.status == 200
    assert f"http://{gate.gateway.host(WEB)}/d/x?y=1" in got.text
    assert EVIL in got.text
    own = {**DOCUMENT, "Sec-Fetch-Site": "same-origin"}
    assert gate.send("/d/x?y=1", headers=own).status == 200
    assert gate.site.web.last.target == "/d/x?y=1"


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/version", f"{ROOT}/web/proxy/"])
def test_the_api_is_off(gate: Gate, path: str) -> None:
    """Without --api there is none, on no host."""
    assert gate.gateway.request(path).status in (403, 404)
    before = len(gate.site.web.requests)
    got = gate.send(path)
    assert got.status in (200, 302)  # it is the app's own path
    assert len(gate.site.web.requests) <= before + 1


def test_no_token(site: Site) -> None:
    """Nothing without a cookie; the terminal shows a fresh address, but not for each request."""
    with running(site.config()) as gateway:
        before = len(site.web.requests)
        for target in ("/", "/.proxyurls/enter", "/.proxyurls/enter?token=x", "/?token="):
            for label in ("", WEB):
                assert gateway.request(target, label=label).status == 403
        assert gateway.request("/", label=WEB, headers={"Cookie": "proxyurls-1=x"}).status == 403
        assert len(site.web.requests) == before
        assert len(gateway.said) == 1
        fresh = gateway.said[0].rpartition(" ")[2]
        assert gateway.enter(fresh).status == 303


def test_a_token_is_good_once(site: Site) -> None:
    """And leads to an address without it."""
    with running(site.config()) as gateway:
        entered = gateway.enter(gateway.link)
        assert (entered.status, entered.headers["Location"]) == (303, "/")
        assert entered.headers["Referrer-Policy"] == "no-referrer"
        value, *attributes = entered.headers["Set-Cookie"].split("; ")
        assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
        token = gateway.link.partition("token=")[2]
        assert token not in value
        gateway.cookies.clear()
        assert gateway.enter(gateway.link).status == 403


def test_a_cookie_is_good_for_one_host(gate: Gate) -> None:
    """That of one app, or of the index, opens no other."""
    label = f"named--{NAMESPACE}"
    for host in (gate.gateway.host(), gate.gateway.host(WEB)):
        cookie = gate.gateway.cookies[host]
        got = gate.gateway.request(
            "/", host=gate.gateway.host(label), headers={"Cookie": cookie, "Accept": "*/*"}
        )
        assert got.status == 403


def test_tokens_stay_here(gate: Gate) -> None:
    """No token of ours reaches an app, and none of the kubeconfig's a browser."""
    gate.echo("/x")
    seen = repr(gate.site.web.last.headers)
    assert "proxyurls" not in seen
    secret = gate.site.apiserver.admin_token
    config = gate.site.config("token")
    with running(config) as gateway:
        let_in(gateway)
        answers = [
            gateway.request("/", label=WEB),
            gateway.request("/"),
            gateway.request("/nothing"),
            gateway.request("/", label="nobody--here"),
            gateway.request("/\0", label=WEB),
        ]
        for answer in answers:
            assert secret not in repr(answer)
        assert secret not in repr(gateway.said)


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../secrets",
        "/%2e%2e/%2e%2e/%2e%2e/x",
        "/..%2f..%2fx",
        "/a/../../x",
        "/..;/x",
        "/%252e%252e/x",
        "/%00",
        "/a%0d%0ab",
    ],
)
def test_paths_that_climb(gate: Gate, path: str) -> None:
    """They are refused before anything is sent."""
    got = quiet(gate, path)
    assert got.status == 400
    assert "error" not in got.text.lower()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("//evil.example/x", "/evil.example/x"),
        ("/a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2e/b", "/b"),
        ("/a\\b", "/a%5Cb"),
    ],
)
def test_paths_that_mean_something_else(gate: Gate, path: str, expected: str) -> None:
    """They arrive as what they mean, below the app's own root."""
    assert gate.echo(path).target == expected


REFUSED = (b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")
SMUGGLING = {
    "both lengths": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a strange length": "Content-Length: +5\r\n\r\nhello",
    "a strange coding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": "Content-Length : 5\r\n\r\nhello",
    "a folded header": "X-A: b\r\n c\r\n\r\n",
    "a header without a name": ": x\r\n\r\n",
    "a null": "X-A: \0\r\n\r\n",
    "two hosts": "Host: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling(gate: Gate, name: str) -> None:
    """A request that two servers may read in two ways is refused, and its connection closed."""
    host = gate.gateway.host(WEB)
    cookie = gate.gateway.cookies[host]
    before = len(gate.site.web.requests)
    head = f"POST /smuggled HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n"
    got = gate.gateway.raw(f"{head}Connection: close\r\n{SMUGGLING[name]}".encode())
    assert got.startswith(REFUSED), got[:200]
    assert cookie.encode() not in got
    assert got.count(b"HTTP/1.") == 1
    assert len(gate.site.web.requests) == before


def test_bare_line_feeds(gate: Gate) -> None:
    """Are no ends of lines."""
    host = gate.gateway.host(WEB)
    cookie = gate.gateway.cookies[host]
    head = f"GET / HTTP/1.1\nHost: {host}\nCookie: {cookie}\nConnection: close\n\n"
    before = len(gate.site.web.requests)
    assert gate.gateway.raw(head.encode()).startswith(REFUSED)
    assert len(gate.site.web.requests) == before


@pytest.mark.parametrize("target", ["http://{host}/x", "*", "x", "{host}:443"])
def test_targets_that_are_no_path(gate: Gate, target: str) -> None:
    """A gateway is no forward proxy."""
    host = gate.gateway.host(WEB)
    method = "CONNECT" if target.endswith("443") else "OPTIONS" if target == "*" else "GET"
    got = quiet(gate, target.format(host=host), method)
    assert got.status == 400


def test_huge_headers(gate: Gate) -> None:
    """There is a bound on each, and on how many there are."""
    host = gate.gateway.host(WEB)
    start = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    for more in (f"X-A: {'a' * 70_000}\r\n", "".join(f"X-{n}: a\r\n" for n in range(200))):
        got = gate.gateway.raw(f"{start}{more}\r\n".encode())
        assert got.startswith(REFUSED), got[:100]


def test_an_app_that_sets_cookies_for_others(gate: Gate) -> None:
    """It can't: neither for other hosts, nor one of the gateway's own names."""
    own = gate.gateway.cookies[gate.gateway.host(WEB)].partition("=")[0]
    cookies = ["a=1; Domain=localhost", f"{own}=x; Path=/", "b=2; domain=.localhost; Path=/"]
    got = gate.send(headers=reply(headers=[("Set-Cookie", one) for one in cookies]))
    assert got.headers.get_all("Set-Cookie") == ["a=1", "b=2; Path=/"]


def test_errors_of_the_parser_say_little(gate: Gate) -> None:
    """No traceback, no version."""
    got = gate.gateway.raw(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert b"Traceback" not in got
    assert b".py" not in got


def test_slow_clients_are_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a head, or half a body, and then nothing."""
    monkeypatch.setattr("proxyurls.gateway.server._IDLE_SECONDS", 1.0)
    monkeypatch.setattr("proxyurls.gateway.forward._BODY_SECONDS", 0.5)
    with running(site.config()) as gateway:
        let_in(gateway)
        began = time.monotonic()
        assert gateway.raw(b"GET / HTTP/1.1\r\nHost: loc") == b""
        host = gateway.host(WEB)
        head = f"POST /x HTTP/1.1\r\nHost: {host}\r\nCookie: {gateway.cookies[host]}\r\n"
        got = gateway.raw(f"{head}Content-Length: 100\r\n\r\nhalf".encode())
        assert got.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 10


def test_too_many_connections(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the bound are closed at once; the others go on."""
    monkeypatch.setattr("proxyurls.gateway.server._CONNECTIONS", 5)
    with running(site.config()) as gateway:
        connections = [gateway.connect() for _ in range(5)]
        time.sleep(0.2)
        assert gateway.raw(b"GET / HTTP/1.1\r\n\r\n") == b""
        for connection in connections:
            connection.close()
        end = time.monotonic() + 5
        while gateway.tasks() > 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert gateway.request("/").status == 403
