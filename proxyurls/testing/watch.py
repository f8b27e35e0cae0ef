"""Watches: what happens to the objects of a list, as it happens."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.testing import listing, refusal, resources, selectors, shapes
from proxyurls.testing.refusal import Object, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from proxyurls.testing.call import Call
    from proxyurls.testing.resources import Resource
    from proxyurls.testing.selectors import Test
    from proxyurls.testing.store import Change, Store

_SECONDS = 1800


class _Asked(NamedTuple):
    """What a watch is of."""

    resource: Resource
    namespace: str | None
    tests: list[Test]
    shape: str
    seconds: int

    def chooses(self, item: Object | None) -> bool:
        """Whether an object is there, and the selectors choose it."""
        return item is not None and all(test(item) for test in self.tests)

    def event(self, kind: str, item: Object) -> Object:
        """An event as it is sent."""
        return {"type": kind, "object": shapes.one(self.resource, item, self.shape)}

    def seen(self, change: Change) -> Object | None:
        """What a change looks like to who sees the chosen objects alone; None if it isn't seen."""
        old, new = change.old, change.new
        if new is not None and self.chooses(new):
            return self.event("MODIFIED" if self.chooses(old) else "ADDED", new)
        if old is not None and self.chooses(old):  # the last that was seen of it
            metadata = {**old["metadata"], "resourceVersion": str(change.revision)}
            return self.event("DELETED", {**old, "metadata": metadata})
        return None


def events(
    store: Store, call: Call, query: Mapping[str, str], accept: str
) -> AsyncGenerator[Object, None]:
    """Events of a resource until the time that was asked for is over.

    Raises:
        Refusal: there's no such resource, or the query makes no sense. It is raised by the call
            itself, before anything has been sent.
    """
    resource = resources.find(call.group, call.version, call.plural)
    if resource is None:
        raise refusal.unknown_path()
    asked = _Asked(
        *(resource, call.namespace or None, selectors.tests(query), shapes.shape_of(accept)),
        seconds=listing.number(query, "timeoutSeconds") or _SECONDS,
    )
    since = _revision(query.get("resourceVersion", ""))
    revision = since or store.revision
    there = [] if since else store.at(resource, asked.namespace, revision)
    return _events(store, asked, revision, filter(asked.chooses, there))


def _revision(text: str) -> int:
    if text and not re.fullmatch("[0-9]+", text):
        shown = refusal.quoted(text)
        reason = f"strconv.ParseUint: parsing {shown}: invalid syntax"
        raise Refusal(500, "", f"resourceVersion: Invalid value: {shown}: {reason}")
    return int(text or 0)


async def _events(
    store: Store, asked: _Asked, revision: int, there: Iterable[Object]
) -> AsyncGenerator[Object, None]:
    for item in there:
        yield asked.event("ADDED", item)
    if revision < store.oldest:
        expired = Refusal(410, "Expired", f"too old resource version: {revision}")
        yield {"type": "ERROR", "object": expired.status()}
        return
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    end = loop.time() + asked.seconds

    def tell() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(news.set)

    store.listeners.append(tell)
    try:
        while True:
            for change in store.since(asked.resource, asked.namespace, revision):
                revision = change.revision
                if event := asked.seen(change):
                    yield event
            try:
                await asyncio.wait_for(news.wait(), end - loop.time())
            except asyncio.TimeoutError:
                return
            news.clear()
    finally:
        store.listeners.remove(tell)
