"""Watches: what happens to the objects of a list, as it happens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from proxyurls.testing import listing, refusal, resources, selectors, shapes
from proxyurls.testing.refusal import Object, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from proxyurls.testing.call import Call
    from proxyurls.testing.store import Store

_SECONDS = 1800


async def events(
    store: Store, call: Call, query: Mapping[str, str], accept: str
) -> AsyncGenerator[Object, None]:
    """Events of a resource until the time that was asked for is over.

    Raises:
        Refusal: there's no such resource.
    """
    resource = resources.find(call.group, call.version, call.plural)
    if resource is None:
        raise refusal.unknown_path()
    shape = shapes.shape_of(accept)
    namespace = call.namespace or None
    tests = selectors.tests(query)
    revision = listing.number(query, "resourceVersion")
    if not revision:
        revision = store.revision
        for item in store.at(resource, namespace, revision):
            if all(test(item) for test in tests):
                yield {"type": "ADDED", "object": shapes.one(resource, item, shape)}
    elif revision < store.oldest:
        expired = Refusal(410, "Expired", f"too old resource version: {revision}")
        yield {"type": "ERROR", "object": expired.status()}
        return
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    end = loop.time() + (listing.number(query, "timeoutSeconds") or _SECONDS)

    def tell() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(news.set)

    store.listeners.append(tell)
    try:
        while True:
            for change in store.since(resource, namespace, revision):
                revision = change.revision
                if all(test(change.content) for test in tests):
                    item = shapes.one(resource, change.content, shape)
                    yield {"type": change.type, "object": item}
            try:
                await asyncio.wait_for(news.wait(), end - loop.time())
            except asyncio.TimeoutError:
                return
            news.clear()
    finally:
        store.listeners.remove(tell)
