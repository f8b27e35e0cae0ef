"""The proxy: requests go to the upstream, and answers come back."""

from __future__ import annotations

import gzip
import socket
import ssl
import zlib
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from proxyurls.testing import forwarding, html
from proxyurls.testing.protocol import Nothing, Signed
from proxyurls.testing.refusal import Refusal, unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxyurls.testing.location import Location

PRIVATE = ("Cache-Control", "no-cache, private")
_NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Errand(NamedTuple):
    """A request on its way: to where, and as what."""

    location: Location
    address: tuple[str, int]  # what is really dialled
    way: forwarding.Way
    query: str

    @property
    def target(self) -> str:
        """The request target that the upstream gets."""
        path = forwarding.encode(self.way.path or "/")
        return f"{path}?{self.query}" if self.query else path


def headers_of(request: web.BaseRequest) -> forwarding.Headers:
    """A request's headers as they came."""
    return [
        (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        for name, value in request.raw_headers
    ]


def unverified() -> ssl.SSLContext:
    """TLS to an upstream, whose certificate nobody checks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def complaint(error: Exception, location: Location) -> str:
    """What Go says of a failure to reach an upstream."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, ConnectionRefusedError):
        return f"dial tcp {location.host_port}: connect: connection refused"
    if isinstance(cause, ssl.SSLError) and "EOF" not in str(cause):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(cause, (socket.timeout, TimeoutError)):
        return f"dial tcp {location.host_port}: i/o timeout"
    if isinstance(cause, (aiohttp.ServerDisconnectedError, ConnectionError, ssl.SSLError)):
        return "EOF"
    return str(cause)


class Outgoing(aiohttp.ClientRequest):
    """A request to an upstream. A DELETE without a body does not say that it has none."""

    GET_METHODS = aiohttp.ClientRequest.GET_METHODS | {"DELETE"}


class Proxy:
    """Passes requests on. It is made, used and closed in one event loop."""

    def __init__(self) -> None:
        # Each connection is used once: force_close would say so to the upstream, as Go does not.
        connector = aiohttp.TCPConnector(ssl=unverified(), limit=0, keepalive_timeout=0)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=_NOT_OURS,
            max_line_size=1 << 20,
            max_field_size=1 << 20,
            request_class=Outgoing,
        )

    async def close(self) -> None:
        """Close all connections to upstreams."""
        await self._session.close()

    async def pass_on(self, request: web.BaseRequest, errand: Errand) -> web.StreamResponse:
        """Pass one request on.

        Raises:
            Refusal: no answer came.
        """
        location, way = errand.location, errand.way
        if not way.sendable:
            raise unreachable('net/http: invalid header field value for "X-Forwarded-Uri"')
        headers = CIMultiDict(
            forwarding.request_headers(
                *(request.method, headers_of(request), request.remote or "", way.forwarded)
            )
        )
        unzip = request.method != "HEAD" and not {"Accept-Encoding", "Range"} & {
            name.title() for name in headers
        }
        if unzip:
            headers["Accept-Encoding"] = "gzip"
        host, port = errand.address
        url = URL.build(
            scheme=location.scheme,
            host=host,
            port=port,
            path=forwarding.encode(way.path or "/"),
            query_string=errand.query,
            encoded=True,
        )
        body = _body(request) if request.body_exists else None
        try:
            answer = await self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(complaint(error, location)) from None
        async with answer:
            rewriter = html.Rewriter(
                way.prefix, location.host_port, request.headers.get("Host", "")
            )
            return await _bring_back(request, answer, rewriter, unzip=unzip)


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_any():
        yield piece


async def _bring_back(
    request: web.BaseRequest,
    answer: aiohttp.ClientResponse,
    rewriter: html.Rewriter,
    *,
    unzip: bool,
) -> web.StreamResponse:
    pairs = [
        (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        for name, value in answer.raw_headers
    ]
    headers = CIMultiDict([PRIVATE, *forwarding.response_headers(answer.status, pairs)])
    empty = answer.status in (204, 304) or headers.get("Content-Length") == "0"
    zipped = unzip and not empty and headers.get("Content-Encoding") == "gzip"
    if zipped:  # as Go's transport does with what it asked for by itself
        headers.popall("Content-Encoding")
        headers.popall("Content-Length", None)
    kind = Signed if "Server" in headers else web.StreamResponse
    made = kind(status=answer.status, reason=answer.reason, headers=headers)
    try:
        if "Location" in headers:
            made.headers["Location"] = rewriter.link(headers["Location"])
        elif answer.headers.get("Content-Type", "").split(";")[0].strip() == "text/html":
            page = await answer.read()
            page = _unzipped(page, "") if zipped else page
            rewritten = rewrite(page, headers.get("Content-Encoding", ""), rewriter)
            if rewritten is None:
                return _hang_up(request)
            made.headers["Content-Length"] = str(len(rewritten))
            await made.prepare(request)
            if request.method != "HEAD":
                await made.write(rewritten)
            await made.write_eof()
            return made
        unpack = zlib.decompressobj(31) if zipped else None
        await made.prepare(request)
        async for piece in answer.content.iter_any():
            await made.write(unpack.decompress(piece) if unpack else piece)
        await made.write_eof()
    except (aiohttp.ClientPayloadError, zlib.error):
        return _hang_up(request)
    return made


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """End the connection, so that the client sees that the answer is short."""
    if request.transport is not None:
        request.transport.close()
    return Nothing()


def rewrite(page: bytes, encoding: str, rewriter: html.Rewriter) -> bytes | None:
    """A page with its links rewritten; None if the server can't read it and hangs up.

    Raises:
        Refusal: the page is not encoded as it's said to be.
    """
    if encoding == "gzip":
        page = _unzipped(page, "errorf making gzip reader: ")
    elif encoding == "deflate":
        page = _inflated(page)
    elif encoding and page:
        return None
    text = rewriter.document(page.decode("utf-8", "surrogateescape"))
    page = text.encode("utf-8", "surrogateescape")
    if encoding == "gzip":
        return gzip.compress(page)
    if encoding == "deflate":
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(page) + packer.flush()
    return page


def _unzipped(page: bytes, prefix: str) -> bytes:
    """A page that is said to be zipped.

    Raises:
        Refusal: it isn't; ``prefix`` is how the server begins to say so.
    """
    if not page:
        raise Refusal(500, "", f"{prefix}EOF")
    try:
        return gzip.decompress(page)
    except gzip.BadGzipFile:
        raise Refusal(500, "", f"{prefix}gzip: invalid header") from None


def _inflated(page: bytes) -> bytes:
    """A page that is said to be deflated.

    Raises:
        Refusal: it isn't, and where that was seen.
    """
    inflater = zlib.decompressobj(-15)
    made = bytearray()
    for at in range(len(page)):
        try:
            made += inflater.decompress(page[at : at + 1])
        except zlib.error:
            message = f"flate: corrupt input before offset {at + 1}"
            raise Refusal(500, "", message) from None
    if not inflater.eof:
        raise Refusal(500, "", "unexpected EOF")
    return bytes(made)
