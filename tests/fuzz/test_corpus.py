"""Each target's invariant, held against its corpus and against some thousands of inputs like it.

``PROXYURLS_FUZZ_SEED`` chooses other inputs, ``PROXYURLS_FUZZ_COUNT`` how many of them; the long
run is ``run.py``, beside this file.
"""

from __future__ import annotations

import os
import random

import pytest

from .mutate import mutate
from .registry import CORPUS, FuzzTarget
from .targets import TARGETS

SEED = os.environ.get("PROXYURLS_FUZZ_SEED", "20261125")
COUNT = int(os.environ.get("PROXYURLS_FUZZ_COUNT", "2000"))


def test_every_target_has_a_corpus() -> None:
    """There is a folder for each target, and no other."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert all(len(one.corpus()) >= 8 for one in TARGETS.values())


@pytest.mark.parametrize("fuzzed", TARGETS.values(), ids=TARGETS)
def test_corpus(fuzzed: FuzzTarget) -> None:
    """What is kept has once failed, or is what the others were made of."""
    for name, data in fuzzed.corpus().items():
        try:
            fuzzed.check(data)
        except Exception as error:
            raise AssertionError(f"{fuzzed.name}/{name}: {fuzzed.invariant}") from error


@pytest.mark.parametrize("fuzzed", TARGETS.values(), ids=TARGETS)
def test_generated(fuzzed: FuzzTarget) -> None:
    """Inputs made of those that are kept, the same for the same seed."""
    chance = random.Random(f"{fuzzed.name} {SEED}")
    known = list(fuzzed.corpus().values())
    for number in range(COUNT):
        data = mutate(chance.choice(known), [*fuzzed.tokens, *known], chance)
        try:
            fuzzed.check(data)
        except Exception as error:
            where = f"{fuzzed.name}, seed {SEED}, input {number}: {data!r}"
            raise AssertionError(f"{where}\n{fuzzed.invariant}") from error
