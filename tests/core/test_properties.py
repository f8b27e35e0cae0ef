"""What holds for every value and for any text: the sentences that the tables only sample."""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yarl
from hypothesis import example, given
from hypothesis import strategies as st

from proxyurls import (
    InvalidInput,
    NameSegment,
    ProxyURL,
    Target,
    alterations,
    from_cluster_url,
    node,
    parse_url,
    pod,
    service,
    suffix,
    to_cluster_url,
)
from proxyurls.server import check_server, join
from proxyurls.suffix import clean, received, with_query
from proxyurls.urls import is_removed_form

from .strategies import (
    ANY_TEXT,
    CLUSTER_URLS,
    HOSTS,
    LABELS,
    PLAIN_SUFFIXES,
    PORT_NUMBERS,
    SCHEMES,
    SEGMENTS,
    SERVERS,
    SETTINGS,
    SUFFIXES,
    TARGETS,
    URLS,
    accepted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER, ALWAYS = re.compile(r"(?!)"), re.compile("")


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """The value, or the refusal: its type, message, text and span. Any other error is a bug."""
    try:
        return call(*args)
    except InvalidInput as error:
        refusal = error
    message = str(refusal)
    assert message.isprintable(), ascii(message)
    assert len(message) < 1500
    if refusal.span is not None:
        assert refusal.text is not None
        assert 0 <= refusal.span[0] <= refusal.span[1] <= len(refusal.text)
    return type(refusal), message, refusal.text, refusal.span


@SETTINGS
@given(SEGMENTS)
def test_segments_come_back(segment: NameSegment) -> None:
    """parse(format(x)) == x, and canonical text stays as it is."""
    assert NameSegment.parse(str(segment)) == segment
    assert str(NameSegment.parse(str(segment))) == str(segment)


@SETTINGS
@given(TARGETS)
def test_segments_of_targets_come_back(target: Target) -> None:
    """A target can be built again from its kind, its namespace and its segment's text."""
    parsed = NameSegment.parse(str(target.segment))
    assert parsed == target.segment
    again = Target(target.kind, parsed.name, target.namespace, parsed.port, parsed.scheme)
    assert again == target


@SETTINGS
@given(SERVERS, TARGETS, SUFFIXES)
@example("", service("web", "p"), "/api/v1/proxy/nodes/n/x")
@example("", node("m"), "/api/v1/proxy/nodes/n/x")
@example("https://host", pod("m", "n"), "/api/v1/nodes/n/proxy/x")
def test_urls_come_back(server: str, target: Target, text: str) -> None:
    """parse(format(x)) == x for every target and suffix, and format(parse(s)) == s."""
    url = ProxyURL(server, target, accepted(text))
    assert parse_url(str(url)) == url
    assert str(parse_url(str(url))) == str(url) == server + target.path(text)
    assert not is_removed_form(str(url))


@SETTINGS
@given(TARGETS, HOSTS, SUFFIXES)
def test_target_url_is_join(target: Target, server: str, text: str) -> None:
    """Target.url adds nothing to the joined text but yarl's type."""
    built = target.url(server, accepted(text))
    plain = urllib.parse.urlsplit(join(server, target.path(text)))
    assert type(built) is yarl.URL
    assert (built.scheme, built.host, built.port) == (
        plain.scheme,
        plain.hostname,
        plain.port or {"http": 80, "https": 443}[plain.scheme],
    )
    assert built.raw_path == plain.path
    assert built.raw_query_string == plain.query
    assert built.raw_fragment == plain.fragment


@SETTINGS
@given(st.one_of(URLS, ANY_TEXT))
def test_parse_url_is_total(text: str) -> None:
    """Any text is a proxy URL or an InvalidInput, and a canonical text is what it becomes."""
    found = outcome(parse_url, text)
    if isinstance(found, ProxyURL):
        assert parse_url(str(found)) == found
    assert is_removed_form(text) in (True, False)


@SETTINGS
@given(
    st.one_of(
        ANY_TEXT, st.lists(ANY_TEXT | LABELS | st.sampled_from(["http", "HTTPS", ""])).map(":".join)
    )
)
def test_segment_parse_is_total(text: str) -> None:
    """Any text is a segment or an InvalidInput; what is one has at most three parts."""
    found = outcome(NameSegment.parse, text)
    parts = text.split(":")
    scheme, name = (parts[0], parts[1]) if len(parts) == 3 else ("", parts[0])
    valid = len(parts) <= 3 and name != "" and scheme in ("", "http", "https")
    assert isinstance(found, NameSegment) == valid
    if valid:
        assert NameSegment.parse(str(found)) == found


@SETTINGS
@given(CLUSTER_URLS)
def test_from_cluster_url_is_total(text: str) -> None:
    """Any text is an in-cluster URL or an InvalidInput, and what it is can be written again."""
    found = outcome(from_cluster_url, text)
    if isinstance(found[0], Target):
        target, rest = found
        assert target.kind == "service"
        assert from_cluster_url(to_cluster_url(target, rest)) == (target, rest)


@SETTINGS
@given(LABELS, LABELS, PORT_NUMBERS, st.sampled_from([None, "https"]), SUFFIXES)
def test_cluster_urls_come_back(
    name: str, namespace: str, port: int, scheme: str | None, text: str
) -> None:
    """An in-cluster URL of a target and suffix means just these."""
    target = service(name, namespace, port=port, scheme=scheme)
    rest = accepted(text)
    assert from_cluster_url(to_cluster_url(target, rest)) == (target, rest)


@SETTINGS
@given(TARGETS, SUFFIXES)
@example(node("n"), "0%2E")
@example(node("n"), "0#%2E")
def test_paths_and_alterations_are_total(target: Target, text: str) -> None:
    """A suffix is refused by all that take it, or by none; without alterations it arrives."""
    found = outcome(target.path, text)
    assert isinstance(found, str) == isinstance(outcome(clean, text), str)
    for websocket in (False, True):
        altered = outcome(lambda: alterations(text, websocket=websocket))  # noqa: B023
        assert isinstance(altered, list) == isinstance(found, str)
        if isinstance(altered, list):
            path, mark, rest = (clean(text) or "/").partition("?")
            # A dot may arrive decoded: that is its spelling, not its meaning.
            sent = re.sub("%2e", ".", path, flags=re.IGNORECASE) + mark + rest
            assert (received(text, websocket=websocket) == sent) == (not altered)


@SETTINGS
@given(st.one_of(ANY_TEXT, URLS))
def test_servers_are_total(text: str) -> None:
    """Any text is a server, which yarl and httpx take for one too, or an InvalidInput."""
    found = outcome(check_server, text)
    if isinstance(found, str):
        assert found == text
        built = node("n").url(text)
        assert built.host
        assert built.path.endswith("/api/v1/nodes/n/proxy/")
        assert str(built) == str(yarl.URL(join(text, "/api/v1/nodes/n/proxy/"), encoded=True))
        again = outcome(parse_url, str(built))
        if "/api/v1/" not in text:  # else it may be a proxy behind a proxy
            assert again.target == node("n")
        built.human_repr().encode()


@SETTINGS
@given(st.text(), st.one_of(st.none(), st.text(), st.integers()), st.text(), st.text())
def test_targets_are_total(name: str, port: str | int | None, scheme: str, namespace: str) -> None:
    """Any parts make a target, or an InvalidInput."""
    for call in (service, pod):
        found = outcome(lambda: call(name, namespace, port=port, scheme=scheme))  # noqa: B023
        assert isinstance(found, (Target, tuple))
    assert isinstance(outcome(lambda: node(name, port=port, scheme=scheme)), (Target, tuple))
    assert isinstance(outcome(NameSegment, name, str(port), scheme), (NameSegment, tuple))


@SETTINGS
@given(SUFFIXES)
def test_clean_is_idempotent(text: str) -> None:
    """Canonical text is its own canonical text, ASCII, and safe to stand in a request line."""
    cleaned = accepted(text)
    assert clean(cleaned) == cleaned
    assert cleaned == "" or cleaned[0] == "/"
    assert cleaned.isascii()
    assert cleaned.isprintable()
    assert " " not in cleaned
    assert "\\" not in cleaned
    path = re.split(r"[?#]", cleaned)[0]
    assert re.fullmatch(r"(?:[^%]|%[0-9A-Fa-f]{2})*", path)


@SETTINGS
@given(SUFFIXES)
def test_what_is_written_is_what_was_typed(text: str) -> None:
    """Encoding changes the spelling alone: decoded, the canonical path is the typed one."""
    cleaned = re.split(r"[?#]", accepted(text))[0]
    typed = re.split(r"[?#]", text)[0].removeprefix("/")
    decoded = urllib.parse.unquote_to_bytes(cleaned.removeprefix("/"))
    assert decoded == urllib.parse.unquote_to_bytes(typed)


@SETTINGS
@given(
    PLAIN_SUFFIXES,
    st.lists(
        st.tuples(
            st.text(),
            st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.lists(st.text())),
        )
    ),
)
def test_queries_come_back(text: str, pairs: list[tuple[str, Any]]) -> None:
    """Raw names and values are those that an app reads, behind what was there already."""
    before = clean(text.replace(".", ""))
    found = with_query(before, pairs)
    flat = [
        (key, str(one))
        for key, value in pairs
        for one in (value if isinstance(value, list) else [value])
    ]
    own = urllib.parse.urlsplit(found).query
    old = urllib.parse.urlsplit(before).query
    assert own.startswith(old)
    new = own[len(old) :].removeprefix("&") if old and flat else own[len(old) :]
    parsed = urllib.parse.parse_qsl(new, keep_blank_values=True, strict_parsing=bool(new))
    assert parsed == flat
    assert clean(found) == found
    assert found.split("?")[0] == (before or "/" * bool(flat)).split("?")[0]
    if flat:
        assert sorted(httpx.QueryParams(new).multi_items()) == sorted(flat)


