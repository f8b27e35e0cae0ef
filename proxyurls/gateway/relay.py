"""An answer on its way to the browser, written as it comes: head, body, and how it ends.

aiohttp's own responses would add headers that the app didn't send, and lose bytes of those that
are no UTF-8.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOM = 256 * 1024  # what may wait for a browser that reads slowly, beside what the kernel keeps
_SECONDS = 600.0  # a browser that reads nothing for so long is gone (a paused film may wait)
_NO_BODY = (204, 304)
_NO_BREAKS = dict.fromkeys(map(ord, "\r\n\0"))


class Relay(web.StreamResponse):
    """An answer that has its head already.

    Args:
        request: what is answered.
        status: the status.
        reason: its phrase.
        headers: without those that say where the body ends, but for Content-Length.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        status: int,
        reason: str,
        headers: Iterable[tuple[str, str]],
    ) -> None:
        super().__init__(status=status, reason=reason)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the browser has gone")
        transport.set_write_buffer_limits(_ROOM)
        self._to = transport
        self._request = request
        bodiless = request.method == "HEAD" or status in _NO_BODY
        lines = [f"HTTP/1.1 {status} {reason}"]
        sized = status == 101
        for name, value in headers:
            if name.lower() == "content-length":
                if status == 204:  # RFC 9110, 8.6
                    continue
                sized = True
            lines.append(f"{name}: {value}")
        self._chunked = not sized and not bodiless and request.version >= (1, 1)
        self._until_close = not sized and not bodiless and not self._chunked
        self._keeps = request.keep_alive and not self._until_close
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        if not self._keeps:
            lines.append("Connection: close")
        elif request.version < (1, 1):
            lines.append("Connection: keep-alive")
        text = "\r\n".join(lines)
        breaks = len(lines) - 1
        if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
            # A parser that is lenient has let a line break pass.
            text = "\r\n".join([line.translate(_NO_BREAKS) for line in lines])
        self._head: bytes = f"{text}\r\n\r\n".encode("utf-8", "surrogateescape")

    @property
    def keep_alive(self) -> bool:
        """Whether the connection can take another request."""
        return self._keeps

    @property
    def prepared(self) -> bool:
        """Its head is its own business."""
        return True

    @property
    def started(self) -> bool:
        """Whether anything has been sent."""
        return not self._head

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to be prepared."""

    async def write_eof(self, data: bytes = b"") -> None:
        """`finish` has said it."""

    def start(self) -> None:
        """Send the head, though no body is there yet."""
        self._send(b"")

    async def send(self, data: bytes) -> None:
        """Send a part of the body, and wait while the browser can't take more."""
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._send(data)
        if self._to.get_write_buffer_size() > _ROOM:
            await asyncio.wait_for(self._request.writer.drain(), _SECONDS)

    async def finish(self, data: bytes = b"") -> None:
        """Send the last part of the body, and say that it was the last."""
        if self._chunked:
            size = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            data = size + b"0\r\n\r\n"
        self._send(data)
        if self._to.get_write_buffer_size() > _ROOM:
            await asyncio.wait_for(self._request.writer.drain(), _SECONDS)

    def break_off(self) -> None:
        """End it so that the browser sees that the end is missing."""
        self._keeps = False
        if self._until_close:
            self._to.abort()  # a plain end would look like the body's
        else:
            self._to.close()

    def _send(self, data: bytes) -> None:
        if self._to.is_closing():
            raise ConnectionResetError("the browser has gone")
        if self._head:
            data, self._head = self._head + data, b""
        if data:
            self._to.write(data)
