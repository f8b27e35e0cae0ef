"""The threat table of docs/gateway.md has a test for each row, and a row for each test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "gateway.md"


def rows() -> list[list[str]]:
    """The cells of the table's rows."""
    table = PAGE.read_text("utf-8").partition("\n## Threats\n")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert lines[0] == "| attack | by whom | what it would do | what stops it | test |"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def written() -> list[str]:
    """The names of the tests of threats."""
    return [
        node.name
        for path in HERE.glob("test_threats*.py")
        if path.name != Path(__file__).name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_every_row_says_all() -> None:
    """Who, what, and what against it."""
    for row in rows():
        assert len(row) == 5, row
        assert all(row), row
        assert re.fullmatch(r"`test_[a-z_]+`", row[4]), row


def test_rows_and_tests_belong_together() -> None:
    """One of the other, and no name twice."""
    named = [row[4].strip("`") for row in rows()]
    assert len(named) > 40
    assert sorted(named) == sorted(written())
