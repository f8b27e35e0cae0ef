"""Requests to an apiserver, by both of our clients: same results, same errors."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import ssl
import stat
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import trustme
from discovery.commands import kubeconfig
from discovery.servers import OBJECT, Answer, Asked, Blurter, Loopback, Tunnels

from proxyurls import load_config, oneshot
from proxyurls.client import APIClient
from proxyurls.errors import (
    APIStatusError,
    ClusterError,
    ConnectionFailed,
    CredentialError,
    ProxyURLsError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from contract.cluster import APIServer

    from proxyurls import Config

    Ask = Callable[..., dict[str, Any]]
    Configure = Callable[..., Config]

SECRET = "s3cret-t0ken"
TIME_LIMIT = 0.3


def by_client(config: Config, path: str, *, timeout: float | None = None) -> dict[str, Any]:
    with APIClient(config, timeout=timeout) as client:
        return client.get_json(path)


ASKS: dict[str, Ask] = {"client": by_client, "oneshot": oneshot.get_json}


@pytest.fixture(params=ASKS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return ASKS[request.param]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """A Config for a server, away from this machine's own environment."""

    def configure(server: str, *, environ: Mapping[str, str] | None = None, **parts: Any) -> Config:
        parts.setdefault("user", {"token": SECRET})
        path = kubeconfig(tmp_path / "kubeconfig", server, **parts)
        return load_config(path, environ=environ or {})

    return configure


def always(body: bytes = OBJECT, status: int = 200, **headers: str) -> Loopback:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Loopback(lambda _: Answer(body, status, named))


