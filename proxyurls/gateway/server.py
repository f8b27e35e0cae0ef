"""Sockets: listening, how many and how long, and stopping within two seconds."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from proxyurls.errors import InvalidConfig, ListenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from proxyurls.gateway.app import Gateway

FIRST_PORT = 8001  # as kubectl proxy
_LINE = 64 * 1024  # of a request's first line, and of a header
_HEADERS = 128
_IDLE_SECONDS = 75.0  # without a request, or with half of one's head
_CONNECTIONS = 2000
_OTHER_FILES = 256  # beside connections: what waits to be accepted or closed, and our own
_BUFFER = 256 * 1024  # of a request's body, read ahead
_GRACE = 0.15  # for answers that are being written when the gateway stops
_TRIES = 100

# aiohttp logs with tracebacks what a client did wrong; the client is told anyhow.
_QUIET = logging.getLogger("proxyurls.gateway")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class Server(web.Server):
    """aiohttp's server with our limits.

    Args:
        handler: answers requests.
    """

    def __init__(self, handler: Callable[[Any], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(
            handler,
            request_factory=self._incoming,
            handler_cancellation=True,  # a browser that has gone cancels what it asked for
        )
        self._own_loop = asyncio.get_running_loop()
        self._open: dict[web.RequestHandler, asyncio.Transport] = {}
        self._most = _most_connections()

    def __call__(self) -> web.RequestHandler:
        """A new connection."""
        options: dict[str, Any] = {
            "access_log": None,  # targets may hold what is private
            "logger": _QUIET,
            "keepalive_timeout": _IDLE_SECONDS,
            "lingering_time": 1.0,
            "max_line_size": _LINE,
            "max_field_size": _LINE,
            "max_headers": _HEADERS,
            "read_bufsize": _BUFFER,
            "auto_decompress": False,
        }
        return _Handler(self, loop=self._own_loop, **options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection, unless there are too many."""
        super().connection_made(handler, transport)
        self._open[handler] = transport
        if len(self._open) > self._most:
            transport.abort()

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        self._open.pop(handler, None)

    async def shutdown(self, timeout: float | None = None) -> None:
        """Close all connections, after so many seconds those that are busy.

        What a browser has not read by then is dropped.
        """
        await super().shutdown(timeout)
        for one in list(self._open.values()):
            one.abort()
        await asyncio.sleep(0)  # in which they learn of it

    def _incoming(
        self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any
    ) -> web.BaseRequest:
        return _Incoming(message, payload, protocol, writer, task, self._own_loop)


def _most_connections() -> int:
    """How many connections there may be; each may need another one to the apiserver.

    The limit on open files is 1024 in most shells, for the sake of programs that call select();
    others may raise it. Beyond it nothing could be accepted, or even be refused.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return _CONNECTIONS
    return min(_CONNECTIONS, max(1, (soft - _OTHER_FILES) // 2))


class _Handler(web.RequestHandler):
    """One connection of a browser."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what can't be read. aiohttp's own answer would quote it, cookies and all."""
        del request, exc, message
        made = web.Response(status=status, text="Bad request: it can't be read.\n")
        made.force_close()
        return made


class _Incoming(web.BaseRequest):
    """A request whose answer does not say what wrote it."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        if response.headers.get("Server") == SERVER_SOFTWARE:
            del response.headers["Server"]


def listen(address: str, port: int | None) -> list[socket.socket]:
    """Listen at an address, and for 127.0.0.1 at ::1 too.

    Browsers ask ``localhost`` at ::1 first, so what listens there would be asked in our place,
    and get the token: another user's program, perhaps.

    Args:
        address: an IP address.
        port: the port, 0 for any free one; None for the first free one from 8001 on.

    Raises:
        ListenError: the port is in use, or may not be used.
        InvalidConfig: the address is none of this machine.
    """
    numbers = (port,) if port is not None else range(FIRST_PORT, FIRST_PORT + _TRIES)
    taken = 0
    for number in numbers:
        try:
            return _bound(address, number)
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
                raise InvalidConfig(
                    f"invalid --address {address!r}: this machine has no such address; "
                    "type 127.0.0.1"
                ) from error
            if error.errno == errno.EACCES:
                raise ListenError(
                    f"port {number} is for root alone; type --port {FIRST_PORT}"
                ) from error
            if error.errno != errno.EADDRINUSE:
                raise
            taken = taken or number
    raise ListenError(
        f"port {taken} of {address} is in use; `{_who(taken)}` shows by whom{_next(address, taken)}"
    )


def _bound(address: str, port: int) -> list[socket.socket]:
    first = _listening(address, port)
    if address != "127.0.0.1":
        return [first]
    number = first.getsockname()[1]
    try:
        return [first, _listening("::1", number)]
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # no IPv6 here
            return [first]
        first.close()
        if port == 0 and error.errno == errno.EADDRINUSE:
            return _bound(address, port)
        raise


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two programs share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(512)
    except BaseException:
        made.close()
        raise
    return made


def _who(port: int) -> str:
    if sys.platform.startswith("linux"):
        return f"ss -ltnp 'sport = :{port}'"
    if os.name == "nt":
        return f"netstat -ano | findstr :{port}"
    return f"lsof -nP -iTCP:{port} -sTCP:LISTEN"


def _next(address: str, port: int) -> str:
    """The next port that is free, if one is near."""
    for number in range(port + 1, min(port + _TRIES, 65536)):
        with suppress(OSError):
            for one in _bound(address, number):
                one.close()
            return f"; the next free one: --port {number}"
    return ""


@contextmanager
def listen_unix(path: str) -> Iterator[socket.socket]:
    """Listen at a Unix socket that only this user may use, and remove it in the end.

    Raises:
        ListenError: there is something else at the path, or another program listens there.
    """
    place = Path(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _make_room(place)
        made.bind(path)
        made.listen(512)
    except OSError as error:
        made.close()
        why = error.strerror or str(error)
        raise ListenError(
            f"can't listen at --unix-socket {path!r}: {why}; type a path of at most 100 characters "
            "in a folder that is yours"
        ) from error
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    try:
        yield made
    finally:
        made.close()
        place.unlink(missing_ok=True)


def _make_room(place: Path) -> None:
    """Remove a socket that a program left behind when it was killed."""
    if not place.exists():
        return
    if not stat.S_ISSOCK(place.stat().st_mode):
        raise ListenError(f"--unix-socket {str(place)!r} is there, and no socket; type another")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(place))
        except ConnectionRefusedError:
            place.unlink()
            return
    raise ListenError(
        f"another program listens at --unix-socket {str(place)!r}; stop it, or type another path"
    )


@asynccontextmanager
async def serving(gateway: Gateway, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Answer requests as long as the context lasts.

    Leaving it closes every connection, after a moment for answers that are being written.

    Args:
        gateway: what answers.
        sockets: that listen; they are closed.
    """
    loop = asyncio.get_running_loop()
    server = Server(gateway.handle)
    listeners = [await _attach(loop, server, one) for one in sockets]
    try:
        yield
    finally:
        for listener in listeners:
            listener.close()
        await server.shutdown(_GRACE)


async def _attach(
    loop: asyncio.AbstractEventLoop, server: Server, listening: socket.socket
) -> asyncio.Server:
    if listening.family in (socket.AF_INET, socket.AF_INET6):
        return await loop.create_server(server, sock=listening)
    return await loop.create_unix_server(server, sock=listening)
