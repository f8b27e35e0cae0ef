"""HTTP through the gateway: what arrives at the app, and what comes back, on both apiservers."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import socket
import time
from typing import TYPE_CHECKING

import pytest
from contract.fixtures import KINDS
from contract.upstream import reply

from .conftest import NAMESPACE, ROOT, WEB, let_in
from .running import read_reply, running

if TYPE_CHECKING:
    from .conftest import Gate

pytestmark = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")
PREFIX = f"{ROOT}/web:80/proxy"


def test_an_app_at_its_own_root(gate: Gate) -> None:
    """The app gets the path and query as typed, and the browser's own Host."""
    seen = gate.echo("/d/x?q=1&b=a;c+%2F")
    assert (seen.method, seen.target) == ("GET", "/d/x?q=1&b=a;c+%2F")
    assert seen.values("Host") == [gate.gateway.host(WEB)]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_and_bodies(gate: Gate, method: str) -> None:
    """Each method passes, with its body."""
    body = b"a\0b" * 1000
    seen = gate.echo("/x", method, body=body, headers={"Content-Type": "x/y"})
    assert (seen.method, seen.body, seen.values("Content-Type")) == (method, body, ["x/y"])
    assert gate.echo("/x", method).body == b""


def test_a_chunked_body(gate: Gate) -> None:
    """A body of unknown length passes too, and nothing waits for 100 Continue."""
    with gate.gateway.connect() as connection:
        headers = {"Transfer-Encoding": "chunked", "Expect": "100-continue"}
        host = gate.gateway.host(WEB)
        gate.gateway.send(connection, "POST", "/-/count", host=host, headers=headers)
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n")
        assert read_reply(connection).body == b"8"


def test_what_the_app_does_not_get(gate: Gate) -> None:
    """The gateway's cookie, credentials, and headers that claim what only a proxy may say."""
    cookie = gate.gateway.cookies[gate.gateway.host(WEB)]
    headers = {
        "Cookie": f"a=1; {cookie}; b=2",
        "Authorization": "Basic c2VjcmV0",
        "Impersonate-User": "root",
        "X-Remote-User": "root",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "Upgrade": "h2c",
        "Connection": "close, x-hop",
        "X-Hop": "1",
        "X-Kept": "caf\u00e9",
        "Accept-Encoding": "br, deflate",
    }
    seen = gate.echo(headers=headers)
    assert seen.values("Cookie") == ["a=1; b=2"]
    assert seen.values("X-Kept") == ["caf\u00c3\u00a9"]  # the bytes of UTF-8
    everything = repr(seen.headers)
    for unwanted in ("c2VjcmV0", "root", "6.6.6.6", "evil", "h2c", "X-Hop", "br,", "proxyurls-"):
        assert unwanted not in everything, unwanted
    token = gate.site.apiserver.admin_token
    assert token not in everything


def test_origin_and_referer_agree_with_host(gate: Gate) -> None:
    """So that the app's own origin check passes."""
    origin = f"http://{gate.gateway.host(WEB)}"
    headers = {"Origin": origin, "Referer": f"{origin}/page", "Sec-Fetch-Site": "same-origin"}
    seen = gate.echo("/x", "POST", headers=headers)
    assert [seen.values(name)[0] for name in ("Origin", "Referer")] == [origin, f"{origin}/page"]
    assert seen.values("Host") == [origin.removeprefix("http://")]


def test_the_servers_own_host(gate: Gate) -> None:
    """--upstream-host server: Host, Origin and Referer are the apiserver's, and agree again."""
    server = gate.site.apiserver.server
    with running(gate.site.config(), server_host=True) as gateway:
        let_in(gateway)
        origin = f"http://{gateway.host(WEB)}"
        headers = {"Origin": origin, "Referer": f"{origin}/page", "Sec-Fetch-Site": "same-origin"}
        assert gateway.request("/x", "POST", label=WEB, headers=headers).status == 200
    seen = gate.site.web.last
    assert seen.values("Host") == [server.removeprefix("https://")]
    assert seen.values("Origin") == [server]
    assert seen.values("Referer")[0].startswith(f"{server}/")


def test_which_port_a_service_means(gate: Gate) -> None:
    """A bare name means what discovery chooses; an explicit port means that one."""
    for label, expected in (
        (f"named--{NAMESPACE}", gate.site.web),
        (f"named--{NAMESPACE}--9090", gate.site.admin),
        (f"named--{NAMESPACE}--port--admin", gate.site.admin),
        (f"secure--{NAMESPACE}", gate.site.secure),
    ):
        assert let_in(gate.gateway, label).status == 303
        before = len(expected.requests)
        assert gate.send("/who", label=label).status == 200
        assert [one.target for one in expected.requests[before:]] == ["/who"]


def test_a_service_without_a_web_app(gate: Gate) -> None:
    """UDP can't be proxied to, and the index says so."""
    opened = gate.gateway.request(f"/.proxyurls/open/dns--{NAMESPACE}")
    assert opened.status == 404
    assert "UDP" in opened.text


