"""docs/doctor.md has each cause, and each has a test that sets it up."""

from __future__ import annotations

import re
from pathlib import Path

from proxyurls.causes import CAUSES

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "doctor.md").read_text("utf-8")


def test_the_page_has_the_table() -> None:
    """In its order and words."""
    rows = [line for line in PAGE.splitlines() if re.match(r"\| `[a-z-]+` \|", line)]
    assert rows == [f"| `{one.name}` | {one.text} | {one.remedy} |" for one in CAUSES.values()]


def test_each_cause_is_set_up() -> None:
    """Its name stands in a test of doctor or of the client that makes the fault and sees it."""
    files = [*(TESTS / "doctor").glob("test_*.py"), *(TESTS / "client").glob("test_*.py")]
    tests = "".join(path.read_text("utf-8") for path in files)
    assert [name for name in CAUSES if f'"{name}"' not in tests] == []
