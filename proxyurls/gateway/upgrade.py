"""WebSockets, and whatever else leaves HTTP (kubectl's SPDY): bytes that pass both ways.

The upstream is connected first and the browser then gets its answer, so subprotocols, refusals,
close codes, pings, compression and messages of any size are those of the app.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp.http import StreamWriter

from proxyurls.gateway.connect import give_up
from proxyurls.gateway.forward import answer
from proxyurls.gateway.headers import api_headers, response_headers
from proxyurls.gateway.relay import Relay
from proxyurls.undo.headers import decoded

if TYPE_CHECKING:
    from aiohttp import web

    from proxyurls.gateway.connect import Upstream
    from proxyurls.undo.unprefix import Mount

_ROOM = 256 * 1024  # what may wait for the slower side
# The handshake is between the browser and the app; so are these.
_HANDSHAKE = "sec-websocket-"


def is_upgrade(request: web.BaseRequest) -> bool:
    """Whether a request asks for another protocol that the apiserver passes on.

    Any other Upgrade (``h2c``) is dropped with the rest of what is of one connection.
    """
    named = [token.lower() for token in _tokens(request, "Connection")]
    wanted = _tokens(request, "Upgrade")
    if "upgrade" not in named or len(wanted) != 1:
        return False
    return wanted[0].lower() == "websocket" or wanted[0].lower().startswith("spdy/")


def _tokens(request: web.BaseRequest, name: str) -> list[str]:
    """What a header lists, on one line or on several."""
    parts = ",".join(request.headers.getall(name, ())).split(",")
    return [part.strip() for part in parts if part.strip()]


async def tunnel(
    request: web.BaseRequest,
    upstream: Upstream,
    path: str,
    headers: list[tuple[str, str]],
    mount: Mount | None,
) -> web.StreamResponse:
    """Pass an upgrade on, and then all that follows, until one of both sides ends it.

    Args:
        request: the browser's.
        upstream: the apiserver.
        path: an absolute, encoded path. The apiserver drops its query.
        headers: what to send beside the credentials and the handshake.
        mount: as for `forward.exchange`.

    Raises:
        ConnectionFailed, CredentialError: no answer came, and nothing has been sent.
    """
    wanted = _tokens(request, "Upgrade")[0]
    handshake = [
        (name, value)
        for name, value in request.headers.items()
        if name.lower().startswith(_HANDSHAKE)
    ]
    names = {name.lower() for name, _ in handshake}
    kept = [(name, value) for name, value in headers if name.lower() not in names]
    sent = [*kept, ("Connection", "Upgrade"), ("Upgrade", wanted), *handshake]
    response = await upstream.send(request.method, path, sent)
    try:
        connection = response.connection
        if response.status != 101 or connection is None or connection.protocol is None:
            return await answer(request, response, mount)
        came = decoded(response.raw_headers)
        kept = api_headers(came) if mount is None else response_headers(came, mount)
        named = response.headers.get("Upgrade", wanted)
        relay = Relay(
            request,
            101,
            response.reason or "",
            [*kept, ("Connection", "Upgrade"), ("Upgrade", named)],
        )
        relay.start()
        await _join(request.protocol, connection.protocol)
        relay.break_off()
        return relay
    finally:
        give_up(response)


async def _join(browser: Any, app: Any) -> None:
    """Pass on what either side says, until one of them has gone."""
    ended = asyncio.Event()
    to_app, to_browser = _Pipe(browser, app, ended), _Pipe(app, browser, ended)
    try:
        # Both protocols hand what comes to a parser, once they have one.
        browser.set_parser(to_app)
        app.set_parser(to_browser, to_browser)
        if browser.transport is None or app.transport is None:  # gone before it had a parser
            ended.set()
        await ended.wait()
    finally:
        to_app.stop()
        to_browser.stop()


class _Pipe:
    """One direction: what aiohttp takes for a parser of frames."""

    def __init__(self, source: Any, sink: Any, ended: asyncio.Event) -> None:
        self._source = source
        self._sink = sink
        self._ended = ended
        self._writer = StreamWriter(sink, asyncio.get_running_loop())
        self._waits: asyncio.Task[None] | None = None
        if sink.transport is not None:
            sink.transport.set_write_buffer_limits(_ROOM)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Pass on what came."""
        to = self._sink.transport
        if to is None or to.is_closing():
            self._ended.set()
        elif data:
            to.write(data)
            if to.get_write_buffer_size() > _ROOM and self._waits is None:
                self._waits = asyncio.get_running_loop().create_task(self._pause())
        return False, b""

    def feed_eof(self) -> None:
        """The source has ended."""
        self._ended.set()

    def set_exception(self, error: BaseException, cause: BaseException | None = None) -> None:
        """The source has broken off."""
        del error, cause  # whatever it is, it's the end
        self._ended.set()

    def stop(self) -> None:
        """Forget the rest."""
        if self._waits is not None:
            self._waits.cancel()

    async def _pause(self) -> None:
        """Take nothing more until the other side has taken what there is."""
        source = self._source.transport
        if source is not None and not source.is_closing():
            source.pause_reading()
        try:
            await self._writer.drain()
        except ConnectionError:
            self._ended.set()
        self._waits = None
        if source is not None and not source.is_closing():
            source.resume_reading()
