"""docs/security.md says what each target holds."""

from __future__ import annotations

import re
from pathlib import Path

from .targets import TARGETS

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")


def test_the_page_has_each_invariant() -> None:
    """In the words of the targets' own docstrings."""
    text = PAGE.partition("\n## What strangers can write\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert dict(rows) == {name: one.invariant for name, one in TARGETS.items()}
