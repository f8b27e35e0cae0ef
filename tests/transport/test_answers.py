"""An answer is the app's own again: links, cookies, pages; and who it was that refused."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest
from contract.upstream import arrived, reply

from proxyurls import APIStatusError

from .asking import NAMESPACE, WEB

if TYPE_CHECKING:
    from .asking import Ask
    from .conftest import Site

OTHER = f"http://other.{NAMESPACE}.svc"
PREFIX = f"/api/v1/namespaces/{NAMESPACE}/services/web:8080/proxy"
URL = f"{WEB}:8080"


def told(
    path: str = "/p/q",
    *,
    body: bytes = b"",
    status: int = 200,
    url: str = URL,
    **headers: str,
) -> tuple[str, str, dict[str, object]]:
    """A request that makes the app answer so."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return "GET", url + path, {"headers": reply(body, status=status, headers=named)}


@pytest.mark.parametrize(
    ("location", "seen", "leads_to"),
    [
        ("/n?a=1#f", "/n?a=1#f", f"{URL}/n?a=1#f"),
        ("n", "n", f"{URL}/p/n"),
        ("../n", "../n", f"{URL}/n"),
        ("?a", "?a", f"{URL}/p/q?a"),
        (f"{URL}/n", f"{URL}/n", f"{URL}/n"),
        (f"{URL}{PREFIX}/n", f"{URL}/n", f"{URL}/n"),
        (f"{PREFIX}/n", "/n", f"{URL}/n"),
        (f"{OTHER}/n", f"{OTHER}/n", f"{OTHER}/n"),
        ("https://elsewhere.test/n", "https://elsewhere.test/n", "https://elsewhere.test/n"),
    ],
)
def test_location(ask: Ask, location: str, seen: str, leads_to: str) -> None:
    """A Location is the one that the app gave, however the apiserver spelt it."""
    answer = ask(told(status=302, location=location))
    assert answer.headers.get_list("Location") == [seen]
    assert answer.next_request is not None
    assert str(answer.next_request.url) == leads_to


def test_location_of_the_pod(site: Site, ask: Ask) -> None:
    """The address of the app's pod, which the apiserver takes for the app, is a path of it."""
    ip, port = site.web.address
    answer = ask(told(status=302, location=f"http://{ip}:{port}/n"))
    assert answer.headers["Location"] == "/n"


def test_a_redirect_is_followed(site: Site, ask: Ask) -> None:
    """By httpx, in the cluster, from app to app, without our credentials in the requests."""
    answer = ask(f"{URL}/-/redirect/302?{OTHER}/-/redirect/307?/end?x=1", follow_redirects=True)
    assert str(answer.url) == f"{OTHER}/end?x=1"
    assert [str(one.url) for one in answer.history] == [
        f"{URL}/-/redirect/302?{OTHER}/-/redirect/307?/end?x=1",
        f"{OTHER}/-/redirect/307?/end?x=1",
    ]
    assert arrived(answer.content).target == "/end?x=1"
    assert site.other.last.values("Host") == [f"other.{NAMESPACE}.svc"]
    assert all("authorization" not in one.request.headers for one in answer.history)


def test_a_circle(ask: Ask) -> None:
    """Httpx's own limit ends it."""
    with pytest.raises(httpx.TooManyRedirects):
        ask(told(status=302, location="/p/q"), follow_redirects=True, headers=told()[2]["headers"])


@pytest.mark.parametrize(
    ("cookie", "seen"),
    [
        ("a=b; Path=/", "a=b; Path=/"),
        (f"a=b; Path={PREFIX}/x; HttpOnly", "a=b; Path=/x; HttpOnly"),
        (f"a=b; Path={PREFIX}; Secure", "a=b; Path=/; Secure"),
        (f"a=b; Domain={NAMESPACE}.svc; Path=/", "a=b; Path=/"),
        ("a=b; Max-Age=5", "a=b; Max-Age=5"),
    ],
)
def test_set_cookie(ask: Ask, cookie: str, seen: str) -> None:
    """A cookie is of the app's own path, and of its own host alone."""
    assert ask(told(set_cookie=cookie)).headers.get_list("Set-Cookie") == [seen]


def test_the_jar_keeps_apps_apart(site: Site, ask: Ask) -> None:
    """The client's cookie of one app goes back to it, below its path, and to no other app."""
    login = told("/login", set_cookie=f"session=1; Path={PREFIX}/x; Domain={NAMESPACE}.svc")
    assert arrived(ask(login, f"{URL}/x/y").content).values("Cookie") == ["session=1"]
    assert arrived(ask(login, f"{URL}/y").content).values("Cookie") == []
    assert arrived(ask(login, f"{OTHER}/x/y").content).values("Cookie") == []
    assert arrived(ask(f"{URL}/x", cookies={"mine": "2"}).content).values("Cookie") == ["mine=2"]


