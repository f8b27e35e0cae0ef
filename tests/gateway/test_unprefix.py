"""Pages that lose the prefix again: links are the app's own, and all else stays byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract.upstream import reply
from core.strategies import SETTINGS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyurls.testing.html import Rewriter
from proxyurls.undo.unprefix import HELD, HTMLUnprefixer, Mount

from .documents import ATTRIBUTES, HOST, LINKS, MOUNT, NAMESPACE, ODD_PAGES, PAGES, PREFIX, Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contract.cluster import APIServer
    from contract.fixtures import Serve

FAKE = Rewriter(PREFIX, "10.0.0.1:80", HOST)


def unprefixed(chunks: Iterable[bytes], mount: Mount = MOUNT) -> bytes:
    """What comes out of these chunks."""
    unprefixer = HTMLUnprefixer(mount)
    return b"".join([*map(unprefixer.feed, chunks), unprefixer.close()])


def cut(page: bytes, size: int) -> list[bytes]:
    """The page in chunks of this size."""
    return [page[at : at + size] for at in range(0, len(page), size)]


@pytest.mark.parametrize(
    ("rewritten", "wanted"),
    [
        (f'<base href="{PREFIX}/">', '<base href="/">'),
        (f'<a href="{PREFIX}/x?a=1&amp;b=2#f">', '<a href="/x?a=1&amp;b=2#f">'),
        (f'<a class="b" href="{PREFIX}/x" id="c">', '<a class="b" href="/x" id="c">'),
        (f'<video poster="{PREFIX}/p" src="{PREFIX}/s"/>', '<video poster="/p" src="/s"/>'),
        (f'<a href="http://{HOST}{PREFIX}/x">', f'<a href="http://{HOST}/x">'),
        (f'<a href="https://{HOST}{PREFIX}/x">', f'<a href="http://{HOST}/x">'),
        (f'<a href="//{HOST}{PREFIX}/x">', f'<a href="//{HOST}/x">'),
        (f'<a href="{PREFIX}">', '<a href="/">'),
        (f'<a href="{PREFIX}?q">', '<a href="/?q">'),
        (f'<a href="{PREFIX}//evil.example/">', '<a href="/.//evil.example/">'),
        (f'<a <b="" href="{PREFIX}/x">', '<a <b="" href="/x">'),
        (f'1 < 2 <a href="{PREFIX}/x">', '1 < 2 <a href="/x">'),
        (f'<a href="{PREFIX}/x"> href="{PREFIX}/y"', f'<a href="/x"> href="{PREFIX}/y"'),
        (f'<script src="{PREFIX}/x"></script>', '<script src="/x"></script>'),
        (f'<script/><a href="{PREFIX}/">', f'<script/><a href="{PREFIX}/">'),
        (f'<!-- --!><a href="{PREFIX}/x">', '<!-- --!><a href="/x">'),
        (f'</a b=">"><a href="{PREFIX}/x">', '</a b=">"><a href="/x">'),
        (f'<!--><a href="{PREFIX}/x">', '<!--><a href="/x">'),
        (f'<div <!--=""><a href="{PREFIX}/x">-->', '<div <!--=""><a href="/x">-->'),
        (f'<div<script ="" ><a href="{PREFIX}/x">', '<div<script ="" ><a href="/x">'),
    ],
)
def test_links(rewritten: str, wanted: str) -> None:
    """A link in a start tag loses the prefix, and keeps what is behind it."""
    assert unprefixed([rewritten.encode()]).decode() == wanted


@pytest.mark.parametrize(
    "text",
    [
        f"see {PREFIX}/x",
        f'write href="{PREFIX}/x"',
        f'a > b <  href="{PREFIX}/x">',
        f'<div href="{PREFIX}/x" data-src="{PREFIX}/x">',
        f'<a title="{PREFIX}/x" data-href="{PREFIX}/x">',
        f'<img srcset="{PREFIX}/x 2x">',
        f'<a href="{PREFIX}x">',
        f'<a href="http://other.example{PREFIX}/x">',
        f'<a href="/x?to={PREFIX}/y">',
        f'</a href="{PREFIX}/x">',
        f'</a b="> <a href="{PREFIX}/x">',
        f'<!-- <a href="{PREFIX}/x"> -->',
        f'<!doctype <a href="{PREFIX}/x">',
        f'<script>"<a href="{PREFIX}/x">"</script>',
        f'<textarea><a href="{PREFIX}/x"></textarea>',
        f'<iframe srcdoc="&lt;a href=&#34;{PREFIX}/x&#34;&gt;"></iframe>',
        f'<plaintext></plaintext><a href="{PREFIX}/x">',
    ],
)
def test_mentions(text: str) -> None:
    """A text, script or comment that mentions the prefix, or another attribute, stays."""
    assert unprefixed([text.encode()]).decode() == text


def test_every_attribute() -> None:
    """All attributes that the apiserver rewrites, in each of their tags and in no other."""
    keys = {key for keys in ATTRIBUTES.values() for key in keys}
    for tag in [*ATTRIBUTES, "div", "track", "use"]:
        for key in keys:
            page = f'<{tag} {key}="/x">'
            rewritten = FAKE.document(page)
            assert (PREFIX in rewritten) == (key in ATTRIBUTES.get(tag, ()))
            assert unprefixed([rewritten.encode()]).decode() == page


def test_host_of_the_server() -> None:
    """Where the apiserver's own Host was sent, links to it lead to the gateway."""
    mount = MOUNT._replace(host="api.example:6443")
    page = f'<a href="https://api.example:6443{PREFIX}/x"><a href="//api.example:6443{PREFIX}/x">'
    wanted = f'<a href="http://{HOST}/x"><a href="//{HOST}/x">'
    assert unprefixed([page.encode()], mount).decode() == wanted


