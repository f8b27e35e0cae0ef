"""The threats of docs/gateway.md: paths, bytes on the wire, and who takes up too much."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxyurls.gateway.filter import Filter

from .attack import HANDSHAKE, REFUSED, nothing_arrives, refused, wire
from .conftest import WEB, let_in
from .running import running

if TYPE_CHECKING:
    import socket

    from .conftest import Gate, Site

pytestmark = pytest.mark.parametrize("apiserver", ["fake"], indirect=True, scope="session")

CLOSE = "Connection: close\r\n"


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../secrets",
        "/..",
        "/%2e%2e/%2e%2e/%2e%2e/x",
        "/.%2E/x",
        "/..%2f..%2fx",
        "/%2e%2e%2fx",
        "/%252e%252e/x",
        "/%25252e%25252e/x",
        "/a/../../x",
        "/a//../../x",
        "/..\\x",
        "/..%5c..%5cx",
        "/%5c..%5c..%5cx",
        "/..;/x",
        "/..;a=b/x",
        "/ ../x",
        "/%20../x",
        "/..%00/x",
        "/..%09/x",
    ],
)
def test_paths_that_climb(gate: Gate, path: str) -> None:
    """Out of an app's root leads no way, whoever decodes it and in whatever order."""
    assert refused(gate, path).status == 400


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("//evil.example/x", "/evil.example/x"),
        ("/a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2e/b", "/b"),
        ("/a%2fb", "/a%2fb"),
        ("/a\\b", "/a%5Cb"),
        ("/a%5cb", "/a%5cb"),
        ("/\\evil.example/x", "/%5Cevil.example/x"),
    ],
)
def test_paths_that_mean_something_else(gate: Gate, path: str, expected: str) -> None:
    """What an app gets is below its own root, and never begins with two slashes."""
    arrived = gate.echo(path).target
    assert arrived.replace("%2f", "/").lower() == expected.replace("%2f", "/").lower()


@pytest.mark.parametrize("code", [0, 1, 8, 10, 11, 12, 13, 27, 31, 127])
def test_control_characters_in_a_path(gate: Gate, code: int) -> None:
    """They are refused, encoded or not, in the path, and as they are in the query too."""
    byte = bytes([code])
    for target in (b"/a%%%02xb" % code, b"/a" + byte + b"b", b"/a?" + byte):
        assert wire(gate, f"{CLOSE}\r\n", "GET", target.decode()).startswith(REFUSED)
    assert not [one for one in gate.site.web.requests if one.target.startswith("/a?")]


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
    ],
)
def test_two_lengths_of_a_body(gate: Gate, headers: str) -> None:
    """A request that two servers may end at two places is refused, and its connection closed."""
    body = "5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    with nothing_arrives(gate.site):
        got = wire(gate, f"{headers}\r\n{body}")
    assert got.startswith(REFUSED), got[:100]
    assert got.count(b"HTTP/1.") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"3\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_lie(gate: Gate, body: bytes) -> None:
    """What is no chunk ends the request; what follows is no request of its own."""
    rest = b"Transfer-Encoding: chunked\r\n\r\n" + body + b"GET /smuggled HTTP/1.1\r\n\r\n"
    got = wire(gate, rest)
    assert got.startswith(REFUSED), got[:100]
    assert got.count(b"HTTP/1.") == 1
    assert "/smuggled" not in [one.target for one in gate.site.web.requests]


@pytest.mark.parametrize(
    "rest",
    [
        "X-A: b\nX-B: c\r\n\r\n",
        "X-A: b\n\n",
        "X-A: b\r\r\n\r\n",
        "X-A: b\rX-B: c\r\n\r\n",
        "X-A: b\r\n c\r\n\r\n",
        "X-A: b\r\n\tc\r\n\r\n",
        " X-A: b\r\n\r\n",
        "X-A : b\r\n\r\n",
        "X-A\t: b\r\n\r\n",
        "Content-Length : 5\r\n\r\nhello",
        "X-A\r\n\r\n",
        ": b\r\n\r\n",
        "X(A): b\r\n\r\n",
        "X-A: \0\r\n\r\n",
        "X-A: b\x0b\r\n\r\n",
    ],
)
def test_lines_that_end_or_begin_oddly(gate: Gate, rest: str) -> None:
    """Bare line feeds, folded lines, white space before a colon: refused, not guessed at."""
    with nothing_arrives(gate.site):
        got = wire(gate, rest)
    assert got.startswith(REFUSED), got[:100]
    host = gate.gateway.host(WEB)
    assert gate.gateway.cookies[host].encode() not in got


