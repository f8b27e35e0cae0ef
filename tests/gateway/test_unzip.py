"""A compressed page on its way: unzipped piece by piece, and never whole where it isn't."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, cast

import pytest

from proxyurls.errors import ConnectionFailed
from proxyurls.gateway import forward
from proxyurls.undo.page import UNZIPPED
from proxyurls.undo.unprefix import Mount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxyurls.gateway.connect import Response

MOUNT = Mount("/api/v1/namespaces/n/services/s/proxy", "h", "http://h")


class Zipped:
    """An answer with a compressed page, in pieces."""

    headers = {"Content-Encoding": "gzip"}  # noqa: RUF012  (nobody changes it)
    content_length = None

    def __init__(self, body: bytes, size: int = 1000) -> None:
        self.pieces = [body[at : at + size] for at in range(0, len(body), size)]
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


def pieces(answer: Zipped) -> list[bytes]:
    async def collect() -> list[bytes]:
        found = forward._unprefixed(cast("Response", answer), MOUNT)
        return [piece async for piece in found]

    return asyncio.run(collect())


def test_whole() -> None:
    page = b'<a href="/api/v1/namespaces/n/services/s/proxy/x">' * 2000
    assert b"".join(pieces(Zipped(gzip.compress(page)))) == b'<a href="/x">' * 2000


def test_broken_off() -> None:
    """It ends with an error, though all that came could be read."""
    body = gzip.compress(b"<p>" * 2000)
    for kept in (len(body) - 1, len(body) - 8, len(body) // 2):
        with pytest.raises(ConnectionFailed, match="broke off"):
            pieces(Zipped(body[:kept]))


def test_a_bomb() -> None:
    """However much a few bytes hold, little is held at a time."""
    found = pieces(Zipped(gzip.compress(bytes(50 << 20)), size=1 << 20))
    assert sum(map(len, found)) == 50 << 20
    assert max(map(len, found)) <= UNZIPPED + 64 * 1024
