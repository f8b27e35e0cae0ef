"""The threats of docs/gateway.md: what another site or another app tries, a test for each row.

Browsers are known by what they send here; tests/browser/ has the same attacks in Chromium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxyurls import service
from proxyurls.gateway.filter import Filter

from .attack import (
    CROSS,
    DOCUMENT,
    EVIL,
    FETCH,
    FRAME,
    HANDSHAKE,
    IMAGE,
    LINK,
    OTHER,
    TYPED,
    nothing_arrives,
    refused,
)
from .conftest import NAMESPACE, ROOT, WEB, let_in
from .running import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .conftest import Gate, Site
    from .running import Running

pytestmark = pytest.mark.parametrize("apiserver", ["fake"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def api(site: Site) -> Iterator[Running]:
    """The API itself, for whoever comes: ``serve --api --no-token``."""
    with running(site.config(), api=Filter.of(), token=False) as gateway:
        yield gateway


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "localhost.evil.example",
        "localhost.evil.example:{port}",
        f"{WEB}.localhost.evil.example:{{port}}",
        "x--y.localhost.evil.example",
        f"evil.example.{WEB}.localhost:{{port}}",
        f"{WEB}.localhost.:{{port}}",
        "localhost.:{port}",
        f"{WEB}.localhost:1",
        f"{WEB}.localhost",
        "localhost:1",
        "127.0.0.2:{port}",
        "127.1:{port}",
        "[::ffff:127.0.0.1]:{port}",
        f"{WEB}.localhost:{{port}}@evil.example",
        f"{WEB}.localhost:{{port}}, evil.example",
        "localhost:{port}:{port}",
        "",
    ],
)
def test_dns_rebinding(gate: Gate, host: str) -> None:
    """A host that is not ours is refused, with the right one's cookie too."""
    named = host.format(port=gate.gateway.port)
    cookie = gate.gateway.cookies[gate.gateway.host(WEB)]
    got = refused(gate, host=named, headers={"Cookie": cookie})
    assert got.status == 421


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n",
        "GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: {host}\r\n",
        "GET https://{host}/ HTTP/1.1\r\nHost: evil.example\r\n",
        "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: {host}\r\n",
        "GET x HTTP/1.1\r\nHost: {host}\r\n",
    ],
)
def test_no_host_or_two_or_one_in_the_target(gate: Gate, head: str) -> None:
    """What doesn't say one host, in the Host header alone, is refused."""
    host = gate.gateway.host(WEB)
    cookie = gate.gateway.cookies[host]
    with nothing_arrives(gate.site):
        got = gate.gateway.raw(
            f"{head.format(host=host)}Cookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
        )
    assert got.split(b" ")[1] == b"400", got


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL, **LINK},
        {"Origin": "null", **LINK},  # out of a sandbox
        {"Origin": EVIL},  # of a browser without Sec-Fetch
        {"Origin": "null"},
        {"Origin": f"http://{WEB}.localhost"},  # another port
        {"Origin": EVIL, "Sec-Fetch-Site": "same-site", **DOCUMENT},
        {"Referer": f"{EVIL}/", **LINK},
    ],
)
def test_a_form_on_another_site(gate: Gate, headers: Mapping[str, str]) -> None:
    """A post is refused, whichever way the browser tells whose it is."""
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    assert refused(gate, "/delete", "POST", headers=form, body=b"all=1").status == 403


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    "headers", [{"Origin": EVIL, **CROSS, **FETCH}, {"Origin": EVIL}, {**CROSS, **FETCH}]
)
def test_a_fetch_on_another_site(gate: Gate, method: str, headers: Mapping[str, str]) -> None:
    """It is refused, its preflight too, and nothing may be read."""
    got = refused(gate, "/data", method, headers=headers)
    assert got.status == 403
    assert not [name for name in got.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("kind", ["image", "script", "style", "audio", "font", "object", "empty"])
@pytest.mark.parametrize("site_of", ["cross-site", "same-site"])
def test_an_image_on_another_site(gate: Gate, kind: str, site_of: str) -> None:
    """Nor does a page of another site get our images, scripts, styles and so on."""
    headers = {**IMAGE, "Sec-Fetch-Dest": kind, "Sec-Fetch-Site": site_of}
    assert refused(gate, "/image.svg", headers=headers).status == 403


@pytest.mark.parametrize("kind", ["iframe", "frame", "object", "embed", "fencedframe"])
@pytest.mark.parametrize("where", [WEB, ""])
def test_a_frame_on_another_site(gate: Gate, kind: str, where: str) -> None:
    """Neither an app nor the index page shows in a frame of another site."""
    headers = {**FRAME, **CROSS, "Sec-Fetch-Dest": kind}
    assert refused(gate, label=where, headers=headers).status == 403


def test_our_pages_in_a_frame(gate: Gate) -> None:
    """No page of the gateway's own lets itself be framed, by an app for instance."""
    own = [
        gate.gateway.request("/", headers=TYPED),
        gate.gateway.request("/nothing", headers=TYPED),
        refused(gate, "/d", headers=LINK),
        refused(gate, host="evil.example", headers=TYPED),
    ]
    assert [got.status for got in own] == [200, 404, 200, 421]
    for got in own:
        assert "frame-ancestors 'none'" in got.headers["Content-Security-Policy"]
        assert got.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:{port}", "http://{other}", ""])
def test_a_websocket_on_another_site(gate: Gate, origin: str) -> None:
    """A handshake must come from the app's own origin: browsers say no more of it than Origin."""
    other = gate.gateway.host(OTHER)
    named = origin.format(port=gate.gateway.port, other=other)
    headers = {**HANDSHAKE, "Origin": named}
    assert refused(gate, "/ws", headers=headers).status == 403
    own = {**HANDSHAKE, "Origin": f"http://{gate.gateway.host(WEB)}"}
    with gate.gateway.connect() as connection:
        gate.gateway.send(connection, "GET", "/ws", host=gate.gateway.host(WEB), headers=own)
        assert connection.recv(100).startswith(b"HTTP/1.1 101 ")


def test_a_link_on_another_site(gate: Gate) -> None:
    """A page of ours asks first, and nothing is sent; the app opens with the next click."""
    got = refused(gate, "/d/x?y=<b>", headers={**LINK, "Referer": f"{EVIL}/page"})
    assert got.status == 200
    assert f'href="http://{gate.gateway.host(WEB)}/d/x?y=&lt;b&gt;"' in got.text
    assert f"{EVIL} sent you here" in got.text
    own = {**DOCUMENT, "Sec-Fetch-Site": "same-origin"}
    assert gate.send("/d/x?y=%3Cb%3E", headers=own).status == 200
    assert gate.site.web.last.target == "/d/x?y=%3Cb%3E"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {**FETCH, **CROSS}),
        ("POST", {**FETCH, **CROSS}),
        ("GET", {**IMAGE, **CROSS}),
        ("GET", {**FRAME, **CROSS}),
        ("POST", LINK),
        ("GET", HANDSHAKE),
    ],
    ids=["fetch", "post", "image", "frame", "form", "websocket"],
)
def test_one_app_asks_another(gate: Gate, method: str, headers: Mapping[str, str]) -> None:
    """An app is another site to every other app."""
    app = {**headers, "Origin": f"http://{gate.gateway.host(OTHER)}"}
    assert refused(gate, "/private", method, headers=app).status == 403


