"""Requests of tasks to an apiserver's own API: what `client` does for threads.

The connections and the credentials are those of the transport for tasks.
"""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from proxyurls import __version__
from proxyurls.asking import Get
from proxyurls.config.server import is_loopback, split_host
from proxyurls.connections import Verbatim
from proxyurls.errors import APIStatusError
from proxyurls.status import (
    ANSWER_LIMIT,
    CONNECT_SECONDS,
    Patience,
    connection_error,
    phrase,
    read_answer,
    too_long,
)
from proxyurls.transport import AsyncClusterTransport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import TypeVar

    from proxyurls.asking import Items, Steps
    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.exchanges import Material

    T = TypeVar("T")

# httpx limits each step alone. It knows best what it waited for, and so is given the time to say.
_GRACE = 0.1


class AsyncAPIClient(AsyncClusterTransport):
    """A connection to one apiserver, for any number of tasks at once. Close it with ``aclose``.

    Args:
        config: where and as whom.
        timeout: seconds that a request may take; None waits forever, as kubectl does.
        trace: called with a line for each request, as ``kubectl -v=6`` prints them.
        credentials: those of the config that something else uses too.
    """

    def __init__(
        self,
        config: Config,
        *,
        timeout: float | None = None,
        trace: Callable[[str], None] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        super().__init__(config, credentials=credentials)
        self._seconds = timeout
        self._timeout = httpx.Timeout(timeout, connect=timeout or CONNECT_SECONDS).as_dict()
        self._trace = trace
        near = config.disable_compression or is_loopback(split_host(config.base_url)[1])
        self._coding = "identity" if near else "gzip"

    async def get_json(self, path: str, *, accept: str = "application/json") -> dict[str, Any]:
        """GET an object of the API. Waits and tries again where the server is busy and says so.

        Args:
            path: an absolute, encoded path with its query.
            accept: the media type to ask for.

        Raises:
            ClusterError, CredentialError: as for `APIClient.get_json`.
        """
        patience = Patience(self._seconds)
        while True:
            status, after, body = await self._get(path, accept)
            pause = patience.pause(status, after)
            if pause is None:
                return read_answer(self._config.server, status, body)
            await anyio.sleep(pause)

    async def _get(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """The answer's status, Retry-After and body, of a second try where the first was a 401."""
        material = await self._fresh()
        answer = await self._get_once(path, accept, material)
        if answer[0] == HTTPStatus.UNAUTHORIZED:
            renewed = await self._run(partial(self._credentials.renew, material[0]))
            self._material = None
            if renewed:
                answer = await self._get_once(path, accept, await self._fresh())
        return answer

    async def _get_once(self, path: str, accept: str, material: Material) -> tuple[int, str, bytes]:
        given, context = material
        headers = [
            ("User-Agent", f"proxyurls/{__version__}"),
            *(("Accept", accept), ("Accept-Encoding", self._coding)),
            *given,
        ]
        request = httpx.Request(
            "GET",
            self._server,
            headers=[(name.encode(), value.encode()) for name, value in headers],
            extensions={"timeout": self._timeout},
        )
        request.url = Verbatim(self._server, self._root + path)
        lease = await self._borrow(context)
        limit = None if self._seconds is None else self._seconds + _GRACE
        try:
            with anyio.fail_after(limit):
                return await self._whole(lease.pool, request)
        except (httpx.RequestError, TimeoutError) as error:
            cause = httpx.ReadTimeout(str(error)) if isinstance(error, TimeoutError) else error
            server, proxy = self._config.server, self._config.proxy_url
            raise connection_error(server, cause, proxy=proxy) from error
        finally:
            with anyio.CancelScope(shield=True):
                await self._give_back(lease)

    async def _whole(
        self, pool: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> tuple[int, str, bytes]:
        started = time.monotonic()
        response = await pool.handle_async_request(request)
        try:
            status = response.status_code
            if self._trace:
                took = (time.monotonic() - started) * 1000
                url = f"{self._config.base_url}{request.url.raw_path.decode()[len(self._root) :]}"
                self._trace(f"GET {url} {phrase(status)} in {took:.0f} milliseconds")
            chunks, size = [], 0
            async for chunk in response.aiter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if size > ANSWER_LIMIT:
                    raise too_long(self._config.server, status)
            return status, response.headers.get("Retry-After", ""), b"".join(chunks)
        except httpx.RequestError as error:
            server, proxy = self._config.server, self._config.proxy_url
            raise connection_error(server, error, proxy=proxy, begun=True) from error
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()


async def run(client: AsyncAPIClient, steps: Steps[T]) -> T:
    """What `asking.run` does, for tasks."""
    try:
        step = next(steps)
        while True:
            go_on = await _answered(client, step)
            step = go_on(steps)
    except StopIteration as end:
        result: T = end.value
        return result


async def each(client: AsyncAPIClient, items: Items[T]) -> AsyncGenerator[T, None]:
    """What `asking.each` does, for tasks."""
    try:
        step = next(items)
        while True:
            if isinstance(step, Get):
                go_on = await _answered(client, step)
                step = go_on(items)
                del go_on  # it holds a page
            else:
                yield step
                step = next(items)
    except StopIteration:
        pass
    finally:
        items.close()


async def _answered(client: AsyncAPIClient, step: Get) -> methodcaller:
    """How steps go on after a request. (A coroutine can't pass on how they end.)"""
    try:
        return methodcaller("send", await client.get_json(step.path, accept=step.accept))
    except APIStatusError as error:
        return methodcaller("throw", error)
