"""Which headers arrive, at the upstream and back at the client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from .upstream import arrived, reply

if TYPE_CHECKING:
    from .conftest import Site


def test_authorization_bearer(site: Site) -> None:
    """The credential that the server has checked never reaches the upstream."""
    assert site.echo("/").values("Authorization") == []


def test_authorization_basic(site: Site) -> None:
    """An Authorization meant for the upstream does not arrive, even beside a client certificate."""
    basic = "Basic " + base64.b64encode(b"app:secret").decode()
    answer = site.apiserver.request(
        "GET",
        site.root("web") + "/",
        headers={"Authorization": basic},
        token=None,
        certificate=True,
    )
    assert answer.status == 200
    assert arrived(answer.body).values("Authorization") == []


def test_client_certificate(site: Site) -> None:
    """A client certificate is as good as a token."""
    target = site.root("web") + "/"
    answer = site.apiserver.request("GET", target, token=None, certificate=True)
    assert answer.status == 200


def test_forwarded_uri(site: Site) -> None:
    """X-Forwarded-Uri tells the upstream the whole path, without the query."""
    seen = site.echo("/a/b/?q=1", segment="http:web:80")
    assert seen.values("X-Forwarded-Uri") == [site.root("http:web:80") + "/a/b/"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [("/a%2Fb", "/a/b"), ("/a/../b", "/b"), ("/%41", "/A"), ("/a//b", "/a/b/a/b")],
)
def test_forwarded_uri_is_cleaned(site: Site, sent: str, said: str) -> None:
    """X-Forwarded-Uri is decoded and cleaned; a path that collapsed may make it wrong."""
    assert site.echo(sent).values("X-Forwarded-Uri") == [site.root("web") + said]


def test_forwarded_for(site: Site) -> None:
    """X-Forwarded-For tells the client's address."""
    assert site.echo("/").values("X-Forwarded-For") == ["127.0.0.1"]


def test_forwarded_for_is_appended(site: Site) -> None:
    """An X-Forwarded-For that the client sent arrives, with the client's address behind it."""
    seen = site.echo("/", headers={"X-Forwarded-For": "192.0.2.1"})
    assert seen.values("X-Forwarded-For") == ["192.0.2.1, 127.0.0.1"]


def test_forwarded_uri_is_replaced(site: Site) -> None:
    """An X-Forwarded-Uri that the client sent does not arrive beside the server's own."""
    seen = site.echo("/x", headers={"X-Forwarded-Uri": "/forged"})
    assert seen.values("X-Forwarded-Uri") == [site.root("web") + "/x"]


def test_host(site: Site) -> None:
    """Host reaches the upstream as the client sent it."""
    assert site.echo("/", headers={"Host": "app.test:88"}).values("Host") == ["app.test:88"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "https://app.test"),
        ("Referer", "https://app.test/x"),
        ("Cookie", "a=b; c=d"),
        ("User-Agent", "contract/1"),
        ("Accept", "text/x-thing"),
        ("Accept-Encoding", "br;q=1.0, gzip"),
        ("Content-Type", "text/x-thing"),
        ("If-None-Match", '"e"'),
        ("Range", "bytes=0-1"),
        ("X-Forwarded-Host", "forged"),
        ("X-Forwarded-Proto", "forged"),
        ("Forwarded", "for=192.0.2.1"),
        ("X-Remote-User", "forged"),
        ("X-Csrf-Token", "t"),
        ("Via", "1.1 v"),
    ],
)
def test_request_headers_pass(site: Site, name: str, value: str) -> None:
    """Any other header of the request arrives as sent, forged or not."""
    assert site.echo("/", headers={name: value}).values(name) == [value]


@pytest.mark.parametrize("name", ["Keep-Alive", "Proxy-Connection", "Te", "Trailer"])
def test_hop_by_hop(site: Site, name: str) -> None:
    """A header that is for one hop alone is not passed on."""
    assert site.echo("/", headers={name: "x"}).values(name) == []


def test_user_agent_is_not_invented(site: Site) -> None:
    """Without a User-Agent none is sent; without Accept-Encoding the server asks for gzip."""
    seen = site.echo("/")
    assert [v for v in seen.values("User-Agent") if v] == []
    assert seen.values("Accept-Encoding") == ["gzip"]


@pytest.mark.parametrize("name", ["Origin", "Methods", "Headers", "Credentials"])
def test_cors_headers_are_removed(site: Site, name: str) -> None:
    """The upstream's Access-Control-Allow-… never reach the client."""
    header = f"Access-Control-Allow-{name}"
    assert header not in site.send(headers=reply(headers={header: "x"})).headers


