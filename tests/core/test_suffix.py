"""Suffixes: their canonical text, what is refused, queries, and what the apiserver alters."""

from __future__ import annotations

import time
from typing import Any

import pytest

from proxyurls import InvalidSuffix, alterations, service
from proxyurls.suffix import clean, received, with_query


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("", ""),
        ("/", ""),
        ("a", "/a"),
        ("/a", "/a"),
        ("a/", "/a/"),
        ("a/b.c", "/a/b.c"),
        ("//", "//"),
        ("//host/x", "//host/x"),
        ("//é", "//%C3%A9"),
        ("///é", "///%C3%A9"),
        ("///host", "///host"),
        ("http://host/x", "/http://host/x"),
        ("https:web:443/proxy", "/https:web:443/proxy"),
        (".a", "/.a"),
        ("...", "/..."),
        ("a/..b", "/a/..b"),
        ("a/..;b/c", "/a/..;b/c"),
        (".;/x;..", "/.;/x;.."),
        ("a/./b", "/a/./b"),
        ("a/../b", "/a/../b"),
        ("a/b/..", "/a/b/.."),
        ("%41%2f", "/%41%2f"),
        ("%2F", "/%2F"),
        ("%2541", "/%2541"),
        ("a b", "/a%20b"),
        ("a\tb", "/a%09b"),
        ("café", "/caf%C3%A9"),
        ("日本", "/%E6%97%A5%E6%9C%AC"),
        ("😀", "/%F0%9F%98%80"),
        ('a"<>\\^`{|}[]', "/a%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D"),
        ("%", "/%25"),
        ("%zz", "/%25zz"),
        ("100%", "/100%25"),
        ("%4", "/%254"),
        ("!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
        ("?", "/?"),
        ("?q", "/?q"),
        ("/?q", "/?q"),
        ("a?b=c&d", "/a?b=c&d"),
        ("a?b=/?:@%41%zz+;[]", "/a?b=/?:@%41%zz+;[]"),
        ("a?b=c d", "/a?b=c%20d"),
        ("a?é", "/a?%C3%A9"),
        ("a?../..", "/a?../.."),
        ("a?x\ny", "/a?x%0Ay"),
        ("#", "/#"),
        ("#top", "/#top"),
        ("a#b c?d/e#f", "/a#b%20c?d/e%23f"),
        ("a#../..", "/a#../.."),
        ("a?b#c", "/a?b#c"),
    ],
)
def test_canonical_text(suffix: str, text: str) -> None:
    """What is already-typed URL text stays; what can't stand in a URL is encoded, once."""
    assert clean(suffix) == text
    assert clean(text) == text
    assert service("web").path(suffix) == service("web").path() + text.removeprefix("/")


