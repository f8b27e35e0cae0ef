"""What is sent: the request target to the letter, and nothing that wasn't asked for."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from discovery.servers import OBJECT, Answer, Asked, Loopback

from proxyurls.client import APIClient
from proxyurls.errors import APIStatusError, ProxyURLsError

from .asking import SECRET, always

if TYPE_CHECKING:
    from .asking import Ask, Configure

TARGETS = [
    "/api/v1/namespaces/n/services/web/proxy/a/b",
    "/api/v1/namespaces/n/services/https:web:443/proxy/",
    "/x/../y/./z/",
    "/x/%2e%2E/y",
    "/a%2Fb%2fc",
    "/a//b///",
    "/'()*!$&,;=:@~",
    "/[x]",
    "/q?",
    "/q?a=b&a=c;d&e=%20+%2F&f=a/../b",
    "/q?x=[1]&y={z}|^",
    "/%zz%",
]


class TestTarget:
    @pytest.mark.parametrize("prefix", ["", "/k8s/clusters/c-1", "/k8s/clusters/c-1/", "/a%2Fb"])
    def test_to_the_letter(self, configure: Configure, ask: Ask, prefix: str) -> None:
        with always() as server:
            config = configure(server.url + prefix)
            for target in TARGETS:
                assert ask(config, target) == json.loads(OBJECT)
            found = [asked.target for asked in server.requests]
        assert found == [prefix.rstrip("/") + target for target in TARGETS]

    def test_with_every_method_and_body(self, configure: Configure) -> None:
        with always() as server, APIClient(configure(server.url + "/p")) as client:
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "MKCOL"):
                with client.stream(method, "/x/../%2F?", body=b"data") as answer:
                    answer.read()
            found = [(asked.method, asked.target, asked.body) for asked in server.requests]
        assert found[0] == ("GET", "/p/x/../%2F?", b"data")
        assert {each[1:] for each in found} == {("/p/x/../%2F?", b"data")}
        assert len(found) == 8

    def test_a_fragment_is_never_sent(self, configure: Configure) -> None:
        with always() as server, APIClient(configure(server.url)) as client:
            client.get_json("/x?y#z")
            assert server.requests[-1].target == "/x?y"

    def test_host(self, configure: Configure, ask: Ask) -> None:
        with always() as server:
            ask(configure(server.url), "/x")
            assert server.requests[-1].headers["host"] == urlsplit(server.url).netloc

    def test_behind_a_forwarding_proxy(self, configure: Configure, ask: Ask) -> None:
        with always() as proxy:
            config = configure("http://k8s.test:8080/p", environ={"HTTP_PROXY": proxy.url})
            for target in TARGETS:
                assert ask(config, target) == json.loads(OBJECT)
            found = [asked.target for asked in proxy.requests]
        assert found == [f"http://k8s.test:8080/p{target}" for target in TARGETS]

    def test_no_cookie_is_kept(self, configure: Configure) -> None:
        with (
            always(Set_Cookie="session=1; Path=/") as server,
            APIClient(configure(server.url)) as client,
        ):
            for path in ("/x", "/y"):
                client.get_json(path)
            assert [asked.headers.get("cookie") for asked in server.requests] == [None, None]

    def test_no_redirect_is_followed(self, configure: Configure, ask: Ask) -> None:
        with always(b"", 302, Location="/elsewhere") as server:
            with pytest.raises(APIStatusError) as caught:
                ask(configure(server.url), "/x")
            assert len(server.requests) == 1
        assert caught.value.status == 302

    def test_what_is_asked_for(self, configure: Configure, ask: Ask) -> None:
        with always() as server:
            ask(configure(server.url, cluster={"disable-compression": True}), "/x")
            headers = server.requests[-1].headers
        assert headers["accept"] == "application/json"
        assert headers["accept-encoding"] == "identity"

    def test_trace(self, configure: Configure) -> None:
        lines: list[str] = []
        with (
            always() as server,
            APIClient(configure(server.url), trace=lines.append) as client,
        ):
            client.get_json("/x?y=z")
            assert len(lines) == 1
            assert lines[0].startswith(f"GET {server.url}/x?y=z 200 OK in ")
        assert SECRET not in lines[0]


@pytest.mark.parametrize("path", ["/ä", "/a b", "/a\nb", "/\x00"])
def test_a_path_that_was_never_encoded(configure: Configure, ask: Ask, path: str) -> None:
    """That's a bug of the caller's, but no line may reach the server in two."""
    with always() as server:
        with contextlib.suppress(ProxyURLsError, ValueError):
            ask(configure(server.url), path)
        assert all(asked.target.isascii() for asked in server.requests)
        assert all(asked.method == "GET" for asked in server.requests)


def test_used_after_its_end(configure: Configure) -> None:
    """A client is closed and opened again without trouble."""

    def answer(asked: Asked) -> Answer:
        return Answer(json.dumps({**json.loads(OBJECT), "at": asked.target}).encode())

    with Loopback(answer) as server:
        client = APIClient(configure(server.url))
        for number in range(3):
            assert client.get_json(f"/{number}")["at"] == f"/{number}"
            client.close()
