"""What the server rewrites in an answer: links in HTML, and Location."""

from __future__ import annotations

import gzip
import http.client
import time
from typing import TYPE_CHECKING

import pytest

from .upstream import reply

if TYPE_CHECKING:
    from .cluster import Response
    from .conftest import Site


def page(site: Site, body: str | bytes, *, path: str = "/p/", **headers: str) -> Response:
    """Let the upstream answer with a body, HTML unless told otherwise."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body.encode() if isinstance(body, str) else body
    return site.send(path, headers=reply(raw, headers={"Content-Type": "text/html", **named}))


LINKS = {  # the elements of each attribute
    "action": "form",
    "background": "body",
    "cite": "blockquote del ins q",
    "classid": "object",
    "codebase": "applet object",
    "data": "object",
    "formaction": "button input",
    "href": "a area base link",
    "icon": "command",
    "longdesc": "frame iframe img",
    "manifest": "html",
    "poster": "video",
    "profile": "head",
    "src": "audio embed frame iframe img input script source video",
    "usemap": "img input object",
}


@pytest.mark.parametrize(
    ("tag", "attribute"),
    [(tag, attribute) for attribute, tags in LINKS.items() for tag in tags.split()],
)
def test_rooted_links(site: Site, tag: str, attribute: str) -> None:
    """A rooted URL in an attribute of HTML gets the proxy's prefix."""
    answer = page(site, f'<{tag} {attribute}="/x/y">')
    assert answer.text == f'<{tag} {attribute}="{site.root("web")}/x/y">'


def test_base_of_the_root(site: Site) -> None:
    """<base href="/"> gets the prefix too."""
    answer = page(site, '<base href="/">')
    assert answer.text == f'<base href="{site.root("web")}/">'


def test_links_keep_query_and_fragment(site: Site) -> None:
    """A rewritten link keeps its query and fragment."""
    answer = page(site, '<a href="/x?a=1&amp;b=2#f">')
    assert answer.text == f'<a href="{site.root("web")}/x?a=1&amp;b=2#f">'


def test_absolute_links_to_the_server(site: Site) -> None:
    """An absolute link to the Host that was asked gets the prefix as well."""
    host = site.apiserver.server
    answer = page(site, f'<a href="{host}/x">')
    assert answer.text == f'<a href="{host}{site.root("web")}/x">'


@pytest.mark.parametrize(
    "link",
    ["x", "./x", "../x", "?q", "#f", "//host.test/x", "https://host.test/x", "data:,x", "mailto:x"],
)
def test_other_links(site: Site, link: str) -> None:
    """A relative link, and one to another host, stays."""
    assert page(site, f'<a href="{link}">').text == f'<a href="{link}">'


RAW = [
    *("iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea"),
    *("title", "xmp"),
]


@pytest.mark.parametrize(
    "html",
    [
        '<img srcset="/s 2x">',
        "<style>body{background:url(/x)}</style>",
        '<script>fetch("/x")</script>',
        '<meta http-equiv="refresh" content="0;url=/x">',
        '<use xlink:href="/x">',
        '<div data-url="/x">',
        '<!-- <a href="/x"> -->',
        '<p style="background:url(/x)">',
        *(f"<{tag}><a href='/x'></{tag}><p>" for tag in RAW),
        *('<track src="/x">', '<menuitem icon="/x">', '<td background="/x">', '<a data="/x">'),
    ],
)
def test_untouched_html(site: Site, html: str) -> None:
    """srcset, inline script and style, meta refresh, comments, and what is no markup there stay."""
    assert page(site, html).text == html


def test_srcdoc_is_only_escaped(site: Site) -> None:
    """A document in srcdoc is not rewritten, though its spelling is."""
    answer = page(site, '<iframe srcdoc="<a href=/x>">')
    assert answer.text == '<iframe srcdoc="&lt;a href=/x&gt;">'


@pytest.mark.parametrize(
    "kind",
    [
        *("text/css", "text/javascript", "application/javascript", "application/json"),
        *("application/xhtml+xml", "image/svg+xml", "text/plain", "TEXT/HTML"),
    ],
)
def test_other_types(site: Site, kind: str) -> None:
    """Anything but text/html, in lower case, is untouched."""
    text = '<a href="/x">url(/x)</a>'
    assert page(site, text, Content_Type=kind).text == text


def test_type_with_charset(site: Site) -> None:
    """A charset behind text/html does not keep it from being rewritten."""
    answer = page(site, '<a href="/x">é', Content_Type="text/html; charset=utf-8")
    assert answer.text == f'<a href="{site.root("web")}/x">é'


