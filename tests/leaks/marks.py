"""Marked secrets, and the search for them: whole or in pieces, in whatever spelling."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shortened secret is one too: reprlib keeps both ends of a long text.
PIECE = 11


def mark(name: str) -> str:
    """A secret of letters and digits that stands nowhere else."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()[:40]


def spellings(text: str) -> Iterator[str]:
    """A secret as it may be written."""
    raw = text.encode()
    yield text
    for shift in range(3):  # in base64 it looks different behind one and two other bytes
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        inner = coded[4 if shift else 0 : len(coded) // 4 * 4 - 4]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
    for template in ("{:02x}", "{:02X}", "%{:02x}", "%{:02X}", "\\x{:02x}", "\\u{:04x}", "&#{};"):
        yield "".join(template.format(byte) for byte in raw)


class Search:
    """Looks for marked secrets in texts.

    Args:
        secrets: what is secret, by the name to report. A key is many lines of text.
        public: what is none, though it has pieces in common (a certificate beside its key).
    """

    def __init__(self, secrets: dict[str, str], *, public: str = "") -> None:
        self.secrets = dict(secrets)
        self._public = public

    def also(self, **secrets: str) -> Search:
        """The same search for more secrets."""
        return Search({**self.secrets, **secrets}, public=self._public)

    @cached_property
    def _pieces(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, secret in self.secrets.items():
            for line in _lines(secret):
                assert len(line) > PIECE, f"{name} is too short to be found"
                for text in spellings(line):
                    found.update(dict.fromkeys(_windows(text), name))
        for line in _lines(self._public):
            for text in spellings(line):
                for piece in _windows(text):
                    found.pop(piece, None)
        return found

    def names(self, text: str | bytes, *, allowed: frozenset[str] = frozenset()) -> set[str]:
        """The names of the secrets in a text, but for those allowed there."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        pieces = self._pieces
        return {pieces[piece] for piece in _windows(text) if piece in pieces} - allowed


def _lines(text: str) -> list[str]:
    """The lines of a text that say something."""
    return [line for line in text.splitlines() if not line.startswith("-----")]


def _windows(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))