def test_cors_preflight_reaches_the_upstream(site: Site) -> None:
    """A preflight goes through to the upstream, if it carries a credential."""
    asked = {"Origin": "https://app.test", "Access-Control-Request-Method": "PUT"}
    assert site.echo("/x", method="OPTIONS", headers=asked).method == "OPTIONS"
    answer = site.apiserver.request(
        "OPTIONS", site.root("web") + "/x", headers=asked, token=site.apiserver.reader_token
    )
    assert answer.status == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Access-Control-Expose-Headers", "X-A"),
        ("Access-Control-Max-Age", "60"),
        ("Content-Security-Policy", "default-src 'self'"),
        ("Set-Cookie", "a=b; Path=/; Domain=app.test; HttpOnly"),
        ("ETag", '"e"'),
        ("WWW-Authenticate", "Basic"),
        ("Content-Disposition", "attachment"),
        ("X-Frame-Options", "DENY"),
        ("Link", "</a>; rel=next"),
        ("Refresh", "5; url=/a"),
        ("Content-Location", "/a"),
        ("Retry-After", "1"),
    ],
)
def test_response_headers_pass(site: Site, name: str, value: str) -> None:
    """Any other header of the answer comes as the upstream sent it, its own paths included."""
    assert site.send(headers=reply(headers={name: value})).headers.get_all(name) == [value]


def test_two_cookies(site: Site) -> None:
    """Two headers of one name stay two."""
    pair = [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]
    answer = site.send(headers=reply(headers=pair))
    assert answer.headers.get_all("Set-Cookie") == ["a=b", "c=d"]


def test_cache_control_comes_twice(site: Site) -> None:
    """The server puts a Cache-Control of its own before the upstream's."""
    answer = site.send(headers=reply(headers={"Cache-Control": "max-age=3"}))
    assert answer.headers.get_all("Cache-Control") == ["no-cache, private", "max-age=3"]


@pytest.mark.parametrize(
    "status", [200, 201, 204, 206, 304, 400, 401, 403, 404, 418, 429, 500, 503]
)
def test_status_passes(site: Site, status: int) -> None:
    """The upstream's status is the client's."""
    assert site.send(headers=reply(status=status)).status == status


def test_names_are_respelt(site: Site) -> None:
    """The names of headers are respelt both ways, in the usual manner."""
    asked = reply(headers={"x-lower-CASE": "1"})
    assert ("X-Lower-Case", "1") in site.send(headers=asked).headers.items()
    assert ("X-Lower-Case", "1") in site.echo("/", headers={"x-lower-CASE": "1"}).headers


@pytest.mark.parametrize("name", ["X-Hop", "Cookie"])
def test_named_by_connection(site: Site, name: str) -> None:
    """A header that Connection names is for one hop alone, whatever it is."""
    headers = {name: "x", "Connection": f"close, {name}"}
    assert site.echo("/", headers=headers).values(name) == []


def test_no_connection_header(site: Site) -> None:
    """The upstream gets no Connection header."""
    assert site.echo("/").values("Connection") == []


@pytest.mark.parametrize(
    ("method", "values"),
    [("GET", []), ("DELETE", []), ("OPTIONS", []), ("POST", ["0"]), ("PUT", ["0"])],
)
def test_no_body(site: Site, method: str, values: list[str]) -> None:
    """That there's no body is told with POST and PUT alone."""
    assert site.echo("/", method=method).values("Content-Length") == values


def test_type_of_not_modified(site: Site) -> None:
    """A 304 has no Content-Type."""
    answer = site.send(headers=reply(status=304, headers={"Content-Type": "text/x"}))
    assert (answer.status, answer.headers.get_all("Content-Type")) == (304, None)


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_request_body(site: Site, size: int) -> None:
    """A body arrives whole, with its length."""
    seen = site.echo("/", method="POST", body=b"x" * size)
    assert seen.body == b"x" * size
    assert seen.values("Content-Length") == [str(size)]


def test_chunked_body(site: Site) -> None:
    """A chunked body arrives chunked."""
    chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with site.apiserver.connect() as connection:
        site.apiserver.send(
            connection,
            "POST",
            site.root("web") + "/",
            headers={"Transfer-Encoding": "chunked", "Connection": "close"},
        )
        connection.sendall(chunks)
        while connection.recv(65536):
            pass
    assert site.plain.last.body == b"abcde"
    assert site.plain.last.values("Transfer-Encoding") == ["chunked"]
