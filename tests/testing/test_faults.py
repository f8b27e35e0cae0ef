"""Faults on demand: to whom they happen, how often, and what a plain client sees of them."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proxyurls import service
from proxyurls.testing import FakeCluster, Response

from .raw import WEB, asked, talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxyurls.testing import Faults

    from .conftest import Get

BODY = "0123456789" * 1000


@pytest.fixture
def web(fake_cluster: FakeCluster) -> list[str]:
    """The service web, and the targets that its app got."""
    got: list[str] = []

    def app(request: Any) -> str:
        got.append(request.target)
        return BODY

    fake_cluster.add_service("web", upstream=app)
    return got


def test_refuse(fake_cluster: FakeCluster, get: Get, web: list[str]) -> None:
    """A refusal is the apiserver's own Status object, and reaches neither the API nor an app."""
    with fake_cluster.faults.refuse(429, "slow down", retry_after=7) as fault:
        answer = get(f"{WEB}/x")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert answer.json() == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "slow down",
            "reason": "TooManyRequests",
            "code": 429,
            "details": {"retryAfterSeconds": 7},
        }
        assert get("/version").status_code == 429
    assert get(f"{WEB}/x").text == BODY
    assert (web, fault.happened) == (["/x"], 2)


def test_times_and_ends(fake_cluster: FakeCluster, get: Get) -> None:
    """A fault happens as often as was said, and no more once it has ended."""
    fault = fake_cluster.faults.refuse(500, times=2)
    assert [get("/version").status_code for _ in range(3)] == [500, 500, 200]
    assert fault.happened == 2
    other = fake_cluster.faults.refuse(500)
    other.end()
    other.end()
    assert get("/version").status_code == 200
    fake_cluster.faults.refuse(500)
    fake_cluster.faults.clear()
    assert get("/version").status_code == 200


@pytest.mark.parametrize(
    ("where", "hit"),
    [
        ({"path": "/version"}, [True, False, False]),
        ({"verb": "list"}, [False, True, False]),
        ({"proxied": True}, [False, False, True]),
        ({"proxied": False}, [True, True, False]),
        ({"target": service("web")}, [False, False, True]),
        ({"target": service("web", port=80)}, [False, False, False]),
        ({"method": "PUT"}, [False, False, False]),
        ({"query": {"limit": "5"}}, [False, True, False]),
        ({"user": "admin"}, [True, True, True]),
        ({"user": "jane"}, [False, False, False]),
    ],
)
def test_where(
    fake_cluster: FakeCluster, get: Get, web: list[str], where: Any, hit: list[bool]
) -> None:
    """It happens to the requests that are meant, and to no other."""
    paths = ("/version", "/api/v1/services?limit=5", f"{WEB}/")
    with fake_cluster.faults.refuse(503, **where):
        for path, refused in zip(paths, hit, strict=True):
            assert (get(path).status_code == 503) is refused, path


def test_several(fake_cluster: FakeCluster, get: Get) -> None:
    """All of them happen, in their order, until one answers."""
    faults = fake_cluster.faults
    late, first, second = faults.delay(0.2), faults.refuse(500, times=1), faults.refuse(502)
    began = time.monotonic()
    assert [get("/version").status_code for _ in range(2)] == [500, 502]
    assert time.monotonic() - began >= 0.4
    assert (late.happened, first.happened, second.happened) == (2, 1, 1)


def test_before_the_credential_is_looked_at(fake_cluster: FakeCluster, get: Get) -> None:
    """A fault comes before the 401 of a wrong token, as that of a load balancer does."""
    wrong = {"Authorization": "Bearer nobody's"}
    with fake_cluster.faults.instead(Response("bad gateway", 502)):
        assert get("/version", headers=wrong).status_code == 502
    assert get("/version", headers=wrong).status_code == 401


