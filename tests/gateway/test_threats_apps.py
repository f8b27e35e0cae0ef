"""The threats of docs/gateway.md: what an app of the cluster answers, on both apiservers."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from contract.fixtures import KINDS
from contract.upstream import reply

from proxyurls.gateway.filter import Filter
from proxyurls.gateway.relay import Relay

from .attack import IMAGE, TYPED, nothing_arrives
from .conftest import NAMESPACE, ROOT, WEB, let_in
from .running import running

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from .conftest import Gate, Site

pytestmark = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")
SCRIPT = b"<script>fetch('/api/v1/secrets')</script>"


@pytest.mark.parametrize(
    "spelt",
    [
        "{root}/web/proxy/",
        "{root}/web/proxy",
        "{root}/web:80/proxy/x",
        "{root}/web:080/proxy/x",
        "{root}/web/pro%78y/x",
        "{root}/web%2fproxy/x",
        "{root}/web/proxy%2fx",
        "{root}/w%65b/proxy/x",
        "/%61pi{rest}/web/proxy/x",
        "//api{rest}/web/proxy/x",
        "/x/..{root}/web/proxy/x",
    ],
)
def test_an_apps_page_on_the_apis_origin(site: Site, spelt: str) -> None:
    """It could ask the API anything there: browsers don't get it, or without any origin."""
    path = spelt.format(root=ROOT, rest=ROOT.removeprefix("/api"))
    page = reply(SCRIPT, headers={"Content-Type": "text/html"})
    with running(site.config(), api=Filter.of(), token=False) as gateway:
        with nothing_arrives(site):
            led = gateway.request(path, headers={**TYPED, **page})
            assert led.status in (303, 403)
            own = f"http://{WEB}.localhost:{gateway.port}/"
            other = f"http://{WEB}--80.localhost:{gateway.port}/"
            assert led.headers.get("Location", own).startswith((own, other))
            script = {**IMAGE, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "script"}
            assert gateway.request(path, headers={**script, **page}).status == 403
        # A browser that tells nothing of itself, or a program.
        got = gateway.request(path, headers=page)
        if got.status == 200:
            assert got.body == SCRIPT
            assert got.headers["Content-Security-Policy"] == "sandbox"
            assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_an_app_sets_cookies_for_others(gate: Gate) -> None:
    """Neither for other hosts, nor one of a gateway's name, at its host or the API's."""
    own = gate.gateway.cookies[gate.gateway.host(WEB)].partition("=")[0]
    cookies = [
        "a=1; Domain=localhost",
        "b=2; domain=.localhost; Path=/",
        "c=3; Domain=named--gateway.localhost; Secure",
        "d=4;DOMAIN = localhost;Path=/x",
        f"{own}=x; Path=/",
        f" {own}=x",
        f"{own}; Path=/",
        f"={own}=x",
        "proxyurls-1=x; Domain=localhost",
    ]
    made = reply(headers=[("Set-Cookie", one) for one in cookies])
    got = gate.send(headers=made)
    kept = ["a=1", "b=2; Path=/", "c=3; Secure", "d=4;Path=/x"]
    assert got.headers.get_all("Set-Cookie") == kept
    with running(gate.site.config(), api=Filter.of(), token=False) as gateway:
        got = gateway.request(f"{ROOT}/web/proxy/", headers=made)
        assert not [one for one in got.headers.get_all("Set-Cookie", []) if "proxyurls" in one]


def test_an_app_tosses_cookies(gate: Gate) -> None:
    """A second cookie of the gateway's name, which a script can set, neither opens nor shuts."""
    host = gate.gateway.host(WEB)
    good = gate.gateway.cookies[host]
    name = good.partition("=")[0]
    for cookie in (f"{name}=x; {good}", f"{good}; {name}=x"):
        assert gate.echo(headers={"Cookie": cookie}).values("Cookie") == []
    with nothing_arrives(gate.site):
        for cookie in (f"{name}=x", f"{name}=", f"{good}x", good.upper(), f"x{good}", good + "=="):
            assert gate.send(headers={"Cookie": cookie}).status == 403


