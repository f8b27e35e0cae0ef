"""httpx transports by which in-cluster URLs work from anywhere, through the apiserver's proxy.

All that they do is `exchanges`'; here is how threads wait for it, and tasks.
"""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio.to_thread
import httpx

from proxyurls.errors import ConnectionFailed
from proxyurls.exchanges import Exchanges

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from proxyurls.exchanges import Answer
    from proxyurls.undo.page import Page

_FRESH_SECONDS = 5.0  # how long tasks use credentials before a thread looks for newer ones
T = TypeVar("T")


class ClusterTransport(Exchanges[httpx.HTTPTransport, httpx.BaseTransport], httpx.BaseTransport):
    """Sends requests for in-cluster URLs through the apiserver's proxy. Threads may share it.

    In the cluster are the hosts ``NAME.NAMESPACE.svc`` and ``NAME.NAMESPACE.svc.DOMAIN``. The
    client's own ``verify``, ``cert``, ``http2`` and ``limits`` mean nothing to it; with a
    ``proxy`` the client sends nothing by it at all.

    Args:
        config: where the apiserver is and who asks; see `load_config`.
        others: what happens to requests for other hosts. "direct": they go out as they would
            without this transport. "refuse": they are an error. Or a transport for them, which
            is closed with this one.
        domain: the cluster's DNS domain.
        namespaces: those whose services need no ``.svc``: ``NAME.NAMESPACE``, and for the first
            one of them a bare ``NAME``, as for a pod that runs there.
        server_host: send the apiserver's own Host, and not the in-cluster one. Needed behind a
            load balancer that takes no other; the app then sees a host that isn't its own.
        drop_authorization: leave an Authorization header out instead of refusing the request, for
            apps that need no login and libraries that send one all the same.
        credentials: those of the config that something else uses too.
        retries: how often a connection that can't be made is tried again.
        limits: of the connections to the apiserver.

    Raises:
        InvalidTarget: the domain or a namespace can't be one, or `namespaces` is a single text.
        InvalidConfig: `others` is another text than these.

    Requests raise `InvalidRequest`, which is an ``httpx.LocalProtocolError`` too, where they can't
    go through the apiserver; `CredentialError` without a usable credential; and what httpx raises.

    >>> with httpx.Client(transport=ClusterTransport(load_config())) as client:  # doctest: +SKIP
    ...     client.get("http://grafana.monitoring.svc:3000/api/health").json()
    """

    kind = httpx.HTTPTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give its answer, body unread."""
        return _at_once(self._handle(request))

    def close(self) -> None:
        """Close all connections."""
        _at_once(self._close_all())

    async def _send(self, transport: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = transport.handle_request(request)
        return response

    async def _send_by(self, client: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = client.send(request, stream=True, auth=None)
        return response

    async def _read(self, response: httpx.Response) -> bytes:
        return b"".join(response.iter_raw())

    async def _run(self, function: Callable[[], T]) -> T:
        return function()

    async def _close(self, what: Any) -> None:
        what.close()

    def _make_client(self) -> Any:
        return httpx.Client()

    def _body(self, answer: Answer[httpx.HTTPTransport], page: Page | None) -> _Body:
        stream = cast("httpx.SyncByteStream", answer.response.stream)
        return _Body(stream, page, lambda: _at_once(self._give_back(answer.lease)))


class _Body(httpx.SyncByteStream):
    def __init__(
        self, stream: httpx.SyncByteStream, page: Page | None, done: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._page = page
        self._done: Callable[[], None] | None = done

    def __iter__(self) -> Iterator[bytes]:
        page = self._page
        if page is None:
            yield from self._stream
            return
        try:
            for data in self._stream:
                yield from page.feed(data)
            yield page.close()
        except (ConnectionFailed, zlib.error) as error:
            raise httpx.DecodingError(str(error)) from error

    def close(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            try:
                self._stream.close()
            finally:
                done()


class AsyncClusterTransport(
    Exchanges[httpx.AsyncHTTPTransport, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport
):
    """`ClusterTransport` for tasks: it takes the same and does the same.

    Files are read and plugins run in threads.
    """

    kind = httpx.AsyncHTTPTransport
    fresh_seconds = _FRESH_SECONDS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give its answer, body unread."""
        return await self._handle(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._close_all()

    async def _send(self, transport: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await transport.handle_async_request(request)
        return response

    async def _send_by(self, client: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await client.send(request, stream=True, auth=None)
        return response

    async def _read(self, response: httpx.Response) -> bytes:
        return b"".join([data async for data in response.aiter_raw()])

    async def _run(self, function: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)

    async def _close(self, what: Any) -> None:
        await what.aclose()

    def _make_client(self) -> Any:
        return httpx.AsyncClient()

    def _body(self, answer: Answer[httpx.AsyncHTTPTransport], page: Page | None) -> _AsyncBody:
        stream = cast("httpx.AsyncByteStream", answer.response.stream)
        return _AsyncBody(stream, page, partial(self._give_back, answer.lease))


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        page: Page | None,
        done: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._stream = stream
        self._page = page
        self._done: Callable[[], Coroutine[Any, Any, None]] | None = done

    async def __aiter__(self) -> AsyncIterator[bytes]:
        page = self._page
        try:
            async for data in self._stream:
                for piece in (data,) if page is None else page.feed(data):
                    yield piece
            if page is not None:
                yield page.close()
        except (ConnectionFailed, zlib.error) as error:
            raise httpx.DecodingError(str(error)) from error

    async def aclose(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            try:
                await self._stream.aclose()
            finally:
                await done()


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what gives way to no one: its result."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise RuntimeError("it waits for an event loop")
