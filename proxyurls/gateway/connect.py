"""Requests of the gateway to the apiserver: one pool of connections, credentials kept fresh."""

from __future__ import annotations

import asyncio
import base64
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from proxyurls import status
from proxyurls.config.server import mask_password
from proxyurls.errors import ConnectionFailed, CredentialError, InvalidConfig
from proxyurls.gateway.http1 import HEAD_LIMIT, READ_SIZE, Answer, Connections, Sender
from proxyurls.status import connection_error, is_refusal, phrase, read_answer, status_error

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.errors import APIStatusError
    from proxyurls.target import Target

    Pairs = Iterable[tuple[str, str]]

T = TypeVar("T")
Response = aiohttp.ClientResponse | Answer
CONNECT_SECONDS = 10.0  # people wait for a page, kubectl's 30 s are for machines
HANG_SECONDS = 10.0  # a request that waits longer makes us ask whether the apiserver lives
_IDLE_SECONDS = 60.0  # less than the apiserver's own 90 s, so that it's never the one who closes
_FRESH_SECONDS = 5.0  # how long credentials are used before we look for newer ones
_STATUS_LIMIT = 64 * 1024  # a Status object is smaller
# Nothing is added to what the browser sent.
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class NoAnswer(ConnectionFailed):
    """The apiserver is connected to, or should be, and says nothing."""


