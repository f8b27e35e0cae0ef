"""Headers on their way to the apiserver and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract.upstream import arrived, reply
from core.strategies import SETTINGS
from hypothesis import given
from hypothesis import strategies as st

from proxyurls.gateway.headers import (
    COOKIE_PREFIX,
    api_request,
    request_headers,
    response_headers,
)
from proxyurls.undo.headers import is_rewritten

from .documents import HOST, MOUNT, NAMESPACE, PREFIX

if TYPE_CHECKING:
    from contract.cluster import APIServer
    from contract.fixtures import Serve

ORIGIN = f"http://{HOST}"
SERVER = "https://api.example:6443"
GATEWAYS = f"{COOKIE_PREFIX}8001=secret"


def sent(*pairs: tuple[str, str], server: str | None = None) -> list[tuple[str, str]]:
    """What of these headers goes on, without those that always do."""
    found = request_headers([("Host", HOST), *pairs], server=server)
    assert found[0][0] == "Host"
    assert found[-1][0] == "Accept-Encoding"
    return found[1:-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Basic abc"),
        ("authorization", "Bearer abc"),
        ("Proxy-Authorization", "Basic abc"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("x-forwarded-prefix", "/x"),
        ("X_Forwarded_Host", "evil.example"),
        ("Forwarded", "for=1.2.3.4"),
        ("X-Remote-User", "admin"),
        ("X-Remote-Extra-Scopes", "x"),
        ("Impersonate-User", "system:admin"),
        ("Impersonate-Extra-x", "y"),
        ("Impersonate_Group", "system:masters"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "abc"),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Trailer", "X-Sum"),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"),
        ("Sec-WebSocket-Key", "abc"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("Cookie", GATEWAYS),
        ("Cookie", f"={GATEWAYS}"),
    ],
)
def test_dropped(name: str, value: str) -> None:
    """What isn't the browser's to say, or was meant for the gateway, stays behind."""
    assert sent((name, value)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", ORIGIN),
        ("Referer", f"{ORIGIN}/d/x?y"),
        ("Cookie", "a=b; c=d"),
        ("Accept", "text/html"),
        ("Content-Length", "5"),
        ("Content-Type", "text/plain"),
        ("Range", "bytes=0-4"),
        ("If-None-Match", 'W/"e"'),
        ("Sec-Fetch-Site", "same-origin"),
        ("X-Requested-With", "x"),
        ("X-Xsrftoken", "t"),
    ],
)
def test_kept(name: str, value: str) -> None:
    """All else goes on as it came."""
    assert sent((name, value)) == [(name, value)]


def test_connection_names_others() -> None:
    """What Connection names goes no further, but it can't name what a request is made of."""
    named = "close, X-Hop, Content-Length, Host, Cookie"
    pairs = [("Connection", named), ("X-Hop", "1"), ("Content-Length", "5"), ("Cookie", "a=b")]
    assert sent(*pairs) == [("Content-Length", "5"), ("Cookie", "a=b")]
    assert request_headers([("Connection", "Host"), ("Host", HOST)])[0] == ("Host", HOST)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"a=b; {GATEWAYS}; c=d", "a=b; c=d"),
        (f"{GATEWAYS}; a=b", "a=b"),
        (f"a=b;{COOKIE_PREFIX}8002=other;{GATEWAYS}", "a=b"),
        ("a=proxyurls-8001", "a=proxyurls-8001"),
        ('a="b; c=d"', 'a="b; c=d"'),
    ],
)
def test_cookies(value: str, wanted: str) -> None:
    """No gateway's cookie reaches an app, whatever its port; the app's own do."""
    assert sent(("Cookie", value)) == [("Cookie", wanted)]


