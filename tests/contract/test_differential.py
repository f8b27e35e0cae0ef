"""The real apiserver and the fake one get the same thousand requests, and do the same with them."""

from __future__ import annotations

import http.client
import random
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from .cluster import ContainerPort, Port
from .fixtures import KINDS, started
from .test_builder import ATOMS, NASTY, SEED
from .upstream import Upstream, arrived, reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import APIServer

COUNT = 1000
NAMESPACE = "diff"
SEGMENTS = [
    *("web", "web:80", "web:", ":web:80", "http:web:", "multi", "multi:a", "multi:81", "multi:b"),
    *("multi:99", "none", "none:80", "idle", "https:idle:", "ftp:web:", "a:b:c:d", "web:x", "W b"),
]
METHODS = ["GET"] * 6 + ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]
HEADERS = {
    "Host": ["app.test", "app.test:88"],
    "Accept": ["*/*", "text/html", "application/json;q=0.5"],
    "Accept-Encoding": ["gzip", "identity", "br, gzip"],
    "User-Agent": ["diff/1"],
    "X-Forwarded-For": ["192.0.2.1"],
    "X-Forwarded-Uri": ["/forged"],
    "X-Forwarded-Host": ["forged"],
    "Cookie": ["a=b; c=d"],
    "Origin": ["https://app.test"],
    "Range": ["bytes=0-1"],
    "Te": ["trailers"],
    "Impersonate-User": ["jane"],
    "Keep-Alive": ["3"],
}
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
]
LOCATIONS = [
    "/n",
    "/n/",
    "n",
    "../n",
    "?q",
    "//h/n",
    "/a b",
    "/a%2Fb",
    "/a/../b",
    "http://app.test/n",
]


@pytest.fixture(scope="module")
def pair() -> Iterator[list[tuple[APIServer, Upstream]]]:
    """A server of each kind, with the same things behind."""
    with ExitStack() as stack:
        made = []
        for kind in KINDS:
            server = stack.enter_context(started(kind))
            upstream = stack.enter_context(Upstream(server.listen()))
            server.add_namespace(NAMESPACE)
            server.add_service("web", NAMESPACE, upstream=upstream.address)
            ports = [Port(80, "a"), Port(81, "b")]
            server.add_service("multi", NAMESPACE, ports=ports, upstream=upstream.address)
            server.add_service("idle", NAMESPACE)
            ip, port = upstream.address
            server.add_pod("p", NAMESPACE, ip=ip, ports=[[ContainerPort(port)]])
            made.append((server, upstream))
        yield made


Sent = tuple[str, str, dict[str, str], "bytes | None"]


def requests() -> Iterator[Sent]:
    """Requests at random, the same ones every time."""
    chance = random.Random(SEED)
    for _ in range(COUNT):
        segment = chance.choice(SEGMENTS if chance.random() < 0.5 else ["web"])
        suffix = "".join(chance.choices(ATOMS, k=chance.randint(1, 6)))
        suffix = chance.choice([suffix, chance.choice(NASTY)])
        method = chance.choice(METHODS)
        names = chance.sample(list(HEADERS), k=chance.choice([0, 0, 1, 2, 3]))
        headers = {name: chance.choice(HEADERS[name]) for name in names}
        body = bytes(chance.randint(0, 99)) if method in {"POST", "PUT", "PATCH"} else None
        answer = chance.random()
        if answer < 0.2:
            kind = chance.choice(["text/html", "text/html; charset=utf-8", "text/plain"])
            html = chance.choice(PAGES)
            headers |= reply(html.encode(), headers={"Content-Type": kind})
        elif answer < 0.3:
            location = {"Location": chance.choice(LOCATIONS), "Content-Type": "text/plain"}
            headers |= reply(status=chance.choice([201, 302, 308]), headers=location)
        slash = chance.choice(["/", "/", "/", ""])
        target = f"/api/v1/namespaces/{NAMESPACE}/services/{quote(segment)}/proxy{slash}{suffix}"
        yield method, target, headers, body


# What no two servers have in common, and what the fake does not promise.
VOLATILE = {"date", "content-length", "host", "connection", "transfer-encoding", "audit-id"}


def printable(name: str, value: str) -> str:
    """A header without bytes that are no UTF-8, in X-Forwarded-Uri: aiohttp can't send them."""
    if name == "X-Forwarded-Uri":
        return value.encode("latin-1").decode("utf-8", "ignore").strip()
    return value


def outcome(pair: tuple[APIServer, Upstream], sent: Sent) -> dict[str, object]:
    """All that came of a request, at both ends."""
    server, upstream = pair
    method, target, headers, body = sent
    before = len(upstream.requests)
    port = f":{server.server.rpartition(':')[2]}"
    try:
        answer = server.request(method, target, headers=headers, body=body)
    except (http.client.HTTPException, OSError) as error:
        return {"error": type(error).__name__}
    text = answer.body
    found: dict[str, object] = {"status": answer.status}
    if len(upstream.requests) > before:
        seen = upstream.last
        pairs = [(name.title(), printable(name.title(), value)) for name, value in seen.headers]
        found["arrived"] = (seen.method, seen.target, seen.body)
        found["headers"] = sorted(one for one in pairs if one[0].lower() not in VOLATILE)
        if text.startswith(b'{"method"'):
            text = b"echo " + arrived(text).target.encode()
    found["text"] = re.sub(port.encode(), b":PORT", text).strip()
    if answer.status_object is not None:
        found["text"] = (answer.message, answer.status_object.get("reason"))
    for name in ("Location", "Content-Type", "Cache-Control"):
        if answer.status < 400 or name == "Location":
            found[name] = answer.headers.get_all(name)
    return found


def test_differential(pair: list[tuple[APIServer, Upstream]]) -> None:
    """Status, body, headers, and what arrived: no difference in a thousand requests."""
    differences = []
    for sent in requests():
        real, fake = (outcome(one, sent) for one in pair)
        if real != fake:
            parts = {key for key in real | fake if real.get(key) != fake.get(key)}
            shown = {key: (real.get(key), fake.get(key)) for key in sorted(parts)}
            differences.append(f"{sent}\n    {shown}")
    assert not differences, f"{len(differences)} of {COUNT}\n" + "\n".join(differences[:40])