class Authority:
    """A CA, its file, and servers' contexts."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = str(folder / "ca.crt")
        self._ca.cert_pem.write_to_path(self.file)
        self.cluster = {"certificate-authority": self.file}

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


# what is sent

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


# results and errors: the same for both


def same(config: Config, path: str = "/api", *, timeout: float | None = 10) -> ClusterError:
    """The error of both clients, which is one and the same."""
    caught = []
    for ask in ASKS.values():
        with pytest.raises(ClusterError) as one:
            ask(config, path, timeout=timeout)
        caught.append(one.value)
    first, second = caught
    assert (type(first), str(first)) == (type(second), str(second))
    assert vars(first) == vars(second)
    text = str(first)
    assert text.isprintable()  # one line
    assert SECRET not in text
    return first


class TestConnection:
    def test_unknown_host(self, configure: Configure) -> None:
        error = same(configure("https://k8s.invalid:6443"))
        assert isinstance(error, ConnectionFailed)
        assert str(error).startswith(
            "can't reach https://k8s.invalid:6443: the host name is not known"
        )
        assert str(error).endswith("check --server or --context")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_refused(self, configure: Configure, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error = same(configure(f"{scheme}://127.0.0.1:{port}"))
        assert str(error) == (
            f"can't reach {scheme}://127.0.0.1:{port}: connection refused; "
            "is it running there? Check --server or --context"
        )

    @pytest.mark.parametrize(
        ("scheme", "half"), [("http", False), ("https", False), ("http", True)]
    )
    def test_timeout(self, configure: Configure, scheme: str, *, half: bool) -> None:
        """No answer, no TLS handshake, or an answer that stops in its middle."""
        answer = Answer(b"{", headers={"Content-Length": "9"})
        with Loopback(lambda _: answer) if half else Blurter(None) as server:
            started = time.monotonic()
            error = same(configure(f"{scheme}://127.0.0.1:{server.port}"), timeout=TIME_LIMIT)
            assert time.monotonic() - started < 10 * TIME_LIMIT
        assert str(error).startswith(f"can't reach {scheme}://127.0.0.1:{server.port}: ")
        assert "within the time limit" in str(error)
        assert "raise --request-timeout" in str(error)

    def test_untrusted(self, configure: Configure, authority: Authority) -> None:
        with Loopback(lambda _: Answer(), tls=authority.server("127.0.0.1")) as server:
            error = same(configure(server.url))
            assert server.requests == []
        assert str(error) == (
            f"the certificate of {server.url} is not trusted: unable to get local issuer "
            "certificate; check certificate-authority or --tls-server-name (see `proxyurls config`)"
        )

    def test_another_name(self, configure: Configure, authority: Authority) -> None:
        with Loopback(lambda _: Answer(), tls=authority.server("other.test")) as server:
            error = same(configure(server.url, cluster=authority.cluster))
            assert server.requests == []
        assert f"the certificate of {server.url} is not trusted: " in str(error)
        assert "--tls-server-name" in str(error)

    def test_tls_spoken_to_plain_http(self, configure: Configure) -> None:
        with always() as server:
            url = server.url.replace("http:", "https:")
            error = same(configure(url))
        assert str(error).startswith(f"can't reach {url}: it does not speak TLS; is it http")

    def test_plain_http_spoken_to_tls(self, configure: Configure, authority: Authority) -> None:
        with Loopback(lambda _: Answer(), tls=authority.server("127.0.0.1")) as server:
            url = server.url.replace("https:", "http:")
            error = same(configure(url))
        assert str(error).startswith(f"can't reach {url}: ")
        assert "https" in str(error)

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
            b"\x15\x03\x03\x00\x02\x02\x28",
        ],
    )
    def test_no_http(self, configure: Configure, ask: Ask, said: bytes) -> None:
        with Blurter(said) as server:
            config = configure(f"http://127.0.0.1:{server.port}")
            with pytest.raises(ClusterError) as caught:
                ask(config, "/api", timeout=5)
        text = str(caught.value)
        assert config.server in text
        assert text.isprintable()
        assert "; " in text  # a remedy

    def test_no_http_is_said_alike(self, configure: Configure) -> None:
        for said in (b"", b"SSH-2.0-OpenSSH_9.2\r\n"):
            with Blurter(said) as server:
                assert isinstance(
                    same(configure(f"http://127.0.0.1:{server.port}")), ConnectionFailed
                )


ANSWERS = {
    "login page": Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
    "list": Answer(b"[]"),
    "null": Answer(b"null"),
    "another object": Answer(b'{"error": "sign in"}'),
    "an object without a kind": Answer(b"{}"),
    "half": Answer(b'{"a":'),
    "empty": Answer(b""),
    "not UTF-8": Answer(b'{"a": "\xff"}'),
    "too deep": Answer(b'{"a":' + b"[" * 100_000),
}


class TestAnswer:
    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
    def test_not_json(self, configure: Configure, answer: Answer) -> None:
        with Loopback(lambda _: answer) as server:
            error = same(configure(server.url))
        assert isinstance(error, APIStatusError)
        assert error.status == 200
        assert str(error).startswith(f"{server.url} answered 200 OK, but not with ")
        assert "login page" in str(error)
        assert "check --server or --context" in str(error)

    def test_not_compressed_as_it_says(self, configure: Configure, ask: Ask) -> None:
        with (
            always(b"junk", Content_Encoding="gzip") as server,
            pytest.raises(ClusterError) as caught,
        ):
            ask(configure(server.url), "/x")
        assert server.url in str(caught.value)

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_sent_to_a_login_page(self, configure: Configure, code: int) -> None:
        with always(b"", code, Location=f"https://login.test/?x={SECRET}") as server:
            error = same(configure(server.url))
        assert f"{server.url} answered {code} " in str(error)
        assert "login page" in str(error)

    def test_a_status_object(self, configure: Configure) -> None:
        content = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": "token"},
            "status": "Failure",
            "message": "two\nlines",
            "reason": "Expired",
            "code": 410,
        }
        with always(json.dumps(content).encode(), 410) as server:
            error = same(configure(server.url))
        assert isinstance(error, APIStatusError)
        assert (error.status, error.reason, error.continue_token) == (410, "Expired", "token")
        assert str(error) == f"the apiserver at {server.url} answered 410 Gone: two lines"

    def test_a_gateway_s_own_words(self, configure: Configure) -> None:
        with always(b"<html>\n<h1>Bad</h1>\n" + b"x" * 5000, 502) as server:
            error = same(configure(server.url))
        assert f"{server.url} answered 502 Bad Gateway" in str(error)
        assert len(str(error)) < 500

    def test_an_unknown_status(self, configure: Configure) -> None:
        with always(b"what", 599) as server:
            assert "answered 599" in str(same(configure(server.url)))

    @pytest.mark.parametrize("code", [429, 503])
    def test_busy(
        self, configure: Configure, ask: Ask, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        answers = [Answer(b"no", code, {"Retry-After": "3"}), Answer()]
        with Loopback(lambda _: answers.pop(0)) as server:
            assert ask(configure(server.url), "/x") == json.loads(OBJECT)
        assert slept == [3]

    @pytest.mark.parametrize("after", [{}, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}])
    def test_busy_without_a_number(
        self, configure: Configure, ask: Ask, after: Mapping[str, str]
    ) -> None:
        with (
            Loopback(lambda _: Answer(b"no", 503, after)) as server,
            pytest.raises(APIStatusError, match="503 Service Unavailable"),
        ):
            ask(configure(server.url), "/x")
        assert len(server.requests) == 1


# credentials


class TestCredentials:
    def test_sent_to_loopback(self, configure: Configure, ask: Ask) -> None:
        with always() as server:
            ask(configure(server.url), "/x")
            assert server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"

    @pytest.mark.parametrize(
        "user", [{"token": SECRET}, {"username": "u", "password": SECRET}], ids=["token", "basic"]
    )
    def test_never_to_others_by_plain_http(
        self, configure: Configure, ask: Ask, user: dict[str, str]
    ) -> None:
        with always() as proxy:
            config = configure("http://k8s.test", user=user, environ={"http_proxy": proxy.url})
            ask(config, "/x")
            (asked,) = proxy.requests
        assert "authorization" not in asked.headers
        assert SECRET not in str(asked)

    def test_nor_to_a_proxy(self, configure: Configure, ask: Ask, authority: Authority) -> None:
        tls = authority.server("k8s.test")
        with (
            Loopback(lambda _: Answer(), tls=tls) as server,
            Tunnels(("127.0.0.1", server.port)) as proxy,
        ):
            config = configure(
                "https://k8s.test:6443",
                environ={"HTTPS_PROXY": proxy.url},
                cluster=authority.cluster,
            )
            ask(config, "/x")
            assert server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
            assert proxy.asked == ["k8s.test:6443"]
            assert SECRET not in "".join(proxy.heads)
            assert "/x" not in "".join(proxy.heads)


@pytest.fixture
def real(apiserver: APIServer, configure: Configure) -> Configure:
    """A Config for the real apiserver."""

    def real(server: str | None = None, **parts: Any) -> Config:
        cluster = {"certificate-authority": str(apiserver.ca_file), **parts.pop("cluster", {})}
        return configure(server or apiserver.server, cluster=cluster, **parts)

    return real


class Plugin:
    """An exec plugin that hands out ``wrong`` at first, and then a token."""

    def __init__(self, folder: Path, token: str, *, wrong: int = 1) -> None:
        self._runs = folder / "runs"
        path = folder / "plugin"
        text = f"""\
            #!{sys.executable}
            import json, pathlib
            runs = pathlib.Path({str(self._runs)!r})
            count = len(runs.read_text()) if runs.exists() else 0
            runs.write_text("x" * (count + 1))
            token = "wrong" if count < {wrong} else {token!r}
            print(json.dumps({{
                "kind": "ExecCredential",
                "apiVersion": "client.authentication.k8s.io/v1",
                "status": {{"token": token}},
            }}))
        """
        path.write_text(textwrap.dedent(text))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self.user = {
            "exec": {
                "command": str(path),
                "apiVersion": "client.authentication.k8s.io/v1",
                "interactiveMode": "Never",
            }
        }

    @property
    def runs(self) -> int:
        return len(self._runs.read_text()) if self._runs.exists() else 0


@pytest.mark.skipif(os.name != "posix", reason="the plugin is a #! script")
class TestRenewal:
    """After a 401 the credentials are renewed once, and the request is sent once more."""

    PATH = "/api/v1/namespaces/default"

    def test_exec_plugin(
        self, apiserver: APIServer, real: Configure, ask: Ask, tmp_path: Path
    ) -> None:
        plugin = Plugin(tmp_path, apiserver.admin_token)
        found = ask(real(user=plugin.user), self.PATH)
        assert found["metadata"]["name"] == "default"
        assert plugin.runs == 2

    def test_only_once(
        self, apiserver: APIServer, real: Configure, ask: Ask, tmp_path: Path
    ) -> None:
        plugin = Plugin(tmp_path, apiserver.admin_token, wrong=9)
        with pytest.raises(APIStatusError) as caught:
            ask(real(user=plugin.user), self.PATH)
        assert caught.value.status == 401
        assert plugin.runs == 2
        assert "it does not accept these credentials: see `proxyurls config`" in str(caught.value)

    def test_requests_are_two(self, apiserver: APIServer, real: Configure, tmp_path: Path) -> None:
        plugin = Plugin(tmp_path, apiserver.admin_token)
        lines: list[str] = []
        with APIClient(real(user=plugin.user), trace=lines.append) as client:
            client.get_json(self.PATH)
            client.get_json(self.PATH)
        assert [line.split()[2] for line in lines] == ["401", "200", "200"]
        assert plugin.runs == 2

    def test_token_file(
        self, apiserver: APIServer, real: Configure, ask: Ask, tmp_path: Path
    ) -> None:
        """It's read again when it rotates: the old one is refused, the new one is in place."""
        file = tmp_path / "token"
        file.write_text("old\n")
        config = real(user={"tokenFile": str(file)})
        if ask is by_client:
            with APIClient(config) as client:
                with pytest.raises(APIStatusError, match="401 Unauthorized"):
                    client.get_json(self.PATH)
                file.write_text(f"{apiserver.admin_token}\n")
                assert client.get_json(self.PATH)["metadata"]["name"] == "default"
        else:
            with pytest.raises(APIStatusError, match="401 Unauthorized"):
                ask(config, self.PATH)
            file.write_text(f"{apiserver.admin_token}\n")
            assert ask(config, self.PATH)["metadata"]["name"] == "default"

    def test_a_token_that_no_one_renews(self, real: Configure, ask: Ask) -> None:
        with pytest.raises(APIStatusError) as caught:
            ask(real(), self.PATH)
        assert caught.value.status == 401
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize(
        ("body", "statuses"),
        [(b"{}", ["401", "400"]), (None, ["401", "400"]), ("file", ["401"])],
        ids=["bytes", "none", "file"],
    )
    def test_what_can_not_be_sent_again_is_not(
        self,
        apiserver: APIServer,
        real: Configure,
        tmp_path: Path,
        *,
        body: bytes | str | None,
        statuses: list[str],
    ) -> None:
        plugin = Plugin(tmp_path, apiserver.admin_token)
        lines: list[str] = []
        sent = io.BytesIO(b"{}") if isinstance(body, str) else body
        headers = [("Content-Type", "application/json")]
        with (
            APIClient(real(user=plugin.user), trace=lines.append) as client,
            client.stream("POST", "/api/v1/namespaces", headers=headers, body=sent) as answer,
        ):
            assert str(answer.status_code) == statuses[-1] or answer.status_code == 422
        assert [line.split()[2].replace("422", "400") for line in lines] == statuses
        assert plugin.runs == len(statuses)

    def test_a_plugin_that_fails(self, real: Configure, ask: Ask) -> None:
        exec_ = {
            "command": "/bin/false",
            "apiVersion": "client.authentication.k8s.io/v1",
            "interactiveMode": "Never",
        }
        with pytest.raises(CredentialError, match="exec plugin /bin/false failed"):
            ask(real(user={"exec": exec_}), self.PATH)