class Upstream:
    """The apiserver, as the gateway asks it.

    Args:
        config: where and as whom.
        credentials: those of the config, where something else uses them too.

    Raises:
        InvalidConfig: the way to it leads through a SOCKS proxy, which aiohttp does not speak.
    """

    def __init__(self, config: Config, *, credentials: Credentials | None = None) -> None:
        if config.proxy_url and config.proxy_url.startswith("socks"):
            raise InvalidConfig(
                "the gateway can't go through a SOCKS proxy-url; use an http:// or https:// one, "
                "or `proxyurls fetch`, which can"
            )
        self.server = config.server
        self._config = config
        self._base = config.base_url.rstrip("/")
        self.origin = "/".join(self._base.split("/", 3)[:3])
        self._credentials = credentials or config.credentials()
        self._impersonates = bool(config.impersonate)
        self._proxy = _proxy_options(config.proxy_url)
        self._material: tuple[list[tuple[str, str]], ssl.SSLContext | None] | None = None
        self._failure: CredentialError | None = None
        self._looked = float("-inf")
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._hung: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Be ready to ask."""
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        self._connections = Connections(limit=0, keepalive_timeout=_IDLE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=self._connections,
            cookie_jar=aiohttp.DummyCookieJar(),  # an app's cookies are the browser's
            timeout=timeout,
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
            read_bufsize=READ_SIZE,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            trust_env=False,
        )
        self._sender = Sender(self._session, self._base, timeout)
        self._watchdog = self._loop.create_task(self._watch())

    async def close(self) -> None:
        """Close all connections."""
        self._watchdog.cancel()
        await asyncio.wait([self._watchdog])  # it may just be connecting
        await self._session.close()
        await self._connections.end()

    async def send(self, method: str, path: str, headers: Pairs, body: object = None) -> Response:
        """Send a request and give its answer, whatever its status, body unread.

        The apiserver's own 401 renews the credentials; the request is then sent once more if its
        body can be.

        Args:
            method: the HTTP method.
            path: an absolute, encoded path with its query.
            headers: beside the credentials.
            body: bytes, None, or an async iterator of bytes, which can be sent only once.

        Raises:
            ConnectionFailed: no answer came.
            NoAnswer: the apiserver hangs.
            CredentialError: there is no usable credential.
        """
        given, context = await self._fresh()
        kept = [pair for pair in headers if not self._is_own(pair[0])]
        response = await self._send_once(method, path, [*kept, *given], context, body)
        if response.status != HTTPStatus.UNAUTHORIZED:
            return response
        try:
            if not await refused(response, self.server):
                return response
        except BaseException:
            give_up(response)
            raise
        renewed = await in_thread(lambda: self._credentials.renew(given))
        self._looked = float("-inf")
        if not renewed or not (body is None or isinstance(body, bytes)):
            return response
        response.close()
        given, context = await self._fresh()
        return await self._send_once(method, path, [*kept, *given], context, body)

    def _is_own(self, name: str) -> bool:
        """Whether a header is for the config alone: who is to be somebody else, stays it."""
        return self._impersonates and name.lower().startswith("impersonate-")

    async def get_json(self, path: str) -> dict[str, Any]:
        """GET an object of the API.

        Raises:
            ConnectionFailed, CredentialError: as for `send`.
            APIStatusError: as for `APIClient.get_json`.
        """
        headers = [("Accept", "application/json"), ("Accept-Encoding", "identity")]
        response = await self.send("GET", path, headers)
        try:
            body = await asyncio.wait_for(_whole(response, self.server), HANG_SECONDS)
        except asyncio.TimeoutError as error:
            raise NoAnswer(
                f"{self.server} began to answer, and did not end within {HANG_SECONDS:g} seconds",
                causes=("no-answer",),
            ) from error
        except aiohttp.ClientError as error:
            proxy = self._config.proxy_url
            raise connection_error(self.server, error, proxy=proxy, begun=True) from error
        finally:
            give_up(response)
        return read_answer(self.server, response.status, body)

    async def _send_once(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        context: ssl.SSLContext | None,
        body: object,
    ) -> Response:
        task = asyncio.current_task()
        if task is None:  # coroutines run in tasks
            raise RuntimeError("not in a task")
        headers = [(name, _sendable(value)) for name, value in headers]
        self._waiting[task] = self._loop.time()
        try:
            if (body is None or isinstance(body, bytes)) and not self._config.proxy_url:
                return await self._sender.send(method, path, headers, body, context)
            return await self._session.request(
                method,
                URL(self._base + path, encoded=True),
                headers=CIMultiDict(headers),
                data=body,
                allow_redirects=False,
                ssl=context or True,
                **self._proxy,
            )
        except asyncio.CancelledError:
            if task not in self._hung:
                raise
            if hasattr(task, "uncancel"):  # Python 3.11
                task.uncancel()
            raise NoAnswer(
                f"{self.server} is connected, but has said nothing for "
                f"{HANG_SECONDS:g} seconds, to nobody",
                causes=("no-answer",),
            ) from None
        except (aiohttp.ServerTimeoutError, asyncio.TimeoutError) as error:
            raise NoAnswer(
                f"can't reach {self.server}: no connection within {CONNECT_SECONDS:g} seconds",
                causes=("no-connection",),
            ) from error
        except aiohttp.ServerDisconnectedError as error:
            raise ConnectionFailed(
                f"{self.server} closed the connection without an answer; an apiserver does so "
                "when it stops, or when the app behind breaks off",
                causes=("closed", "app-broke-off"),
            ) from error
        except aiohttp.ClientResponseError as error:
            failure = self._bad_answer(error)
        except (aiohttp.ClientError, OSError) as error:
            raise connection_error(self.server, error, proxy=self._config.proxy_url) from error
        finally:
            self._waiting.pop(task, None)
            self._hung.discard(task)
        # Out here it has no cause: aiohttp's error holds the request's headers, credentials too.
        raise failure

    def _bad_answer(self, error: aiohttp.ClientResponseError) -> ConnectionFailed:
        """The error for an answer that is none, or is a proxy's refusal."""
        if not isinstance(error, aiohttp.ClientHttpProxyError):
            return connection_error(self.server, error, proxy=self._config.proxy_url)
        proxy = mask_password(self._config.proxy_url or "")
        return ConnectionFailed(
            f"can't reach {self.server} through the proxy {proxy}: the proxy answered "
            f"{phrase(error.status)}; check proxy-url in the kubeconfig, or HTTPS_PROXY",
            causes=("proxy-refused",),
        )

    async def _fresh(self) -> tuple[list[tuple[str, str]], ssl.SSLContext | None]:
        """Headers and TLS context. Files are read and plugins run in a thread, once for all."""
        if self._loop.time() - self._looked > _FRESH_SECONDS:
            async with self._lock:
                if self._loop.time() - self._looked > _FRESH_SECONDS:
                    try:
                        self._material = await in_thread(self._look)
                        self._failure = None
                    except CredentialError as error:
                        self._failure = error
                    self._looked = self._loop.time()
        if self._failure is not None or self._material is None:
            raise CredentialError(str(self._failure))
        return self._material

    def _look(self) -> tuple[list[tuple[str, str]], ssl.SSLContext | None]:
        return self._credentials.headers(), self._credentials.ssl_context()

    async def _watch(self) -> None:
        """Look after requests that wait. An app may take its time, an apiserver that doesn't
        answer a plain question has none to give.
        """
        while True:
            await asyncio.sleep(HANG_SECONDS / 4)
            since = self._loop.time() - HANG_SECONDS
            if any(began < since for began in self._waiting.values()) and await self._hangs():
                for task, began in list(self._waiting.items()):
                    if began < since:
                        self._hung.add(task)
                        task.cancel()

    async def _hangs(self) -> bool:
        """Whether the apiserver answers nothing at all; any answer will do."""
        given, context = self._material or ([], None)
        try:
            async with self._session.get(
                URL(f"{self._base}/version", encoded=True),
                headers=CIMultiDict(given),
                allow_redirects=False,
                ssl=context or True,
                timeout=aiohttp.ClientTimeout(total=HANG_SECONDS / 2),
                **self._proxy,
            ):
                return False
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return True