@pytest.mark.parametrize("path", [f"{WEB}/x", "/api/v1/services"])
@pytest.mark.parametrize(
    ("begin", "error"),
    [
        (lambda faults: faults.reset(), httpx.ReadError),
        (lambda faults: faults.reset(after=0), httpx.ReadError),
        (lambda faults: faults.reset(after=100), httpx.ReadError),
        (lambda faults: faults.truncate(), httpx.RemoteProtocolError),
        (lambda faults: faults.truncate(after=0), httpx.RemoteProtocolError),
        (lambda faults: faults.truncate(after=100), httpx.RemoteProtocolError),
        (lambda faults: faults.stall(), httpx.ReadTimeout),
        (lambda faults: faults.stall(after=100), httpx.ReadTimeout),
    ],
)
def test_broken(
    fake_cluster: FakeCluster,
    web: list[str],
    path: str,
    begin: Callable[[Faults], Any],
    error: type[Exception],
) -> None:
    """An answer breaks off as was said, of the API and of an app; then all is well again."""
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    with httpx.Client(
        base_url=fake_cluster.url, headers=headers, trust_env=False, timeout=0.5
    ) as client:
        with begin(fake_cluster.faults) as fault, pytest.raises(error):
            client.get(path)
        assert fault.happened == 1
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("after", [None, 0])
def test_a_reset_with_tls_is_one(cluster: FakeCluster, after: int | None) -> None:
    """It is TCP's own, whatever OpenSSL makes of it."""
    context = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    host, port = cluster.url.removeprefix("https://").split(":")
    with (
        cluster.faults.reset(after=after),
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: h\r\n\r\n")
        with suppress(OSError):
            while connection.recv(1000):
                pass
        with pytest.raises(OSError, match=r"endpoint is not connected"):
            connection.getpeername()


def test_just_so_many_bytes(fake_cluster: FakeCluster, web: list[str]) -> None:
    """What comes before the end is the head, and as many bytes of the body as were said."""
    with (
        fake_cluster.faults.truncate(after=7),
        asked(fake_cluster, f"{WEB}/") as connection,
        connection.makefile("rb") as answer,
    ):
        head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 10000" in head
    assert body == BODY[:7].encode()
    assert web == ["/"]


def test_before_and_after_the_act(fake_cluster: FakeCluster, get: Get, web: list[str]) -> None:
    """Without after= the app is not asked; with after=0 it is, and the client can't know."""
    with fake_cluster.faults.reset(), suppress(httpx.ReadError):
        get(f"{WEB}/a")
    with fake_cluster.faults.reset(after=0), suppress(httpx.ReadError):
        get(f"{WEB}/b")
    assert web == ["/b"]


def test_a_shorter_answer_is_whole(fake_cluster: FakeCluster, get: Get, web: list[str]) -> None:
    """So is the next one on the same connection, once the fault has ended."""
    with fake_cluster.faults.reset(after=len(BODY)) as fault:
        assert get(f"{WEB}/").text == BODY
    assert fault.happened == 1
    assert [get(f"{WEB}/").text for _ in range(3)] == [BODY] * 3


def test_an_upgrade_breaks_off(fake_cluster: FakeCluster) -> None:
    """A WebSocket's connection is reset as others are."""
    fake_cluster.add_service("web", upstream=lambda _: "no WebSocket")
    with fake_cluster.faults.refuse(403), talk(fake_cluster, f"{WEB}/ws") as (head, _, _):
        assert head.startswith("HTTP/1.1 403")
    with fake_cluster.faults.truncate(), talk(fake_cluster, f"{WEB}/ws") as (head, _, _):
        assert head == ""


def test_down(fake_cluster: FakeCluster, get: Get) -> None:
    """While it is down nobody listens; then it is at the same port, with all that it had."""
    fake_cluster.add_namespace("mine")
    url = fake_cluster.url
    with fake_cluster.down():
        with pytest.raises(httpx.ConnectError):
            get("/version")
        assert fake_cluster.url == url
    assert get("/api/v1/namespaces/mine").status_code == 200


def test_restart(fake_cluster: FakeCluster, get: Get) -> None:
    """A restart resets what is open, idle or not, and asking again works."""
    get("/version")
    watch = "/api/v1/services?watch=1"
    with asked(fake_cluster, watch) as watching:
        assert watching.recv(1000).startswith(b"HTTP/1.1 200 OK")
        fake_cluster.restart()
        with pytest.raises(ConnectionResetError), watching.makefile("rb") as stream:
            stream.read()
    assert get("/version").status_code == 200


def test_stop_with_stalled_requests() -> None:
    """A cluster ends at once, whatever waits in it."""
    before = set(threading.enumerate())
    with FakeCluster() as cluster:
        cluster.faults.stall()
        connection = asked(cluster, "/version")
        cluster.faults.clear()
        cluster.faults.delay(60)
        other = asked(cluster, "/version")
        while len(cluster.requests) < 2:
            time.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    connection.close()
    other.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (lambda faults: faults.refuse(200), "from 400 to 599, not 200"),
        (lambda faults: faults.refuse(times=0), "once or more often (times=None: always), not 0"),
        (lambda faults: faults.delay(-1), "a number of seconds, not -1"),
        (lambda faults: faults.delay(float("inf")), "stall() is for ever"),
        (lambda faults: faults.reset(after=-1), "0 bytes or more, not -1"),
        (lambda faults: faults.refuse(path="x"), "begins with / or *, not 'x'"),
        (lambda faults: faults.refuse(verb="read"), "a verb is one of get,"),
    ],
)
def test_what_can_t_be(
    fake_cluster: FakeCluster, get: Get, begin: Callable[[Faults], Any], words: str
) -> None:
    """It is refused at once, and nothing is begun."""
    with pytest.raises(ValueError, match=re.escape(words)):
        begin(fake_cluster.faults)
    assert get("/version").status_code == 200
