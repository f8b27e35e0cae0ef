"""Upstreams: the apps behind the proxy, on threads of the test process.

By default an upstream echoes: the answer is JSON that says what arrived. What else it does,
the request says: with the headers of :func:`reply` it answers just that, and below ``/-/``
there are some ready-made apps (``/-/html``, ``/-/big/BYTES``, ``/-/slow/SECONDS``,
``/-/sse/EVENTS``, ``/-/redirect/STATUS?LOCATION``, ``/-/cut/BYTES`` which promises twice as
much, and ``/-/count`` which tells how long the body was and keeps none of it). A WebSocket
echoes every message.
"""

from __future__ import annotations

import base64
import collections.abc
import contextlib
import hashlib
import http.server
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

HEADER = "X-Reply"
WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
PAGE = b'<html><head><base href="/"></head><body><a href="/d/x">x</a></body></html>'

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Arrived:
    """A request as the upstream saw it."""

    method: str
    target: str  # to the letter
    headers: Headers
    body: bytes = field(repr=False)

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def path(self) -> str:
        """The target up to its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str | None:
        """The target's query, None where there's no question mark."""
        _, mark, query = self.target.partition("?")
        return query if mark else None


def arrived(answer: bytes) -> Arrived:
    """Read what an echoing upstream answered."""
    content = json.loads(answer)
    headers = [(name, value) for name, value in content["headers"]]
    body = base64.b64decode(content["body"])
    return Arrived(content["method"], content["target"], headers, body)


def reply(
    body: bytes = b"",
    *,
    status: int = 200,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
) -> dict[str, str]:
    """Headers of a request that make the upstream answer just this.

    Content-Length is added, and Content-Type only by the one who asks.
    """
    pairs = headers.items() if isinstance(headers, collections.abc.Mapping) else headers
    content = {"status": status, "headers": list(pairs), "body": base64.b64encode(body).decode()}
    return {HEADER: json.dumps(content)}


@cache
def certificate() -> ssl.SSLContext:
    """A server's certificate that nobody has reason to trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("upstream.invalid").configure_cert(context)
    return context


class Upstream:
    """An app on a listening socket, from the ``with`` to its end."""

    def __init__(self, listener: socket.socket, *, tls: bool = False) -> None:
        host, port = listener.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self.requests: list[Arrived] = []
        self._server = _Server(listener, self.requests, certificate() if tls else None)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def last(self) -> Arrived:
        """The request that came last."""
        return self.requests[-1]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, listener: socket.socket, requests: list[Arrived], context: ssl.SSLContext | None
    ) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.requests = requests
        self.context = context

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, client = self.socket.accept()
        if self.context is not None:  # the handshake is left to the connection's own thread
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off, or speaks no TLS, is what some tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(1 << 20)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        # self.path isn't it: http.server collapses slashes at its start
        target = self.raw_requestline.split(b" ")[1].decode("iso-8859-1")
        pieces = self.pieces()
        length = sum(map(len, pieces)) if target == "/-/count" else 0
        seen = Arrived(self.command, target, list(self.headers.items()), b"".join(pieces))
        self.server.requests.append(seen)
        if target == "/-/count":
            self.answer(str(length).encode(), [("Content-Type", "text/plain")])
        elif "websocket" in self.headers.get("Upgrade", "").lower():
            self.websocket()
        elif HEADER in self.headers:
            told = json.loads(self.headers[HEADER])
            self.answer(base64.b64decode(told["body"]), told["headers"], told["status"])
        elif not self.app(*target.partition("?")[::2]):
            self.answer(
                json.dumps(
                    {
                        "method": seen.method,
                        "target": seen.target,
                        "headers": seen.headers,
                        "body": base64.b64encode(seen.body).decode(),
                    }
                ).encode(),
                [("Content-Type", "application/json")],
            )
        self.wfile.flush()

    def pieces(self) -> Iterator[bytes]:
        """The body, piece by piece."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        size = int(self.headers.get("Content-Length", 0))
        while size and (piece := self.rfile.read(min(size, 1 << 20))):
            size -= len(piece)
            yield piece

    def answer(
        self, body: bytes, headers: Iterable[tuple[str, str]] = (), status: int = 200
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def app(self, path: str, query: str) -> bool:
        if not path.startswith("/-/"):
            return False
        name, _, argument = path[3:].partition("/")
        if name == "html":
            self.answer(PAGE, [("Content-Type", "text/html")])
        elif name == "redirect":
            self.answer(b"", [("Location", query)], int(argument or 302))
        elif name == "slow":
            time.sleep(float(argument))
            self.answer(b"at last", [("Content-Type", "text/plain")])
        elif name == "big":
            self.big(int(argument), promised=int(argument))
        elif name == "cut":
            self.big(int(argument), promised=2 * int(argument))
            self.close_connection = True
        elif name == "sse":
            self.events(int(argument))
        else:
            return False
        return True

    def big(self, size: int, *, promised: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        block = bytes(1 << 20)
        while size > 0 and self.command != "HEAD":
            self.wfile.write(block[:size])
            size -= len(block)

    def events(self, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(count if self.command != "HEAD" else 0):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
            time.sleep(0.2)

    def websocket(self) -> None:
        key = self.headers["Sec-Websocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_KEY).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        offered = self.headers.get("Sec-WebSocket-Protocol")
        if offered:  # the last one, so that a test sees who chose
            self.send_header("Sec-WebSocket-Protocol", offered.split(",")[-1].strip())
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while (frame := read_frame(self.rfile)) is not None:
                self.wfile.write(make_frame(frame[1], frame[0]))
                if frame[0] == 8:
                    break


def make_frame(payload: bytes, opcode: int = 1, *, mask: bytes = b"") -> bytes:
    """One WebSocket frame (RFC 6455, 5.2); a client's has a mask."""
    size = len(payload)
    flag = 0x80 if mask else 0
    if size < 126:
        head = bytes([0x80 | opcode, flag | size])
    elif size < 1 << 16:
        head = bytes([0x80 | opcode, flag | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, flag | 127]) + size.to_bytes(8, "big")
    return head + mask + _masked(payload, mask)


def read_frame(stream: Any) -> tuple[int, bytes] | None:
    """Read one frame: its opcode and payload; None at the end."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    size = head[1] & 0x7F
    if size >= 126:
        size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
    mask = stream.read(4) if head[1] & 0x80 else b""
    return head[0] & 0x0F, _masked(stream.read(size), mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return both.to_bytes(len(payload), "big")
