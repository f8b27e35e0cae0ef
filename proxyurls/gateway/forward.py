"""One exchange: a browser's request to the apiserver, and its answer back, both as streams."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

import aiohttp

from proxyurls.errors import ConnectionFailed
from proxyurls.gateway.connect import give_up, refused
from proxyurls.gateway.headers import api_answer, response_headers
from proxyurls.gateway.relay import Relay
from proxyurls.undo.headers import decoded, is_rewritten
from proxyurls.undo.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from aiohttp import web

    from proxyurls.errors import APIStatusError
    from proxyurls.gateway.connect import Response, Upstream
    from proxyurls.target import Target
    from proxyurls.undo.unprefix import Mount

    Pairs = Iterable[tuple[str, str]]
    Refusal = Callable[[APIStatusError, int], web.StreamResponse]

_REPLAYABLE = 64 * 1024  # a body that is kept, so that it can be sent twice
_SHORT = 256 * 1024  # a page that is written in one go
_BODY_SECONDS = 120.0  # between two pieces of a request's body


class BodyTooSlow(Exception):
    """The browser stopped in the middle of a request's body."""


async def exchange(
    request: web.BaseRequest,
    upstream: Upstream,
    path: str,
    headers: Pairs,
    mount: Mount | None,
    *,
    target: Target | None = None,
    refusal: Refusal | None = None,
) -> web.StreamResponse:
    """Send a request on, and its answer back.

    Args:
        request: the browser's.
        upstream: the apiserver.
        path: an absolute, encoded path with its query.
        headers: what to send beside the credentials.
        mount: where the app stands; None for the API itself, whose answers are left alone.
        target: the app, for the words of a refusal.
        refusal: makes the answer where it was the apiserver that refused; None to pass that on.

    Raises:
        BodyTooSlow: the browser sent no more of the request, and nothing has been sent back.
        ConnectionFailed, CredentialError: no answer came, and nothing has been sent back.
    """
    stalled = asyncio.Event()
    try:
        body = await _body(request, stalled)
        response = await upstream.send(request.method, path, headers, body)
        try:
            error = None if refusal is None else await refused(response, upstream.server, target)
            if refusal is not None and error is not None:
                return refusal(error, response.status)
            return await answer(request, response, mount)
        finally:
            give_up(response)  # it's back in the pool already, if it was read to its end
    except ConnectionFailed as error:
        if stalled.is_set():  # inside aiohttp's writer, which makes a broken connection of it
            raise BodyTooSlow from error
        raise


async def answer(
    request: web.BaseRequest, response: Response, mount: Mount | None
) -> web.StreamResponse:
    """Pass an answer on.

    Args:
        request: the browser's request.
        response: the apiserver's answer, its body unread.
        mount: as for `exchange`.
    """
    came = decoded(response.raw_headers)
    rewritten = mount is not None and is_rewritten(came)
    headers = api_answer(came) if mount is None else response_headers(came, mount)
    relay = Relay(request, response.status, response.reason or "", headers)
    bodiless = request.method == "HEAD" or response.status in (204, 304)
    try:
        if mount is not None and rewritten and not bodiless:
            pieces = _unprefixed(response, mount)
            if _is_short(response):
                await relay.finish(b"".join([piece async for piece in pieces]))
            else:
                async for piece in pieces:
                    await relay.send(piece)
                await relay.finish()
        elif response.content.is_eof():  # all is there: one write for all
            await relay.finish(await response.read())
        else:
            await _stream(response, relay)
    except (aiohttp.ClientError, ConnectionFailed, zlib.error) as error:
        if not relay.started:
            raise ConnectionFailed(
                "the answer broke off before its first byte", causes=("app-broke-off",)
            ) from error
        relay.break_off()
    except (ConnectionResetError, asyncio.TimeoutError):  # the browser left, or reads no more
        relay.break_off()
    return relay


async def _stream(response: Response, relay: Relay) -> None:
    content = response.content
    relay.start()
    while True:
        piece = await content.readany()
        if not piece:
            break
        await relay.send(piece)
    await relay.finish()


async def _unprefixed(response: Response, mount: Mount) -> AsyncIterator[bytes]:
    """The pieces of a page with its own links, unzipped: the browser is on this machine."""
    page = Page(mount, response.headers.get("Content-Encoding", ""))
    async for chunk in _chunks(response):
        for piece in page.feed(chunk):
            yield piece
    rest = page.close()
    if rest:
        yield rest


async def _chunks(response: Response) -> AsyncIterator[bytes]:
    if _is_short(response):
        yield await response.read()
        return
    async for piece in response.content.iter_any():
        yield piece


def _is_short(response: Response) -> bool:
    """Whether a page is taken as a whole. The apiserver had it whole, so this delays nothing."""
    length = response.content_length
    return length is not None and length <= _SHORT and "Content-Encoding" not in response.headers


async def _body(request: web.BaseRequest, stalled: asyncio.Event) -> object:
    """A request's body: bytes if it is small, which can be sent again, or else the stream."""
    if not request.body_exists:
        return None
    length = request.content_length
    if length is None or length > _REPLAYABLE:
        return _pieces(request, stalled)
    return b"".join([piece async for piece in _pieces(request, stalled)])


async def _pieces(request: web.BaseRequest, stalled: asyncio.Event) -> AsyncIterator[bytes]:
    """A request's body as it comes; sets `stalled` before it raises `BodyTooSlow`."""
    content = request.content
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    while not content.at_eof():
        try:
            piece = await asyncio.wait_for(content.readany(), _BODY_SECONDS)
        except asyncio.TimeoutError:
            stalled.set()
            raise BodyTooSlow from None
        if piece:
            yield piece