# ways to the real apiserver


class TestWays:
    PATH = "/api/v1/namespaces/default"

    @pytest.fixture
    def user(self, apiserver: APIServer) -> dict[str, str]:
        return {"token": apiserver.admin_token}

    @pytest.fixture
    def port(self, apiserver: APIServer) -> int:
        port = urlsplit(apiserver.server).port
        assert port
        return port

    @pytest.fixture
    def tunnels(self, port: int) -> Iterator[Tunnels]:
        with Tunnels(("127.0.0.1", port)) as proxy:
            yield proxy

    def named(self, ask: Ask, config: Config) -> str:
        return str(ask(config, self.PATH)["metadata"]["name"])

    def test_ipv6(
        self, apiserver: APIServer, real: Configure, ask: Ask, user: dict[str, str]
    ) -> None:
        if apiserver.server6 is None:
            pytest.skip("there's no IPv6 here")
        assert self.named(ask, real(apiserver.server6, user=user)) == "default"

    def test_client_certificate(self, apiserver: APIServer, real: Configure, ask: Ask) -> None:
        certificate = {
            "client-certificate": str(apiserver.client_certificate),
            "client-key": str(apiserver.client_key),
        }
        assert self.named(ask, real(user=certificate)) == "default"

    def test_tls_server_name(self, real: Configure, ask: Ask, user: dict[str, str]) -> None:
        right = {"tls-server-name": "kubernetes.default.svc"}
        assert self.named(ask, real(user=user, cluster=right)) == "default"
        with pytest.raises(ConnectionFailed, match=r"is not trusted: .*'wrong.test'"):
            ask(real(user=user, cluster={"tls-server-name": "wrong.test"}), self.PATH)

    @pytest.mark.parametrize("way", ["HTTPS_PROXY", "https_proxy", "proxy-url"])
    def test_connect_proxy(
        self,
        real: Configure,
        ask: Ask,
        user: dict[str, str],
        *,
        port: int,
        tunnels: Tunnels,
        way: str,
    ) -> None:
        server = f"https://kubernetes.default.svc:{port}"
        parts: dict[str, Any] = (
            {"cluster": {"proxy-url": tunnels.url}}
            if way == "proxy-url"
            else {"environ": {way: tunnels.url}}
        )
        assert self.named(ask, real(server, user=user, **parts)) == "default"
        assert tunnels.asked == [f"kubernetes.default.svc:{port}"]

    def test_its_password(
        self, real: Configure, ask: Ask, user: dict[str, str], *, port: int, tunnels: Tunnels
    ) -> None:
        proxy = tunnels.url.replace("//", "//me:pa55@")
        config = real(
            f"https://kubernetes.default.svc:{port}", user=user, environ={"HTTPS_PROXY": proxy}
        )
        assert self.named(ask, config) == "default"
        assert "Proxy-Authorization: Basic bWU6cGE1NQ==" in tunnels.heads[0]

    def test_tls_server_name_through_a_proxy(
        self, real: Configure, ask: Ask, user: dict[str, str], *, tunnels: Tunnels
    ) -> None:
        config = real(
            "https://k8s.test:6443",
            user=user,
            environ={"HTTPS_PROXY": tunnels.url},
            cluster={"tls-server-name": "kubernetes.default.svc"},
        )
        assert self.named(ask, config) == "default"
        assert tunnels.asked == ["k8s.test:6443"]

    def test_loopback_and_no_proxy_go_directly(
        self, real: Configure, ask: Ask, *, user: dict[str, str]
    ) -> None:
        with Blurter(b"") as nobody:
            environ = {"HTTPS_PROXY": f"http://127.0.0.1:{nobody.port}"}
            assert self.named(ask, real(user=user, environ=environ)) == "default"
            environ["NO_PROXY"] = "k8s.invalid"
            with pytest.raises(ConnectionFailed, match="host name is not known"):
                ask(real("https://k8s.invalid", user=user, environ=environ), self.PATH)

    def test_a_proxy_that_is_not_there(self, configure: Configure) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        proxy = f"http://me:pa55@127.0.0.1:{port}"
        error = same(configure("https://k8s.test", environ={"HTTPS_PROXY": proxy}))
        assert f"127.0.0.1:{port}" in str(error)
        assert "proxy" in str(error)
        assert "pa55" not in str(error)

    def test_a_proxy_that_is_unknown(self, configure: Configure) -> None:
        environ = {"HTTPS_PROXY": "http://me:pa55@squid.invalid:3128"}
        error = same(configure("https://k8s.test", environ=environ))
        assert "squid.invalid" in str(error)
        assert "pa55" not in str(error)

    @pytest.mark.parametrize("code", [403, 407, 502])
    def test_a_proxy_that_refuses(self, configure: Configure, code: int) -> None:
        with always(b"no", code) as proxy:
            url = proxy.url.replace("//", "//me:pa55@")
            error = same(configure("https://k8s.test", environ={"HTTPS_PROXY": url}))
        assert str(code) in str(error)
        assert "proxy" in str(error).lower()
        assert "pa55" not in str(error)


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
