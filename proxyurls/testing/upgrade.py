"""Upgrades: WebSockets and whatever else leaves HTTP, as bytes that pass both ways."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from proxyurls.testing import forwarding, proxy
from proxyurls.testing.protocol import Nothing, Protocol
from proxyurls.testing.refusal import Refusal, undialled

if TYPE_CHECKING:
    from aiohttp import web

_BUFFER = 1 << 20
_PATIENCE = 10.0  # for the body of an answer that is no upgrade
_BROKEN = (
    asyncio.TimeoutError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
    ValueError,
)


async def pass_on(request: web.BaseRequest, errand: proxy.Errand) -> web.StreamResponse:
    """Pass on a request for another protocol, and then all that follows.

    Raises:
        Refusal: the upstream gave no answer, or one that makes no sense.
    """
    protocol = cast("Protocol", request.protocol)
    early: list[bytes] = []
    protocol.tunnel = early.append
    context = proxy.unverified() if errand.location.scheme == "https" else None
    host, port = errand.address
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
    except OSError as error:
        protocol.tunnel = None
        raise undialled(proxy.complaint(error, errand.location)) from None
    try:
        return await _exchange(request, protocol, errand, reader, writer, early=early)
    finally:
        writer.close()


async def _exchange(
    request: web.BaseRequest,
    protocol: Protocol,
    errand: proxy.Errand,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    early: list[bytes],
) -> web.StreamResponse:
    headers = forwarding.request_headers(
        *(request.method, proxy.headers_of(request), request.remote or "", None)
    )
    lines = [f"{request.method} {errand.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(None, 2)[1])
    except (asyncio.IncompleteReadError, OSError, ValueError, IndexError):
        protocol.tunnel = None
        raise Refusal(500, "", "unexpected EOF") from None
    if status != 101 and status < 400:
        protocol.tunnel = None
        raise Refusal(500, "", f"invalid upgrade response: status code {status}")
    transport = cast("asyncio.Transport", request.transport)
    transport.write(head if status == 101 else _respelt(head))
    if status == 101:
        for data in early:
            writer.write(data)
        protocol.tunnel = writer.write
        await _pump(reader, transport)  # a client that goes cancels it
    else:
        with contextlib.suppress(*_BROKEN):  # the client sees that it ends too early
            await asyncio.wait_for(_pass_refusal(head, reader, transport), _PATIENCE)
    transport.close()
    return Nothing()


def _respelt(head: bytes) -> bytes:
    """The head of a refusal as Go writes it anew: its names in their usual spelling, no Trailer."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":")[::2] for line in lines if line]
    kept = [(forwarding.canonical(name), value) for name, value in pairs]
    text = "".join(f"{name}:{value}\r\n" for name, value in kept if name != "Trailer")
    return f"{first}\r\n{text}\r\n".encode("latin-1")


async def _pass_refusal(
    head: bytes, reader: asyncio.StreamReader, transport: asyncio.Transport
) -> None:
    """Pass on the body of a refusal to its end, or (where it does not say) the connection's.

    Raises:
        IncompleteReadError: it broke off.
        LimitOverrunError: a chunk's first line is too long.
        ValueError: it isn't framed as its head says.
    """
    lines = (line.partition(b":")[::2] for line in head.lower().split(b"\r\n"))
    said = {name: value.strip() for name, value in lines}
    if said.get(b"transfer-encoding") != b"chunked":
        length = said.get(b"content-length")
        await _pump(reader, transport, None if length is None else int(length))
        return
    size = None
    while size != 0:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        transport.write(line + (await reader.readexactly(size + 2) if size else b""))
    while line != b"\r\n":  # its trailers
        line = await reader.readuntil(b"\r\n")
        transport.write(line)


async def _pump(
    reader: asyncio.StreamReader, transport: asyncio.Transport, length: int | None = None
) -> None:
    """Pass on what the upstream says until its end, or the body's."""
    left = 1 << 62 if length is None else length
    while left > 0 and (data := await reader.read(min(left, 65536))):
        transport.write(data)
        left -= len(data)
        # asyncio lets the transport's own protocol alone know when it has room
        while transport.get_write_buffer_size() > _BUFFER:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
