"""Ways to the real apiserver: IPv6, certificates, other names and proxies."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from discovery.servers import Blurter, Tunnels

from proxyurls.errors import ConnectionFailed

from .asking import always, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer

    from proxyurls import Config

    from .asking import Ask, Configure


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
