"""Targets: what browsers, other sites and apps send through the gateway."""

from __future__ import annotations

import random
import re
import zlib
from typing import Any

from proxyurls.config import Config
from proxyurls.config.model import Credential
from proxyurls.errors import ClusterError, InvalidInput, InvalidSuffix
from proxyurls.gateway.access import (
    API,
    Access,
    Asset,
    Confirm,
    Facts,
    HandOver,
    Open,
    Own,
    Refuse,
)
from proxyurls.gateway.feed import Feed
from proxyurls.gateway.headers import (
    api_answer,
    api_request,
    request_headers,
    response_headers,
)
from proxyurls.gateway.hosts import Hosts, label, parse_label
from proxyurls.gateway.http1 import Sender
from proxyurls.gateway.index import IndexPage
from proxyurls.gateway.paths import asked, prefix_of
from proxyurls.target import Target, service
from proxyurls.undo.headers import decoded
from proxyurls.undo.unprefix import HTMLUnprefixer, Mount

from .cluster import SERVER, Client
from .registry import must_be_line, target, text

_CONFIG = Config(
    server=SERVER, context="", cluster="", user="", namespace="prod", credential=Credential()
)
_WEB = service("web", "prod", port=80)
MOUNT = Mount(
    prefix_of(_WEB), "web--prod--80.localhost:8001", "http://web--prod--80.localhost:8001"
)
_PREFIX = MOUNT.prefix.encode()
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_NO_SESSION: Any = None


@target(
    "html",
    *(_PREFIX, _PREFIX + b"/x", b'<a href="', b"<base href='/'>", b"<a\nhref=", b'" >'),
    *(b"<script", b"<STYLE>"),
    *(b"</script >", b"<!--", b"--!>", b"<!-->", b"<style>", b"</style/>", b"<textarea", b"<!"),
    *(b"<plaintext>", b"<?xml", b"</", b"</>", b'</a b="', b"<title>", b"<noscript>", b"=", b"'"),
    *(b'<img src="', b"http://web--prod--80.localhost:8001", b"//web--prod--80.localhost:8001"),
    *(b"<form action=", b"<A HREF=", b"<!-- <script>", b'srcset="', b"/>", b"<SCRIPT"),
)
def page(data: bytes) -> None:
    """Whatever bytes a page holds and wherever its chunks end, the un-rewritten page is the same
    as that of one piece, and one without the prefix is left alone.
    """
    whole = _unprefixed([data])
    chance = random.Random(zlib.crc32(data))
    cuts = sorted(chance.randint(0, len(data)) for _ in range(chance.choice([1, 2, 9])))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert _unprefixed(pieces) == whole, cuts
    if len(data) < 600:
        assert _unprefixed([data[at : at + 1] for at in range(len(data))]) == whole
    if _PREFIX not in data:
        assert whole == data
    assert whole.replace(_PREFIX, b"").count(b"<") == data.count(b"<")


def _unprefixed(pieces: list[bytes]) -> bytes:
    reader = HTMLUnprefixer(MOUNT)
    return b"".join([*map(reader.feed, pieces), reader.close()])


@target(
    "hosts",
    *(
        "--",
        "---",
        "-",
        "----",
        ".",
        "\n",
        "web",
        "prod",
        "pod",
        "node",
        "cluster",
        "http",
        "https",
    ),
    *("port", "admin", "80", "xn--", "service", "a" * 60, "0", "A"),
)
def hosts(data: bytes) -> None:
    """Whatever text comes as a label, it means no target or one whose label it is, to the letter;
    and whatever can be a target has a label that DNS and browsers take and that means it alone.
    """
    typed = text(data)
    found = parse_label(typed)
    if found is not None:
        assert label(found) == typed
    kind, name, namespace, port, scheme = (*typed.split("\n"), *[""] * 5)[:5]
    try:
        made = Target(kind, name, None if kind == "node" else namespace, port, scheme)
    except InvalidInput:
        return
    known = Hosts()
    given = known.label(made)
    assert _LABEL.fullmatch(given)
    assert not given.startswith("xn--")
    assert "-" in given
    assert known.target(given) == made
    assert parse_label(given) in (made, None)


@target(
    "paths",
    *(_PREFIX, "/", "//", "..", "%2e", "%2F", "?", "#", "%3A80/proxy", "x", "\\", "é"),
)
def paths(data: bytes) -> None:
    """Whatever a browser asks a target's host for, it goes on as a path below that target which
    the apiserver does not collapse and which bears the prefix no more, or raises InvalidSuffix.
    """
    try:
        found = asked(text(data), MOUNT.prefix)
    except InvalidSuffix:
        return
    assert re.fullmatch(r"/(?!/)[!-~]*", found.suffix)
    assert "/../" not in found.suffix.partition("?")[0] + "/"
    assert _WEB.path(found.suffix) == MOUNT.prefix + found.suffix
    assert asked(found.suffix, MOUNT.prefix).suffix == found.suffix