@SETTINGS
@given(SUFFIXES, st.dictionaries(ANY_TEXT, ANY_TEXT | st.booleans() | st.none() | st.binary()))
def test_with_query_is_total(text: str, query: Any) -> None:
    """Any values make a query, or an InvalidInput."""
    found = outcome(with_query, text, query)
    assert isinstance(found, (str, tuple))
    if isinstance(found, str):
        assert clean(found) == found


@SETTINGS
@given(st.one_of(PLAIN_SUFFIXES, SUFFIXES))
@example(".")
@example("..")
@example("?/..")
@example("?.")
@example("/")
@example("//é")
@example("a?/./")
@example("%20..")
@example("%20%20.%20.")
@example("a%20/%7f../..")
@example("%5c..")
@example("%2e.")
def test_the_short_cuts_of_clean_agree(text: str) -> None:
    """Patterns for common suffixes say what the long way says, errors included."""
    found = [outcome(clean, text)]
    for name, value in (("_is_common", NEVER.fullmatch), ("_SUSPECT", ALWAYS)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(suffix, name, value)
            found.append(outcome(clean, text))
            patch.setattr(suffix, "_is_common", NEVER.fullmatch)
            found.append(outcome(clean, text))
    assert found == found[:1] * 5


def test_the_short_cuts_are_taken() -> None:
    """The comparison above compares two ways: ordinary texts do take the short ones."""
    assert suffix._is_common("d/x?y=%20")
    assert not suffix._is_common("d/%C3%A9")
    assert not suffix._SUSPECT.search("d/%C3%A9")
    assert not NEVER.search("d/%C3%A9")
    assert ALWAYS.search("d/%C3%A9")


@SETTINGS
@given(SCHEMES, LABELS, PORT_NUMBERS)
def test_number_and_text_are_one_port(scheme: str | None, name: str, port: int) -> None:
    """A port given as text is the same target, with the same hash and text."""
    one = service(name, port=port, scheme=scheme)
    two = service(name, port=str(port), scheme=scheme)
    assert one == two
    assert hash(one) == hash(two)
    assert one.path() == two.path()
