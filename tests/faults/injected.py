"""How each fault of ``table.txt`` is caused."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from .wire import STALL_SECONDS, Act, Fault, Raw

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .wire import Answering, Body, Piece

SHORT = 0.25  # seconds; of requests that get no answer
_DELIVERED = 0.05  # after which what was sent has been read
NEXT_PAGE = "continue="
JSON = "application/json"
LOGIN = b"<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>\n"
LIMIT = 1 << 20  # of an API answer, in these tests
TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # fatal: handshake_failure
HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(40)  # a third of a ServerHello
RECORD = b"\x17\x03\x03\x01\x00" + bytes(range(256))  # application data that nobody encrypted


def in_head(act: Act) -> Answering:
    """Half of the answer's head, then what ``act`` says."""

    async def answer(head: bytes, _: Body) -> AsyncGenerator[Piece, None]:
        yield head[: len(head) // 2]
        yield act

    return answer


def in_body(act: Act | Raw, *, after: int = 40) -> Answering:
    """The head and some of the body; of a chunked one, its first chunk's size and some of that."""

    async def answer(head: bytes, body: Body) -> AsyncGenerator[Piece, None]:
        yield head
        async for piece in body:
            yield piece[:after]
            break
        await asyncio.sleep(_DELIVERED)
        yield act
        yield Act.CUT

    return answer


def before(act: Act) -> Answering:
    """Nothing at all of the answer."""

    async def answer(_: bytes, __: Body) -> AsyncGenerator[Piece, None]:
        yield act

    return answer


def saying(text: bytes) -> Answering:
    """Something that is no HTTP, and the end."""

    async def answer(_: bytes, __: Body) -> AsyncGenerator[Piece, None]:
        yield text
        yield Act.CLOSE

    return answer


def dripping(*, head_too: bool) -> Answering:
    """A byte every 50 ms, which is answer enough to begin the wait anew, and never an end."""

    async def answer(head: bytes, __: Body) -> AsyncGenerator[Piece, None]:
        yield b"HTTP/1.1 200 OK\r\n" if head_too else head
        for _ in range(int(STALL_SECONDS / 0.05)):
            await asyncio.sleep(0.05)
            yield b"X" if head_too else b" "

    return answer


def chunk_size(text: bytes) -> Answering:
    """A chunked answer, one of whose sizes is no number."""

    async def answer(_: bytes, __: Body) -> AsyncGenerator[Piece, None]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        yield b"Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n" + text + b"\r\n"
        yield Act.CLOSE

    return answer


def changed(old: bytes, new: bytes) -> Answering:
    """The real answer in which some bytes are others, as many, wherever they stand."""

    async def answer(head: bytes, body: Body) -> AsyncGenerator[Piece, None]:
        yield head
        whole = b"".join([piece async for piece in body])
        yield whole.replace(old, new)

    return answer


def headed(old: bytes, new: bytes) -> Answering:
    """The real answer with another header."""

    async def answer(head: bytes, body: Body) -> AsyncGenerator[Piece, None]:
        yield head.replace(old, new)
        async for piece in body:
            yield piece

    return answer


def instead(status: str, body: bytes, kind: str = "text/plain", *headers: str) -> Answering:
    """Another answer than the apiserver's, as something between gives it."""

    async def answer(_: bytes, __: Body) -> AsyncGenerator[Piece, None]:
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers]
        if not any(line.startswith(("Content-Length", "Transfer-")) for line in headers):
            lines.append(f"Content-Length: {len(body)}")
        yield ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode() + body

    return answer


def status(code: int, reason: str, message: str, *headers: str) -> Answering:
    """A Status object, as the apiserver words them."""
    content: dict[str, object] = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    content |= {"status": "Failure", "message": message, "reason": reason, "code": code}
    return instead(f"{code} {reason}", json.dumps(content).encode(), JSON, *headers)