@pytest.mark.parametrize("app", [f"http://{WEB}.localhost:{{port}}", EVIL, "null"])
def test_an_app_asks_the_api(api: Running, site: Site, app: str) -> None:
    """The API takes no request of an app's page or of another site, without a token too."""
    origin = app.format(port=api.port)
    path = f"/api/v1/namespaces/{NAMESPACE}/services"
    body = b"""{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "planted"},
        "spec": {"ports": [{"port": 80}]}}"""
    for headers in ({"Origin": origin}, {"Origin": origin, **CROSS, **FETCH}, {**CROSS, **IMAGE}):
        sent = {"Content-Type": "application/json", **headers}
        assert api.request(path, "POST", headers=sent, body=body).status == 403
        assert api.request("/api/v1/secrets", headers=headers).status == 403
    assert site.apiserver.get(f"{path}/planted").status == 404
    made = api.request(path, "POST", headers={"Content-Type": "application/json"}, body=body)
    assert made.status == 201  # so the refusals above say something
    site.apiserver.request("DELETE", f"{path}/planted")


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/version", f"{ROOT}/web/proxy/", "/apis"])
def test_the_api_is_off(gate: Gate, path: str) -> None:
    """Without --api there is none at the index's host; at an app's, it is the app's own path."""
    assert refused(gate, path, label="").status == 404
    assert gate.echo(path).target == path


def test_a_cookie_of_another_host(gate: Gate) -> None:
    """The cookie of one app, or of the index, opens no other host."""
    hosts = [gate.gateway.host(), gate.gateway.host(WEB)]
    for host in hosts:
        cookie = gate.gateway.cookies[host]
        others = [gate.gateway.host(OTHER), *(one for one in hosts if one != host)]
        for other in others:
            got = refused(gate, host=other, headers={"Cookie": cookie, "Accept": "*/*"})
            assert got.status == 403


def test_an_app_at_the_gateways_own_paths(gate: Gate) -> None:
    """Nothing below /.proxyurls/ comes from an app, so it can't pass for the gateway there."""
    for path in ("/.proxyurls/enter", "/.proxyurls/x", "/.proxyurls/assets/../x"):
        assert refused(gate, path).status in (400, 404)
    got = refused(gate, "/.proxyurls/assets/index.css")
    assert got.headers["Content-Type"].startswith("text/css")


def test_a_service_worker_at_localhost(site: Site) -> None:
    """An app that is served at localhost itself leaves none there, for whatever comes after it."""
    with running(site.config(), only=service("web", NAMESPACE), single=True) as gateway:
        assert gateway.enter(gateway.link).status == 303
        own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "same-origin"}
        headers = {**own, "Sec-Fetch-Dest": "serviceworker", "Service-Worker": "script"}
        with nothing_arrives(site):
            assert gateway.request("/sw.js", headers=headers).status == 403
        assert gateway.request("/sw.js", headers=own).status == 200
    with running(site.config()) as gateway:  # its own host name is the app's for good
        let_in(gateway)
        assert gateway.request("/sw.js", label=WEB, headers=headers).status == 200