PAGE = b'<html><a href="/x?a=1&amp;b#f">/x</a><img src="i.png"><script>"/x"</script></html>'


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("takes", ["gzip", "identity"])
def test_pages(ask: Ask, coding: str, takes: str) -> None:
    """HTML, which the apiserver changes, is as the app sent it, compressed or not."""
    body = gzip.compress(PAGE) if coding else PAGE
    headers = {"Content-Type": "text/html; charset=utf-8", "ETag": '"e"'}
    if coding:
        headers["Content-Encoding"] = coding
    asked = {**reply(body, headers=headers), "Accept-Encoding": takes}
    answer = ask(("GET", f"{URL}/p", {"headers": asked}))
    assert answer.content == PAGE
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["ETag"] == 'W/"e"'


def test_absolute_links_of_a_page(ask: Ask) -> None:
    """Those to the app's own host stay there, and with their scheme."""
    page = f'<a href="{URL}/x">'.encode()
    assert ask(told(body=page, content_type="text/html")).content == page


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/css"])
def test_what_is_no_page(ask: Ask, kind: str) -> None:
    """All else comes as it is, compression included."""
    body = f'"{PREFIX}/x"'.encode() * 100
    zipped = gzip.compress(body)
    answer = ask(told(body=zipped, content_type=kind, content_encoding="gzip"))
    assert answer.content == body
    assert answer.headers["Content-Length"] == str(len(zipped))


@pytest.mark.parametrize("status", [204, 304])
def test_no_body(ask: Ask, status: int) -> None:
    """An answer without a body has none, though it says that it would be a page."""
    answer = ask(told(status=status, content_type="text/html"))
    assert (answer.status_code, answer.content) == (status, b"")


def test_head(ask: Ask) -> None:
    """HEAD of a page."""
    answer = ask(("HEAD", f"{URL}/-/html"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == "text/html"


def test_cache_control(ask: Ask) -> None:
    """The app's own counts, and not the one that the apiserver puts before it."""
    answer = ask(told(cache_control="max-age=3"))
    assert answer.headers.get_list("Cache-Control") == ["max-age=3"]


@pytest.mark.parametrize(
    ("url", "status", "cause"),
    [
        (f"http://nothing.{NAMESPACE}.svc", 404, "no-such-service"),
        (f"{WEB}:81/", 503, "no-such-port"),
        (f"http://secure.{NAMESPACE}.svc:443", None, "speaks-https"),
        (f"https://web.{NAMESPACE}.svc:80", None, "speaks-http"),
    ],
)
def test_a_refusal_of_the_apiserver(ask: Ask, url: str, status: int | None, cause: str) -> None:
    """It is a response as any, and says that it was the apiserver, and why."""
    answer = ask(url)
    if status is None:  # 1.20 says 503, newer ones 500; and an app may answer a 400 of its own
        assert answer.status_code in {400, 500, 503}
    else:
        assert answer.status_code == status
    if answer.status_code == 400:
        pytest.skip("this app answers plain HTTP at a TLS port")
    refusal = answer.extensions["proxyurls.refusal"]
    assert isinstance(refusal, APIStatusError)
    assert cause in refusal.causes
    assert refusal.status == answer.status_code == answer.json()["code"]
    assert refusal.detail == answer.json()["message"]
    with pytest.raises(httpx.HTTPStatusError) as caught:
        answer.raise_for_status()
    assert f"(the apiserver: {refusal.detail})" in str(caught.value)
    assert url in str(caught.value)


def test_what_is_not_allowed(site: Site, either: Ask) -> None:
    """RBAC's refusal names the right that is missing."""
    answer = either(site.config("reader"), WEB)
    assert answer.status_code == 403
    assert answer.extensions["proxyurls.refusal"].causes == ("not-allowed",)
    assert 'cannot get resource "services/proxy"' in answer.reason_phrase


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
def test_the_apps_own_refusal(ask: Ask, status: int) -> None:
    """What the app answers is its own, be it JSON or even a Status object."""
    for body in (b"{}", b'{"kind": "Status", "apiVersion": "v1", "code": %d}' % status):
        answer = ask(told(body=body, status=status, content_type="application/json"))
        assert (answer.status_code, answer.content) == (status, body)
        assert "proxyurls.refusal" not in answer.extensions
        assert "apiserver" not in answer.reason_phrase
