"""Where credentials go, and how they are renewed."""

from __future__ import annotations

import io
import os
import stat
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from discovery.servers import Answer, Loopback, Tunnels

from proxyurls.client import APIClient
from proxyurls.config import load_config
from proxyurls.errors import APIStatusError, CredentialError, InvalidURL

from .asking import SECRET, Authority, always, by_client

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer

    from .asking import Ask, Configure


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


def test_names_beyond_ascii(apiserver: APIServer, ask: Ask) -> None:
    """Headers are UTF-8, as kubectl sends them: RBAC knows the impersonated user by that name."""
    config = load_config(apiserver.kubeconfig, context="admin", as_user="bøb", as_groups=["grün"])
    with pytest.raises(APIStatusError) as refused:
        ask(config, "/api/v1/services")
    assert 'User "bøb" cannot list' in refused.value.detail


def test_a_url_that_is_too_long(configure: Configure) -> None:
    """Httpx has a limit, and its error is not let through."""
    with always() as server, APIClient(configure(server.url)) as client:
        with pytest.raises(InvalidURL, match="the URL has 70001 characters, too many to send"):
            client.get_json("/" + "a" * 70_000)
        assert server.requests == []