def endless(block: bytes = b'{"kind": "ServiceList", "items": [' + b" " * 1000) -> Answering:
    """JSON of which more and more comes, a GiB in all."""

    async def answer(*_: object) -> AsyncGenerator[Piece, None]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        yield b"Transfer-Encoding: chunked\r\n\r\n"
        yield b"%x\r\n%s\r\n" % (len(block), block)
        spaces = b" " * (1 << 16)
        for _number in range((1 << 30) // len(spaces)):
            yield b"%x\r\n%s\r\n" % (len(spaces), spaces)
        yield b"0\r\n\r\n"

    return answer


def long_header() -> Answering:
    """A header line of 2 MB."""
    return instead("200 OK", b"{}", JSON, "X-Filler: " + "x" * 2_000_000)


REFUSED = Fault()  # asked at a port where nobody listens

FAULTS: dict[str, Fault] = {
    "connection refused": REFUSED,
    "connection reset at once": Fault(greeting=(Act.RESET,)),
    "connection closed at once": Fault(greeting=(Act.CUT,)),
    "connection that says nothing": Fault(greeting=(Act.STALL,), limit=SHORT),
    "TLS cut in the handshake": Fault(greeting=(HELLO, Act.CUT)),
    "TLS stalled in the handshake": Fault(greeting=(HELLO, Act.STALL), limit=SHORT),
    "TLS refused": Fault(greeting=(TLS_ALERT, Act.CUT)),
    "http spoken at the https port": Fault(
        greeting=(b"HTTP/1.1 400 Bad Request\r\n\r\nhttp here\n", Act.CUT)
    ),
    "TLS cut before the answer": Fault(before(Act.CUT)),
    "TLS cut in the answer": Fault(in_body(Act.CUT)),
    "TLS garbled": Fault(in_body(Raw(RECORD))),
    "reset before the answer": Fault(before(Act.RESET)),
    "reset in the header": Fault(in_head(Act.RESET)),
    "closed in the header": Fault(in_head(Act.CLOSE)),
    "reset in the body": Fault(in_body(Act.RESET)),
    "closed in the body": Fault(in_body(Act.CLOSE)),
    "reset in a list page": Fault(in_body(Act.RESET, after=900), on=NEXT_PAGE),
    "closed in a list page": Fault(in_body(Act.CLOSE, after=900), on=NEXT_PAGE),
    "a chunk's size garbled": Fault(chunk_size(b"zz")),
    "closed between chunks": Fault(chunk_size(b"")),
    "stall before the answer": Fault(before(Act.STALL), limit=SHORT),
    "stall in the header": Fault(in_head(Act.STALL), limit=SHORT),
    "stall in the body": Fault(in_body(Act.STALL), limit=SHORT),
    "stall in a list page": Fault(in_body(Act.STALL, after=900), on=NEXT_PAGE, limit=SHORT),
    "header that drips": Fault(dripping(head_too=True), limit=SHORT),
    "body that drips": Fault(dripping(head_too=False), limit=SHORT),
    "401 once": Fault(status(401, "Unauthorized", "Unauthorized"), times=1),
    "401 for good": Fault(status(401, "Unauthorized", "Unauthorized")),
    "403": Fault(status(403, "Forbidden", "not for you")),
    "403 in a list page": Fault(status(403, "Forbidden", "not for you"), on=NEXT_PAGE),
    "409": Fault(status(409, "Conflict", "it was changed meanwhile")),
    "410": Fault(status(410, "Expired", "too old resource version")),
    "410 once in a list page": Fault(
        status(410, "Expired", "the continue token is too old"), on=NEXT_PAGE, times=1
    ),
    "410 in every list page": Fault(
        status(410, "Expired", "the continue token is too old"), on=NEXT_PAGE
    ),
    "429 once, Retry-After 0": Fault(
        status(429, "TooManyRequests", "too many requests", "Retry-After: 0"), times=1
    ),
    "429 for good, Retry-After 30": Fault(
        status(429, "TooManyRequests", "too many requests", "Retry-After: 30")
    ),
    "429 without Retry-After": Fault(status(429, "TooManyRequests", "too many requests")),
    "500": Fault(status(500, "InternalError", "etcdserver: leader changed")),
    "503": Fault(status(503, "ServiceUnavailable", "the server is shutting down")),
    "503 once, Retry-After 0": Fault(
        status(503, "ServiceUnavailable", "shutting down", "Retry-After: 0"), times=1
    ),
    "502 of a load balancer": Fault(instead("502 Bad Gateway", LOGIN, "text/html")),
    "login page": Fault(instead("200 OK", LOGIN, "text/html")),
    "redirect to a login page": Fault(
        instead("302 Found", b"", "text/html", "Location: https://login.example/?back=1")
    ),
    "invalid JSON": Fault(instead("200 OK", b'{"kind": "ServiceList", "items": [', JSON)),
    "JSON of another kind": Fault(
        instead("200 OK", b'{"kind": "ServiceList", "items": [{}]}', JSON)
    ),
    "JSON garbled": Fault(changed(b'"metadata":{', b'"mXtadata":{'), proxied=False),
    "1 GiB of JSON": Fault(endless(), proxied=False, limit=1.0),
    "1 GiB announced": Fault(instead("200 OK", b"{", JSON, f"Content-Length: {1 << 30}")),
    "wrong Content-Type": Fault(headed(b"Content-Type: ", b"Content-Type: text/csv; was=")),
    "Content-Length too long": Fault(
        instead("200 OK", b'{"kind": "x"', JSON, "Content-Length: 99")
    ),
    "Content-Length too short": Fault(
        instead("200 OK", b'{"kind": "Service", "metadata": {}}', JSON, "Content-Length: 9")
    ),
    "Content-Length twice": Fault(
        instead("200 OK", b"{}", JSON, "Content-Length: 2", "Content-Length: 3")
    ),
    "Content-Length no number": Fault(instead("200 OK", b"{}", JSON, "Content-Length: two")),
    "not compressed as it says": Fault(instead("200 OK", b"junk", JSON, "Content-Encoding: gzip")),
    "header too long": Fault(long_header()),
    "no HTTP": Fault(saying(b"SSH-2.0-OpenSSH_9.2\r\n")),
}
