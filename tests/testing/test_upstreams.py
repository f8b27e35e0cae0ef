"""What may stand behind a target: functions, WSGI apps, addresses. ASGI has its own tests."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from contract.cluster import APIServer
from contract.upstream import Upstream

from proxyurls.testing import FakeCluster, Request, Response

from .raw import WEB, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .conftest import Get


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


def test_server_header(fake_cluster: FakeCluster, get: Get) -> None:
    """An app's Server header comes as it is, and the fake's own answers have none."""
    named = Response("x", headers={"Server": "mine"})
    fake_cluster.add_service("web", upstream=lambda _: named)
    assert get(f"{WEB}/").headers["Server"] == "mine"
    assert "Server" not in get("/version").headers


@pytest.mark.parametrize("tls", [False, True])
def test_tls(tls: bool) -> None:  # noqa: FBT001
    """An app may be served by https, whether the cluster's own address is http or https."""
    with FakeCluster(tls=tls) as cluster, httpx.Client(verify=False, trust_env=False) as client:
        user = cluster.add_user("u", groups=["system:masters"])
        client.headers["Authorization"] = f"Bearer {user.token}"

        def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            start("200 OK", [])
            return [environ["wsgi.url_scheme"].encode()]

        cluster.add_service("web", ports={"https": 443}, upstream=app, tls=True)
        cluster.add_node("n", upstream=app, tls=True, port=10250)
        secure = WEB.replace("web", "https:web:443")
        assert client.get(f"{cluster.url}{secure}/").text == "https"
        assert client.get(f"{cluster.url}/api/v1/nodes/n/proxy/").text == "https"
        plain = client.get(f"{cluster.url}{WEB.replace('web', 'web:443')}/")
        assert plain.status_code in {400, 500}


def test_long_body(fake_cluster: FakeCluster) -> None:
    """A body of any length comes whole, to functions and to WSGI apps."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        return [str(len(environ["wsgi.input"].read())).encode()]

    fake_cluster.add_service("web", upstream=app)
    fake_cluster.add_service("two", upstream=lambda request: str(len(request.body)))
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    for name in ("web", "two"):
        url = fake_cluster.url + WEB.replace("web", name) + "/"
        answer = httpx.post(url, headers=headers, content=bytes(3 << 20), trust_env=False)
        assert answer.text == str(3 << 20)


def test_coroutine_function(fake_cluster: FakeCluster, get: Get) -> None:
    """A function may be async."""

    async def app(request: Request) -> str:
        return request.target

    fake_cluster.add_service("web", upstream=app)
    assert get(f"{WEB}/x").text == "/x"


def test_async_call(fake_cluster: FakeCluster, get: Get) -> None:
    """So may be the call of an object."""

    class App:
        async def __call__(self, request: Request) -> str:
            return request.target

    fake_cluster.add_service("web", upstream=App())
    assert get(f"{WEB}/x").text == "/x"


def test_header_twice(fake_cluster: FakeCluster, get: Get) -> None:
    """A function's answer may have a header twice."""
    cookies = [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]
    fake_cluster.add_service("web", upstream=lambda _: Response("x", headers=cookies))
    assert get(f"{WEB}/").headers.get_list("Set-Cookie") == ["a=b", "c=d"]


def test_wsgi_repeated_headers(fake_cluster: FakeCluster) -> None:
    """A WSGI app gets all values of a header that comes twice, joined as its syntax has it."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        return [f"{environ['HTTP_X_TWICE']} {environ['HTTP_COOKIE']}".encode()]

    fake_cluster.add_service("web", upstream=app)
    lines = ["X-Twice: 1", "X-Twice: 2", "Cookie: a=b", "Cookie: c=d", "Connection: close"]
    with asked(fake_cluster, f"{WEB}/", *lines) as connection, connection.makefile("rb") as answer:
        assert answer.read().endswith(b"1,2 a=b; c=d")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1", "is http://HOST:PORT, not 'ftp://127.0.0.1'"),
        ("127.0.0.1:80", "is http://HOST:PORT, not"),
        ("http://127.0.0.1/base", "HOST:PORT alone, as path, query and cred"),
        ("http://127.0.0.1/?q", "alone"),
        ("http://me:secret@127.0.0.1:80/", "not 'http://127.0.0.1:80/'"),
        ("http://127.0.0.1:99999", "Port out of range"),
    ],
)
def test_no_url(fake_cluster: FakeCluster, url: str, words: str) -> None:
    """A URL that names more than a server, or none of HTTP, is refused in words that say so."""
    with pytest.raises(ValueError, match=re.escape(words)):
        fake_cluster.add_service("web", upstream=url)


def test_wsgi(fake_cluster: FakeCluster, get: Get) -> None:
    """A WSGI app gets path and query, and its headers come back, double ones too."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("201 Fine", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")])
        return [environ["PATH_INFO"].encode(), b" ", environ["QUERY_STRING"].encode()]

    fake_cluster.add_service("web", upstream=app)
    answer = get(f"{WEB}/x%20y?q=1")
    assert (answer.status_code, answer.reason_phrase, answer.text) == (201, "Fine", "/x y q=1")
    assert answer.headers.get_list("Set-Cookie") == ["a=b", "c=d"]


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
    fake_cluster.add_service("web")  # nothing is left of it


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
