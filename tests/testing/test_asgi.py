"""ASGI apps behind the fake cluster: requests, WebSockets, the lifespan."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from contract.upstream import make_frame, read_frame

from proxyurls.testing import FakeCluster

from .raw import WEB, asked, talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Get

    Scope = dict[str, Any]


async def echo(scope: Scope, receive: Any, send: Any) -> None:
    """Tell what came."""
    if scope["type"] == "lifespan":
        return
    body = b""
    while (message := await receive())["more_body"]:
        body += message["body"]
    body += message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
    await send({"type": "http.response.body", "body": scope["query_string"], "more_body": True})
    await send({"type": "http.response.body", "body": body})


def test_request(fake_cluster: FakeCluster, get: Get) -> None:
    """An app gets the query and the whole body, and answers piece by piece."""
    fake_cluster.add_service("web", upstream=echo)
    answer = get(f"{WEB}/x?q")
    assert (answer.text, answer.headers["X-A"]) == ("q", "b")
    with asked(fake_cluster, f"{WEB}/x?q", f"Content-Length: {3 << 20}", "Connection: close") as to:
        to.sendall(b"y" * (3 << 20))
        found = b""
        while piece := to.recv(1 << 20):
            found += piece
    assert found.count(b"y") >= 3 << 20


def test_no_answer(fake_cluster: FakeCluster, get: Get) -> None:
    """An app that returns without an answer is a 500."""

    async def mute(_scope: Scope, _receive: Any, _send: Any) -> None:
        pass

    fake_cluster.add_service("web", upstream=mute)
    assert get(f"{WEB}/").status_code == 500


def test_events_come_at_once(fake_cluster: FakeCluster) -> None:
    """Server-sent events reach the client as the app sends them, and it hears when he goes."""
    go, gone = threading.Event(), threading.Event()

    async def events(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in (1, 2):
            body = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.to_thread(go.wait, 10)
        if (await receive())["type"] == "http.disconnect":
            gone.set()

    fake_cluster.add_service("web", upstream=events)
    with asked(fake_cluster, f"{WEB}/") as connection:
        found = b""
        while b"data: 1" not in found:  # the app waits for us before it sends the other
            found += connection.recv(65536)
        go.set()
        while b"data: 2" not in found:
            found += connection.recv(65536)
    assert gone.wait(10)


# WebSockets


def chooser(**accept: Any) -> Callable[..., Any]:
    """An app that accepts a WebSocket, tells what it was offered, and echoes until closed."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", **accept})
        await send({"type": "websocket.send", "text": f"{scope['path']} {scope['subprotocols']}"})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "close":
                await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
            else:
                await send({**message, "type": "websocket.send"})
        codes.append(message["code"])

    codes: list[int] = []
    app.codes = codes  # type: ignore[attr-defined]
    return app


OFFER = "Sec-WebSocket-Protocol: one, two"


@pytest.mark.parametrize("chosen", ["one", "two"])
def test_subprotocol(fake_cluster: FakeCluster, chosen: str) -> None:
    """An app hears which subprotocols are offered, and chooses; its headers come too."""
    app = chooser(subprotocol=chosen, headers=[(b"x-a", b"b")])
    fake_cluster.add_service("web", upstream=app)
    with talk(fake_cluster, f"{WEB}/ws?lost", OFFER) as (head, _, stream):
        assert f"Sec-WebSocket-Protocol: {chosen}\r\n" in head
        assert "x-a: b\r\n" in head.lower()
        assert read_frame(stream) == (1, b"/ws ['one', 'two']")


def test_messages(fake_cluster: FakeCluster) -> None:
    """Text and bytes pass, large ones too."""
    fake_cluster.add_service("web", upstream=chooser())
    with talk(fake_cluster, f"{WEB}/ws") as (head, connection, stream):
        assert " 101 " in head
        assert read_frame(stream) == (1, b"/ws []")
        for opcode, payload in [(1, b"hi"), (2, b"\xff"), (2, bytes(5 << 20))]:
            connection.sendall(make_frame(payload, opcode, mask=b"abcd"))
            assert read_frame(stream) == (opcode, payload)


