"""The pictures of README: docs/terminal.svg is drawn anew, and is the same."""

from __future__ import annotations

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from .pages import ROOT

PICTURE = ROOT / "docs" / "terminal.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the program draws today."""
    file = tmp_path_factory.mktemp("picture") / "terminal.svg"
    program = ROOT / "docs" / "tools" / "terminal.py"
    subprocess.run(
        [sys.executable, program, file],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    return file.read_text("utf-8")


def test_the_terminal_shows_what_the_commands_print(drawn: str) -> None:
    """To the byte. If not: python docs/tools/terminal.py, and look at it."""
    assert drawn == PICTURE.read_text("utf-8")


def test_it_can_be_shown(drawn: str) -> None:
    """It is XML, says in words what it shows, and has no line outside of it."""
    root = ET.fromstring(drawn)
    width, height = int(root.attrib["width"]), int(root.attrib["height"])
    assert "$ proxyurls services" in (root.findtext(f"{SVG}desc") or "")
    texts = list(root.iter(f"{SVG}text"))
    assert len(texts) > 20
    for one in texts:
        end = float(one.attrib["x"]) + float(one.attrib["textLength"])
        assert end <= width, one.text
        assert int(one.attrib["y"]) < height, one.text


def test_it_shows_colours_and_a_cause(drawn: str) -> None:
    """What a pipe would not have got."""
    assert 'fill="#ff7b72" font-weight="bold"' in drawn
    assert "✗" in drawn


def test_it_tells_nothing_of_the_machine(drawn: str) -> None:
    """Neither a home, nor a token, nor a temporary folder's name."""
    for secret in (str(ROOT), "proxyurls-fake-", "token=", "/root", "/home"):
        assert secret not in drawn
