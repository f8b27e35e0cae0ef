"""Progress on a terminal's stderr: a count while a list is read, a bar while a file comes."""

from __future__ import annotations

import sys
import time

from proxyurls.cli.console import wants_colour

_INTERVAL = 0.2
_BAR = 24
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Line:
    """One line that is written over and over, and cleared at the end. Silent off a terminal."""

    def __init__(self) -> None:
        self._wanted = wants_colour(sys.stderr)
        self._next = 0.0
        self._shown = False

    def show(self, text: str) -> None:
        """Show this text, if the last was shown long enough ago."""
        now = time.monotonic()
        if self._wanted and now >= self._next:
            self._next = now + _INTERVAL
            self._shown = True
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def quiet(self) -> None:
        """Show nothing from now on: the data itself is going to the terminal."""
        self._wanted = False

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._shown = False
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Transfer(Line):
    """The bytes of a download, with their rate.

    Args:
        total: how many there will be, or None where the server does not say.
    """

    def __init__(self, total: int | None) -> None:
        super().__init__()
        self.done = 0
        self.total = total
        self._started = time.monotonic()

    def add(self, count: int) -> None:
        """So many more bytes have come."""
        self.done += count
        rate = self.done / max(time.monotonic() - self._started, 0.001)
        text = f"{size(self.done)}  {size(rate)}/s"
        if self.total:
            share = min(self.done / self.total, 1.0)
            left = round((self.total - self.done) / max(rate, 1))
            bar = ("#" * round(share * _BAR)).ljust(_BAR, ".")
            text = (
                f"[{bar}] {share:4.0%}  {size(self.done)} of {size(self.total)}  "
                f"{size(rate)}/s  {left // 60}:{left % 60:02} left"
            )
        self.show(text)

    def counts(self) -> str:
        """How much of how much has come, in bytes."""
        return f"{self.done} of {self.total} bytes" if self.total else f"{self.done} bytes"


def size(count: float) -> str:
    """A number of bytes for people.

    >>> size(1536)
    '1.5 KiB'
    """
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {_UNITS[-1]}"
