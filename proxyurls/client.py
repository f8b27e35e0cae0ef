"""Requests to an apiserver through httpx, with its credentials and our errors.

The request target is sent as it was built: httpx would resolve dot segments and quote once more.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy

import httpx

from proxyurls import __version__
from proxyurls.config.server import is_loopback, split_host
from proxyurls.connections import Verbatim, open_pool, request_target
from proxyurls.errors import ConnectionFailed, InvalidURL
from proxyurls.status import (
    CONNECT_SECONDS,
    Patience,
    collected,
    connection_error,
    phrase,
    read_answer,
)
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Any, BinaryIO

    from typing_extensions import Self

    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials

_UPLOAD_CHUNK = 256 * 1024
_LONGEST_SURE = 16_000  # characters of a path that httpx takes for sure: its limit is 65,536


class APIClient:
    """A connection to one apiserver, for one thread at a time. Close it, or use it in a ``with``.

    Args:
        config: where and as whom.
        timeout: seconds that a request may take; None waits forever, as kubectl does.
        trace: called with a line for each request, as ``kubectl -v=6`` prints them.
        credentials: those of the config that something else uses too: a plugin is then run for
            both at once.
    """

    def __init__(
        self,
        config: Config,
        *,
        timeout: float | None = None,
        trace: Callable[[str], None] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.config = config
        self._base_url = config.base_url
        self._credentials = credentials or config.credentials()
        self._seconds = timeout
        self._clock = _Clock(timeout)
        self._timeout = httpx.Timeout(timeout, connect=timeout or CONNECT_SECONDS)
        self._trace = trace
        self._pool: httpx.Client | None = None
        self._context: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        if self._pool:
            self._pool.close()
            self._pool = None

    def get_json(self, path: str, *, accept: str = "application/json") -> dict[str, Any]:
        """GET an object of the API. Waits and tries again where the server is busy and says so.

        Args:
            path: an absolute, encoded path with its query.
            accept: the media type to ask for.

        Raises:
            ConnectionFailed: no answer came.
            APIStatusError: the answer's status was not 2xx, or it was no JSON object.
            CredentialError: there is no usable credential.
        """
        headers = [("Accept", accept)]
        # On this machine itself (a kubectl proxy) nothing is gained by compression.
        if self.config.disable_compression or is_loopback(split_host(self._base_url)[1]):
            headers.append(("Accept-Encoding", "identity"))
        patience = Patience(self._seconds)
        while True:
            with self.stream("GET", path, headers=headers) as response:
                # Not read(): httpx's answers live in cycles, and would keep their bodies too.
                chunks = self.limited(response.iter_bytes())
                body = collected(self.config.server, response.status_code, chunks)
            if not patience.wait(response.status_code, response.headers.get("Retry-After", "")):
                return read_answer(self.config.server, response.status_code, body)

    def limited(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks of the answer to the latest request, as long as its time lasts.

        Args:
            chunks: what ``iter_raw`` or ``iter_bytes`` of the response gives.

        Raises:
            httpx.ReadTimeout: the request as a whole takes longer than the client's timeout.
        """
        clock = self._clock
        try:
            for chunk in chunks:
                if clock.is_over():
                    raise httpx.ReadTimeout(f"not whole within {self._seconds:g} seconds")
                yield chunk
        except httpx.TransportError as error:
            if clock.is_over():  # and so it ended the connection
                raise httpx.ReadTimeout(str(error)) from error
            raise

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | BinaryIO | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a request and give its answer, whatever its status, body unread.

        A 401 renews the credentials once and is tried again once, if the body can be sent again.

        Args:
            method: the HTTP method.
            path: an absolute, encoded path with its query, sent as it is.
            headers: beside the credentials.
            body: bytes, or a binary file that is read as it is sent.

        Raises:
            ConnectionFailed: no answer came, or it broke off.
            CredentialError: there is no usable credential.
        """
        response: httpx.Response | None = None
        try:
            response = self._send(method, path, headers, body)
            yield response
        except httpx.InvalidURL as error:
            if len(path) < _LONGEST_SURE:  # httpx looks where a redirect leads, though not followed
                raise ConnectionFailed(
                    f"{self.config.server} answered with a redirect to what is no http URL; "
                    "it is the app that has to mend that",
                    causes=("app-answered",),
                ) from error
            # All else was checked: it is longer than httpx allows.
            raise InvalidURL(f"the URL has {len(path)} characters, too many to send") from error
        except httpx.RequestError as error:
            proxy, cause = self.config.proxy_url, error
            if self._clock.is_over() and not isinstance(error, httpx.TimeoutException):
                cause = httpx.ReadTimeout(str(error))
            begun = response is not None
            raise connection_error(self.config.server, cause, proxy=proxy, begun=begun) from error
        finally:
            self._clock.stop()
            if response is not None:
                response.close()

    def _send(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | BinaryIO | None,
    ) -> httpx.Response:
        sent = self._credentials.headers()
        response = self._send_once(method, path, [*headers, *sent], body)
        replayable = body is None or isinstance(body, bytes)
        if (
            response.status_code == HTTPStatus.UNAUTHORIZED
            and replayable
            and self._credentials.renew(sent)
        ):
            response.close()
            again = [*headers, *self._credentials.headers()]
            response = self._send_once(method, path, again, body)
        return response

    def _send_once(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes | BinaryIO | None,
    ) -> httpx.Response:
        pool = self._current_pool()
        url = join(self._base_url, path.partition("#")[0])
        # As Go sends them: UTF-8, which impersonated names may need.
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        content = body if body is None or isinstance(body, bytes) else _chunks(body)
        self._clock.stop()
        self._clock = clock = _Clock(self._seconds, self._clock.connection)
        request = pool.build_request(
            method,
            url,
            headers=encoded,
            content=content,
            timeout=self._timeout,
            extensions={"trace": clock.note},
        )
        request.url = Verbatim(url, request_target(url))
        clock.start()
        response = pool.send(request, stream=True)
        if self._trace:
            took = (time.monotonic() - clock.started) * 1000
            self._trace(f"{method} {url} {phrase(response.status_code)} in {took:.0f} milliseconds")
        return response

    def _current_pool(self) -> httpx.Client:
        context = self._credentials.ssl_context()
        if self._pool is None or context is not self._context:
            self.close()
            self._context = context
            self._pool = httpx.Client(
                transport=open_pool(httpx.HTTPTransport, self.config, context),
                trust_env=False,  # netrc is no kubeconfig
                headers={"User-Agent": f"proxyurls/{__version__}"},
            )
            # An app's cookie would go to every other app: they all share the server's host.
            self._pool.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return self._pool


class _Clock:
    """Ends a connection when the time of its request is over.

    httpx limits each read alone, and would wait for ever for an answer of which a byte comes now
    and then.

    Args:
        seconds: how long; None for ever.
        connection: the one that may be used again. (A client sends one request after the other.)
    """

    def __init__(self, seconds: float | None, connection: socket.socket | None = None) -> None:
        self.started = 0.0
        self.connection = connection
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._end) if seconds else None

    def start(self) -> None:
        """The request begins."""
        self.started = time.monotonic()
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """It has ended."""
        if self._timer:
            self._timer.cancel()

    def is_over(self) -> bool:
        """Whether it has taken too long."""
        return bool(self._seconds) and time.monotonic() - self.started > (self._seconds or 0)

    def note(self, _event: str, info: dict[str, Any]) -> None:
        """Know the connection: httpcore's ``trace`` tells of those that are made."""
        look = getattr(info.get("return_value"), "get_extra_info", None)
        if look:
            self.connection = look("socket")

    def _end(self) -> None:
        if self.connection is not None:
            # Wakes the thread that reads. The plain socket's method: that of a TLS socket would
            # take the session away from under the reader.
            with suppress(OSError):  # it's closed already
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    # read1: what a pipe has is sent when it is there, not when a whole chunk has come.
    read = getattr(file, "read1", file.read)
    while chunk := read(_UPLOAD_CHUNK):
        yield chunk
