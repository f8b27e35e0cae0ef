"""Requests whose body is all there, written in one go to a connection of aiohttp's pool.

`aiohttp.ClientSession` does the same and much more for each of them (cookies, redirects, default
headers, traces), in more time than all the rest of the gateway takes. Connections, TLS and the
parsing of answers are aiohttp's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http import HttpProcessingError
from aiohttp.tracing import Trace
from yarl import URL

if TYPE_CHECKING:
    import ssl
    from asyncio.trsock import TransportSocket
    from collections.abc import Sequence
    from typing import Any

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from multidict import CIMultiDictProxy

READ_SIZE = 256 * 1024  # as much as asyncio's TLS gives at once
HEAD_LIMIT = 1 << 20  # of a line and of a header, as Go has it
# RFC 9110, 9.2.1. They may be sent twice, as Go does too, and need no length for no body.
_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_TURNS = 10  # of the loop, for a connection to be closed: twice what TLS takes
_TARGET = re.compile(r"[!-~]+")


class Answer:
    """An answer, as `aiohttp.ClientResponse` has it, its body unread.

    Args:
        connection: where it comes from; it goes back to the pool when the body has been read.
        message: the head.
        content: the body.
    """

    def __init__(self, connection: Connection, message: Any, content: aiohttp.StreamReader) -> None:
        self.status: int = message.code
        self.reason: str | None = message.reason
        self.headers: CIMultiDictProxy[str] = message.headers
        self.raw_headers: Sequence[tuple[bytes, bytes]] = message.raw_headers
        self.content = content
        self.connection: Connection | None = connection
        self._body: bytes | None = None
        content.on_eof(self._ended)

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int | None:
        """How long the body is, if the head says so."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    async def read(self) -> bytes:
        """The whole body, which is kept."""
        if self._body is None:
            self._body = await self.content.read()
        return self._body

    def close(self) -> None:
        """Close the connection, unless it is back in the pool."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _ended(self) -> None:
        connection = self.connection
        if connection is None or connection.protocol is None or connection.protocol.upgraded:
            return
        self.connection = None
        connection.release()


class Connections(aiohttp.TCPConnector):
    """aiohttp's pool, with an end that leaves no connection behind.

    A connection that is given up, its polite end of TLS unanswered, is none of the pool's any more,
    and would stay open after it for half a minute.
    """

    _made: weakref.WeakKeyDictionary[asyncio.Transport, TransportSocket] | None = None

    async def _create_connection(self, *arguments: Any) -> ResponseHandler:
        made = await super()._create_connection(*arguments)
        if self._made is None:
            self._made = weakref.WeakKeyDictionary()
        if made.transport is not None:
            self._made[made.transport] = made.transport.get_extra_info("socket")
        return made

    async def end(self) -> None:
        """Break off all connections that were made; to be called once the session is closed."""
        left = list((self._made or {}).items())
        for transport, own in left:
            transport.abort()
            # asyncio's TLS does nothing in `abort` once it was closed twice, as aiohttp does after
            # an answer that is none; to the loop, this is the peer's end.
            with contextlib.suppress(OSError):  # it has ended
                own.shutdown(socket.SHUT_RDWR)
        for _ in range(_TURNS):  # it's the loop that closes them
            if any(own.fileno() >= 0 for _, own in left):
                await asyncio.sleep(0)


_TRACED_BY_NOBODY = aiohttp.TraceConfig()
_TRACED_BY_NOBODY.freeze()


class _Origin(Trace):
    """Notes whether a connection came out of the pool."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session, _TRACED_BY_NOBODY, SimpleNamespace())
        self.pooled = False

    async def send_connection_reuseconn(self) -> None:
        """The pool had one."""
        self.pooled = True


class Sender:
    """Sends requests to one server.

    Args:
        session: whose connections are used.
        base: the server's URL.
        timeout: for connecting.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base: str, timeout: aiohttp.ClientTimeout
    ) -> None:
        parts = urlsplit(base)
        self._host = parts.netloc.rpartition("@")[2]
        self._path = parts.path.rstrip("/")
        self._url = URL(base)
        self._session = session
        self._timeout = timeout
        self._key: tuple[ssl.SSLContext | None, aiohttp.ClientRequest] | None = None

    async def send(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | None,
        context: ssl.SSLContext | None,
    ) -> Answer:
        """Send a request and give its answer.

        A connection out of the pool may end while the request is on its way; a safe request is
        then sent once more. One that fails on a fresh connection was broken off by the app.

        Args:
            method: the HTTP method.
            path: an absolute, encoded path with its query.
            headers: all of them, but for the body's length.
            body: the body, or None.
            context: for TLS.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: no answer came.
            ValueError: a part of the head would end it, or its first line.
        """
        data = self._head(method, path, headers, body) + (body or b"")
        origin = _Origin(self._session)
        try:
            return await self._send_once(method, data, context, origin)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if method not in _SAFE or not origin.pooled:
                raise
        return await self._send_once(method, data, context, origin)

    async def _send_once(
        self, method: str, data: bytes, context: ssl.SSLContext | None, origin: _Origin
    ) -> Answer:
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        connection = await connector.connect(self._target(context), [origin], self._timeout)
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:  # it has just ended
            connection.close()
            raise aiohttp.ServerDisconnectedError
        try:
            protocol.set_response_params(
                skip_payload=method == "HEAD",
                read_until_eof=True,
                auto_decompress=False,
                read_bufsize=READ_SIZE,
                max_line_size=HEAD_LIMIT,
                max_field_size=HEAD_LIMIT,
            )
            transport.write(data)
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, content = await protocol.read()
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientPayloadError(error.message) from error
        except BaseException:
            connection.close()
            raise
        return Answer(connection, message, content)

    def _target(self, context: ssl.SSLContext | None) -> aiohttp.ClientRequest:
        """What aiohttp's pool knows a server by."""
        if self._key is None or self._key[0] is not context:
            made = aiohttp.ClientRequest(
                "GET",
                self._url,
                loop=asyncio.get_running_loop(),
                session=self._session,
                ssl=context or True,
            )
            self._key = (context, made)
        return self._key[1]

    def _head(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> bytes:
        lines = [f"{method} {self._path}{path} HTTP/1.1"]
        host = length = False
        for name, value in headers:
            key = name.lower()
            if key == "content-length":
                if body is not None:
                    continue
                length = True
            host = host or key == "host"
            lines.append(f"{name}: {value}")
        if not host:
            lines.insert(1, f"Host: {self._host}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        elif not length and method not in _SAFE:
            lines.append("Content-Length: 0")
        if _TARGET.fullmatch(path) is None:
            raise ValueError("a request target with a space or a control character")
        text = "\r\n".join(lines)
        breaks = len(lines) - 1
        if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
            raise ValueError("a line break in the head of a request")
        return f"{text}\r\n\r\n".encode()
