"""``fetch``: exit codes, and who answered: the apiserver itself, or the app behind it."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cli.test_fetch import answering, fetcher, open_shop

if TYPE_CHECKING:
    import socket

    from contract.cluster import APIServer
    from contract.fixtures import Serve

    from cli.test_fetch import Fetch, Shop

STATUS = json.dumps(
    {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the app's own words",
        "reason": "NotFound",
        "code": 404,
    }
).encode()


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    made = open_shop(apiserver, serve, "desk")
    apiserver.add_service("idle", "desk")
    apiserver.add_service("bare", "desk", endpoints=False)
    closed = apiserver.listen()
    apiserver.add_service("dead", "desk", upstream=closed.getsockname()[:2])
    closed.close()
    apiserver.add_pod("homeless", "desk", ip=None)
    return made


@pytest.fixture
def fetch(shop: Shop, capsysbinary: pytest.CaptureFixture[bytes]) -> Fetch:
    return fetcher(shop, capsysbinary)


@pytest.mark.parametrize("status", [200, 201, 206, 302, 304, 399])
def test_success(fetch: Fetch, status: int) -> None:
    """Below 400 the exit code is 0."""
    assert fetch("web.desk", *answering(status=status)).code == 0


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
        (599, "599"),
    ],
)
def test_app_fails(fetch: Fetch, status: int, phrase: str) -> None:
    """From 400 on it is 1. The body is printed, and the app is named."""
    printed = fetch("web.desk", *answering(b"<h1>Sorry\n", status=status))
    assert (printed.code, printed.out) == (1, b"<h1>Sorry\n")
    assert printed.error == f"the app behind service 'web' answered {phrase}"


def test_app_fails_with_head(fetch: Fetch) -> None:
    """-i prints the status and the headers of a failure too."""
    printed = fetch("web.desk", "-i", *answering(b"x", status=404))
    assert printed.out.startswith(b"HTTP/1.1 404 Not Found\n")
    assert printed.out.endswith(b"\n\nx")
    assert printed.code == 1


@pytest.mark.parametrize(
    ("target", "who"),
    [
        ("multi.desk:admin", "service 'multi'"),
        ("pod/app", "pod 'app'"),
        ("node/rack", "node 'rack'"),
    ],
)
def test_app_is_named(fetch: Fetch, target: str, who: str) -> None:
    namespace = ["-n", "desk"] if target.startswith("pod") else []
    printed = fetch(target, *namespace, *answering(status=404))
    assert printed.error == f"the app behind {who} answered 404 Not Found"


@pytest.mark.parametrize(
    ("target", "answer", "remedy"),
    [
        (
            "gone.desk:80",
            '404 Not Found: services "gone" not found',
            "nothing says which addresses are behind the service: `proxyurls doctor gone.desk:80`",
        ),
        (
            "bare.desk",
            '404 Not Found: services "bare" not found',
            "`proxyurls doctor bare.desk:80` tells which",
        ),
        (
            "idle.desk",
            '503 Service Unavailable: no endpoints available for service "idle"',
            "no ready pod is behind it, or its ports have names, so one must be typed, or more: `",
        ),
        (
            "web.desk:81",
            '503 Service Unavailable: no service port 81 found for service "web"',
            "`proxyurls services` lists its ports",
        ),
        (
            "https:web.desk:",
            "500 Internal Server Error: error trying to reach service: tls: first record ",
            "the app speaks http there: type http:web.desk:",
        ),
        (
            "http:secure.desk:",
            "500 Internal Server Error: error trying to reach service: ",
            "`proxyurls doctor http:secure.desk: --probe` tells which",
        ),
        (
            "dead.desk",
            "500 Internal Server Error: error trying to reach service: dial tcp ",
            "nothing listens on that port of the pod",
        ),
        ("pod/gone", '404 Not Found: pods "gone" not found', "`kubectl get pods` lists them"),
        (
            "pod/homeless",
            "400 Bad Request: address not allowed",
            "the pod has no address yet, or one that is never proxied to (loopback, link-local)",
        ),
        ("node/gone", '404 Not Found: nodes "gone" not found', "`kubectl get nodes` lists them"),
    ],
)
def test_apiserver_refuses(fetch: Fetch, shop: Shop, target: str, answer: str, remedy: str) -> None:
    """Its own words, its address, and what helps; its Status object is printed as it is."""
    namespace = ["-n", "desk"] if target.startswith("pod") else []
    printed = fetch(target, *namespace)
    assert printed.code == 1
    assert json.loads(printed.out)["kind"] == "Status"
    assert printed.error.startswith(f"the apiserver at {shop.apiserver.server} answered {answer}")
    assert remedy in printed.error


@pytest.mark.parametrize(
    ("method", "verb"), [("GET", "get"), ("POST", "create"), ("DELETE", "delete")]
)
def test_apiserver_forbids(fetch: Fetch, shop: Shop, method: str, verb: str) -> None:
    """The whole segment, and the verb that the method needs."""
    printed = fetch("multi.desk:admin", "-X", method, user="reader")
    assert printed.error == (
        f"the apiserver at {shop.apiserver.server} answered 403 Forbidden: "
        f'services "multi:admin" is forbidden: User "reader" cannot {verb} resource '
        '"services/proxy" in API group "" in the namespace "desk"; '
        "ask for that permission (RBAC), or choose another --context or --namespace"
    )
    assert json.loads(printed.out)["reason"] == "Forbidden"


def test_apiserver_knows_nobody(fetch: Fetch, shop: Shop) -> None:
    """A wrong token is the apiserver's 401, with the way to see which credentials were sent."""
    printed = fetch("web.desk:80", "--token", "wrong", user="reader")
    assert printed.error == (
        f"the apiserver at {shop.apiserver.server} answered 401 Unauthorized: Unauthorized; "
        "it does not accept these credentials: see `proxyurls config`"
    )


