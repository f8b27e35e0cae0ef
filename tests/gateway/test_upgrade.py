"""WebSockets through the gateway, on both apiservers."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from contract.fixtures import KINDS
from contract.upstream import WEBSOCKET_KEY, make_frame, read_frame

from .conftest import NAMESPACE, ROOT, WEB, let_in

if TYPE_CHECKING:
    import socket

    from .conftest import Gate

pytestmark = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")
KEY = base64.b64encode(b"0123456789abcdef")
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"mask"


def handshake(
    gate: Gate, connection: socket.socket, target: str = "/ws", label: str = WEB, **more: str
) -> tuple[bytes, Any]:
    """Ask for a WebSocket: the head of the answer, and what to read the rest from."""
    host = gate.gateway.host(label)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Origin": f"http://{host}",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY.decode(),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    gate.gateway.send(connection, "GET", target, host=host, headers=headers)
    stream = connection.makefile("rb")
    head = b"".join(iter(stream.readline, b"\r\n"))
    return head, stream


def test_both_ways(gate: Gate) -> None:
    """Text, binary, ping and close codes; the app's own answer to the handshake."""
    with gate.gateway.connect() as connection:
        head, stream = handshake(gate, connection)
        assert head.startswith(b"HTTP/1.1 101 ")
        accept = base64.b64encode(hashlib.sha1(KEY + WEBSOCKET_KEY).digest())
        assert b"Sec-Websocket-Accept: " + accept in head.title().replace(accept.title(), accept)
        for opcode, payload in (
            (TEXT, b"hello"),
            (BINARY, bytes(range(256)) * 300),
            (PING, b"are you there"),
            (TEXT, b""),
            (CLOSE, (4001).to_bytes(2, "big") + b"enough"),
        ):
            connection.sendall(make_frame(payload, opcode, mask=MASK))
            assert read_frame(stream) == (opcode, payload)
        assert stream.read() == b""


def test_large_messages(gate: Gate) -> None:
    """16 MiB, there and back."""
    payload = os.urandom(1 << 20) * 16
    with gate.gateway.connect() as connection:
        _, stream = handshake(gate, connection)
        connection.settimeout(60)
        connection.sendall(make_frame(payload, BINARY, mask=MASK))
        assert read_frame(stream) == (BINARY, payload)


def test_subprotocols_and_what_arrives(gate: Gate) -> None:
    """The app chooses (the test's takes the last); Host and Origin agree there."""
    with gate.gateway.connect() as connection:
        head, _ = handshake(gate, connection, Sec_WebSocket_Protocol="first, second")
        assert b"second" in head
        assert b"first" not in head
    seen = gate.site.web.last
    host = gate.gateway.host(WEB)
    assert seen.values("Host") == [host]
    assert seen.values("Origin") == [f"http://{host}"]
    assert "proxyurls-" not in repr(seen.values("Cookie"))


def test_a_handshake_in_several_lines(gate: Gate) -> None:
    """A list may come line by line."""
    host = gate.gateway.host(WEB)
    lines = (
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nCookie: {gate.gateway.cookies[host]}\r\n"
        "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
        f"Origin: http://{host}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {KEY.decode()}\r\n\r\n"
    )
    with gate.gateway.connect() as connection:
        connection.sendall(lines.encode())
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 101 ")


def test_a_query_is_dropped_and_that_is_said(gate: Gate) -> None:
    """The apiserver drops it; the terminal says so, once."""
    for _ in range(2):
        with gate.gateway.connect() as connection:
            head, _ = handshake(gate, connection, "/ws?room=1")
            assert b" 101 " in head
    assert gate.site.web.last.target == "/ws"
    said = [line for line in gate.gateway.said if "drops the query" in line]
    assert len(said) == 1
    assert "'/ws'" in said[0]
    assert "room" not in said[0]


def test_a_refusal_passes(gate: Gate) -> None:
    """What isn't there answers so, and not with a broken connection."""
    label = f"unready--{NAMESPACE}"
    let_in(gate.gateway, label)
    with gate.gateway.connect() as connection:
        head, _ = handshake(gate, connection, label=label)
        assert head.startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:8001", "null", ""])
def test_another_sites_websocket(gate: Gate, origin: str) -> None:
    """It gets nothing, and nothing reaches the app."""
    before = len(gate.site.web.requests)
    with gate.gateway.connect() as connection:
        head, _ = handshake(gate, connection, Origin=origin)
        assert head.startswith(b"HTTP/1.1 403 ")
    assert len(gate.site.web.requests) == before


def test_the_end_of_one_side_is_the_end_of_the_other(gate: Gate) -> None:
    """A browser that leaves ends the app's connection; no task stays."""
    before = gate.gateway.tasks()
    connections = [gate.gateway.connect() for _ in range(20)]
    for connection in connections:
        assert b" 101 " in handshake(gate, connection)[0]
    for connection in connections:
        connection.close()
    end = time.monotonic() + 5
    while gate.gateway.tasks() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert gate.gateway.tasks() <= before


def test_prefix_in_a_websocket(gate: Gate) -> None:
    """A script that takes the apiserver's prefix for its own reaches the app too."""
    with gate.gateway.connect() as connection:
        head, _ = handshake(gate, connection, f"{ROOT}/web:80/proxy/ws")
        assert b" 101 " in head
    assert gate.site.web.last.target == "/ws"
