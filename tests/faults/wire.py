"""A wire to the real apiserver that breaks where it is told.

It ends the client's TLS with the apiserver's own certificate and speaks TLS to the apiserver, so
that an answer can be broken at a place that means something: in its header, in a chunk. Whatever
is not the fault comes from the apiserver, to the byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

    from contract.cluster import APIServer
    from typing_extensions import Self

STALL_SECONDS = 1.2  # several times what the tests allow a request
BLOCK = 1 << 16


class Act(enum.Enum):
    """What happens to the connection in place of the next bytes."""

    RESET = "reset"
    CLOSE = "close"
    CUT = "cut"  # a FIN without the end of TLS
    STALL = "stall"


@dataclass(frozen=True)
class Raw:
    """Bytes put on the wire beside TLS: a record that is broken."""

    data: bytes


Piece = bytes | Act | Raw
Body = AsyncGenerator[bytes, None]
# From an answer (its head and its body as it comes, chunk sizes included) to what is sent.
Answering = Callable[[bytes, Body], AsyncGenerator[Piece, None]]


@dataclass(frozen=True)
class Fault:
    """A fault of the wire.

    Attributes:
        answering: what becomes of an answer; None for a fault before there is any.
        greeting: what happens to a connection before TLS; None for one that is made well.
        on: a part of the request targets that it happens to.
        proxied: whether it happens to what an app answers too.
        times: how often it happens; 0 is always.
        limit: seconds that a request is given, for the commands' --request-timeout.
    """

    answering: Answering | None = None
    greeting: tuple[Piece, ...] | None = None
    on: str = ""
    proxied: bool = True
    times: int = 0
    limit: float = 10.0


class Wire:
    """Passes requests on to an apiserver, from the ``with`` to its end.

    Args:
        apiserver: the real one; its certificate lies beside that of its authority.
    """

    def __init__(self, apiserver: APIServer) -> None:
        parts = urlsplit(apiserver.server)
        self._target = (parts.hostname, parts.port)
        folder = apiserver.ca_file.parent
        self._ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ours.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
        self._theirs = ssl.create_default_context(cafile=str(apiserver.ca_file))
        self._fault: Fault | None = None
        self._happened = 0
        self.targets: list[str] = []
        self.refused = 0
        self._revoked = b""
        self._then: Callable[[], object] = bool
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = self._broken_url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def break_by(self, fault: Fault) -> str:
        """Let a fault happen from now on. Returns the URL to ask."""
        self._fault, self._happened = fault, 0
        self.targets.clear()
        return self.url if fault.greeting is None else self._broken_url

    @property
    def connections(self) -> int:
        """How many there are, on both sides."""
        return len(self._open)

    def mend(self) -> None:
        """Let no fault happen any more, and end the connections that there are."""
        self._fault = None
        self._revoked = b""
        self._loop.call_soon_threadsafe(self._cut, Act.RESET)

    def revoke(self, token: str, then: Callable[[], object] = bool) -> None:
        """Let the apiserver refuse a token from now on, and that one alone: it gets another one.

        Args:
            token: which.
            then: called whenever it was to be refused.
        """
        self.refused, self._revoked, self._then = 0, token.encode(), then

    def cut(self, act: Act = Act.RESET) -> None:
        """End all connections: the apiserver was restarted."""
        self._loop.call_soon_threadsafe(self._cut, act)

    def _run(self, awaited: object) -> object:
        return asyncio.run_coroutine_threadsafe(awaited, self._loop).result(30)  # type: ignore[arg-type]

    async def _start(self) -> None:
        whole = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ours)
        broken = await asyncio.start_server(self._greet, "127.0.0.1", 0)
        self._servers = (whole, broken)
        self.url, self._broken_url = (
            f"https://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in self._servers
        )

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        self._cut(Act.RESET)
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Those too whose peer has not answered to the polite end of TLS, or was just dialled.
        for transport in list(getattr(self._loop, "_transports", {}).values()):
            transport.abort()
        await asyncio.sleep(0)

    def _cut(self, act: Act) -> None:
        for writer in list(self._open):
            _end(writer, act)

    def _happens(self, target: str) -> Answering | None:
        fault = self._fault
        if fault is None or fault.on not in target or ("/proxy/" in target and not fault.proxied):
            return None
        self._happened += 1
        return None if fault.times and self._happened > fault.times else fault.answering

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection that does not get as far as TLS."""
        greeting = self._fault.greeting if self._fault and self._fault.greeting else ()
        self._open.add(writer)
        with contextlib.suppress(OSError):
            if Act.RESET not in greeting[:1]:
                await reader.read(BLOCK)  # the client's hello
            for piece in greeting:
                await _send(writer, piece)
        _end(writer, Act.CLOSE)
        self._open.discard(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request: the connection is not kept, and both sides are told so."""
        self._open.add(writer)
        act = Act.CLOSE
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await self._pass_on(head, reader, writer)
        except (asyncio.IncompleteReadError, OSError):  # one of the two went away
            act = Act.RESET
        finally:
            self._open.discard(writer)
            _end(writer, act)

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        target = head.split(b" ", 2)[1].decode("latin-1")
        self.targets.append(target)
        if self._revoked and self._revoked in head:
            head = head.replace(self._revoked, b"revoked")
            self.refused += 1
            self._then()
        host, port = self._target
        theirs, ours = await asyncio.open_connection(host, port, ssl=self._theirs, limit=1 << 20)
        self._open.add(ours)
        back = asyncio.create_task(_pump(reader, ours))
        try:
            ours.write(_not_kept(head))
            answer = await theirs.readuntil(b"\r\n\r\n")
            happens = self._happens(target) or _whole
            body = _body(theirs)
            pieces = happens(answer, body)
            async with contextlib.aclosing(body), contextlib.aclosing(pieces):
                async for piece in pieces:
                    await _send(writer, piece)
        finally:
            back.cancel()
            self._open.discard(ours)
            _end(ours, Act.RESET)


def _not_kept(head: bytes) -> bytes:
    """The request's head, with the wish that the connection be closed; upgrades stay theirs."""
    if re.search(rb"(?im)^upgrade:", head):
        return head
    head = re.sub(rb"(?im)^connection:[^\r\n]*\r\n", b"", head)
    return head[:-2] + b"Connection: close\r\n\r\n"


async def _whole(head: bytes, body: Body) -> AsyncGenerator[Piece, None]:
    yield head
    async for piece in body:
        yield piece


async def _body(reader: asyncio.StreamReader) -> Body:
    while piece := await reader.read(BLOCK):
        yield piece


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(BLOCK):
            writer.write(piece)
            await writer.drain()
    _end(writer, Act.RESET)  # whoever asked has gone


async def _send(writer: asyncio.StreamWriter, piece: Piece) -> None:
    if writer.is_closing():  # the client has gone
        raise ConnectionAbortedError
    if isinstance(piece, bytes):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)  # so that the end of the connection is seen
    elif isinstance(piece, Raw):
        os.write(writer.get_extra_info("socket").fileno(), piece.data)
    elif piece is Act.STALL:
        await asyncio.sleep(STALL_SECONDS)
    else:
        _end(writer, piece)
        raise ConnectionAbortedError


def _end(writer: asyncio.StreamWriter, act: Act) -> None:
    """Close a connection: with a FIN, or so that the peer gets a reset."""
    if writer.is_closing():
        return
    if act is Act.RESET:
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    elif act is Act.CUT:
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        writer.transport.abort()
    else:
        writer.close()