def test_host_of_the_server() -> None:
    """With the apiserver's Host, Origin and Referer agree with it; foreign ones stay."""
    pairs = [("Origin", ORIGIN), ("Referer", f"{ORIGIN}/d?x"), ("Origin", "null")]
    found = request_headers([("Host", HOST), *pairs], server=SERVER)
    assert found[0] == ("Host", "api.example:6443")
    assert found[1:-1] == [("Origin", SERVER), ("Referer", f"{SERVER}/d?x"), ("Origin", "null")]
    for foreign in (f"{ORIGIN}.evil.example", f"{ORIGIN}1/x", "https://evil.example/", ""):
        assert sent(("Referer", foreign), server=SERVER) == [("Referer", foreign)]
    rancher = request_headers(
        [("Host", HOST), ("Origin", ORIGIN)], server="https://r.example/k8s/c"
    )
    assert rancher[:2] == [("Host", "r.example"), ("Origin", "https://r.example")]


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        ("gzip, deflate, br, zstd", "gzip"),
        ("br", "identity"),
        ("deflate", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip; q=0.5, br", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "gzip"),
        ("*;q=0", "identity"),
        ("br, *;q=0.1", "gzip"),
        ("gzip;q=x", "identity"),
        ("gzip;q=1.1.1", "identity"),
        ("", "identity"),
        ("identity", "identity"),
    ],
)
def test_encodings(accepted: str, asked: str) -> None:
    """Nothing but gzip is asked for, since the apiserver fails at the others."""
    found = request_headers([("Host", HOST), ("Accept-Encoding", accepted)])
    assert found == [("Host", HOST), ("Accept-Encoding", asked)]


def test_no_encodings() -> None:
    """Who accepts nothing gets nothing packed: the apiserver would ask for gzip by itself."""
    assert request_headers([("Host", HOST)])[-1] == ("Accept-Encoding", "identity")


HTML = ("Content-Type", "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([("Location", f"{PREFIX}/x")], [("Location", "/x")]),
        ([("content-location", f"{PREFIX}/x")], [("content-location", "/x")]),
        ([("Refresh", f"0; url={PREFIX}/x")], [("Refresh", "0; url=/x")]),
        (
            [("Set-Cookie", f"a=b; Path={PREFIX}/"), ("Set-Cookie", "c=d; Domain=x")],
            [("Set-Cookie", "a=b; Path=/"), ("Set-Cookie", "c=d")],
        ),
        ([("Set-Cookie", f"{COOKIE_PREFIX}8001=x"), ("Set-Cookie", f" ={GATEWAYS}")], []),
        (
            [("Cache-Control", "no-cache, private"), ("Cache-Control", "max-age=60")],
            [("Cache-Control", "max-age=60")],
        ),
        (
            [
                ("Cache-Control", "no-cache, private"),
                ("cache-control", "a"),
                ("Cache-Control", "b"),
            ],
            [("cache-control", "a"), ("Cache-Control", "b")],
        ),
        ([("Cache-Control", "no-cache, private")], [("Cache-Control", "no-cache, private")]),
        ([("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "x"), ("Trailer", "x")], []),
        ([("Transfer-Encoding", "chunked"), ("Upgrade", "h2c")], []),
        ([("ETag", '"e"'), ("Content-Length", "5")], [("ETag", '"e"'), ("Content-Length", "5")]),
        ([("Content-Encoding", "gzip")], [("Content-Encoding", "gzip")]),
        ([HTML, ("ETag", '"e"')], [HTML, ("ETag", 'W/"e"')]),
        ([HTML, ("ETag", 'W/"e"')], [HTML, ("ETag", 'W/"e"')]),
        (
            [
                HTML,
                ("Content-Length", "5"),
                ("Accept-Ranges", "bytes"),
                ("Content-Encoding", "gzip"),
            ],
            [HTML],
        ),
        ([HTML, ("Content-MD5", "x"), ("Digest", "x"), ("Repr-Digest", "x")], [HTML]),
        (
            [HTML, ("Location", "/x"), ("Content-Length", "5")],
            [HTML, ("Location", "/x"), ("Content-Length", "5")],
        ),
        ([("X-Any", "ü")], [("X-Any", "ü")]),
    ],
)
def test_answers(pairs: list[tuple[str, str]], wanted: list[tuple[str, str]]) -> None:
    """Links, cookies and what is said of the body are right for the browser."""
    assert response_headers(pairs, MOUNT) == wanted


@pytest.mark.parametrize(
    ("kind", "rewritten"),
    [
        *(("text/html", True), ("text/html; charset=utf-8", True), (" text/html ;x", True)),
        *(("TEXT/HTML", False), ("application/xhtml+xml", False), ("text/htmlx", False)),
    ],
)
def test_rewritten(kind: str, rewritten: bool) -> None:  # noqa: FBT001
    """Which bodies the apiserver rewrites."""
    assert is_rewritten([("Content-Type", kind)]) is rewritten
    assert not is_rewritten([("Content-Type", kind), ("Location", "/x")])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["Connection", "Cookie", "X-A", "Impersonate-User", "Set-Cookie", "ETag"]
            ),
            st.sampled_from(
                ["", "X-A", "close,, x-a", GATEWAYS, f";;{GATEWAYS};", "a=b", ",", "="]
            ),
        )
    )
)
@SETTINGS
def test_no_secrets(pairs: list[tuple[str, str]]) -> None:
    """Whatever comes, no gateway's cookie and no impersonation goes on."""
    found = request_headers(pairs)
    assert not [name for name, _ in found if name.startswith(("Impersonate", "Connection"))]
    cookies = "".join(value for name, value in found if name == "Cookie")
    assert "secret" not in cookies
    for name, value in response_headers(pairs, MOUNT):
        assert name != "Connection"
        assert name != "Set-Cookie" or not value.startswith(COOKIE_PREFIX)


