"""Answers that break off: a connection's transport that stops in the middle."""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.web import RequestHandler

_END = b"\r\n\r\n"
_DELIVERED = 0.05  # seconds after which what was sent has been read: a reset discards the rest


class Break(enum.Enum):
    """How an answer breaks off."""

    RESET = "reset"
    CLOSE = "close"
    STALL = "stall"


def reset(transport: asyncio.Transport | None) -> None:
    """End a connection so that its peer gets a reset."""
    if transport is not None and not transport.is_closing():
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class Cut:
    """Stands in for a transport, and lets one answer pass up to some bytes of its body.

    Args:
        transport: the real one.
        after: how many bytes of the body pass; the chunks' own lines count.
        how: what happens instead of the next one.
    """

    def __init__(self, transport: asyncio.Transport, after: int, how: Break) -> None:
        self.transport = transport
        self._left, self._how = after, how
        self._head: bytes | None = b""  # None once it has passed
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Send some."""
        self.write(b"".join(pieces))

    def write(self, data: bytes) -> None:
        """Send what may pass."""
        if self.broken:
            return
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(_END)
            if not end:
                return
            self.transport.write(head + end)
            self._head = None
        self.transport.write(bytes(data[: self._left]))
        if len(data) > self._left:
            self._break()
        self._left -= len(data)

    def _break(self) -> None:
        self.broken = True
        if self._how is Break.CLOSE:
            self.transport.close()
        elif self._how is Break.RESET:
            asyncio.get_running_loop().call_later(_DELIVERED, reset, self.transport)


def cut(protocol: RequestHandler, after: int, how: Break) -> None:
    """Let the answer that comes next on a connection break off."""
    if protocol.transport is not None:
        protocol.transport = cast("asyncio.Transport", Cut(protocol.transport, after, how))


def mend(protocol: RequestHandler) -> None:
    """Let a connection's next answer pass, where the one before was too short to break off."""
    passing = cast("object", protocol.transport)
    if isinstance(passing, Cut) and not passing.broken:
        protocol.transport = passing.transport