@pytest.mark.parametrize(
    "suffix",
    [
        *("..", "/..", "../", "../x", "a/../..", "a/../../b", "./..", "//..", "a//../.."),
        *("%2e%2e", "%2E%2e/x", ".%2e", "%2e.", "a/%2e%2e/%2e%2e"),
        *("%252e%252e", "%25252e%25252E/x", "%252e.", "%2%65%2e"),
        *("..%2fx", "%2e%2e%2Fx", "..%252fx", "..%5cx", "..%255cx", "a%2f..%2f..", "a%2F../.."),
        *("..\\x", "..\\", "\\..", "a\\..\\..", "..\\..\\secrets", "%5c..%5C"),
        *(".. ", " ..", ". .", ".\t.", "..%20/x", "..%09", "%09../x", "a/..%20/..", ".%20./x"),
        *("..?q", "..#f", "a/../..?q"),
        # A client resolves dots before the apiserver decodes %2F, so such a segment is but one.
        *("x%2Fy/../%2e%2e", "x%2Fy/../..", "x%252Fy/../%2e%2e", "x%5Cy/../%2e%2e"),
        # urljoin cuts ";x" off before it resolves dots, and so do Java's servers.
        *("..;", "..;x", "..;/x", "a/../..;", "..%3b", "%2e%2e;x/y", "a/..;/..;x=y", "..%253B/x"),
        *("..%2F..", "a/b/..%2F..%2F..", "a/b/..%5C..%5C..", "a/b/..\\..\\.."),
        *("%20%20..", "a/%20../ ..", "%25%32%65.", "a/%252E%252e/.."),
        "a%2Fb%2Fc%2Fd%2Fe%2Ff/../%2e%2e/%2e%2e/%2e%2e/secrets",
    ],
)
def test_a_suffix_never_leaves_its_target(suffix: str) -> None:
    """Dot segments that would climb above /proxy/ are refused, however they are encoded."""
    for call in (clean, service("web").path, alterations):
        with pytest.raises(InvalidSuffix) as caught:
            call(suffix)
        assert caught.value.text == suffix
        assert caught.value.span is not None
        assert repr(suffix) in str(caught.value)
        assert "climb above" in str(caught.value)
        assert "from the app's own root" in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "shown"),
    [
        ("\0", "%00"),
        ("%00", "%00"),
        ("a\nb", "%0A"),
        ("a\r\nHost: x", "%0D"),
        ("%0a", "%0A"),
        ("\x1b[31m", "%1B"),
        ("%7f", "%7F"),
        ("..\n/x", "%0A"),
    ],
)
def test_control_characters(suffix: str, shown: str) -> None:
    """The apiserver answers 500 to them, as it puts the path into a header."""
    with pytest.raises(InvalidSuffix) as caught:
        clean(suffix)
    assert f"the control character {shown}" in str(caught.value)
    assert "leave it out" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("suffix", "at"), [("\ud800", 0), ("ab\udfff", 2), ("a?\udc80", 2), ("#\ud83d", 1)]
)
def test_lone_surrogates(suffix: str, at: int) -> None:
    """Half a character has no encoding; the message points at it and says what to type."""
    with pytest.raises(InvalidSuffix) as caught:
        clean(suffix)
    assert caught.value.text == suffix
    assert caught.value.span == (at, at + 1)
    assert f"character {at + 1}" in str(caught.value)
    assert "%FF" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_deeply_encoded_suffix_takes_no_time() -> None:
    """Each level of encoding may cost a look, but a text made of nothing else costs no minutes."""
    start = time.process_time()
    for end in ("2e%252e", "41"):
        try:
            text = clean("%" + "25" * 50_000 + end)
        except InvalidSuffix:
            continue
        assert len(text) > 100_000
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("suffix", "query", "text"),
    [
        ("", {}, ""),
        ("?", {}, "/?"),
        ("?", {"a": "b"}, "/?a=b"),
        ("", {"a": ""}, "/?a="),
        ("", {"": ""}, "/?="),
        ("a", {"b": "c"}, "/a?b=c"),
        ("a", [("b", "c"), ("b", "d"), ("a", "e")], "/a?b=c&b=d&a=e"),
        ("a", {"b": ["c", "d"], "e": []}, "/a?b=c&b=d"),
        ("a", [("b", ["c", "d"])], "/a?b=c&b=d"),
        ("a", iter([("b", "c")]), "/a?b=c"),
        ("a", {"n": 1, "f": 0.5, "neg": -3}, "/a?n=1&f=0.5&neg=-3"),
        ("a?x=1", {"b": "c"}, "/a?x=1&b=c"),
        ("a?x=1#f", {"b": "c"}, "/a?x=1&b=c#f"),
        ("a#f", {}, "/a#f"),
        ("a", {"k&=": "v&=#?/+ %41"}, "/a?k%26%3D=v%26%3D%23%3F%2F%2B%20%2541"),
        ("a", {"é": "\n\0"}, "/a?%C3%A9=%0A%00"),
        ("a", {"q": "../.."}, "/a?q=..%2F.."),
    ],
)
def test_with_query(suffix: str, query: Any, text: str) -> None:
    """Raw names and values are encoded once, behind what the suffix has of its own."""
    assert with_query(suffix, query) == text


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"a": True}, "True"),
        ({"a": [False]}, "False"),
        ({"a": None}, "None"),
        ({"a": [None]}, "None"),
        ({"a": b"xy"}, "b'xy'"),
        ({"a": [["b"]]}, "['b']"),
        ({None: "a"}, "None"),
        ({"a": "\ud800"}, "\\ud800"),
        ({"\ud800": "a"}, "\\ud800"),
        ({"a": 10**5000}, "too many digits"),
        ({"a": [[10**5000]]}, "list too large to show"),
    ],
)
def test_refused_query_values(query: Any, word: str) -> None:
    """What has no one text is refused, and named."""
    with pytest.raises(InvalidSuffix) as caught:
        with_query("a", query)
    assert word in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_query_value_of_truth() -> None:
    """The message for booleans says that the app decides how they are written."""
    with pytest.raises(InvalidSuffix, match="write true and false as text"):
        with_query("", {"a": True})


