"""What a fuzz target is: a function that takes bytes and fails where its invariant doesn't hold.

The first paragraph of its docstring is the invariant, in one sentence.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).with_name("corpus")

TARGETS: dict[str, FuzzTarget] = {}


@dataclass(frozen=True)
class FuzzTarget:
    """A function that is fuzzed.

    Attributes:
        name: also that of its folder below ``corpus/``.
        check: takes any bytes; raises anything where the invariant does not hold.
        tokens: what its grammar is made of, and what has broken such grammars before.
    """

    name: str
    check: Callable[[bytes], None]
    tokens: tuple[bytes, ...]

    @property
    def invariant(self) -> str:
        """What holds for every input, in one sentence."""
        return " ".join((inspect.getdoc(self.check) or "").partition("\n\n")[0].split())

    def corpus(self) -> dict[str, bytes]:
        """The inputs that are kept, by file name: seeds, and whatever once failed."""
        return {path.name: path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())}


def target(
    name: str, *tokens: str | bytes
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Make a function a fuzz target."""

    def register(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
        raw = [one if isinstance(one, bytes) else encoded(one) for one in tokens]
        TARGETS[name] = FuzzTarget(name, check, tuple(raw))
        return check

    return register


def text(data: bytes) -> str:
    """Any bytes as text, lone surrogates among them; `encoded` is the way back."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def encoded(made: str) -> bytes:
    """Text as the bytes that `text` makes it of."""
    return made.encode("utf-8", "surrogatepass")


def must_be_line(error: Exception, longest: int = 4000) -> None:
    """An error's message can be shown as it is: one printable line, and not an endless one."""
    assert str(error).isprintable()
    assert 0 < len(str(error)) <= longest
