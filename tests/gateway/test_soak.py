"""The soak of the benchmarks, small: every answer is right, and nothing is left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from benchmarks.soak import soak
from contract.fixtures import KINDS

if TYPE_CHECKING:
    from contract.cluster import APIServer

pytestmark = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")


def test_soak(apiserver: APIServer) -> None:
    """Memory is left to the long run; in so short a one it says nothing, and objects do."""
    report = asyncio.run(soak(apiserver, requests=240, websockets=24, rounds=3))
    assert report.failures == []
    assert [leak for leak in report.leaks() if not leak.startswith("memory")] == []
    assert len(report.table().splitlines()) == 2 + 1 + 3


def test_leaks_are_told(apiserver: APIServer) -> None:
    """Each of them, were there any."""
    report = asyncio.run(soak(apiserver, requests=24, websockets=0, rounds=1))
    assert report.failures == []
    report.rounds.append({**report.rounds[0], "tasks": 99, "files": 999, "memory": 9999.0})
    report.end["after"]["threads"] = 99
    told = "\n".join(report.leaks())
    for leak in ("99 tasks", "999 files", "memory: 9999", "closed: 99 threads"):
        assert leak in told