@pytest.mark.parametrize(
    ("suffix", "kinds", "arrives"),
    [
        ("", [], "/"),
        ("a/b?c=d&e=%2F//..&f", [], "/a/b?c=d&e=%2F//..&f"),
        ("a%20b/%25/%3F", [], "/a%20b/%25/%3F"),
        ("%252F", [], "/%252F"),
        ("a...b/...", [], "/a...b/..."),
        ("a%2Fb", ["encoded-slash"], "/a/b"),
        ("a%2fb/", ["encoded-slash"], "/a/b/"),
        ("a//b", ["empty-segment"], "/a/b"),
        ("//a", ["empty-segment"], "/a"),
        ("a//", ["empty-segment"], "/a/"),
        ("//", ["empty-segment"], "/"),
        ("a/%2Fb", ["encoded-slash", "empty-segment"], "/a/b"),
        ("a/./b", ["dot-segment"], "/a/b"),
        ("a/../b", ["dot-segment"], "/b"),
        ("a/%2E%2e/b", ["dot-segment"], "/b"),
        ("a/.", ["dot-segment"], "/a"),
        ("a/b/..", ["dot-segment"], "/a"),
        ("?", ["empty-query"], "/"),
        ("a?#", ["empty-query", "fragment"], "/a"),
        ("a#top", ["fragment"], "/a"),
        ("a?x#y", ["fragment"], "/a?x"),
        (
            "a%2f/./b?#y",
            ["encoded-slash", "empty-segment", "dot-segment", "empty-query", "fragment"],
            "/a/b",
        ),
    ],
)
def test_alterations(suffix: str, kinds: list[str], arrives: str) -> None:
    """Each change has its kind, and together they are all the change there is."""
    found = alterations(suffix)
    assert [one.kind for one in found] == kinds
    assert received(suffix) == arrives
    assert (clean(suffix) or "/") == arrives or found
    for one in found:
        assert one.before != one.after
        assert one.before in clean(suffix)
        assert one.after in arrives
        assert len(one.reason) > 20
        assert one.remedy
        assert "\n" not in one.reason + one.remedy


def test_alterations_of_a_websocket() -> None:
    """The apiserver drops the query of an upgrade, and of nothing else."""
    (lost,) = alterations("ws?token=1", websocket=True)
    assert (lost.kind, lost.before, lost.after) == ("websocket-query", "?token=1", "")
    assert "77142" in lost.reason
    assert alterations("ws?token=1") == []
    assert alterations("ws", websocket=True) == []
    assert [one.kind for one in alterations("ws?", websocket=True)] == ["empty-query"]
    assert received("ws?token=1", websocket=True) == "/ws"
    assert received("ws?token=1") == "/ws?token=1"


def test_remedies() -> None:
    """The remedy for dots is the path that is meant; for slashes, the query."""
    (dots,) = alterations("a/../b")
    assert dots.remedy.endswith(" /b")
    (slash,) = alterations("a%2Fb")
    assert "query" in slash.remedy
    (fragment,) = alterations("a#b")
    assert "%23" in fragment.remedy
    assert alterations(dots.after) == []
