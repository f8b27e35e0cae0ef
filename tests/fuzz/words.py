"""Targets: whatever is shown on a terminal or on a page."""

from __future__ import annotations

import html
import unicodedata

from proxyurls.errors import one_line
from proxyurls.gateway import pages

from .registry import target, text

_NASTY = ("\x1b[2J", "\x9b", "\u202e", "\u2028", "\x85", "\ud800", "\x00", "\r", "<b>", "&amp;")


@target("line", *_NASTY, "\\n", "\U000e0001")
def line(data: bytes) -> None:
    """Whatever text comes, one_line gives a printable line that it leaves alone the second time,
    and leaves alone at once what is printable.
    """
    typed = text(data)
    made = one_line(typed)
    assert made.isprintable()
    assert one_line(made) == made
    assert (made == typed) == typed.isprintable()
    made.encode()


@target("page", *_NASTY, '"', "'", "</script>", "&#60;", "<!--", "\u3000")
def page(data: bytes) -> None:
    """Whatever text comes, escape gives HTML that holds no tag, no quote, no control or format
    character, and that a browser shows as the text it was where that was printable.
    """
    typed = text(data)
    made = pages.escape(typed, 200)
    assert not set(made) & set("<>\"'")
    shown = html.unescape(made)
    assert len(shown) <= 200 * len("\\U0010ffff") + 1
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in shown)
    if typed.isprintable() and len(typed) <= 200:
        assert shown == typed
    assert _tags(typed or "x") == _tags("x")


def _tags(typed: str) -> int:
    """How many tags an error page has."""
    links = [pages.Link(typed, typed)]
    return pages.error(404, typed, typed, remedy=typed, links=links).count(b"<")
