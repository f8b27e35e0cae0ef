"""Requests at random, for every kind of target, and what the upstream is to answer them with."""

from __future__ import annotations

import gzip
import random
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from .test_builder import ATOMS, NASTY
from .upstream import reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Pairs = list[tuple[str, str]]

NAMESPACE = "diff"
# {plain} and {tls} are the ports of the upstreams, which differ from server to server.
SEGMENTS: dict[str, list[str]] = {
    "services": [
        *("web", "web:80", "web:", ":web:80", "http:web:", "multi", "multi:a", "multi:81"),
        *("multi:b", "multi:99", "none", "none:80", "idle", "https:idle:", "ftp:web:", "a:b:c:d"),
        *("web:x", "W b", "secure", "https:secure:", "https:secure:443", "https:multi:tls"),
        *("https:web:", "https:secure:x", "HTTPS:secure:", "web:0080", "web:+80", "bare", "::", ""),
    ],
    "pods": [
        *("p", "p:", "p:{plain}", "http:p:", "http:p:{plain}", "https:p:{tls}", "https:p:{plain}"),
        *("p:{tls}", "p:99999", "p:1", "mute", "mute:{plain}", "none", "none:80", "homeless"),
        *("ftp:p:", "a:b:c:d", ":p:", "https:p", "p:x"),
    ],
    "nodes": [
        *("n", "n:", "n:{tls}", "http:n:", "http:n:{tls}", "https:n:", "https:n:{tls}"),
        *("n:{plain}", "http:n:{plain}", "https:n:{plain}", "none", "n:99999", "n:1", "ftp:n:"),
        "a:b:c:d",
    ],
}
USUAL = {"services": "web", "pods": "p", "nodes": "n"}
METHODS = ["GET"] * 6 + ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]
WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}
HEADERS: list[tuple[str, Sequence[str]]] = [
    ("Host", ["app.test", "app.test:88"]),
    ("Accept", ["*/*", "text/html", "application/json;q=0.5"]),
    ("Accept-Encoding", ["gzip", "identity", "br, gzip"]),
    ("User-Agent", ["diff/1"]),
    ("X-Forwarded-For", ["192.0.2.1", "192.0.2.1, 192.0.2.2"]),
    ("X-Forwarded-Uri", ["/forged"]),
    ("X-Forwarded-Host", ["forged"]),
    ("Cookie", ["a=b; c=d", "e=f"]),
    ("Cookie", ["g=h"]),
    ("Origin", ["https://app.test"]),
    ("Range", ["bytes=0-1", "bytes=5-"]),
    ("Te", ["trailers", "gzip, trailers", "x"]),
    ("Impersonate-User", ["jane"]),
    ("Keep-Alive", ["3"]),
    ("If-None-Match", ['"e"']),
    ("Content-Type", ["text/plain", "application/x-www-form-urlencoded"]),
    ("Connection", ["close, X-Hop", "close, Te, Cookie"]),
    ("X-Hop", ["1"]),
    ("x-lower-case", ["1"]),
    ("X_underscore", ["1"]),
    ("Proxy-Authorization", ["Basic eDp5"]),
    ("Trailer", ["X-Late"]),
    ("Expect", ["100-continue"]),
    ("X-Empty", [""]),
    ("X-Spaces", ["  a  b  "]),
    ("X-Latin", ["é"]),
]
HANDSHAKE = [
    ("Connection", ["Upgrade", "upgrade", "keep-alive, Upgrade"]),
    ("Upgrade", ["websocket", "websocket", "WebSocket", "other"]),
    ("Sec-WebSocket-Version", ["13"]),
    ("Sec-WebSocket-Key", ["MDEyMzQ1Njc4OWFiY2RlZg=="]),
]
OFFER = ("Sec-WebSocket-Protocol", ["one", "one, two"])
# Suffixes that decide what the upstream answers, however they are spelt.
APPS = [
    *("-/html", "-/html?q", "%2D/html", "x/../-/html", "-//html", "-%2Fhtml", "./-/html"),
    *("-/redirect/302?/n", "-/redirect/301?n", "-/redirect/307?//h/n", "-/redirect/200?/x"),
    *("-/redirect/308?http://app.test/n", "-/redirect/302?/a%2Fb", "-/redirect/302?"),
    *("-/big/70000", "-/big/0", "-/cut/100000", "-/count", "-/slow/0.01", "-/nothing"),
]
PAGES = [
    '<a href="/x?a=1&amp;b">é</a>',
    "<A HREF=/x CLASS='y'>",
    '<img src="/i" srcset="/s 2x"/><br/>',
    '<script src="/s">if (a<b) "</a>"</script><a href="/y">',
    '<!-- <a href="/x"> --><!DOCTYPE html><link href=/x>',
    '<a href="//h/x"><a href="x"><a href="/x/../y/"><a href="/%2F/x">',
    '<input disabled value="&quot;&lt;" formaction="/x">',
    "<title><a href='/x'></title><textarea><a href='/x'></textarea><a",
    '<a href="/x" href="/y" title=\'"\'>< a href="/x"></ a><a\nhref\n=\n"/z">',
    '<a href="&copy=1&copy;&amp;&#47;x"><a href=" /x"><base href="/">',
    '<a href="http://app.test/x"><a href="https://app.test:88/x"><a href="{upstream}/x">',
    '<form action=/x method=post><button formaction="/y">\n</form><video poster=/v src=/w>',
    "plain words, no markup",
    "",
]
LOCATIONS = [
    *("/n", "/n/", "n", "../n", "?q", "//h/n", "/a b", "/a%2Fb", "/a/../b", "#f", "", "/n?q=/x#/y"),
    *("http://app.test/n", "https://app.test:88/n", "{upstream}/n", "mailto:x", "http://[::1/n"),
]
ANSWERED: list[tuple[str, Sequence[str]]] = [
    ("Set-Cookie", ["a=b; Path=/", "c=d"]),
    ("Set-Cookie", ["e=f"]),
    ("Cache-Control", ["max-age=3"]),
    ("Access-Control-Allow-Origin", ["*"]),
    ("Access-Control-Max-Age", ["3"]),
    ("ETag", ['"e"']),
    ("Keep-Alive", ["timeout=3"]),
    ("Content-Range", ["bytes 0-1/9"]),
    ("WWW-Authenticate", ["Basic"]),
    ("x-lower-case", ["1"]),
    ("Link", ["</x>; rel=next"]),
    ("Warning", ["299 - x"]),
    ("Connection", ["X-Hop"]),
    ("Trailer", ["X-Late"]),
    ("Upgrade", ["h2c"]),
]
STATUSES = [200, 200, 200, 201, 203, 204, 206, 304, 400, 401, 404, 418, 500, 503]
TYPES = ["text/html", "text/html; charset=utf-8", "text/plain", "TEXT/HTML", "text/css"]