def test_links_lose_the_prefix(gate: Gate) -> None:
    """In HTML, ``<base href>`` included, and also where it comes compressed."""
    assert '<base href="/">' in gate.send("/-/html").text
    assert '<a href="/d/x">' in gate.send("/-/html").text
    page = b'<a href="/a">text /api/v1 text</a>'
    headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
    made = reply(gzip.compress(page), headers=headers)
    got = gate.send(headers={**made, "Accept-Encoding": "gzip"})
    assert (got.body, got.headers["Content-Encoding"]) == (page, None)
    assert "X-Reply" not in got.headers


def test_a_large_page_streams_through(gate: Gate) -> None:
    """Every link of some megabytes loses its prefix."""
    page = b"".join(b'<p><a href="/item/%d">%d</a></p>\n' % (n, n) for n in range(1200))
    got = gate.send(headers=reply(page, headers={"Content-Type": "text/html"}))
    assert got.body == page


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        (302, "/login?next=/x", "/login?next=/x"),
        (301, "https://elsewhere.example/x", "https://elsewhere.example/x"),
        (307, "http://{host}/y", "/y"),
        (303, "relative", "/relative"),
        (201, "/new/1", "/new/1"),
    ],
)
def test_redirects(gate: Gate, status: int, location: str, expected: str) -> None:
    """A Location is the app's own again."""
    where = location.format(host=gate.gateway.host(WEB))
    got = gate.send(headers=reply(status=status, headers={"Location": where}))
    assert got.status == status
    assert got.headers["Location"] in (expected, location)


def test_cookies_of_the_app(gate: Gate) -> None:
    """They are for the app's own host and path, whatever it says, and none is lost."""
    cookies = ["a=1; Path=/; HttpOnly", "b=2; Domain=localhost; Path=/x", "c=3; Secure"]
    got = gate.send(headers=reply(headers=[("Set-Cookie", one) for one in cookies]))
    assert got.headers.get_all("Set-Cookie") == [
        "a=1; Path=/; HttpOnly",
        "b=2; Path=/x",
        "c=3; Secure",
    ]


def test_the_apps_caching_counts(gate: Gate) -> None:
    """The apiserver puts a Cache-Control of its own in front of the app's."""
    got = gate.send(headers=reply(headers={"Cache-Control": "max-age=60"}))
    assert got.headers.get_all("Cache-Control") == ["max-age=60"]


def test_headers_pass_to_the_byte(gate: Gate) -> None:
    """Nothing is added, and what is no ASCII survives."""
    name = "caf\u00c3\u00a9"  # the bytes of UTF-8
    made = reply(b"x", headers={"Content-Type": "x/y", "X-Name": name, "Server": "app"})
    with gate.gateway.connect() as connection:
        gate.gateway.send(connection, "GET", "/", host=gate.gateway.host(WEB), headers=made)
        raw = connection.recv(65536)
    assert b"\r\nX-Name: caf\xc3\xa9\r\n" in raw
    assert b"aiohttp" not in raw
    names = [line.partition(b":")[0].lower() for line in raw.split(b"\r\n")[1:]]
    assert names.count(b"content-type") == names.count(b"date") == 1


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(gate: Gate, status: int) -> None:
    """And the connection goes on."""
    with gate.gateway.connect() as connection:
        host = gate.gateway.host(WEB)
        for _ in range(2):
            made = reply(status=status, headers={"ETag": '"x"'})
            gate.gateway.send(connection, "GET", "/", host=host, headers=made)
            got = read_reply(connection)
            assert (got.status, got.body, got.headers["ETag"]) == (status, b"", '"x"')
            assert "Transfer-Encoding" not in got.headers


def test_head(gate: Gate) -> None:
    """It tells the length that GET would have, and has no body."""
    got = gate.send(method="HEAD", headers=reply(b"hello", headers={"Content-Type": "x/y"}))
    assert (got.status, got.headers["Content-Length"], got.body) == (200, "5", b"")


def test_ranges(gate: Gate) -> None:
    """A part of a file is one."""
    headers = {"Content-Range": "bytes 0-1/5", "Content-Type": "x/y", "Accept-Ranges": "bytes"}
    made = reply(b"he", status=206, headers=headers)
    got = gate.send(headers={**made, "Range": "bytes=0-1"})
    assert (got.status, got.body, got.headers["Content-Range"]) == (206, b"he", "bytes 0-1/5")
    assert gate.site.web.last.values("Range") == ["bytes=0-1"]


def test_a_request_that_bears_its_own_prefix(gate: Gate) -> None:
    """A navigation is led to the app's own path; a script's request just goes on."""
    target = f"{PREFIX}/d/x?y=1"
    page = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
    led = gate.send(target, headers=page)
    assert (led.status, led.headers["Location"]) == (302, "/d/x?y=1")
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
    assert gate.echo(target, headers=script).target == "/d/x?y=1"
    assert gate.echo(target, "POST").target == "/d/x?y=1"


