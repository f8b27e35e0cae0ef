"""Side by side: the contestants take turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Turn = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One line of the table. Our figure divided by theirs, and its limit; or ours alone."""

    work: str
    against: str
    limit: float
    says: str  # the limit in words
    ours: list[float]
    theirs: list[float] = field(default_factory=list)
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """What the verdict is about: of the medians; where there is no other side, ours."""
        return self._divided(statistics.median)

    @property
    def ratio_of_minima(self) -> float:
        """The same of the best runs, which a busy machine disturbs least."""
        return self._divided(min)

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half of the ratios of neighbouring runs."""
        pairs = self.ours
        if self.theirs:
            pairs = [a / b for a, b in zip(self.ours, self.theirs, strict=True)]
        low, _, high = statistics.quantiles(pairs, n=4) if len(pairs) > 1 else pairs * 3
        return low, high

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio <= self.limit

    def _divided(self, of: Callable[[list[float]], float]) -> float:
        return of(self.ours) / of(self.theirs) if self.theirs else of(self.ours)

    def as_dict(self) -> dict[str, object]:
        """As JSON values, single runs included."""
        figures = {"ratio": self.ratio, "ratio_of_minima": self.ratio_of_minima, "met": self.met}
        return {**vars(self), **figures, "spread": self.spread}


def take_turns(contestants: Mapping[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Let each contestant run ``rounds`` times: A B, B A, A B … A first, untimed round warms up."""
    for turn in contestants.values():
        turn()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for at in range(rounds):
        for name in names if at % 2 == 0 else reversed(names):
            taken[name].append(contestants[name]())
    return taken


def in_process(work: Callable[[], object], prepare: Callable[[], object] | None = None) -> Turn:
    """A contestant: the seconds of CPU that ``work`` takes; it waits for nothing."""

    def turn() -> float:
        if prepare:
            prepare()
        gc.collect()
        started = time.process_time()
        work()
        return time.process_time() - started

    return turn
