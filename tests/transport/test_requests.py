"""What of an in-cluster request arrives at the app, and what is refused before it is sent."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from contract.upstream import arrived

from proxyurls import InvalidRequest, ProxyURLsError

from .asking import NAMESPACE, WEB

if TYPE_CHECKING:
    from .asking import Ask
    from .conftest import Site


def test_it_goes_through(site: Site, ask: Ask) -> None:
    """An in-cluster URL is answered by the app, and the answer knows no other URL."""
    answer = ask(f"{WEB}:8080/api/health?full=1")
    assert answer.status_code == 200
    assert arrived(answer.content).target == "/api/health?full=1"
    assert str(answer.url) == str(answer.request.url) == f"{WEB}:8080/api/health?full=1"
    assert site.web.last.values("Host") == [f"web.{NAMESPACE}.svc:8080"]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (WEB, "/"),
        (f"{WEB}.cluster.local/x", "/x"),
        (f"{WEB}.cluster.local./x", "/x"),
        (f"HTTP://WEB.{NAMESPACE.upper()}.SVC/X", "/X"),
        (f"{WEB}/a%20b/caf%C3%A9?q=%2F%zz;x=+1&q=2", "/a%20b/caf%C3%A9?q=%2F%zz;x=+1&q=2"),
        (f"{WEB}/a/../b/./c", "/b/c"),  # by httpx itself
        (f"{WEB}//a///b/", "/a/b/"),
        (f"{WEB}/a/%2e%2e/b", "/b"),
    ],
)
def test_urls(ask: Ask, url: str, target: str) -> None:
    """Path and query arrive as the apiserver lets them."""
    assert arrived(ask(url).content).target == target


def test_https_in_the_cluster(site: Site, ask: Ask) -> None:
    """An https URL reaches an app that speaks TLS, whoever signed its certificate."""
    answer = ask(f"https://secure.{NAMESPACE}.svc/x")
    assert arrived(answer.content).target == "/x"
    assert site.secure.last.values("Host") == [f"secure.{NAMESPACE}.svc"]


@pytest.mark.parametrize("user", ["admin", "token"])
def test_credentials(site: Site, either: Ask, user: str) -> None:
    """The kubeconfig's credentials are sent, be they a certificate or a token; no app sees them."""
    answer = either(site.config(user), WEB)
    assert answer.status_code == 200
    assert "authorization" not in answer.request.headers
    assert site.web.last.values("Authorization") == []


def test_headers(ask: Ask) -> None:
    """Headers arrive, but for those of one connection; page compression is what can be undone."""
    sent = {
        "X-App": "1",
        "Origin": WEB,
        "Referer": f"{WEB}/a",
        "Cookie": "a=b",
        "Accept": "x/y",
        "Connection": "x-hop",
        "X-Hop": "1",
        "Te": "trailers",
        "Keep-Alive": "5",
        "Accept-Encoding": "br, gzip;q=0.5",
        "Proxy-Authorization": "Basic eDp5",
    }
    seen = arrived(ask(("GET", WEB, {"headers": sent})).content)
    for name in ("X-App", "Origin", "Referer", "Cookie", "Accept"):
        assert seen.values(name) == [sent[name]]
    for name in ("Connection", "X-Hop", "Te", "Keep-Alive", "Proxy-Authorization"):
        assert seen.values(name) == []
    assert seen.values("Accept-Encoding") == ["gzip"]


def test_its_own_accept_encoding(ask: Ask) -> None:
    """Whoever takes no gzip gets none."""
    sent = {"Accept-Encoding": "identity"}
    assert arrived(ask(("GET", WEB, {"headers": sent})).content).values("Accept-Encoding") == [
        "identity"
    ]


def test_another_host_header(ask: Ask) -> None:
    """A Host that the client chose arrives."""
    seen = arrived(ask(("GET", WEB, {"headers": {"Host": "app.test"}})).content)
    assert seen.values("Host") == ["app.test"]


