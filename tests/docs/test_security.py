"""docs/security.md: each promise has tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROW = re.compile(r"^\| (?P<promise>(?!promise |---).+) \| (?P<tests>.+) \|$", re.MULTILINE)


def fuzzed() -> str:
    """The section on fuzzing."""
    return PAGE.partition("\n## What strangers can write\n")[2].partition("\n## ")[0]


def test_every_promise_has_tests() -> None:
    # Fuzzing's table has no column of tests; tests/fuzz/test_page.py holds it.
    rows = ROW.findall(PAGE.replace(fuzzed(), ""))
    assert len(rows) > 12
    for promise, tests in rows:
        names = re.findall(r"`(tests/[\w/]+\.py)`", tests)
        assert names, promise
        for name in names:
            text = (ROOT / name).read_text("utf-8")
            assert re.search(r"^ *(?:async )?def test_\w+\(", text, re.MULTILINE), name


def test_every_file_named_is_there() -> None:
    for name in re.findall(r"`((?:tests|docs|proxyurls)/[^`]*)`", PAGE):
        assert (ROOT / name).exists(), name


def test_no_address_is_invented() -> None:
    """A report goes through the repository's host: the page names no mailbox and no site."""
    assert not re.search(r"\w@\w|https?://", PAGE)
