"""A WebSocket that is reset in the middle of a message: the other side sees its connection end."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from contract.upstream import make_frame
from gateway.running import running

from proxyurls import load_config, service
from proxyurls.gateway.connect import Upstream

from .injected import in_body
from .subjects import NAMESPACE
from .wire import Act, Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from gateway.running import Running

    from proxyurls.gateway.connect import Response

    from .conftest import Lead
    from .wire import Body, Piece, Wire

BINARY = 2
MESSAGE = make_frame(bytes(100_000), BINARY, mask=b"mask")
ANSWER = make_frame(bytes(100_000), BINARY)
SECONDS = 5.0


@pytest.fixture
def gateway(wire: Wire, lead: Lead) -> Iterator[Running]:
    """A gateway in front of ``web``, behind the wire."""
    wire.mend()
    config = load_config(str(lead(wire.url) / "kubeconfig"))
    with running(config, only=service("web", NAMESPACE, port=80)) as made:
        made.enter(made.link)
        yield made


def opened(gateway: Running) -> socket.socket:
    """A WebSocket to the app, which sends back whatever it gets."""
    host = gateway.link.partition("://")[2].partition("/")[0]
    connection = gateway.connect()
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Origin": f"http://{host}",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    gateway.send(connection, "GET", "/ws", host=host, headers=headers)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the end, which has to come soon: a FIN or a reset."""
    connection.settimeout(SECONDS)
    found = b""
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        return found
    return found


def settled(condition: Callable[[], bool]) -> bool:
    """Whether it comes true soon."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_reset_in_a_message_to_the_browser(wire: Wire, gateway: Running) -> None:
    """Its first bytes come, and then the end: no close frame, which browsers call 1006."""
    tasks = gateway.tasks()
    wire.break_by(Fault(in_body(Act.RESET), on="/ws"))
    with opened(gateway) as connection:
        connection.sendall(MESSAGE)
        found = rest(connection)
    assert found == ANSWER[: len(found)]
    assert 0 < len(found) < 100_000
    assert settled(lambda: gateway.tasks() <= tasks)
    assert settled(lambda: wire.connections == 0)


def test_reset_before_the_answer_was_looked_at(
    wire: Wire, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the connection is gone before its bytes are passed on: the end comes."""
    send = Upstream.send

    async def late(*args: Any) -> Response:
        response = await send(*args)
        assert response.connection is not None
        protocol = response.connection.protocol
        if protocol is not None and (closed := protocol.closed) is not None:
            await asyncio.wait([closed])
        return response

    async def half_a_message(head: bytes, _: Body) -> AsyncGenerator[Piece, None]:
        yield head + ANSWER[:40]
        yield Act.RESET

    monkeypatch.setattr(Upstream, "send", late)
    tasks = gateway.tasks()
    wire.break_by(Fault(half_a_message, on="/ws"))
    with opened(gateway) as connection:
        assert rest(connection) == ANSWER[:40]
    assert settled(lambda: gateway.tasks() <= tasks)


@pytest.mark.parametrize("act", [Act.RESET, Act.CUT])
def test_reset_in_a_message_from_the_browser(wire: Wire, gateway: Running, act: Act) -> None:
    """Half of a message has been sent when the apiserver goes: the end comes, and nothing else."""
    tasks = gateway.tasks()
    with opened(gateway) as connection:
        connection.sendall(MESSAGE[:50_000])
        time.sleep(0.1)  # it is on its way
        wire.cut(act)
        assert rest(connection) == b""
    assert settled(lambda: gateway.tasks() <= tasks)
    assert settled(lambda: wire.connections == 0)


def test_reset_by_the_browser(wire: Wire, gateway: Running) -> None:
    """In the middle of its message: the connection to the app ends too."""
    tasks = gateway.tasks()
    with opened(gateway) as connection:
        connection.sendall(MESSAGE[:50_000])
        assert settled(lambda: wire.connections > 0)
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert settled(lambda: wire.connections == 0)
    assert settled(lambda: gateway.tasks() <= tasks)
