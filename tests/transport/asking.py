"""httpx's two clients with our transports, asked alike."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any

import httpx

from proxyurls import AsyncClusterTransport, ClusterTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxyurls import Config

    Ask = Callable[..., httpx.Response]

NAMESPACE = "transit"
WEB = f"http://web.{NAMESPACE}.svc"
# What a client is made with; all else is a transport's.
_CLIENT = ("base_url", "cookies", "event_hooks", "auth", "follow_redirects", "timeout", "headers")


def by_threads(config: Config, *requests: Any, **options: Any) -> httpx.Response:
    """Send requests, one after the other, by one client, and give the last answer."""
    given = {name: options.pop(name) for name in _CLIENT if name in options}
    with ExitStack() as stack:
        transport = ClusterTransport(config, **options)
        client = stack.enter_context(httpx.Client(transport=transport, **given))
        for method, url, more in map(_request, requests):
            answer = client.request(method, url, **more)
        return answer


def by_tasks(config: Config, *requests: Any, **options: Any) -> httpx.Response:
    """The same by httpx's client for tasks."""
    given = {name: options.pop(name) for name in _CLIENT if name in options}

    async def run() -> httpx.Response:
        async with AsyncExitStack() as stack:
            transport = AsyncClusterTransport(config, **options)
            made = httpx.AsyncClient(transport=transport, **given)
            client = await stack.enter_async_context(made)
            for method, url, more in map(_request, requests):
                answer = await client.request(method, url, **more)
            return answer

    return asyncio.run(run())


def _request(one: Any) -> tuple[str, str, dict[str, Any]]:
    if isinstance(one, str):
        return "GET", one, {}
    method, url, *more = one
    return method, url, more[0] if more else {}


ASKS: dict[str, Ask] = {"threads": by_threads, "tasks": by_tasks}
