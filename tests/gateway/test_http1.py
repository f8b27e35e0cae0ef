"""Requests as they are written to a connection, and connections that end too early."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from proxyurls.gateway.http1 import Answer, Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Script:
    """A server that gives the answers of a list; None ends the connection instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while answer := await self.answer(reader):
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass  # the client has closed it
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader) -> bytes | None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        return self.answers.pop(0)


def play(script: Script, ask: Callable[[Sender], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{port}/k8s/"
            await ask(Sender(session, base, aiohttp.ClientTimeout(sock_connect=5)))

    asyncio.run(asyncio.wait_for(main(), 20))


async def send(sender: Sender, method: str = "GET", body: bytes | None = None) -> Answer:
    return await sender.send(method, "/x?y", [("Host", "h"), ("A", "b")], body, None)


@pytest.mark.parametrize(
    ("method", "body", "more"),
    [
        ("GET", None, ""),
        ("POST", None, "Content-Length: 0\r\n"),
        ("POST", b"", "Content-Length: 0\r\n"),
        ("PATCH", b"abc", "Content-Length: 3\r\n"),
    ],
)
def test_the_head(method: str, body: bytes | None, more: str) -> None:
    """The server's own path comes before the request's, and a length where there must be one."""
    script = Script(OK)

    async def ask(sender: Sender) -> None:
        answer = await send(sender, method, body)
        assert await answer.read() == b"ok"
        assert await answer.read() == b"ok"

    play(script, ask)
    assert script.heads == [f"{method} /k8s/x?y HTTP/1.1\r\nHost: h\r\nA: b\r\n{more}\r\n"]


def test_a_connection_is_used_again() -> None:
    """Once its answer has been read; provisional answers are none."""
    script = Script(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, OK)

    async def ask(sender: Sender) -> None:
        for _ in range(2):
            answer = await send(sender)
            assert (answer.status, answer.content_length) == (200, 2)
            assert await answer.read() == b"ok"
            assert answer.connection is None

    play(script, ask)
    assert script.connections == 1


def test_an_answer_that_is_not_read_ends_its_connection() -> None:
    """What is left of it would be taken for the next answer."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    script = Script(half, OK)

    async def ask(sender: Sender) -> None:
        (await send(sender)).close()
        assert await (await send(sender)).read() == b"ok"

    play(script, ask)
    assert script.connections == 2


def test_a_connection_that_ended_in_the_pool() -> None:
    """A request that changes nothing is sent again, once."""
    script = Script(OK, None, OK, None, None)

    async def ask(sender: Sender) -> None:
        for _ in range(2):
            assert await (await send(sender)).read() == b"ok"
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await send(sender)

    play(script, ask)
    assert len(script.heads) == 5


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_is_not_sent_twice(method: str) -> None:
    """Nobody knows whether the server has done it."""
    script = Script(OK, None)

    async def ask(sender: Sender) -> None:
        assert await (await send(sender)).read() == b"ok"
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await send(sender, method, b"")

    play(script, ask)
    assert len(script.heads) == 2


def test_an_app_that_breaks_off_is_asked_once() -> None:
    """A fresh connection that ends was not ended by the pool's age."""
    script = Script(None)

    async def ask(sender: Sender) -> None:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await send(sender)

    play(script, ask)
    assert len(script.heads) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/x y", "v"),
        ("/x\r\nA: b", "v"),
        ("/x", "v\r\nA: b"),
        ("/x", "v\nA: b"),
        ("/x", "v\rA"),
        ("/x", "v\0"),
    ],
)
def test_nothing_ends_the_head(path: str, value: str) -> None:
    """What would is not sent at all."""
    script = Script()

    async def ask(sender: Sender) -> None:
        with pytest.raises(ValueError, match="request"):
            await sender.send("GET", path, [("B", value)], None, None)

    play(script, ask)
    assert script.connections == 0


def test_no_http() -> None:
    """An answer that can't be read is an error of aiohttp's own."""
    script = Script(b"SSH-2.0-x\r\n\r\n")

    async def ask(sender: Sender) -> None:
        with pytest.raises(aiohttp.ClientError):
            await send(sender)

    play(script, ask)