@given(PAGES)
@SETTINGS
def test_the_fake_undone(page: Page) -> None:
    """What the fake apiserver did to any page is undone to the byte."""
    rewritten = FAKE.document(page.written)
    assert unprefixed([rewritten.encode()]).decode() == page.wanted


@given(PAGES | ODD_PAGES, st.data())
@SETTINGS
def test_chunks(page: Page, data: st.DataObject) -> None:
    """Where the chunks end makes no difference, not even inside the prefix."""
    rewritten = FAKE.document(page.written).encode()
    whole = unprefixed([rewritten])
    assert unprefixed(cut(rewritten, 1)) == whole
    ends = sorted(data.draw(st.sets(st.integers(0, len(rewritten)), max_size=8)))
    pieces = [rewritten[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]
    assert unprefixed(pieces) == whole


@given(
    st.lists(
        st.sampled_from(
            [
                b"<",
                b">",
                b"/",
                b"!",
                b"--",
                b'"',
                b"=",
                b"a",
                b" ",
                b"script",
                PREFIX.encode(),
                b' href="',
                b"\xff\x00",
            ]
        )
    )
)
@SETTINGS
def test_any_bytes(pieces: list[bytes]) -> None:
    """No bytes make it fail, and none without the prefix change."""
    whole = unprefixed(pieces)
    assert whole == unprefixed([b"".join(pieces)])
    if PREFIX.encode() not in pieces:
        assert whole == b"".join(pieces)


@pytest.mark.parametrize("size", [1000, 4096, 65536])
@pytest.mark.parametrize("offset", range(0, 160, 7))
def test_long_tags(size: int, offset: int) -> None:
    """A tag of a megabyte loses its prefixes too, wherever the chunks end."""
    long = "x" * (HELD + 3 * size + offset)
    link = f'longdesc="http://{HOST}%s/l" src="%s/s" usemap="%s/u"'
    page = f'<img alt="{long}" {link} title="{long}" {link}><a href="%s/x">%s</a>'
    rewritten = (page % ((PREFIX,) * 8)).encode()
    assert unprefixed(cut(rewritten, size)).decode() == page % (*("",) * 7, PREFIX)


def test_long_script_tags() -> None:
    """What follows a long tag is known for what it is."""
    page = f'<script src="data:,{"x" * 3 * HELD}"><a href="{PREFIX}/x"></script>'
    comment = f'<comment data="{"x" * 3 * HELD}"><a href="/x"></comment>'
    rewritten = FAKE.document(page + comment).encode()
    assert unprefixed(cut(rewritten, 1000)).decode() == page + comment


def test_unfinished_tags() -> None:
    """A tag that never ends, long or short, comes out whole when the page ends."""
    for length in (10, 3 * HELD):
        page = f'<img alt="{"x" * length}'.encode()
        assert unprefixed(cut(page, 1000)) == page


@pytest.mark.parametrize(
    "piece",
    [b"text ", b"x", b"<p>", b"< ", b'<a href="%s/x">' % PREFIX.encode(), b"<!-- - -->", b"<"],
)
@pytest.mark.parametrize(
    "start", [b"", b'<img src="data:,', b"<!--", b"<script>", b"</a b='", b"<x", b"<plaintext>"]
)
def test_memory(start: bytes, piece: bytes) -> None:
    """It holds no more than `HELD` bytes and a chunk, whatever the page."""
    unprefixer = HTMLUnprefixer(MOUNT)
    held = len(start) - len(unprefixer.feed(start))
    chunk = piece * (4096 // len(piece))
    links = chunk.count(PREFIX.encode()) * len(PREFIX)
    for _ in range(100):
        held += len(chunk) - links - len(unprefixer.feed(chunk))
        assert len(unprefixer._held) <= HELD + len(chunk)
        assert held <= HELD + len(chunk)


@pytest.fixture(scope="module")
def pages(apiserver: APIServer, serve: Serve) -> APIServer:
    """A real apiserver with an app behind PREFIX that answers with the page it is told."""
    upstream = serve()
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=upstream.address)
    return apiserver


def through(apiserver: APIServer, page: str) -> bytes:
    """A page as the apiserver passes it on."""
    asked = reply(page.encode(), headers={"Content-Type": "text/html"})
    answer = apiserver.request("GET", f"{PREFIX}/p/", headers={**asked, "Host": HOST})
    assert answer.status == 200, answer
    return answer.body


def test_links_of_the_real_apiserver(pages: APIServer) -> None:
    """Every kind of link in every attribute comes back from the real apiserver as it was."""
    for tag, keys in ATTRIBUTES.items():
        for key in keys:
            written = "".join(f'<p><{tag} {key}="{link}"></{tag}>' for link in map(spelt, LINKS))
            wanted = "".join(
                f'<p><{tag} {key}="{link}"></{tag}>' for link in map(spelt, LINKS.values())
            )
            passed = through(pages, written)
            assert passed.count(PREFIX.encode()) > written.count(PREFIX)
            assert unprefixed([passed]).decode() == wanted


def spelt(value: str) -> str:
    """A value as it stands in an attribute."""
    return value.replace("&", "&amp;").replace("'", "&#39;")


@given(ODD_PAGES | PAGES)
@settings(SETTINGS, suppress_health_check=list(HealthCheck))
def test_the_real_apiserver_undone(pages: APIServer, page: Page) -> None:
    """What the real apiserver did to any page is undone to the byte, oddities included."""
    passed = through(pages, page.written)
    assert unprefixed([passed]).decode() == page.wanted
    assert unprefixed(cut(passed, 7)).decode() == page.wanted