_HEADERS = (
    *("Host: web--prod--80.localhost:8001", "Connection: close, X-Hop", "X-Hop: 1", "Cookie: a=b"),
    *("Cookie: proxyurls-8001=x; a=b", "Authorization: Basic eDp5", "X-Remote-User: root", "; "),
    *("Impersonate-User: root", "X_Forwarded_For: 1", "Origin: http://h", "Referer: /x", ": ", ":"),
    *("Accept-Encoding: gzip;q=0.1", "Location: //evil/", "Set-Cookie: a=b; Domain=h; Path=/"),
    *("Refresh: 5; url=/x", "Content-Type: text/html", "ETag: x", "Transfer-Encoding: chunked"),
    *("Content-Length: 5", "Location: " + MOUNT.prefix + "//evil/", "Path=" + MOUNT.prefix, "\n"),
    *("\u00a0", " ", "\t", "=proxyurls-1=x", "Sec-WebSocket-Key: x", "Upgrade: websocket", ","),
)


def _pairs(data: bytes) -> list[tuple[str, str]]:
    """Lines as headers, as the server's parser would give them."""
    lines = [one.partition(b":") for one in data.split(b"\n") if one.strip()]
    return decoded((name.strip(), value.strip(b" \t\r")) for name, _, value in lines)


@target("headers", *_HEADERS)
def headers(data: bytes) -> None:
    """Whatever headers come, the apiserver gets one Host, no credential but the gateway's own and
    nothing that is of one connection; the browser gets no cookie by the gateway's name or for
    other hosts, and no link to another host that the app did not send it to.
    """
    came = _pairs(data)
    for server in (None, "https://apiserver:6443"):
        sent = [(name.lower().replace("_", "-"), value) for name, value in
                request_headers(came, server=server)]  # fmt: skip
        names = [name for name, _ in sent]
        assert names[0] == "host"
        assert names.count("host") == names.count("accept-encoding") == 1
        assert not {"authorization", "te", "transfer-encoding", "upgrade", "connection"} & {*names}
        assert not any(
            name.startswith(("x-remote-", "impersonate-", "x-forwarded-", "sec-websocket-"))
            for name in names
        )
        for name, value in sent:
            assert name != "cookie" or not re.search(r"(?:^|;)[\s=]*proxyurls-", value)
    api = {name.lower() for name, _ in api_request(came, "apiserver:6443")}
    assert not {"authorization", "origin", "referer", "connection", "transfer-encoding"} & api
    assert api_answer(came)[-2:] == api_answer([])
    for name, value in response_headers(came, MOUNT):
        key = name.lower()
        if key == "set-cookie":
            assert not re.match(r"[ \t=]*proxyurls-", value)  # what browsers strip
            assert not re.search(r";\s*domain\s*(?:=|;|$)", value, re.IGNORECASE)
        elif key == "location" and re.match(r"/[\t\r\n]*[/\\]", value):
            assert (name, value) in came


@target(
    "http1",
    *("GET", "POST", "\n", "/x?y", " HTTP/1.1", "Host: h", "Content-Length: 3", "\r", "\0", " "),
    *("Transfer-Encoding: chunked", "\r\n\r\n", "X: é", "/\u2028", "HEAD", "\x0b", "\x85"),
)
def http1(data: bytes) -> None:
    """Whatever method, path, headers and body are to be sent, what is written is one request with
    just those in its head and the body's own length, or nothing, and a ValueError.
    """
    first, _, rest = data.partition(b"\n")
    method, _, path = text(first).partition(" ")
    head, mark, body = rest.partition(b"\n\n")
    came = _pairs(head)
    sender = Sender(_NO_SESSION, "https://apiserver:6443/k8s", _NO_SESSION)
    content = body if mark else None
    try:
        made = sender._head(method, path, came, content)
    except ValueError:
        return
    lines = made.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    assert b"" not in lines[:-2]
    assert lines[0].count(b" ") == 2
    assert lines[0].split(b" ", 1)[1] == b"/k8s" + path.encode() + b" HTTP/1.1"
    assert b"\n" not in made.replace(b"\r\n", b"")
    sent = [line.partition(b": ") for line in lines[1:-2]]
    named = [name.lower() for name, _, _ in sent]
    assert b"host" in named
    if content is not None:
        assert [value for name, _, value in sent if name.lower() == b"content-length"] == [
            b"%d" % len(content)
        ]
    kept = [(n.encode("utf-8", "surrogateescape"), v.encode("utf-8", "surrogateescape"))
            for n, v in came if n.lower() != "content-length"]  # fmt: skip
    assert [(n, v) for n, _, v in sent if n.lower() != b"content-length"][-len(kept) :] == kept or (
        not kept
    )


