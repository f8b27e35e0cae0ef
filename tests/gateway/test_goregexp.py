"""Go's regular expressions mean in the gateway what they mean in kubectl proxy."""

from __future__ import annotations

import pytest

from proxyurls.gateway.goregexp import compiled


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("^a$", "a\n", False),  # Go's $ is the end of the text, Python's may be before a newline
        (r"^a\z", "a", True),
        (r"[$]", "a$b", True),
        (r"\$", "a$b", True),
        (r"[^$]$", "a$", False),
        (r"[]$]", "$", True),
        (r"\Qa.", "a.", True),
        (r"^x{,2}$", "x{,2}", True),
        (r"^(?i:A)b$", "ab", True),
        (r"^[a\]&]+$", "]&a", True),
        (r"^\++$", "++", True),
        (r"^\d$", "٣", False),  # Go's classes are ASCII
        (r"^\w$", "é", False),
        (r"(?i)^GET$", "get", True),
        (r"(?s)a.b", "a\nb", True),
        (r"a.b", "a\nb", False),
        (r"^(?P<a>x)$", "x", True),
        (r"^(?<a>x)$", "x", True),
        (r"^a{2,3}$", "aaa", True),
        (r"^a{2}?$", "aa", True),
        (r"^[[:digit:]]+$", "12", True),
        (r"^[^[:alpha:]_]$", "a", False),
        (r"^\Qa.b\E$", "a.b", True),
        (r"^\Qa.b\E$", "axb", False),
    ],
)
def test_go(pattern: str, text: str, match: bool) -> None:  # noqa: FBT001
    """Patterns mean what Go's regexp means by them."""
    assert (compiled(pattern).search(text) is not None) is match
