"""The benchmarks that need no other process still run. What they measure isn't looked at."""

from __future__ import annotations

import warnings

import pytest

from . import bench_core
from .table import HEADERS, machine, render
from .timing import Row, take_turns


def test_the_table_has_a_line_for_each_row() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the official client's own
        pytest.importorskip("kubernetes")
    rows = [*bench_core.build(2, 5), *bench_core.parse(2, 50)]
    header, ruler, *lines = render(rows).splitlines()
    assert len(lines) == len(rows) >= 5
    for line in (header, ruler, *lines):
        assert line.count(" | ") == len(HEADERS) - 1
    assert all(("| met |" in line) != ("| **missed** |" in line) for line in lines)


def test_what_is_measured_is_distinct_and_is_what_it_says() -> None:
    assert len(set(bench_core.urls(10_000))) == 10_000
    targets = bench_core.services([*bench_core.SHAPES, *bench_core.TO_ENCODE], 500)
    built = bench_core.build_ours(targets)
    assert built == bench_core.build_bare(targets)
    assert len(set(built)) == 500


def test_contestants_take_turns() -> None:
    order = []

    def contestant(name: str) -> float:
        order.append(name)
        return 1.0

    taken = take_turns({"a": lambda: contestant("a"), "b": lambda: contestant("b")}, 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert taken == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_a_row_is_judged_by_the_ratio_of_its_medians() -> None:
    row = Row("work", "other", 0.5, "half", [1.0, 1.0, 9.0], [2.0, 2.0, 2.0])
    assert (row.ratio, row.ratio_of_minima, row.met) == (0.5, 0.5, True)
    alone = Row("peak", "", 45.0, "45 MiB or less", [46.0, 46.0], unit="MiB")
    assert not alone.met
    assert "46.0 MiB" in render([alone])


def test_the_machine_is_told() -> None:
    assert "CPU" in machine()