_SITES = (
    *("none", "same-origin", "same-site", "cross-site", "navigate", "cors", "document", "iframe"),
    *("GET", "POST", "/", "/.proxyurls/enter", "/.proxyurls/open/web", "/.proxyurls/assets/x", "-"),
    *("token={token}", "proxyurls-8001={cookie}", "proxyurls-8001=", "localhost:8001", "127.0.0.1"),
    *("web.localhost:8001", "evil.example", "null", "http://", "\n", "[::1]:8001", ":", "path=//e"),
    *("via=", "&", ";", "%", "\u212a", "web.localhost.", "xn--a.localhost:8001", ":80"),
)


@target("access", *_SITES)
def access(data: bytes) -> None:
    """Whatever a request says of itself, it gets past the gateway only at a host of ours, with that
    host's cookie and from no other site; and no redirect of ours leads to a host that isn't ours.

    The lines are: method, host, path, query, cookie, Origin, and Sec-Fetch-Site, -Mode and -Dest;
    "-" is a header that isn't there.
    """
    lines = [line.decode("utf-8", "surrogateescape") for line in data.split(b"\n")[:9]]
    method, host, path, query, cookies, *fetch = lines + ["-"] * (9 - len(lines))
    given = [None if value == "-" else value for value in fetch]
    for options in ({}, {"api": True}, {"only": "web"}, {"only": "web", "single": True}):
        made: Any = options
        rules = Access(b"secret", 8001, random=lambda: "guess", clock=lambda: 0.0, **made)
        rules.link("web" if not made.get("single") else "", "/x")
        cookie = rules._cookie(host.lower())
        origin, site, mode, dest = given
        facts = Facts(
            *(method, host, path, query.replace("{token}", "guess")),
            cookies.replace("{cookie}", cookie),
            *(origin, site, mode, dest),
            len(data) % 7 == 0,
        )
        decision = rules.decide(facts)
        if isinstance(decision, (Refuse, Asset)):
            continue
        assert _is_ours(host), host
        if isinstance(decision, HandOver):
            place = decision.location.removeprefix("http://localhost:8001")
            assert re.fullmatch(r"/(?![/\\])[!-~]*", place), place
        elif not isinstance(decision, Confirm):
            assert f"proxyurls-8001={cookie}" in "".join(facts.cookie.split())
            if not isinstance(decision, (Open, Own)):  # of these no app learns
                assert origin in (None, "null", f"http://{host.lower()}")
                assert site in (None, "none", "same-origin")
        if isinstance(decision, API):
            assert made.get("api")


def _is_ours(host: str) -> bool:
    return (
        bool(
            re.fullmatch(r"(?i:(?:[a-z0-9_-]{1,63}\.)?localhost|127\.0\.0\.1|\[::1\]):0*8001", host)
        )
        and host.isascii()
    )


@target(
    "index",
    *('"metadata"', '"labels"', '"endpoints"', '"subsets"', '"addresses"', '"notReadyAddresses"'),
    *('"conditions"', '"ready"', '"targetRef"', '"ip"', '"name"', "true", "false", '"spec"'),
    *('"ports"', '"resourceVersion"'),
)
def index(data: bytes) -> None:
    """Whatever an apiserver answers where Services, EndpointSlices or Endpoints are due, the index
    page is made, no more of a service's endpoints ready than there are, or ClusterError is raised
    in one line.
    """
    feed = Feed(_CONFIG)
    mirrors: list[Any] = [feed._services, feed._endpoints]
    for mirror in mirrors:
        for source in mirror._sources[:2]:
            mirror._client = Client(data)
            try:
                mirror._list_one(source)
                mirror._take(source, b'{"type": "ADDED", "object": %s}' % data.strip())
            except ClusterError as error:
                must_be_line(error)
            for entry in feed.snapshot().entries:
                ready = entry.readiness
                assert ready is None or 0 <= ready.ready <= ready.total
            page = IndexPage(feed.snapshot, lambda found: found.path(), cluster="c", server=SERVER)
            assert page.answer().body
