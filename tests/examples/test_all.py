"""What is true of each example."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from .conftest import COOKBOOK, EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = sorted(EXAMPLES.rglob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_each(program: Path) -> None:
    """Short, said what for, in the cookbook, and made of what is public."""
    text = program.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 60
    assert ast.get_docstring(tree)
    assert f"../{program.relative_to(EXAMPLES.parent)}" in COOKBOOK.read_text("utf-8")
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [name for name in modules if name.startswith("proxyurls.")] == []


def test_they_are_found() -> None:
    """The walk above sees all of them."""
    assert len(PROGRAMS) == 8