def test_the_servers_host(site: Site, ask: Ask) -> None:
    """With `server_host` the apiserver's Host is sent, and Origin and Referer agree with it."""
    sent = {"Origin": WEB, "Referer": f"{WEB}/a?b"}
    seen = arrived(ask(("GET", f"{WEB}/x", {"headers": sent}), server_host=True).content)
    server = site.apiserver.server
    assert seen.values("Host") == [urlsplit(server).netloc]
    assert seen.values("Origin") == [server]
    assert seen.values("Referer") == [f"{server}/a?b"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_bodies(ask: Ask, method: str) -> None:
    """A body arrives, whatever the method."""
    seen = arrived(ask((method, f"{WEB}/x", {"content": b"\x00body"})).content)
    assert (seen.method, seen.body, seen.values("Content-Length")) == (method, b"\x00body", ["5"])


def test_forms_files_json(ask: Ask) -> None:
    """Httpx's ways to make a body arrive too."""
    assert arrived(ask(("POST", WEB, {"json": {"a": 1}})).content).body == b'{"a":1}'
    assert arrived(ask(("POST", WEB, {"data": {"a": "b c"}})).content).body == b"a=b+c"
    seen = arrived(ask(("POST", WEB, {"files": {"f": b"content"}})).content)
    assert b"content" in seen.body
    assert seen.values("Content-Type")[0].startswith("multipart/form-data; boundary=")


def test_base_url_and_hooks(ask: Ask) -> None:
    """base_url, default headers and event hooks: hooks see the in-cluster request."""
    seen: list[str] = []

    class Hook:
        """For both clients: called, and awaited in one of them."""

        def __call__(self, value: Any) -> Any:
            seen.append(str(getattr(value, "request", value).url))
            return self

        def __await__(self) -> Any:
            yield from ()

    hooks = {"request": [Hook()], "response": [Hook()]}
    answer = ask("health", base_url=f"{WEB}:8080/api/", headers={"X-App": "7"}, event_hooks=hooks)
    assert arrived(answer.content).target == "/api/health"
    assert arrived(answer.content).values("X-App") == ["7"]
    assert seen == [f"{WEB}:8080/api/health"] * 2


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (WEB, {"headers": {"Authorization": "Bearer s3cret"}}),
        (WEB, {"auth": ("me", "s3cret")}),
        (WEB.replace("//", "//me:s3cret@"), {}),
    ],
    ids=["header", "auth", "url"],
)
def test_the_apps_own_authorization(
    site: Site, ask: Ask, url: str, options: dict[str, Any]
) -> None:
    """It would vanish, so it is refused: the header is named, the secret isn't."""
    count = len(site.web.requests)
    with pytest.raises(InvalidRequest, match=r"header Authorization.*drop_authorization") as caught:
        ask(("GET", url, options))
    assert "s3cret" not in str(caught.value)
    assert len(site.web.requests) == count
    answer = ask(("GET", url, options), drop_authorization=True)
    assert (answer.status_code, site.web.last.values("Authorization")) == (200, [])


def test_digest_auth(ask: Ask) -> None:
    """An app that asks for a login is answered with the same refusal, not in silence."""
    from contract.upstream import reply

    challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}
    asked = ("GET", WEB, {"headers": reply(status=401, headers=challenge)})
    assert ask(asked).status_code == 401
    with pytest.raises(InvalidRequest, match="header Authorization"):
        ask(asked, auth=httpx.DigestAuth("me", "s3cret"))


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        ({"Impersonate-User": "root"}, "Impersonate-User is for the apiserver"),
        ({"impersonate-group": "system:masters"}, "act as somebody else"),
        ({"Connection": "Upgrade", "Upgrade": "websocket"}, "no WebSocket goes through"),
    ],
)
def test_headers_that_are_refused(ask: Ask, headers: dict[str, str], match: str) -> None:
    """What the apiserver would take for its own, and what can't be passed on."""
    with pytest.raises(InvalidRequest, match=match):
        ask(("GET", WEB, {"headers": headers}))


@pytest.mark.parametrize(
    ("url", "match"),
    [
        (f"{WEB}/%2e%2e/%2e%2e/secrets", r"its '\.\.' can climb above"),
        (f"{WEB}/..%5c..%5csecrets", r"its '\.\.' can climb above"),
        (f"{WEB}/a%2Fb", "%2F, which the apiserver turns into a '/'"),
        (f"{WEB}/a%00b", "control character"),
        ("http://nothing.svc/", r"type NAME\.NAMESPACE\.svc"),
        (f"http://web-0.web.{NAMESPACE}.svc.cluster.local/", "a pod behind a service"),
        (f"http://web_1.{NAMESPACE}.svc/", "invalid service name 'web_1'"),
        (f"http://web.{NAMESPACE}.svc:99999/", "invalid service port"),
    ],
)
def test_urls_that_are_refused(site: Site, ask: Ask, url: str, match: str) -> None:
    """Nothing is sent, and it is an error for users of httpx and of this library alike."""
    count = len(site.web.requests)
    with pytest.raises(InvalidRequest, match=match) as caught:
        ask(url)
    error = caught.value
    assert isinstance(error, httpx.LocalProtocolError)
    assert isinstance(error, (ProxyURLsError, ValueError))
    assert str(error).isprintable()
    assert error.request.url == httpx.URL(url)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert len(site.web.requests) == count


def test_no_extension_changes_the_target(site: Site, ask: Ask) -> None:
    """Httpcore's ``target`` would send another request than the one that was checked."""
    path = b"/api/v1/namespaces/kube-system/secrets"
    answer = ask(("GET", f"{WEB}/x", {"extensions": {"target": path}}))
    assert arrived(answer.content).target == "/x"
