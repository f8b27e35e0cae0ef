"""What may stand behind a target: functions, WSGI and ASGI apps, addresses."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from contract.cluster import APIServer
from contract.upstream import Upstream, make_frame, read_frame

from proxyurls.testing import FakeCluster, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .conftest import Get

WEB = "/api/v1/namespaces/default/services/web/proxy"


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("é", "text/plain; charset=utf-8", "é"),
        (b"x", "text/plain; charset=utf-8", "x"),
        ({"a": [1]}, "application/json", '{"a": [1]}'),
        (Response("<p>", 418, {"Content-Type": "text/x"}), "text/x", "<p>"),
    ],
)
def test_function(
    fake_cluster: FakeCluster, get: Get, answer: object, kind: str, text: str
) -> None:
    """A function answers with text, bytes, something for JSON, or a whole response."""
    seen: list[Request] = []

    def app(request: Request) -> object:
        seen.append(request)
        return answer

    fake_cluster.add_service("web", upstream=app)
    found = get(f"{WEB}/a%2Fb?q=%2F")
    assert (found.text, found.headers["Content-Type"]) == (text, kind)
    assert found.status_code == (418 if isinstance(answer, Response) else 200)
    assert (seen[0].method, seen[0].target) == ("GET", "/a/b?q=%2F")
    assert "authorization" not in seen[0].headers
    assert seen[0].headers["x-forwarded-uri"] == f"{WEB}/a/b"


def test_coroutine_function(fake_cluster: FakeCluster, get: Get) -> None:
    """A function may be async."""

    async def app(request: Request) -> str:
        return request.target

    fake_cluster.add_service("web", upstream=app)
    assert get(f"{WEB}/x").text == "/x"


def test_wsgi(fake_cluster: FakeCluster, get: Get) -> None:
    """A WSGI app gets path and query, and its headers come back, double ones too."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("201 Fine", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")])
        return [environ["PATH_INFO"].encode(), b" ", environ["QUERY_STRING"].encode()]

    fake_cluster.add_service("web", upstream=app)
    answer = get(f"{WEB}/x%20y?q=1")
    assert (answer.status_code, answer.reason_phrase, answer.text) == (201, "Fine", "/x y q=1")
    assert answer.headers.get_list("Set-Cookie") == ["a=b", "c=d"]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI app that echoes."""
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"{scope['path']} {message['text']}"})
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
    await send({"type": "http.response.body", "body": scope["query_string"], "more_body": True})
    await send({"type": "http.response.body", "body": body})


def test_asgi(fake_cluster: FakeCluster, get: Get) -> None:
    """An ASGI app answers piece by piece."""
    fake_cluster.add_service("web", upstream=asgi)
    answer = get(f"{WEB}/x?q")
    assert (answer.text, answer.headers["X-A"]) == ("q", "b")


def test_asgi_websocket(fake_cluster: FakeCluster) -> None:
    """An ASGI app's WebSocket gets through."""
    fake_cluster.add_service("web", upstream=asgi)
    host, port = fake_cluster.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"GET {WEB}/ws?lost HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            f"Authorization: Bearer {fake_cluster.admin.token}\r\n\r\n".encode()
        )
        with connection.makefile("rb") as stream:
            assert b" 101 " in stream.readline()
            while stream.readline().strip():
                pass
            connection.sendall(make_frame(b"hi", mask=b"abcd"))
            assert read_frame(stream) == (1, b"/ws hi")


@pytest.mark.parametrize("form", ["url", "pair"])
def test_address(fake_cluster: FakeCluster, get: Get, form: str) -> None:
    """An app that runs elsewhere is named by its URL, or by host and port."""
    with Upstream(socket.create_server(("127.0.0.1", 0))) as upstream:
        host, port = upstream.address
        where = f"http://{host}:{port}" if form == "url" else (host, port)
        fake_cluster.add_service("web", ports={"a": 8080, "b": 9090}, upstream=where)
        for segment in ("web:8080", "web:b"):
            assert get(WEB.replace("web", segment) + "/there").status_code == 200
            assert upstream.last.target == "/there"
        assert get(f"{WEB}/").status_code == 503


@pytest.mark.parametrize(
    ("upstream", "error"), [("web", ValueError), (lambda: None, TypeError), (12, TypeError)]
)
def test_no_upstream(fake_cluster: FakeCluster, upstream: Any, error: type[Exception]) -> None:
    """What can't be an upstream is refused at once."""
    with pytest.raises(error):
        fake_cluster.add_service("web", upstream=upstream)


def test_pods_and_nodes(fake_cluster: FakeCluster, get: Get) -> None:
    """Pods and nodes have upstreams as services do."""
    fake_cluster.add_pod("p", upstream=lambda request: request.target, ports=[8080, 9090])
    fake_cluster.add_node("n", upstream=lambda request: request.target)
    root = "/api/v1/namespaces/default/pods"
    assert get(f"{root}/p/proxy/x").text == "/x"
    assert get(f"{root}/p:9090/proxy/y").text == "/y"
    assert get("/api/v1/nodes/n:9100/proxy/z").text == "/z"


def test_contract_knows_the_fake() -> None:
    """The contract's own kinds have the fake among them."""
    from contract.fake import FakeAPIServer

    assert issubclass(FakeAPIServer, APIServer)
