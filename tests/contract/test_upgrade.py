"""WebSockets through the proxy."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .upstream import WEBSOCKET_KEY, make_frame, read_frame, reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from .conftest import Site

KEY = base64.b64encode(b"0123456789abcdef").decode()
ASK = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


class Talk:
    """A WebSocket's client."""

    def __init__(
        self, site: Site, suffix: str = "/ws", headers: Mapping[str, str] | None = None
    ) -> None:
        self.connection = site.apiserver.connect()
        target = site.root("web") + suffix
        site.apiserver.send(self.connection, "GET", target, headers={**ASK, **(headers or {})})
        self.stream: Any = self.connection.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        self.headers = http.client.parse_headers(self.stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stream.close()
        self.connection.close()

    def ask(self, payload: bytes, opcode: int = 1) -> tuple[int, bytes] | None:
        """Send a message and wait for one."""
        self.connection.sendall(make_frame(payload, opcode, mask=os.urandom(4)))
        return read_frame(self.stream)


def test_handshake(site: Site) -> None:
    """A WebSocket's handshake passes, with the upstream's proof of the key."""
    with Talk(site) as talk:
        proof = base64.b64encode(hashlib.sha1(KEY.encode() + WEBSOCKET_KEY).digest()).decode()
        assert (talk.status, talk.headers["Sec-WebSocket-Accept"]) == (101, proof)


@pytest.mark.parametrize("size", [0, 5, 200, 70_000, 4 << 20])
def test_messages(site: Site, size: int) -> None:
    """Messages pass both ways, long ones too."""
    with Talk(site) as talk:
        payload = b"x" * size
        assert talk.ask(payload) == (1, payload)
        assert talk.ask(payload, 2) == (2, payload)


def test_close(site: Site) -> None:
    """The code and reason of a close pass."""
    with Talk(site) as talk:
        assert talk.ask(b"\x0f\xa0bye", 8) == (8, b"\x0f\xa0bye")
        assert read_frame(talk.stream) is None


def test_subprotocol(site: Site) -> None:
    """The client's subprotocols pass, and the upstream's choice comes back."""
    with Talk(site, headers={"Sec-WebSocket-Protocol": "one, two"}) as talk:
        assert talk.headers["Sec-WebSocket-Protocol"] == "two"
    assert site.plain.last.values("Sec-WebSocket-Protocol") == ["one, two"]


@pytest.mark.parametrize("query", ["token=x", "a=1&b=2", "q"])
def test_query_is_lost(site: Site, query: str) -> None:
    """A WebSocket's whole query is lost (kubernetes#77142)."""
    with Talk(site, f"/ws?{query}") as talk:
        assert talk.status == 101
    assert site.plain.last.target == "/ws"


def test_path_passes(site: Site) -> None:
    """A WebSocket's path arrives cleaned as any other."""
    with Talk(site, "/a%2Fb//c/") as talk:
        assert talk.status == 101
    assert site.plain.last.target == "/a/b/c/"


def test_no_forwarded_uri(site: Site) -> None:
    """A WebSocket gets no X-Forwarded-Uri."""
    with Talk(site) as talk:
        assert talk.status == 101
    assert site.plain.last.values("X-Forwarded-Uri") == []


def test_user_agent(site: Site) -> None:
    """A User-Agent arrives as sent; without one the upstream gets that of the server's library."""
    for sent, arrives in [({"User-Agent": "x"}, ["x"]), ({}, ["Go-http-client/1.1"])]:
        with Talk(site, headers=sent) as talk:
            assert talk.status == 101
        assert site.plain.last.values("User-Agent") == arrives


def test_headers_pass(site: Site) -> None:
    """Host, Origin and Cookie arrive as sent, Authorization does not arrive."""
    sent = {"Host": "app.test", "Origin": "https://app.test", "Cookie": "a=b"}
    with Talk(site, headers=sent) as talk:
        assert talk.status == 101
    last = site.plain.last
    assert {name: last.values(name) for name in sent} == {k: [v] for k, v in sent.items()}
    assert last.values("Authorization") == []


def test_https_upstream(site: Site) -> None:
    """A WebSocket passes to an upstream that speaks TLS."""
    with site.apiserver.connect() as connection:
        target = site.root("https:secure:") + "/ws"
        site.apiserver.send(connection, "GET", target, headers=ASK)
        assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
    assert site.tls.last.target == "/ws"


def test_refusal(site: Site) -> None:
    """An upstream's refusal of the upgrade passes through."""
    asked = reply(b"no", status=403, headers={"Content-Type": "text/plain"})
    headers = {**asked, **ASK, "Upgrade": "other"}
    answer = site.send("/ws", headers=headers)
    assert (answer.status, answer.body) == (403, b"no")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 2", b"no"),
        ("Transfer-Encoding: chunked", b"1\r\nn\r\n1;x=y\r\no\r\n0\r\n\r\n"),
    ],
)
def test_refusal_ends(site: Site, headers: str, body: bytes) -> None:
    """A refusal ends with its body, though the upstream does not hang up."""
    name = f"refusing-{len(body)}"
    with ExitStack() as stack:
        listener = stack.enter_context(site.apiserver.listen())
        listener.settimeout(10)
        site.apiserver.add_service(name, "facts", upstream=listener.getsockname()[:2])
        connection = stack.enter_context(site.apiserver.connect())
        connection.settimeout(5)
        site.apiserver.send(connection, "GET", site.root(name) + "/ws", headers=ASK)
        upstream = stack.enter_context(listener.accept()[0])
        upstream.recv(65536)
        upstream.sendall(f"HTTP/1.1 403 No\r\n{headers}\r\n\r\n".encode() + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read()) == (403, b"no")
        assert connection.recv(1) == b""


def test_other_answer(site: Site) -> None:
    """An answer below 400 that isn't an upgrade becomes a 500."""
    headers = {**reply(b"yes"), **ASK, "Upgrade": "other"}
    answer = site.send("/ws", headers=headers)
    assert answer.status == 500
    assert "invalid upgrade response: status code 200" in answer.text


def test_forbidden(site: Site) -> None:
    """A WebSocket needs the same right as a GET."""
    target = site.root("web") + "/ws"
    token = site.apiserver.reader_token
    answer = site.apiserver.request("GET", target, headers=ASK, token=token)
    assert answer.status == 403
    assert 'cannot get resource "services/proxy"' in answer.message


def test_refused_connection(site: Site) -> None:
    """An upgrade to where nothing listens is a 500 that says so."""
    answer = site.apiserver.get(site.root("app:1", "pods") + "/ws", connection="Upgrade")
    assert answer.status == 500
    assert answer.message == (
        f"error dialing backend: dial tcp {site.plain.address[0]}:1: connect: connection refused"
    )


def test_unreachable(site: Site) -> None:
    """Without an endpoint the upgrade fails as any request."""
    answer = site.send("/ws", segment="idle", headers=ASK)
    assert answer.status == 503
    assert answer.message == 'no endpoints available for service "idle"'
