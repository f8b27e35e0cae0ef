"""Links within README.md, CHANGELOG.md and docs/, as GitHub renders them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .pages import PAGES, ROOT, anchors, links

if TYPE_CHECKING:
    from pathlib import Path

ALL = [*PAGES, ROOT / "CHANGELOG.md"]


def broken(page: Path, root: Path = ROOT) -> list[str]:
    """The links of a page that lead nowhere, or out of the repository."""
    found = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        there = target.exists() and target.is_relative_to(root)
        if not there or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file or folder of the repository, and to a heading that is there."""
    assert broken(page) == []


def test_there_are_many() -> None:
    """The search above sees them."""
    found = [link for page in ALL for link in links(page)]
    assert len(found) > 60
    assert sum("#" in link for link in found) > 10


@pytest.mark.parametrize("link", ["nothing.md", "page.md#nothing", "../../../../../etc/passwd"])
def test_a_broken_link_is_seen(tmp_path: Path, link: str) -> None:
    """A page that is gone, a heading that is gone, and what only this machine has."""
    page = tmp_path / "page.md"
    page.write_text(f"# A title: of `it`\n\nSee [`this`]({link}) and [x](#a-title-of-it).\n")
    assert broken(page, tmp_path) == [link]


def test_anchors(tmp_path: Path) -> None:
    """As GitHub makes them; a title that comes twice gets a number."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One: `two`, [three](x)\n## 1. kubectl proxy\n```\n# no\n```\n## A-b_c\n## A-b_c\n"
    )
    assert anchors(page) == {"one-two-three", "1-kubectl-proxy", "a-b_c", "a-b_c-1"}
