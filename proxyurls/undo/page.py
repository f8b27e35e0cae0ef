"""A page's body on its way: unzipped, its links as the app wrote them, never whole in memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from proxyurls.errors import ConnectionFailed
from proxyurls.undo.unprefix import HTMLUnprefixer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxyurls.undo.unprefix import Mount

UNZIPPED = 256 * 1024  # at a time, however much a few bytes may hold


class Page:
    """The body of an answer that `headers.is_rewritten`.

    Args:
        mount: where the app stands.
        coding: the answer's Content-Encoding.

    Raises:
        ConnectionFailed: there is no reading it, since nobody asked for such a coding.
    """

    def __init__(self, mount: Mount, coding: str) -> None:
        coding = coding.lower()
        if coding not in ("identity", "gzip", ""):
            raise ConnectionFailed(f"a page came as {coding!r}, which nobody asked for")
        self._links = HTMLUnprefixer(mount)
        self._unzip = zlib.decompressobj(wbits=31) if coding == "gzip" else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes as they came, and give those that are certain by now.

        Raises:
            zlib.error: they are no gzip.
        """
        rest = data
        while rest:
            if self._unzip is None:
                data, rest = rest, b""
            else:
                data = self._unzip.decompress(rest, UNZIPPED)
                rest = self._unzip.unconsumed_tail
            plain = self._links.feed(data)
            if plain:
                yield plain

    def close(self) -> bytes:
        """The rest, when all has come.

        Raises:
            ConnectionFailed: not all has come.
        """
        if self._unzip is not None and not self._unzip.eof:
            raise ConnectionFailed("a compressed page broke off")
        return self._links.close()