@pytest.fixture(scope="module")
def headers(apiserver: APIServer, serve: Serve) -> APIServer:
    """A real apiserver with an app behind PREFIX that tells what arrived, or answers as told."""
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=serve().address)
    return apiserver


def test_the_app_gets(headers: APIServer) -> None:
    """Behind the real apiserver, the app gets what the browser said, and no one else's word."""
    browser = {
        "Host": HOST,
        "Origin": ORIGIN,
        "Referer": f"{ORIGIN}/x",
        "Cookie": f"a=b; {GATEWAYS}",
        "X-Forwarded-For": "6.6.6.6",
        "X-Remote-User": "root",
        "Impersonate-User": "nobody",
        "Upgrade": "h2c",
        "Connection": "Upgrade, HTTP2-Settings",
        "Accept-Encoding": "br",
    }
    asking = dict(request_headers(browser.items()))
    answer = headers.request("GET", f"{PREFIX}/", headers=asking)
    assert answer.status == 200, answer  # as the nobody it was told to be it would be 403
    request = arrived(answer.body)
    assert request.values("Host") == [HOST]
    assert request.values("Origin") == [ORIGIN]
    assert request.values("Referer") == [f"{ORIGIN}/x"]
    assert request.values("Cookie") == ["a=b"]
    assert request.values("Accept-Encoding") == ["identity"]
    assert "6.6.6.6" not in "".join(request.values("X-Forwarded-For"))
    for name in ("X-Remote-User", "Impersonate-User", "Upgrade", "Authorization"):
        assert request.values(name) == []


def test_the_browser_gets(headers: APIServer) -> None:
    """From the real apiserver, the browser gets what the app said."""
    said = [
        ("Location", "/next?x"),
        ("Cache-Control", "max-age=60"),
        ("Set-Cookie", "a=b; Path=/; Domain=example.com"),
        ("ETag", '"e"'),
    ]
    answer = headers.request(
        "GET", f"{PREFIX}/", headers={**reply(status=302, headers=said), "Host": HOST}
    )
    assert answer.headers["Location"] == f"{PREFIX}/next?x"
    assert answer.headers.get_all("Cache-Control") == ["no-cache, private", "max-age=60"]
    found = response_headers(answer.headers.items(), MOUNT)
    assert ("Location", "/next?x") in found
    assert ("Set-Cookie", "a=b; Path=/") in found
    assert ("Etag", '"e"') in found
    assert [value for name, value in found if name.lower() == "cache-control"] == ["max-age=60"]


def test_what_the_api_gets() -> None:
    """Its own Host, and no credential but the gateway's; cookies of a program's alone."""
    came = [
        ("Host", "localhost:8001"),
        ("Authorization", "Bearer x"),
        ("Origin", "http://localhost:8001"),
        ("Cookie", "proxyurls-8001=x; a=1"),
        ("Connection", "close"),
        ("Expect", "100-continue"),
        ("X-Kept", "1"),
    ]
    kept = [("Host", "k8s.example:6443"), ("Cookie", "a=1"), ("X-Kept", "1")]
    assert api_request(came, "k8s.example:6443") == kept
    browser = [*came, ("Sec-Fetch-Site", "same-origin")]
    assert api_request(browser, "h") == [("Host", "h"), ("X-Kept", "1"), browser[-1]]