def _proxy_options(url: str | None) -> dict[str, Any]:
    """What aiohttp is told of a proxy: its URL without the password, which errors would show."""
    if url is None:
        return {}
    proxy = URL(url)
    if proxy.user is None and proxy.password is None:
        return {"proxy": proxy}
    pair = f"{proxy.user or ''}:{proxy.password or ''}"
    login = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return {"proxy": proxy.with_user(None), "proxy_headers": {"Proxy-Authorization": login}}


async def _whole(response: Response, server: str) -> bytes:
    """The body of an answer of the API.

    Raises:
        APIStatusError: more comes than an apiserver's answer can be.
    """
    if response.content.at_eof():  # it was looked at, and is kept
        return await response.read()
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > status.ANSWER_LIMIT:
            raise status.too_long(server, response.status)
    return b"".join(pieces)


def give_up(response: Response) -> None:
    """Close the connection of an answer that was not read to its end, at once.

    A polite end of TLS would wait for all that the apiserver still has to say.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _sendable(value: str) -> str:
    """A header's value that aiohttp can send: it drops, unasked, bytes that are no UTF-8."""
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def refused(
    response: Response, server: str, target: Target | None = None
) -> APIStatusError | None:
    """What the apiserver itself said, if it was not the app that answered.

    Args:
        response: an answer, its body unread; it can be read afterwards.
        server: the apiserver's URL, for the message.
        target: whom it was to proxy to, likewise.

    Raises:
        ConnectionFailed: the answer broke off.
    """
    length = response.content_length
    if response.status < 400 or response.content_type != "application/json":
        return None
    if not length or length > _STATUS_LIMIT:
        return None
    try:
        body = await response.read()  # which the response keeps
    except aiohttp.ClientError as error:
        raise connection_error(server, error, begun=True) from error
    if not is_refusal(response.status, body, sure=True):
        return None
    return status_error(server, response.status, body, target=target)


async def in_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread that no exit waits for: a plugin may ask a person.

    Args:
        function: what to run; what it raises is raised here.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    # Not the future's result: asyncio's debug mode logs results, and these are credentials.
    values: list[T] = []

    def tell(error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            values.append(function())
        except BaseException as error:  # noqa: BLE001  (handed on)
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, failure)

    threading.Thread(target=run, name="proxyurls-credentials", daemon=True).start()
    await done
    return values[0]
