"""The app behind a soaked gateway, and the requests to it: each checks its whole answer."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from .webserver import page

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    import aiohttp

PATIENCE = 30.0
_PIECES = 20


class App:
    """A page, a file, an echo, a stream, one that never ends, and a WebSocket."""

    def __init__(self) -> None:
        self.websockets = 0
        self.streams = 0
        self.page = page()
        self.file = os.urandom(1024)
        self.piece = os.urandom(10_000)

    @asynccontextmanager
    async def serving(self, listening: socket.socket) -> AsyncIterator[None]:
        """Answer as long as the context lasts."""
        app = web.Application()
        app.router.add_get("/page", self._page)
        app.router.add_get("/file", self._file)
        app.router.add_post("/echo", self._echo)
        app.router.add_post("/upload", self._upload)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/endless", self._endless)
        app.router.add_get("/ws", self._websocket)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        await web.SockSite(runner, listening).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def alone(self, seconds: float) -> None:
        """Wait until all streams and WebSockets have ended, for so long at most."""
        for _ in range(int(seconds * 20)):
            if not self.websockets and not self.streams:
                return
            await asyncio.sleep(0.05)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(body=self.page, content_type="text/html")

    async def _file(self, _: web.Request) -> web.Response:
        return web.Response(body=self.file)

    async def _echo(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def _upload(self, request: web.Request) -> web.Response:
        return web.Response(text=hashlib.sha256(await request.read()).hexdigest())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        made = web.StreamResponse()
        await made.prepare(request)
        for _ in range(_PIECES):
            await made.write(self.piece)
        return made

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        self.streams += 1
        try:
            made = web.StreamResponse()
            await made.prepare(request)
            while True:
                await made.write(self.piece)
                await asyncio.sleep(0.01)
        finally:
            self.streams -= 1

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        made = web.WebSocketResponse()
        await made.prepare(request)
        self.websockets += 1
        try:
            async for message in made:
                await made.send_bytes(message.data)
        finally:
            self.websockets -= 1
        return made


async def get_file(session: aiohttp.ClientSession, app: App) -> None:
    """A small answer."""
    async with session.get("/file") as answer:
        assert (answer.status, await answer.read()) == (200, app.file)


async def get_page(session: aiohttp.ClientSession, app: App) -> None:
    """A page, which the apiserver rewrites."""
    async with session.get("/page", headers={"Accept-Encoding": "gzip"}) as answer:
        assert (answer.status, await answer.read()) == (200, app.page)


async def post(session: aiohttp.ClientSession, app: App) -> None:
    """A body both ways, and a long one up, which is passed on as a stream.

    A long one isn't sent back: of those, the apiserver cuts one in some thousands (docs/faults.md).
    """
    body = os.urandom(2_000)
    async with session.post("/echo", data=body) as answer:
        assert (answer.status, await answer.read()) == (200, body)
    body = os.urandom(100_000)
    async with session.post("/upload", data=body) as answer:
        assert (answer.status, await answer.text()) == (200, hashlib.sha256(body).hexdigest())


async def head(session: aiohttp.ClientSession, app: App) -> None:
    """No body, though a length."""
    async with session.head("/file") as answer:
        assert (answer.status, answer.content_length) == (200, len(app.file))


async def miss(session: aiohttp.ClientSession, app: App) -> None:
    """The app's own 404."""
    async with session.get("/missing") as answer:
        assert (answer.status, await answer.text()) == (404, "404: Not Found")


async def stream(session: aiohttp.ClientSession, app: App) -> None:
    """An answer in pieces."""
    async with session.get("/stream") as answer:
        assert (answer.status, await answer.read()) == (200, app.piece * _PIECES)


async def leave(session: aiohttp.ClientSession, app: App) -> None:
    """Go away in the middle of an answer."""
    async with session.get("/endless") as answer:
        assert len(await answer.content.readexactly(5_000)) == 5_000
        answer.close()


MIXED = [*(get_file, get_page) * 10, *(post, head, miss) * 2, stream, leave]
