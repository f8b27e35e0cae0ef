"""One HTTP exchange over a connection that is there already, without any credential."""

from __future__ import annotations

import http.client
import time

from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_BODY_LIMIT = 64 * 1024


class Said(Record):
    """An answer.

    Attributes:
        status: its status.
        headers: found under any case.
        body: its beginning, 64 KiB at most.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    connection: socket.socket, method: str, target: str, headers: Mapping[str, str], seconds: float
) -> Said:
    """Send a request without a body, and read the answer.

    Args:
        connection: to the server or to a proxy; it stays open.
        method: the HTTP method. The answer to CONNECT is read as far as its head.
        target: the request target as it is sent.
        headers: to send.
        seconds: how long a read, and the body as a whole, may take.

    Raises:
        OSError, http.client.HTTPException: no answer came, or it's no HTTP.
    """
    connection.settimeout(seconds)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode())
    answer = http.client.HTTPResponse(connection, method=method)
    try:
        answer.begin()
        body = b"" if method == "CONNECT" else _read(answer, time.monotonic() + seconds)
        return Said(answer.status, answer.headers, body)  # type: ignore[arg-type]
    finally:
        answer.close()


def _read(answer: http.client.HTTPResponse, end: float) -> bytes:
    body = b""
    while len(body) < _BODY_LIMIT and time.monotonic() < end:
        piece = answer.read1(_BODY_LIMIT)
        if not piece:
            break
        body += piece
    return body
