"""An answer's body on stdout: its bytes as they came, but on a terminal as text.

What an app answers may hold escape sequences that write the clipboard, hide lines or make the
terminal type.
"""

from __future__ import annotations

import codecs
import io
import unicodedata

from proxyurls.cli.parser import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_LAYOUT = "\n\t"


def body_writer(out: TextIO) -> Screen | Raw:
    """What writes an answer's body to stdout, be it a terminal or not."""
    out.flush()
    return Screen(out) if out.isatty() else Raw(out)


class Raw:
    """Writes bytes as they are, at once."""

    def __init__(self, out: TextIO) -> None:
        self._out = out.buffer

    def write(self, chunk: bytes) -> None:
        """Write a piece."""
        self._out.write(chunk)
        self._out.flush()

    def end(self) -> None:
        """Nothing follows."""


class Screen:
    """Writes bytes to a terminal. Every line end becomes a line feed: a bare CR would overwrite.

    Args:
        out: the terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        utf8 = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._at_start = True

    def write(self, chunk: bytes) -> None:
        """Write a piece.

        Raises:
            UsageError: it holds a zero byte, by which curl too knows what is not for a terminal.
        """
        if b"\0" in chunk:
            raise UsageError(
                "the answer is no text, and stdout is a terminal; save it with --save FILE, "
                "or pipe it into something that reads it"
            )
        self._print(self._decoder.decode(chunk))

    def end(self) -> None:
        """Nothing follows: what was half a character is shown, and the line is ended."""
        self._print(self._decoder.decode(b"", final=True))
        if not self._at_start:
            self._print("\n")

    def _print(self, text: str) -> None:
        if text:
            self._at_start = text.endswith("\n")
            self._out.write(escaped(text))
            self._out.flush()


def escaped(text: str) -> str:
    r"""Text with everything but characters, spaces, tabs and line feeds shown by its number.

    >>> escaped("a\x1b[2Jb\n")
    'a\\x1b[2Jb\n'
    """
    return "".join(
        char if _is_shown(char) else char.encode("unicode_escape").decode() for char in text
    )


def _is_shown(char: str) -> bool:
    return char.isprintable() or char in _LAYOUT or unicodedata.category(char) == "Zs"
