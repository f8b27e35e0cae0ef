"""One GET of one JSON answer through ``http.client``, for commands that do nothing else.

Importing httpx costs more than all the work of ``cluster-info`` or of a completion, so
these two go this way. Everything else uses `client`, and so does this where there is a
proxy to speak to. Same credentials, same errors.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from urllib.parse import urlsplit

from proxyurls.status import (
    CONNECT_SECONDS,
    Patience,
    collected,
    connection_error,
    read_answer,
)
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from typing import Any

    from proxyurls.config import Config

_PIECE = 64 * 1024


def get_json(config: Config, path: str, *, timeout: float | None = None) -> dict[str, Any]:
    """GET an object of the API.

    Args:
        config: where and as whom.
        path: an absolute, encoded path with its query, below the server's own path.
        timeout: seconds that a request may take; None waits for ever.

    Raises:
        ConnectionFailed: no answer came.
        APIStatusError: the answer's status was not 2xx, or it was no JSON object.
        CredentialError: there is no usable credential.
    """
    if config.proxy_url:
        from proxyurls.client import APIClient

        with APIClient(config, timeout=timeout) as client:
            return client.get_json(path)
    credentials = config.credentials()
    patience = Patience(timeout)
    while True:
        sent = credentials.headers()
        status, body, retry_after = _get(config, path, credentials.ssl_context(), sent, timeout)
        if status == http.client.UNAUTHORIZED and credentials.renew(sent):
            sent = credentials.headers()
            status, body, retry_after = _get(config, path, credentials.ssl_context(), sent, timeout)
        if not patience.wait(status, retry_after):
            return read_answer(config.server, status, body)


def _get(
    config: Config,
    path: str,
    context: ssl.SSLContext | None,
    headers: list[tuple[str, str]],
    timeout: float | None,
) -> tuple[int, bytes, str]:
    """Status, body and Retry-After."""
    whole = join(config.base_url, path)
    url = urlsplit(whole)
    # As bytes: as text, it would load the tables of internationalised host names.
    host = (url.hostname or "").encode("ascii")
    port = url.port or (443 if context else 80)
    connection = http.client.HTTPConnection(url.hostname or "", port, timeout=timeout)
    clock = _Clock(timeout)
    connected = begun = False
    answer: http.client.HTTPResponse | None = None
    try:
        connection.sock = socket.create_connection(
            (host, port),  # type: ignore[arg-type]  # bytes are as good
            timeout or CONNECT_SECONDS,
        )
        if context:
            if timeout:
                connection.sock.settimeout(clock.left())
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connected = True
        connection.sock.settimeout(clock.left())
        target = "/" + whole.partition("://")[2].partition("/")[2]  # as it was written
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", url.netloc)
        connection.putheader("Accept", "application/json")
        for name, value in headers:
            connection.putheader(name, value.encode())  # as Go: UTF-8
        connection.endheaders()
        reader = _Reader(connection.sock, clock)
        answer = http.client.HTTPResponse(reader, method="GET")  # type: ignore[arg-type]
        answer.begin()
        reader.in_head = False
        begun = True
        body = collected(config.server, answer.status, _pieces(answer))
        return answer.status, body, answer.headers.get("Retry-After", "")
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a bad chunk
        raise connection_error(config.server, error, connected=connected, begun=begun) from error
    finally:
        if answer is not None:
            answer.close()
        connection.close()


class _Clock:
    """The time that a request may take, if there is a limit."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds; a thousandth where it is over, for 0 would mean not to wait at all."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.001)


class _Reader(io.RawIOBase):
    """What `http.client` reads an answer from.

    It would wait the whole time limit for each byte anew, and takes a head that breaks off for a
    whole one.
    """

    def __init__(self, connection: socket.socket, clock: _Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.in_head = True

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As a socket has it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is."""
        self._connection.settimeout(self._clock.left())
        size = self._connection.recv_into(buffer)
        if not size and self.in_head:
            raise http.client.RemoteDisconnected("the head of the answer broke off")
        return size


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body. `read` with a number does not mind that there is less than was announced."""
    while piece := answer.read(_PIECE):
        yield piece
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