@dataclass(frozen=True)
class Sent:
    """A request, with placeholders for what differs from server to server."""

    method: str
    kind: str
    segment: str
    suffix: str
    headers: Pairs
    body: bytes | None = field(default=None, repr=False)
    chunked: bool = False

    def target(self, places: dict[str, str]) -> str:
        """The request target on one server."""
        scope = "" if self.kind == "nodes" else f"/namespaces/{NAMESPACE}"
        segment = quote(self.segment.format_map(places))
        return f"/api/v1{scope}/{self.kind}/{segment}/proxy{self.suffix}"

    def raw_body(self) -> bytes:
        """The body as it is sent."""
        if self.body is None or not self.chunked:
            return self.body or b""
        pieces = [self.body[at : at + 40] for at in range(0, len(self.body), 40)]
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def requests(seed: int, count: int) -> Iterator[Sent]:
    """The same requests for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        kind = chance.choice(["services", "services", "pods", "nodes"])
        segment = chance.choice(SEGMENTS[kind]) if chance.random() < 0.5 else USUAL[kind]
        slash = chance.choice(["/", "/", "/", ""])
        method, body = chance.choice(METHODS), None
        suffix = _suffix(chance)
        if not slash and chance.random() < 0.3:
            suffix = chance.choice(["", "?", "?a=b"])  # a root without its slash
        headers = _some(chance, HEADERS, [0, 0, 1, 2, 3])
        if method in WITH_BODY and chance.random() < 0.8:
            body = bytes(chance.choice(b"abc \n") for _ in range(chance.choice([0, 1, 99, 5000])))
        if chance.random() < 0.15:
            method = chance.choice(["GET", "GET", "GET", "POST"])
            asked = [(name, chance.choice(values)) for name, values in HANDSHAKE]
            asked += [(OFFER[0], chance.choice(OFFER[1]))] if chance.random() < 0.3 else []
            headers = [one for one in headers if one[0] not in ("Connection", "Expect")] + asked
            body = None
        chunked = body is not None and chance.random() < 0.4
        yield Sent(
            *(method, kind, segment, slash + suffix, headers + _answer(chance)),
            body=body,
            chunked=chunked,
        )


def _suffix(chance: random.Random) -> str:
    made = "".join(chance.choices(ATOMS, k=chance.randint(1, 6)))
    return chance.choice([made, chance.choice(NASTY), chance.choice(APPS)])


def _some(
    chance: random.Random, pool: Sequence[tuple[str, Sequence[str]]], counts: list[int]
) -> Pairs:
    """Some headers of a pool, each with a value of its own."""
    names = chance.sample(pool, k=chance.choice(counts))
    return [(name, chance.choice(values)) for name, values in names]


def _encoded(body: bytes) -> Iterator[tuple[str, bytes]]:
    """A body in every encoding, and said to be in one though it isn't."""
    yield "gzip", gzip.compress(body, mtime=0)
    packer = zlib.compressobj(wbits=-15)
    yield "deflate", packer.compress(body) + packer.flush()
    yield "identity", body
    for encoding in ("gzip", "deflate", "br"):
        yield encoding, body


def _answer(chance: random.Random) -> Pairs:
    """The header that makes the upstream answer something, or none."""
    what = chance.random()
    if what > 0.4:
        return []
    headers = _some(chance, ANSWERED, [0, 0, 1, 2])
    status, body = chance.choice(STATUSES), b""
    if what < 0.25:
        headers.append(("Content-Type", chance.choice(TYPES)))
        body = chance.choice(PAGES).encode()
        if chance.random() < 0.3:
            encoding, body = chance.choice(list(_encoded(body)))
            headers.append(("Content-Encoding", encoding))
    else:
        status = chance.choice([200, 201, 301, 302, 303, 307, 308])
        headers += [("Location", chance.choice(LOCATIONS)), ("Content-Type", "text/plain")]
    if status in {204, 304}:
        body = b""
    return list(reply(body, status=status, headers=headers).items())
