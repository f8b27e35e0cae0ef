"""No input is worth more time than its length: nothing that can be sent takes its square.

Each target gets long inputs that repeat what its grammar is made of. One that is quick at 16 kB is
not slow at 100; one that isn't has to cost about four times as much as its quarter does.
``PROXYURLS_FUZZ_SEED`` chooses other repetitions, ``PROXYURLS_FUZZ_SHAPES`` how many of them.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from .registry import FuzzTarget
from .targets import TARGETS
from .test_corpus import SEED

SHAPES = int(os.environ.get("PROXYURLS_FUZZ_SHAPES", "12"))
SIZE = 16_000
QUICK = 0.02  # seconds of the processor; squared growth makes it 0.8 at 100 kB
LINEAR, ALLOWED = 4, 8  # for four times the size; 16 would be its square


def seconds(fuzzed: FuzzTarget, data: bytes, tries: int) -> float:
    """What an input costs at best."""
    found = []
    for _ in range(tries):
        start = time.process_time()
        fuzzed.check(data)
        found.append(time.process_time() - start)
    return min(found)


def grows(fuzzed: FuzzTarget, shape: tuple[bytes, bytes, bytes]) -> float:
    """How much more a long input costs than its quarter; 0 where it costs next to nothing."""
    head, unit, tail = shape

    def repeated(size: int) -> bytes:
        return head + unit * (size // len(unit)) + tail

    for tries in (1, 3, 9):  # more often where once looks bad: the machine has other work too
        took = seconds(fuzzed, repeated(SIZE), tries)
        growth = took / seconds(fuzzed, repeated(SIZE // LINEAR), tries) if took > QUICK else 0
        if growth < ALLOWED:
            break
    return growth


@pytest.mark.parametrize("fuzzed", TARGETS.values(), ids=TARGETS)
def test_growth(fuzzed: FuzzTarget) -> None:
    """Every token behind every head, and pairs of tokens between others."""
    chance = random.Random(f"{fuzzed.name} {SEED}")
    tokens = [*fuzzed.tokens, b" ", b"\xc2\xa0", b"\0", b"9", b"a", b"\n"]
    # A header's name, say, with each value behind it.
    heads = dict.fromkeys([b"", *(one[: one.index(b": ") + 2] for one in tokens if b": " in one)])
    shapes = [(head, token, tail) for head in heads for token in tokens for tail in (b"", b"x")]
    for _ in range(SHAPES):
        head, one, two, tail = chance.choices(tokens, k=4)
        shapes.append((head, one + chance.choice([b"", two]), chance.choice([b"", tail])))
    for shape in shapes:
        growth = grows(fuzzed, shape)
        assert growth < ALLOWED, f"{growth:.1f} times for {LINEAR} times the size of {shape}"


def test_it_would_notice() -> None:
    """A target whose time grows with the square of the size is told from one that is linear."""

    def squared(data: bytes) -> None:
        for end in range(len(data)):
            data[:end].count(b"x")

    def linear(data: bytes) -> None:
        for _ in range(3000):
            data.count(b"x")

    assert grows(FuzzTarget("squared", squared, ()), (b"", b"x" * 64, b"")) > ALLOWED
    assert grows(FuzzTarget("linear", linear, ()), (b"", b"x", b"")) < ALLOWED