def test_length_follows(site: Site) -> None:
    """Content-Length is that of the rewritten body; an ETag is kept though the body changed."""
    answer = page(site, '<a href="/x">', ETag='"e"')
    assert answer.headers["ETag"] == '"e"'
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_gzip(site: Site) -> None:
    """Zipped HTML is rewritten too, and zipped again."""
    headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
    asked = reply(gzip.compress(b'<a href="/x">'), headers=headers)
    answer = site.send("/p/", headers={**asked, "Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body).decode() == f'<a href="{site.root("web")}/x">'


def test_zipped_by_the_way(site: Site) -> None:
    """What was zipped since the server itself asked for it comes unzipped, HTML rewritten."""
    headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
    answer = site.send("/p/", headers=reply(gzip.compress(b'<a href="/x">'), headers=headers))
    assert "Content-Encoding" not in answer.headers
    assert answer.text == f'<a href="{site.root("web")}/x">'


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("gzip", b"no such thing", "errorf making gzip reader: gzip: invalid header"),
        ("gzip", b"", "errorf making gzip reader: EOF"),
        ("deflate", b"<title>", "unexpected EOF"),
        ("deflate", b"<title><a href='/x'>", "flate: corrupt input before offset 8"),
    ],
)
def test_ill_encoded_html(site: Site, encoding: str, body: bytes, message: str) -> None:
    """HTML that is not encoded as it's said to be is a 500; other bodies are not looked at."""
    headers = {"Content-Type": "text/html", "Content-Encoding": encoding}
    asked = {**reply(body, headers=headers), "Accept-Encoding": "identity"}
    answer = site.send("/p/", headers=asked)
    assert (answer.status, answer.message) == (500, message)
    asked |= reply(body, headers={**headers, "Content-Type": "text/x"})
    assert site.send("/p/", headers=asked).body == body


@pytest.mark.parametrize(
    ("sent", "prefix"),
    [("/a//b", "/a/b"), ("/a/../b", ""), ("/a%2Fb", ""), ("/a/./b", "/a/b"), ("/a/b/../b", "/a/b")],
)
def test_prefix_of_collapsed_paths(site: Site, sent: str, prefix: str) -> None:
    """The prefix is what is left of the path as sent; a path that collapsed may make it wrong."""
    answer = page(site, '<a href="/x">', path=sent)
    assert answer.text == f'<a href="{site.root("web")}{prefix}/x">'


@pytest.mark.parametrize("segment", ["web:80", "http:web:", "http:web:80"])
def test_prefix_has_the_segment(site: Site, segment: str) -> None:
    """The prefix names the segment as it was asked for."""
    asked = reply(b'<a href="/x">', headers={"Content-Type": "text/html"})
    answer = site.send("/p/", segment=segment, headers=asked)
    assert answer.text == f'<a href="{site.root(segment)}/x">'


@pytest.mark.parametrize("status", [200, 201, 301, 302, 303, 307, 308])
def test_location(site: Site, status: int) -> None:
    """A rooted Location gets the prefix, whatever the status."""
    answer = site.send("/p/", headers=reply(status=status, headers={"Location": "/n?q=1&r=;#f"}))
    assert answer.status == status
    assert answer.headers["Location"] == site.root("web") + "/n?q=1&r=;#f"


@pytest.mark.parametrize("location", ["n", "../n", "?q", "//host.test/n", "https://host.test/n"])
def test_other_locations(site: Site, location: str) -> None:
    """A relative Location, and one to another host, stays."""
    answer = site.send("/p/", headers=reply(status=302, headers={"Location": location}))
    assert answer.headers["Location"] == location


def test_location_of_the_server(site: Site) -> None:
    """A Location to the Host that was asked keeps that host, and gets the prefix."""
    location = site.apiserver.server + "/n"
    answer = site.send("/p/", headers=reply(status=302, headers={"Location": location}))
    assert answer.headers["Location"] == site.apiserver.server + site.root("web") + "/n"


def test_location_of_the_upstream(site: Site) -> None:
    """A Location to the upstream's own address becomes a rooted path of the proxy."""
    ip, port = site.plain.address
    asked = reply(status=302, headers={"Location": f"http://{ip}:{port}/n"})
    assert site.send("/p/", headers=asked).headers["Location"] == site.root("web") + "/n"


def test_location_with_the_prefix(site: Site) -> None:
    """A Location that has the prefix already does not get it twice."""
    location = site.root("web") + "/n"
    answer = site.send("/p/", headers=reply(status=302, headers={"Location": location}))
    assert answer.headers["Location"] == location


def test_redirects_are_not_followed(site: Site) -> None:
    """The server follows no redirect of an upstream."""
    before = len(site.plain.requests)
    assert site.get("/-/redirect/302?/n").status == 302
    assert len(site.plain.requests) == before + 1


def test_big_bodies(site: Site) -> None:
    """Eight megabytes come whole."""
    assert len(site.get(f"/-/big/{8 << 20}").body) == 8 << 20


def test_long_uploads(site: Site) -> None:
    """Eight megabytes arrive whole."""
    assert site.send("/-/count", method="POST", body=bytes(8 << 20)).text == str(8 << 20)


def test_answers_that_break_off(site: Site) -> None:
    """An answer that breaks off comes with its status and length, and ends short of it."""
    with pytest.raises(http.client.IncompleteRead) as short:
        site.get("/-/cut/100000")
    assert len(short.value.partial) < 200_000


def test_events_stream(site: Site) -> None:
    """Server-sent events are passed on as they come."""
    started = time.monotonic()
    with site.apiserver.connect() as connection:
        site.apiserver.send(connection, "GET", site.root("web") + "/-/sse/10")
        text = b""
        while b"data: 0" not in text:
            text += connection.recv(65536)
    assert time.monotonic() - started < 1.5


def test_slow_answers(site: Site) -> None:
    """A slow upstream is waited for."""
    assert site.get("/-/slow/0.5").text == "at last"