def test_hostile_headers_of_an_app(gate: Gate) -> None:
    """They are about its own origin alone; a browser runs no script out of a Location."""
    sent = [
        ("Location", "javascript:alert(1)"),
        ("Refresh", "0;url=javascript:alert(1)"),
        ("Clear-Site-Data", '"*"'),
        ("Service-Worker-Allowed", "/"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Connection", "Content-Security-Policy"),
        ("Alt-Svc", 'h2="evil.example:443"'),
    ]
    got = gate.send(headers=reply(b"x", status=302, headers=sent))
    assert got.headers["Location"] == "javascript:alert(1)"  # browsers refuse it
    assert got.headers["Access-Control-Allow-Origin"] is None
    assert got.headers["Access-Control-Allow-Credentials"] is None
    # The gateway's own answers on the app's host say nothing of the kind.
    page = gate.send("/../x", headers={"Accept": "text/html"})
    assert page.status == 400
    assert not [name for name, _ in sent if name in page.headers and name != "Connection"]


@pytest.mark.parametrize(
    "link", ["{prefix}//evil.example/", "{prefix}/\\evil.example/", "http://{host}//evil.example/"]
)
def test_a_redirect_that_reads_as_another_host(gate: Gate, link: str) -> None:
    """A path never becomes another host's address when the prefix is taken from it."""
    host = gate.gateway.host(WEB)
    value = link.format(prefix=f"{ROOT}/web:80/proxy", host=host)
    made = reply(status=302, headers={"Location": value, "Refresh": f"0; url={value}"})
    got = gate.send(headers=made)
    for led in (got.headers["Location"], got.headers["Refresh"].partition("url=")[2]):
        # As browsers read it, to whom a backslash is a slash.
        assert urlsplit(urljoin(f"http://{host}/", led.replace("\\", "/"))).netloc == host


class _Raw:
    """An app that writes what it likes."""

    def __init__(self, listener: socket.socket) -> None:
        self.answer = b""
        self._listener = listener
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # it's closed
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(self.answer)


@pytest.fixture(scope="module")
def raw(site: Site) -> Iterator[_Raw]:
    """The app ``raw``."""
    with site.apiserver.listen() as listener:
        address = listener.getsockname()[:2]
        site.apiserver.add_service("raw", NAMESPACE, upstream=address)
        yield _Raw(listener)


@pytest.mark.parametrize(
    "head",
    [
        "X-A: a\0Set-Cookie: {name}=x",
        "X-A: a\rSet-Cookie: {name}=x",
        "X-A: a\r\n Set-Cookie: {name}=x",
        "X-A: a\nSet-Cookie: {name}=x",
        "Set-Cookie : {name}=x",
        "Set-Cookie:\t\t {name}=x",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "X-A: a\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: {name}=x",
    ],
)
def test_an_app_that_splits_its_answer(gate: Gate, raw: _Raw, head: str) -> None:
    """One answer stays one, and no line of it becomes a cookie of the gateway's name."""
    label = f"raw--{NAMESPACE}"
    let_in(gate.gateway, label)
    name = gate.gateway.cookies[gate.gateway.host(label)].partition("=")[0]
    line = head.format(name=name)
    raw.answer = f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nokmore".encode()
    host = gate.gateway.host(label)
    cookie = gate.gateway.cookies[host]
    got = gate.gateway.raw(
        f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
    )
    first = got.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert got.count(b"\r\n\r\nHTTP/1.") == 0
    assert not [one for one in first if one.lower().startswith(b"set-cookie")]
    assert cookie.encode() not in got


def test_a_head_with_line_breaks(gate: Gate) -> None:
    """Should a parser let one pass, it ends in nothing."""

    class Transport:
        def set_write_buffer_limits(self, high: int) -> None:
            assert high

    class Request:
        transport = Transport()
        method, version, keep_alive = "GET", (1, 1), True

    made = Relay(Request(), 200, "OK", [("X-A", "a\0X-B: b\r\nX-C: c")])  # type: ignore[arg-type]
    assert made._head.startswith(b"HTTP/1.1 200 OK\r\nX-A: aX-B: bX-C: c\r\n")
