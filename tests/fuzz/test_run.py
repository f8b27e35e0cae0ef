"""The long run, in short: it counts, and it keeps what fails, once for each place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .registry import FuzzTarget
from .run import PLACES, Findings, at_random
from .targets import TARGETS

RUN = Path(__file__).with_name("run.py")


def test_findings(tmp_path: Path) -> None:
    """A target that refuses a byte is a finding, whose input fails again."""

    def check(data: bytes) -> None:
        """Whatever comes, it holds no zero byte."""
        assert b"\0" not in data

    planted = FuzzTarget("segment", check, (b"\0",))
    findings = Findings(planted, tmp_path / "segment")
    assert at_random(findings, 0.3, seed=1) > 100
    line = check.__code__.co_firstlineno + 2
    line = check.__code__.co_firstlineno + 2
    assert list(findings.places) == [f"AssertionError at test_run.py:{line}"]
    (kept,) = (tmp_path / "segment").glob("found-*")
    assert b"\0" in kept.read_bytes()
    assert kept.name in json.loads((tmp_path / "segment" / PLACES).read_text())[0]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, str(RUN), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_command(tmp_path: Path) -> None:
    """It prints executions and findings by target, and ends with 0 where there are none."""
    done = run("segment", "line", "--seconds", "1", "--found", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["segment", "line", "all"]
    assert all(row[2:] == ["executions,", "0", "findings"] for row in rows)
    assert int(rows[2][1].replace(",", "")) > 200
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_none() -> None:
    """It is named, and so are those that there are."""
    done = run("nothing")
    assert done.returncode == 2
    assert "no such target: nothing; type some of" in done.stderr
    assert all(name in done.stderr for name in TARGETS)
