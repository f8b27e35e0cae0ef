"""What aiohttp's server has to be told: Go's own 400, no Server header, other protocols."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
_REQUEST = re.compile(rb"([A-Z]+) (/.*) (HTTP/1\.[01])", re.DOTALL)
LIMIT = 1 << 20  # of a line and of a header, as Go has it


def _is_news(record: logging.LogRecord) -> bool:
    """Not aiohttp's own race: a handler that ends as its server stops waiting for it."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.InvalidStateError))


_LOG = logging.getLogger("proxyurls.testing")
_LOG.addFilter(_is_news)


class Signed(web.StreamResponse):
    """An answer with a Server header of the upstream's."""


class Incoming(web.BaseRequest):
    """A request whose answer does not say that aiohttp wrote it.

    The hook is aiohttp's own way to run what an application's ``on_response_prepare`` does, and
    there's no public one without an application. The contract's tests fail if it ever goes.
    """

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        if not isinstance(response, Signed):
            response.headers.pop("Server", None)


def incoming(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Incoming:
    """Such a request, from what aiohttp has read."""
    return Incoming(message, payload, protocol, writer, task, asyncio.get_running_loop())


class Nothing(web.StreamResponse):
    """No answer, as the handler has written one by itself, or has hung up."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def plain(status: int, text: str) -> web.Response:
    """Go's own short answer."""
    headers = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})
    return web.Response(status=status, body=text.encode(), headers=headers)


class Connection(web.RequestHandler):
    """A connection that tells when it ends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to tell."""
        self.lost = asyncio.Event()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell."""
        self.lost.set()
        super().connection_lost(exc)


class Protocol(Connection):
    """A connection of the fake cluster's own client."""

    tunnel: Callable[[bytes], None] | None = None  # takes what comes, where HTTP has ended
    fresh = True  # the next thing to come is a request
    target: str | None = None  # the request's own target, where aiohttp got another one

    def data_received(self, data: bytes) -> None:
        """Take what comes, in whatever protocol."""
        if self.tunnel is not None:
            self.tunnel(data)
            return
        if self.fresh:
            self.fresh = False
            data = self._readable(data)
        super().data_received(data)

    def _readable(self, data: bytes) -> bytes:
        """A request that aiohttp can read, where it can't read what Go can."""
        line, end, rest = data.partition(b"\r\n")
        match = _REQUEST.fullmatch(line)
        if match is None:
            return data
        method, target, version = match.groups()
        if method not in METHODS:  # those are refused alike
            method = b"TRACE"
        if b" " in target or not target.isascii():
            self.target = target.decode("utf-8", "surrogateescape")
            target = quote(target, safe="/?%").encode()
        return b" ".join((method, target, version)) + end + rest

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer as Go's net/http does to what it can't read."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        answer = plain(400, "400 Bad Request")
        answer.force_close()
        return answer


class Server(web.Server):
    """aiohttp's server, with connections of a class of ours."""

    def __init__(
        self,
        handler: Callable[[Any], Awaitable[web.StreamResponse]],
        connection: type[Connection],
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._connection = connection

    def __call__(self) -> web.RequestHandler:
        """A new connection."""
        return self._connection(
            self,
            loop=asyncio.get_running_loop(),
            logger=_LOG,
            access_log=None,  # type: ignore[arg-type]  # web.Server takes it
            max_line_size=LIMIT,
            max_field_size=LIMIT,
        )
