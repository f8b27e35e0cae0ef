"""What may stand behind a target: an app in this process, or an address."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from proxyurls.testing import asgi, wsgi
from proxyurls.testing.protocol import Connection, Server

if TYPE_CHECKING:
    import ssl

Address = tuple[str, int]
App = Callable[..., Any]  # ASGI, WSGI, or a function from `Request` to an answer
Upstream = str | Address | App  # a string is a URL


@dataclass(frozen=True)
class Request:
    """A request as an upstream function sees it."""

    method: str
    target: str  # path and query, to the letter
    headers: Mapping[str, str]  # of any case
    body: bytes = field(repr=False)


@dataclass(init=False)
class Response:
    """An answer of an upstream function.

    Args:
        body: its body; text is sent as UTF-8.
        status: its status.
        headers: its headers, by name; or pairs, where one comes twice.
    """

    body: bytes | str
    status: int
    headers: Mapping[str, str]  # of any case

    def __init__(
        self,
        body: bytes | str = b"",
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        self.body, self.status = body, status
        self.headers = CIMultiDict(headers)


def address_of(upstream: object) -> Address | None:
    """The address in a URL or a pair; None for an app.

    Raises:
        ValueError: it is no URL of an HTTP server alone, or no pair.
    """
    if isinstance(upstream, str):
        parts = urlsplit(upstream)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise ValueError(f"an upstream's URL is http://HOST:PORT, not {shown!r}")
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
            raise ValueError(
                f"an upstream's URL is http://HOST:PORT alone, as path, query and credentials "
                f"are each request's own, not {shown!r}"
            )
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    if isinstance(upstream, tuple):
        if len(upstream) != 2:
            raise ValueError(f"an upstream's address is (host, port): {upstream!r}")
        host, port = upstream
        return str(host), int(port)
    return None


def kind_of(app: App) -> str:
    """What an app is by the arguments it takes: three, ASGI; two, WSGI; one, a function.

    Raises:
        TypeError: it is none of them.
    """
    count = 0
    for one in inspect.signature(app).parameters.values():
        required = one.default is one.empty and one.kind in (
            one.POSITIONAL_ONLY,
            one.POSITIONAL_OR_KEYWORD,
        )
        count += required
    try:
        return {1: "function", 2: "wsgi", 3: "asgi"}[count]
    except KeyError:
        raise TypeError(
            f"an upstream is a URL, an address, an ASGI or WSGI app or a function of a request: "
            f"{app!r} takes {count} arguments"
        ) from None


class Served:
    """An app at a free loopback port, from `open` to `close`, both in one event loop."""

    address: Address

    def __init__(self, app: App, certificate: ssl.SSLContext | None) -> None:
        self.app = app
        self.certificate = certificate
        self._kind = kind_of(app)
        self._lifespan: asgi.Lifespan | None = None
        self._runner: web.ServerRunner | None = None

    async def open(self) -> None:
        """Start the app and listen.

        Raises:
            RuntimeError: its startup failed.
        """
        if self._kind == "asgi":
            self._lifespan = asgi.Lifespan(self.app)
            try:
                await self._lifespan.say("startup")
            except RuntimeError:
                await self._lifespan.end()
                raise
        self._runner = web.ServerRunner(Server(self._handle, Connection), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.certificate).start()
        self.address = self._runner.addresses[0][:2]

    async def close(self) -> None:
        """Hang up, then let the app shut down.

        Raises:
            RuntimeError: its shutdown failed.
        """
        if self._runner is not None:
            await self._runner.cleanup()
        if self._lifespan is not None:
            await self._lifespan.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._lifespan is not None:
            return await asgi.answer(self.app, request, self._lifespan.state)
        if self._kind == "wsgi":
            return await wsgi.answer(self.app, request)
        return await _call(self.app, request)


async def _call(function: App, request: web.BaseRequest) -> web.StreamResponse:
    """Let a function answer a request, in a thread; what is async in it, in the loop."""
    seen = Request(request.method, request.raw_path, request.headers, await request.content.read())
    answer = await asyncio.to_thread(function, seen)
    if inspect.isawaitable(answer):
        answer = await answer
    if not isinstance(answer, Response):
        kind = "text/plain; charset=utf-8"
        if not isinstance(answer, (str, bytes)):
            answer, kind = json.dumps(answer), "application/json"
        answer = Response(answer, headers={"Content-Type": kind})
    text = answer.body.encode() if isinstance(answer.body, str) else answer.body
    return web.Response(status=answer.status, headers=answer.headers, body=text)