@pytest.mark.parametrize("body", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_an_upgrade_with_a_body(gate: Gate, body: str) -> None:
    """The body would stand where the app's protocol begins, or the next request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    with nothing_arrives(gate.site):
        got = wire(gate, f"{lines}{body}\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "GET")
    assert got.startswith(REFUSED)


@pytest.mark.parametrize("protocol", ["h2c", "websocket2", "TLS/1.0", "HTTP/2.0", "x, websocket"])
def test_an_upgrade_to_something_else(gate: Gate, protocol: str) -> None:
    """Any other protocol is not asked for: the request goes on as a plain one."""
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": protocol,
        "HTTP2-Settings": "AAM",
    }
    with gate.gateway.connect() as connection:
        gate.gateway.send(connection, "GET", "/", host=gate.gateway.host(WEB), headers=headers)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert gate.site.web.last.values("Upgrade") == []
    assert gate.site.web.last.values("HTTP2-Settings") == []


@pytest.mark.parametrize(
    "more",
    [
        f"X-A: {'a' * 70_000}\r\n",
        f"{'X' * 70_000}: a\r\n",
        "".join(f"X-{n}: a\r\n" for n in range(200)),
        "".join(f"X-{n}: {'a' * 60_000}\r\n" for n in range(200)),
    ],
    ids=["value", "name", "number", "all of it"],
)
def test_huge_headers(gate: Gate, more: str) -> None:
    """There is a bound on each, and on how many there are; and on the target."""
    with nothing_arrives(gate.site):
        for target, rest in (("/", f"{CLOSE}{more}\r\n"), ("/" + "a" * 70_000, f"{CLOSE}\r\n")):
            got = wire(gate, rest, "GET", target)
            # The app would answer 431, too: these are the gateway's own words.
            assert got == b"" or b"Bad request: it can't be read." in got, got[:100]
    assert gate.send().status == 200


def test_slow_senders(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a head or half a body, or a byte now and then, and the connection is closed."""
    monkeypatch.setattr("proxyurls.gateway.server._IDLE_SECONDS", 1.0)
    monkeypatch.setattr("proxyurls.gateway.forward._BODY_SECONDS", 0.5)
    with running(site.config()) as gateway:
        let_in(gateway)
        with gateway.connect() as connection:
            assert dribbled(connection) < 5
        began = time.monotonic()
        host = gateway.host(WEB)
        head = f"POST /x HTTP/1.1\r\nHost: {host}\r\nCookie: {gateway.cookies[host]}\r\n"
        with nothing_arrives(site):
            got = gateway.raw(f"{head}Content-Length: 100\r\n\r\nhalf".encode())
        assert got.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("length", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_slow_senders_of_a_stream(site: Site, monkeypatch: pytest.MonkeyPatch, length: str) -> None:
    """A body that passes as it comes and stops is the browser's failure, not the apiserver's."""
    monkeypatch.setattr("proxyurls.gateway.forward._BODY_SECONDS", 0.5)
    with running(site.config()) as gateway:
        let_in(gateway)
        host = gateway.host(WEB)
        head = f"POST /x HTTP/1.1\r\nHost: {host}\r\nCookie: {gateway.cookies[host]}\r\n"
        began = time.monotonic()
        got = gateway.raw(f"{head}{length}\r\n\r\n4\r\nhalf\r\n".encode())
        assert got.startswith(b"HTTP/1.1 408 "), got
        assert time.monotonic() - began < 5


def dribbled(connection: socket.socket) -> float:
    """Send a head that never ends, a byte at a time, and give the seconds until it's closed."""
    began = time.monotonic()
    try:
        for byte in b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 10:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)
    except ConnectionError:
        pass
    return time.monotonic() - began


def test_slow_readers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads nothing holds the app up, not our memory, and is closed in the end."""
    monkeypatch.setattr("proxyurls.gateway.relay._SECONDS", 1.0)
    size = 1 << 30
    with running(site.config()) as gateway:
        let_in(gateway)
        before = resident()
        with gateway.connect() as connection:
            gateway.send(connection, "GET", f"/-/big/{size}", host=gateway.host(WEB))
            time.sleep(0.5)  # the relay waits now, and all that is kept is kept
            grown = resident() - before  # app and all
            time.sleep(2.5)
            got = 0
            try:
                while piece := connection.recv(1 << 20):
                    got += len(piece)
            except ConnectionError:
                pass
        assert 0 < got < size // 4
        assert grown < 64 * 1024
        assert gateway.request("/", label=WEB).status == 200


def resident() -> int:
    """This process's memory now, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def test_idle_connections(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks nothing, before or after a request, is closed."""
    monkeypatch.setattr("proxyurls.gateway.server._IDLE_SECONDS", 1.0)
    with running(site.config()) as gateway:
        for first in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            began = time.monotonic()
            with gateway.connect() as connection:
                connection.sendall(first)
                while connection.recv(65536):
                    pass
            assert 0.5 < time.monotonic() - began < 5


def test_too_many_connections(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the bound are closed at once; the others go on, and so do later ones."""
    monkeypatch.setattr("proxyurls.gateway.server._CONNECTIONS", 5)
    with running(site.config()) as gateway:
        connections = [gateway.connect() for _ in range(5)]
        time.sleep(0.2)
        assert gateway.raw(b"GET / HTTP/1.1\r\n\r\n") == b""
        head = f"GET / HTTP/1.1\r\nHost: {gateway.host()}\r\n\r\n"
        connections[0].sendall(head.encode())
        assert connections[0].recv(100).startswith(b"HTTP/1.1 403 ")
        for connection in connections:
            connection.close()
        end = time.monotonic() + 5
        status = 0
        while status != 403 and time.monotonic() < end:
            time.sleep(0.05)
            try:
                status = gateway.request("/").status
            except (ConnectionError, http.client.HTTPException):  # closed at once
                continue
        assert status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/x/pods/y/exec?command=sh",
        "/api/v1/namespaces/x/pods/y/./exec",
        "//api/v1/namespaces/x/pods/y/exec",
        "/api/v1/namespaces/x/pods/y/z/../exec",
        "/api/v1/namespaces/x/pods/y/ex%65c",
        "/api/v1/namespaces/x/pods/y%2fexec",
        "/%61pi/v1/namespaces/x/pods/y/exec",
        "/x/../api/v1/namespaces/x/pods/y/attach",
        "/../api/v1/namespaces/x/pods/y/exec",
    ],
)
def test_paths_past_the_apis_filter(site: Site, path: str) -> None:
    """--reject-paths looks at the path that the apiserver will see."""
    with running(site.config(), api=Filter.of(), token=False) as gateway:
        got = gateway.request(path)
        assert got.status in (400, 403)
        assert "apiVersion" not in got.text  # so it was not the apiserver that refused


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\nCookie: proxyurls-1=secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie : proxyurls-1=secret\r\n\r\n",
    ],
)
def test_errors_tell_little(gate: Gate, data: bytes) -> None:
    """No traceback, no version, nothing of what was sent."""
    with nothing_arrives(gate.site):
        got = gate.gateway.raw(data)
    assert got.startswith((*REFUSED, b"HTTP/1.1 505 ", b"HTTP/1.0 505 ")), got
    for told in (b"Traceback", b".py", b"aiohttp", b"Python", b"secret", b"proxyurls-"):
        assert told not in got