def test_close_of_the_app(fake_cluster: FakeCluster) -> None:
    """The code and reason of an app's close reach the client."""
    fake_cluster.add_service("web", upstream=chooser())
    with talk(fake_cluster, f"{WEB}/ws") as (_, connection, stream):
        read_frame(stream)
        connection.sendall(make_frame(b"close", mask=b"abcd"))
        assert read_frame(stream) == (8, b"\x0f\xa1enough")


@pytest.mark.parametrize(("sent", "heard"), [(b"\x0f\xa2", 4002), (b"", 1005), (None, 1006)])
def test_close_of_the_client(fake_cluster: FakeCluster, sent: bytes | None, heard: int) -> None:
    """An app hears the code of a client's close, and of one that goes without."""
    app = chooser()
    fake_cluster.add_service("web", upstream=app)
    with talk(fake_cluster, f"{WEB}/ws") as (_, connection, stream):
        read_frame(stream)
        if sent is not None:
            connection.sendall(make_frame(sent, 8, mask=b"abcd"))
            read_frame(stream)
    end = time.monotonic() + 10
    while not app.codes and time.monotonic() < end:  # type: ignore[attr-defined]
        time.sleep(0.01)
    assert app.codes == [heard]  # type: ignore[attr-defined]


def test_refused_websocket(fake_cluster: FakeCluster) -> None:
    """An app that closes before it accepts answers with a 403."""

    async def closed(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})

    fake_cluster.add_service("web", upstream=closed)
    with talk(fake_cluster, f"{WEB}/ws") as (head, *_):
        assert " 403 " in head


# the lifespan


class Living:
    """An app that says what it hears of its lifespan, and shares a state with its requests."""

    def __init__(self, *, fail: str = "") -> None:
        self.heard: list[str] = []
        self.fail = fail

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": scope["state"]["word"]})
            return
        scope["state"]["word"] = b"shared"
        for name in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{name}"
            self.heard.append(name)
            outcome = "failed" if name == self.fail else "complete"
            await send({"type": f"lifespan.{name}.{outcome}", "message": "no database"})


def test_lifespan() -> None:
    """An app starts up once, before its first request, and shuts down at the end."""
    app = Living()
    with FakeCluster(anonymous=True) as cluster:
        for name in ("web", "other"):
            cluster.add_service(name, upstream=app)
        assert app.heard == ["startup"]
        assert httpx.get(f"{cluster.url}{WEB}/", trust_env=False).text == "shared"
    assert app.heard == ["startup", "shutdown"]


@pytest.mark.parametrize("fail", ["", "startup"])
def test_app_that_raises(caplog: pytest.LogCaptureFixture, fail: str) -> None:
    """An app may raise, be it that it knows no lifespan or fails; nothing is said of it behind."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if fail:
            await send({"type": "lifespan.startup.failed"})
        raise ValueError(scope["type"])

    with FakeCluster() as cluster, suppress(RuntimeError):
        cluster.add_service("web", upstream=app)
    gc.collect()
    assert caplog.records == []


def test_failed_startup(fake_cluster: FakeCluster) -> None:
    """An app that can't start up is refused, in its own words."""
    with pytest.raises(RuntimeError, match="startup of the ASGI app failed: no database"):
        fake_cluster.add_service("web", upstream=Living(fail="startup"))


def test_failed_shutdown() -> None:
    """An app that can't shut down is told of, when all else has ended."""
    cluster = FakeCluster().start()
    cluster.add_service("web", upstream=Living(fail="shutdown"))
    with pytest.raises(RuntimeError, match="shutdown of the ASGI app failed: no database"):
        cluster.stop()
    with pytest.raises(RuntimeError, match="isn't running"):
        _ = cluster.url