def test_a_download_passes_whole(gate: Gate) -> None:
    """And a slow reader makes the app wait, not the gateway's memory grow."""
    size = 40 << 20
    with gate.gateway.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        host = gate.gateway.host(WEB)
        gate.gateway.send(connection, "GET", f"/-/big/{size}", host=host)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        time.sleep(0.5)
        got = sum(map(len, iter(lambda: answer.read(1 << 16), b"")))
    assert got == size


def test_an_upload_passes_whole(gate: Gate) -> None:
    """With a length, as a stream."""
    assert gate.send("/-/count", "POST", body=bytes(20 << 20)).body == str(20 << 20).encode()


def test_events_come_at_once(gate: Gate) -> None:
    """Server-sent events aren't held back."""
    with gate.gateway.connect() as connection:
        host = gate.gateway.host(WEB)
        gate.gateway.send(connection, "GET", "/-/sse/5", host=host)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        times = [time.monotonic() for line in answer if line.startswith(b"data")]
    assert len(times) == 5
    assert times[-1] - times[0] > 0.5, "they came together"


def test_an_answer_that_breaks_off(gate: Gate) -> None:
    """Breaks off for the browser too: never a silent end."""
    with pytest.raises(http.client.IncompleteRead):
        gate.send("/-/cut/100000")


def test_a_browser_that_leaves(gate: Gate) -> None:
    """Its request to the app is given up."""
    before = gate.gateway.tasks()
    for _ in range(5):
        with gate.gateway.connect() as connection:
            host = gate.gateway.host(WEB)
            gate.gateway.send(connection, "GET", "/-/slow/3", host=host)
            time.sleep(0.1)
    end = time.monotonic() + 2
    while gate.gateway.tasks() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert gate.gateway.tasks() <= before


def test_connections_are_kept(gate: Gate) -> None:
    """Many requests on one, and a hundred in one piece."""
    with gate.gateway.connect() as connection:
        host = gate.gateway.host(WEB)
        for number in range(20):
            gate.gateway.send(connection, "GET", f"/{number}", host=host)
            assert read_reply(connection).status == 200
    cookie = gate.gateway.cookies[gate.gateway.host(WEB)]
    one = f"GET /-/count HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"
    last = one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    got = gate.gateway.raw((one * 99 + last).encode())
    assert got.count(b"HTTP/1.1 200 OK") == 100


def test_http_1_0(gate: Gate) -> None:
    """An old client gets no chunks, and an end that it can tell."""
    cookie = gate.gateway.cookies[gate.gateway.host(WEB)]
    head = f"GET /-/sse/2 HTTP/1.0\r\nHost: {gate.gateway.host(WEB)}\r\nCookie: {cookie}\r\n\r\n"
    got = gate.gateway.raw(head.encode())
    assert b"Transfer-Encoding" not in got
    assert got.endswith(b"\r\n\r\ndata: 0\n\ndata: 1\n\n")


def test_the_apiservers_refusal_is_a_page(gate: Gate) -> None:
    """For a person; a script gets the apiserver's own words."""
    label = f"unready--{NAMESPACE}"
    let_in(gate.gateway, label)
    page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
    got = gate.send(label=label, headers={**page, "Sec-Fetch-Dest": "document"})
    assert got.status == 503
    assert "The apiserver could not reach the app" in got.text
    assert "no endpoints available" in got.text
    assert got.headers["Content-Type"].startswith("text/html")
    plain = gate.send(label=label)
    assert (plain.status, plain.headers["Content-Type"]) == (503, "application/json")


def test_digest(gate: Gate) -> None:
    """Random bytes come back as they are."""
    body = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(256))
    assert (
        gate.send(headers=reply(body[:4096], headers={"Content-Type": "x/y"})).body == body[:4096]
    )
    assert gate.echo("/x", "POST", body=body).body == body


def test_a_host_name_that_means_nothing(gate: Gate) -> None:
    """A person gets the names that are near, with links to the index's host; a program a line."""
    people = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
    index = "http://localhost:{}/"
    with running(gate.site.config(), token=False) as gateway:
        end = time.monotonic() + 20  # for the list of services to come
        while WEB not in gateway.request("/", headers=people).text and time.monotonic() < end:
            time.sleep(0.05)
        for label in (f"wep--{NAMESPACE}", "x"):
            got = gateway.request("/", label=label, headers=people)
            assert got.status == 404
            assert f'href="{index.format(gateway.port)}"' in got.text
            line = gateway.request("/", label=label)
            assert (line.status, line.text.count("\n")) == (404, 1)
        near = gateway.request("/", label=f"wep--{NAMESPACE}", headers=people).text
        assert f'href="{index.format(gateway.port)}.proxyurls/open/{WEB}"' in near


def test_a_referer_that_is_no_url(gate: Gate) -> None:
    """The question is asked without its name."""
    sent = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
    got = gate.send("/x", headers={**sent, "Referer": "http://["})
    assert got.status == 200
    assert "Another site sent you here" in got.text
