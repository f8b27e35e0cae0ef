"""What becomes of the query on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Site


@pytest.mark.parametrize(
    "query",
    [
        *("b=2&a=1", "a=1&a=0", "a", "a=", "=a", "&", "&=&", "a=1&&b=2", "?", "a?b", "/?/", "a/b"),
        *("a=1;b=2", "a;b", "a+b", "a%20b", "a%2Fb", "a%2fb", "%zz", "%", "%4", "a=%80", "%00"),
        *("a[]=1&b[x]=2", "|^`{}", "\"'<>", "\\", "~!*'()", "a=b=c", "a:b@c,d$e", "%C3%A9"),
        *("../..", "%2e%2e/", "//", "https://h/x?y=1&z", "#f", "a=%26%3D%2B", "timeout=1s&watch=1"),
    ],
)
def test_to_the_letter(site: Site, query: str) -> None:
    """A query arrives to the letter: order, ;, +, broken and unusual encodings."""
    assert site.echo(f"/x?{query}").query == query


def test_empty_query(site: Site) -> None:
    """A question mark with nothing behind it is lost."""
    assert site.echo("/x?").target == "/x"


def test_no_query(site: Site) -> None:
    """Without a query none is added."""
    assert site.echo("/x").query is None


@pytest.mark.parametrize("query", ["a b", "a\tb", "a\x01", "\x7f"])
def test_malformed(site: Site, query: str) -> None:
    """A raw space or control character in the query is a 400 without a Status."""
    answer = site.get(f"/x?{query}")
    assert (answer.status, answer.status_object, answer.message) == (400, None, "400 Bad Request")


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_encoded_control_characters(site: Site, code: int) -> None:
    """An encoded control character in the query passes, unlike in the path."""
    assert site.echo(f"/x?a=%{code:02X}").query == f"a=%{code:02X}"


@pytest.mark.parametrize("size", [1_000, 60_000])
def test_long_query(site: Site, size: int) -> None:
    """A long query passes whole."""
    assert site.echo("/x?" + "q" * size).query == "q" * size


def test_query_of_a_root(site: Site) -> None:
    """A query right behind the root's slash passes."""
    assert site.echo("/?a=b").target == "/?a=b"
