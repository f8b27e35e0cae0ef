"""The documentation as a site: built strictly, and read without a network."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import proxyurls

from .pages import PAGES, ROOT, anchors

if TYPE_CHECKING:
    from pathlib import Path

# What a browser loads by itself. Links for people may lead anywhere.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"?([^\" >]+)"
    r"|<link\b(?=[^>]*\brel=\"?(?:stylesheet|preload|preconnect|icon|modulepreload))"
    r"[^>]*?\bhref=\"?([^\" >]+)"
)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("material") is None
    or importlib.util.find_spec("mkdocstrings") is None,
    reason="mkdocs-material and mkdocstrings are in the extra docs",
)


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a site. Not quietly: with -q mkdocs counts no warnings, and is strict about nothing."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", config, "-d", folder],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        cwd=folder,
        timeout=240,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A warning, such as a link that leads nowhere, would have ended it."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / ".mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_warning_ends_it(tmp_path: Path) -> None:
    """Pages that the navigation does not have, and a link that leads nowhere."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Index\n\n[gone](gone.md) [x](#gone)\n")
    (tmp_path / "docs" / "omitted.md").write_text("# Omitted\n")
    (tmp_path / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / '.mkdocs.yml'}\ndocs_dir: docs\nhooks: []\nnav: [index.md]\n"
    )
    (tmp_path / "site").mkdir()
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    for said in ("omitted.md", "'gone.md', but the target is not found", "no such anchor"):
        assert said in done.stderr


def test_each_page_is_there(site: Path) -> None:
    """Those of docs/ and those that are made of other files; tools are no part of it."""
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} == {
        *(pages | {"404", "api", "changelog", "examples", "index"})
    }
    assert list(site.rglob("*.py")) == []
    assert "docs/" not in re.findall(r'href="([^"]*)"', (site / "index.html").read_text("utf-8"))


def test_each_heading_is_one(site: Path) -> None:
    """With GitHub's anchor; and no fence is taken for text, which would swallow what follows."""
    for page in PAGES:
        name = "index" if page.name == "README.md" else page.stem
        text = (site / f"{name}.html").read_text("utf-8")
        assert anchors(page) - set(re.findall(r'id="?([^" >]+)', text)) == set(), page.name
        assert "```" not in text, page.name


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No fonts, scripts, styles or pictures of other hosts, also not from style sheets."""
    seen = 0
    for page in site.rglob("*.html"):
        for found in _LOADED.findall(page.read_text("utf-8")):
            address = found[0] or found[1]
            assert not re.match(r"(?i)(https?:)?//", address), f"{page.name}: {address}"
            seen += 1
    assert seen > 50
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text("utf-8")), (
            sheet
        )


def test_the_reference_has_every_public_name(site: Path) -> None:
    """With an anchor for each."""
    text = (site / "api.html").read_text("utf-8")
    names = {f"proxyurls.{name}" for name in proxyurls.__all__}
    assert names <= set(re.findall(r'id="?([\w.]+)', text))
    assert "proxyurls.testing.FakeCluster.add_service" in text


def test_it_can_be_searched(site: Path) -> None:
    """The index knows what the pages say."""
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    assert any("FakeCluster" in one["text"] for one in index["docs"])
