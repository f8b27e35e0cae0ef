"""ASGI apps: requests, WebSockets and the lifespan.

Source: https://asgi.readthedocs.io/en/latest/specs/ (version 3.0).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from proxyurls.testing.protocol import Connection

App = Callable[..., Any]
Message = Mapping[str, Any]
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_SHUTDOWN_LIMIT = 5.0


class Lifespan:
    """The time from an app's startup to its shutdown. An app may know nothing of it."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": _ASGI, "state": self.state}
        self._task = asyncio.ensure_future(app(scope, self._receive, self._answers.put))

    async def _receive(self) -> Message:
        return {"type": await self._said.get()}

    async def say(self, event: str) -> None:
        """Tell of a startup or a shutdown, and wait until the app is done with it.

        Raises:
            RuntimeError: the app says that it failed.
        """
        await self._said.put(f"lifespan.{event}")
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():  # the app returned, or raised, as one without a lifespan does
            answer.cancel()
        elif answer.result()["type"].endswith(".failed"):
            message = answer.result().get("message", "")
            raise RuntimeError(f"the {event} of the ASGI app failed: {message}")

    async def close(self) -> None:
        """Let the app shut down.

        Raises:
            RuntimeError: the app says that it failed, or takes too long.
        """
        try:
            if not self._task.done():
                await asyncio.wait_for(self.say("shutdown"), _SHUTDOWN_LIMIT)
        except asyncio.TimeoutError:
            limit = f"{_SHUTDOWN_LIMIT:.0f} seconds"
            raise RuntimeError(f"the shutdown of the ASGI app took more than {limit}") from None
        finally:
            await self.end()

    async def end(self) -> None:
        """End the app, whatever it does."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def answer(app: App, request: web.BaseRequest, state: Message) -> web.StreamResponse:
    """Let an app answer a request, or talk over a WebSocket."""
    path, _, query = request.raw_path.partition("?")
    websocket = request.headers.get("Upgrade", "").lower() == "websocket"
    scheme = "ws" if websocket else "http"
    scope: dict[str, Any] = {
        "type": "websocket" if websocket else "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "method": request.method,
        "scheme": f"{scheme}s" if request.secure else scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": (request.remote or "", 0),
        "server": None,
        "state": dict(state),
    }
    if websocket:
        return await _talk(app, request, scope)
    return await _respond(app, request, scope)


async def _respond(app: App, request: web.BaseRequest, scope: Message) -> web.StreamResponse:
    made: web.StreamResponse | None = None
    asked = False  # the whole body has been given to the app
    lost = cast("Connection", request.protocol).lost

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await lost.wait()
            return {"type": "http.disconnect"}
        body = await request.content.readany()
        asked = request.content.at_eof()
        return {"type": "http.request", "body": body, "more_body": not asked}

    async def send(message: Message) -> None:
        nonlocal made
        if message["type"] == "http.response.start":
            headers = _decoded(message.get("headers", ()))
            made = web.StreamResponse(status=message["status"], headers=headers)
            await made.prepare(request)
        elif made is not None:
            if body := message.get("body", b""):
                await made.write(body)
            if not message.get("more_body"):
                await made.write_eof()

    await app(scope, receive, send)
    return made or web.Response(status=500)


async def _talk(app: App, request: web.BaseRequest, scope: dict[str, Any]) -> web.StreamResponse:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]
    socket: web.WebSocketResponse | None = None
    connecting = True

    async def receive() -> Message:
        nonlocal connecting
        if connecting:
            connecting = False
            return {"type": "websocket.connect"}
        if socket is not None:
            message = await socket.receive()
            if message.type is WSMsgType.TEXT:
                return {"type": "websocket.receive", "text": message.data}
            if message.type is WSMsgType.BINARY:
                return {"type": "websocket.receive", "bytes": message.data}
        code = socket.close_code if socket is not None else None
        return {"type": "websocket.disconnect", "code": code or 1005}

    async def send(message: Message) -> None:
        nonlocal socket
        if message["type"] == "websocket.accept":
            chosen = message.get("subprotocol")
            socket = web.WebSocketResponse(protocols=[chosen] if chosen else (), max_msg_size=0)
            socket.headers.extend(_decoded(message.get("headers", ())))
            await socket.prepare(request)
        elif socket is None:
            return  # closed before it was accepted
        elif message["type"] == "websocket.close":
            reason = (message.get("reason") or "").encode()
            await socket.close(code=message.get("code", 1000), message=reason)
        elif message.get("text") is not None:
            await socket.send_str(message["text"])
        else:
            await socket.send_bytes(message["bytes"])

    await app(scope, receive, send)
    return socket or web.Response(status=403)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    return CIMultiDict(
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    )