def test_apiserver_refuses_raw(fetch: Fetch, shop: Shop) -> None:
    """With --raw, a Status, or an answer that is none, is the apiserver's."""
    printed = fetch("--raw", "/api/v1/namespaces/gone")
    head = f"the apiserver at {shop.apiserver.server} answered 404 Not Found"
    assert printed.error == f'{head}: namespaces "gone" not found'
    assert fetch("--raw", "/nowhere").error.startswith("the apiserver ")


def test_app_fails_behind_raw(fetch: Fetch) -> None:
    """A proxy path given by --raw leads to an app all the same."""
    path = "/api/v1/namespaces/desk/services/web:80/proxy/"
    printed = fetch("--raw", path, *answering(b"nope", status=404))
    assert printed.error == "the app behind service 'web' answered 404 Not Found"


@pytest.mark.parametrize("status", [403, 404, 503])
def test_status_of_the_app(fetch: Fetch, status: int) -> None:
    """An app that answers a Status object of its own is not taken for the apiserver."""
    kind = [("Content-Type", "application/json")]
    printed = fetch("web.desk", *answering(STATUS, status=status, headers=kind))
    assert printed.out == STATUS
    assert printed.error.startswith(f"the app behind service 'web' answered {status}")


def anonymous(listener: socket.socket, answer: bytes) -> threading.Thread:
    """An app that sends no Server header (as Go's and Node's don't), and serves once."""

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "text/plain"),
        (b"not found", "text/plain; charset=utf-8"),
        (b'{"error": "not found"}', "application/json"),
        (b'{"kind": "Status"', "application/json"),
        (b'{"kind": "Status", "apiVersion": "x/v1"}', "application/json"),
        (STATUS, "application/json; charset=utf-8"),
    ],
)
def test_app_without_a_name(
    fetch: Fetch, shop: Shop, request: pytest.FixtureRequest, body: bytes, kind: str
) -> None:
    """An app that sends no Server header is still told from the apiserver."""
    listener = shop.apiserver.listen()
    ip, port = listener.getsockname()[:2]
    shop.apiserver.add_pod("anonymous", "desk", ip=ip)
    head = f"HTTP/1.1 404 Not Found\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    thread = anonymous(listener, head.encode() + body)
    printed = fetch(f"pod/anonymous:{port}", "-n", "desk")
    thread.join(10)
    assert printed.out == body
    assert printed.error == "the app behind pod 'anonymous' answered 404 Not Found"


def test_head_tells_less(fetch: Fetch) -> None:
    """Without a body the apiserver's refusal is not taken for the app's."""
    app = fetch("web.desk:80", "-X", "HEAD", *answering(status=404))
    assert app.error == "the app behind service 'web' answered 404 Not Found"
    refusal = fetch("web.desk:80", "-X", "HEAD", user="reader")
    assert refusal.out == b""
    assert "403 Forbidden" in refusal.error
    assert not refusal.error.startswith("the app behind service 'web' answered")


def test_time_limit(fetch: Fetch, shop: Shop) -> None:
    """An app that is too slow for --request-timeout."""
    started = time.monotonic()
    printed = fetch("web.desk", "/-/slow/4", "--request-timeout", "500ms")
    assert time.monotonic() - started < 3
    assert (printed.code, printed.out) == (1, b"")
    assert "within the time limit" in printed.error
    assert shop.apiserver.server in printed.error
    assert fetch("web.desk", "/-/slow/1", "--request-timeout", "0").out == b"at last"


def test_time_limit_of_the_whole(fetch: Fetch) -> None:
    """As with kubectl, it also ends an answer that goes on and on."""
    started = time.monotonic()
    printed = fetch("web.desk", "/-/sse/100", "--request-timeout", "1s")
    assert time.monotonic() - started < 4
    assert printed.code == 1
    assert printed.out.startswith(b"data: ")
    error = printed.err.splitlines()[-1]
    assert error.startswith("error: the time limit is over after ")
    assert error.endswith(" bytes; raise --request-timeout")


def test_no_server(fetch: Fetch) -> None:
    """Nobody answers at all."""
    printed = fetch("web.desk:80", "-s", "https://127.0.0.1:1")
    assert printed.code == 1
    assert printed.error.startswith("can't reach https://127.0.0.1:1: connection refused; ")


def test_breaks_off(fetch: Fetch) -> None:
    """What came is printed to the last byte, and counted; it is no success.

    (The apiserver resets the connection, which may cost the last bytes that it sent.)
    """
    printed = fetch("web.desk", "/-/cut/3000000")
    assert printed.code == 1
    assert 2_000_000 < len(printed.out) <= 3_000_000
    came = len(printed.out)
    assert printed.error.startswith(f"the answer broke off after {came} of 6000000 bytes")


def test_breaks_off_early(fetch: Fetch) -> None:
    """The apiserver hangs up where the app did, before it passed anything on."""
    printed = fetch("web.desk", "/-/cut/10")
    assert (printed.code, printed.out) == (1, b"")
    assert "\n" not in printed.error
