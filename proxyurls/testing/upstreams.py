"""Upstreams in this process: ASGI and WSGI apps, and plain functions, on loopback ports."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from proxyurls.testing.protocol import LIMIT

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


@dataclass(frozen=True)
class Response:
    """An answer of an upstream function."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def address_of(upstream: object) -> Address | None:
    """The address in a URL or a pair; None for an app.

    Raises:
        ValueError: the URL has no host.
    """
    if isinstance(upstream, str):
        parts = urlsplit(upstream)
        if not parts.hostname:
            raise ValueError(f"an upstream's URL has a scheme and a host: {upstream!r}")
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    if isinstance(upstream, tuple):
        host, port = upstream
        return str(host), int(port)
    return None


def kind_of(app: App) -> str:
    """What an app is by the arguments it takes: three, ASGI; two, WSGI; one, a function."""
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


async def serve(app: App) -> tuple[Address, web.ServerRunner]:
    """Serve an app on a free loopback port, until the runner is cleaned up."""
    handlers = {"asgi": _asgi, "wsgi": _wsgi, "function": _function}
    handler = handlers[kind_of(app)]

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await handler(app, request)

    server = web.Server(handle, max_line_size=LIMIT, max_field_size=LIMIT, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return (host, port), runner


async def _whole_body(request: web.BaseRequest) -> bytes:
    return b"".join([piece async for piece in request.content.iter_any()])


async def _function(app: App, request: web.BaseRequest) -> web.StreamResponse:
    body = await _whole_body(request)
    seen = Request(request.method, request.raw_path, request.headers, body)
    if inspect.iscoroutinefunction(app):
        answer = await app(seen)
    else:
        answer = await asyncio.to_thread(app, seen)
    if not isinstance(answer, Response):
        kind = "text/plain; charset=utf-8"
        if not isinstance(answer, (str, bytes)):
            answer, kind = json.dumps(answer), "application/json"
        answer = Response(answer, headers={"Content-Type": kind})
    text = answer.body.encode() if isinstance(answer.body, str) else answer.body
    return web.Response(status=answer.status, headers=answer.headers, body=text)


async def _wsgi(app: App, request: web.BaseRequest) -> web.StreamResponse:
    body = await _whole_body(request)
    path, _, query = request.raw_path.partition("?")
    host, _, port = request.host.partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.remote or "",
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name.lower() not in ("content-type", "content-length"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value

    def run() -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[Any] = []
        written: list[bytes] = []

        def start(status: str, headers: Any, *_: object) -> Callable[[bytes], None]:
            started[:] = [status, headers]
            return written.append

        result = app(environ, start)
        try:
            written.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return started[0], started[1], b"".join(written)

    status, headers, text = await asyncio.to_thread(run)
    code, _, reason = status.partition(" ")
    return web.Response(status=int(code), reason=reason, headers=CIMultiDict(headers), body=text)


async def _asgi(app: App, request: web.BaseRequest) -> web.StreamResponse:
    path, _, query = request.raw_path.partition("?")
    websocket = request.headers.get("Upgrade", "").lower() == "websocket"
    scope: dict[str, Any] = {
        "type": "websocket" if websocket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "ws" if websocket else "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": (request.remote or "", 0),
        "server": None,
    }
    if websocket:
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]
        return await _asgi_websocket(app, request, scope)
    made: web.StreamResponse | None = None

    async def receive() -> dict[str, Any]:
        if request.content.at_eof():
            return {"type": "http.request", "body": b"", "more_body": False}
        piece = await request.content.readany()
        return {"type": "http.request", "body": piece, "more_body": not request.content.at_eof()}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal made
        if message["type"] == "http.response.start":
            made = web.StreamResponse(
                status=message["status"], headers=_decoded(message.get("headers", ()))
            )
            await made.prepare(request)
        elif made is not None:
            if body := message.get("body", b""):
                await made.write(body)
            if not message.get("more_body"):
                await made.write_eof()

    await app(scope, receive, send)
    return made or web.Response(status=500)


async def _asgi_websocket(
    app: App, request: web.BaseRequest, scope: dict[str, Any]
) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=scope["subprotocols"])
    opened = refused = False

    async def receive() -> dict[str, Any]:
        nonlocal opened
        if not opened:
            opened = True
            return {"type": "websocket.connect"}
        message = await socket.receive()
        if message.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        if message.type is WSMsgType.BINARY:
            return {"type": "websocket.receive", "bytes": message.data}
        return {"type": "websocket.disconnect", "code": socket.close_code or 1005}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal refused
        if message["type"] == "websocket.accept":
            await socket.prepare(request)
        elif message["type"] == "websocket.send":
            if message.get("text") is not None:
                await socket.send_str(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
        elif message["type"] == "websocket.close":
            refused = not socket.prepared
            if not refused:
                await socket.close(code=message.get("code", 1000))

    await app(scope, receive, send)
    return web.Response(status=403) if refused or not socket.prepared else socket


def _decoded(headers: Any) -> CIMultiDict[str]:
    return CIMultiDict(
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    )
