"""The apiserver and the credentials come and go; the gateway stays, on both apiservers."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from contract.fixtures import KINDS
from contract.upstream import reply
from discovery.servers import Tunnels

from proxyurls import load_config
from proxyurls.errors import InvalidConfig
from proxyurls.gateway import connect

from .conftest import WEB, let_in
from .running import Reply, Running, running
from .wire import Wire

if TYPE_CHECKING:
    from pathlib import Path

    from proxyurls.config import Config

    from .conftest import Site

pytestmark = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


def config(
    site: Site, folder: Path, *, server: str | None = None, user: Any = None, **cluster: Any
) -> Config:
    """The site's apiserver, reached in another way or as another user."""
    content = json.loads(site.apiserver.kubeconfig.read_text())
    content["clusters"][0]["cluster"].update({"server": server or site.apiserver.server, **cluster})
    if user is not None:
        content["users"][0]["user"] = user
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return load_config(str(path), context="admin")


def page(gateway: Running) -> Reply:
    return gateway.request("/", label=WEB, headers=PAGE)


def test_an_apiserver_that_is_gone_and_back(site: Site, tmp_path: Path) -> None:
    """A page says so, and the next request after its return gets through."""
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Wire(site.apiserver.server))
        gateway = stack.enter_context(running(config(site, tmp_path, server=wire.url)))
        let_in(gateway)
        assert page(gateway).status == 200
        wire.cut()
        gone = page(gateway)
        assert gone.status == 502
        assert "connection refused" in gone.text
        assert "text/html" in gone.headers["Content-Type"]
        assert gateway.request("/", label=WEB).headers["Content-Type"].startswith("text/plain")
        wire.restore()
        assert page(gateway).status == 200


def test_an_apiserver_that_hangs(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits gets a page when the apiserver says nothing to anybody."""
    monkeypatch.setattr(connect, "HANG_SECONDS", 1.0)
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 1.0)
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Wire(site.apiserver.server))
        gateway = stack.enter_context(running(config(site, tmp_path, server=wire.url)))
        let_in(gateway)
        assert page(gateway).status == 200
        wire.freeze()
        began = time.monotonic()
        hung = page(gateway)
        assert hung.status == 504
        assert "nothing" in hung.text
        assert time.monotonic() - began < 5
        wire.cut()
        wire._flows.set()
        wire.restore()
        assert page(gateway).status == 200


def test_an_app_may_take_its_time(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the app says nothing is not the apiserver's fault."""
    monkeypatch.setattr(connect, "HANG_SECONDS", 0.4)
    with running(config(site, tmp_path)) as gateway:
        let_in(gateway)
        got = gateway.request("/-/slow/3", label=WEB)
        assert (got.status, got.text) == (200, "at last")


def test_a_token_file_that_rotates(site: Site, tmp_path: Path) -> None:
    """The new token is used; a refused one is renewed, and the request sent again."""
    token = tmp_path / "token"
    token.write_text("wrong-from-the-start")
    with running(config(site, tmp_path, user={"tokenFile": str(token)})) as gateway:
        gateway.enter(gateway.link)
        assert gateway.request(f"/.proxyurls/open/{WEB}").status == 502
        token.write_text(site.apiserver.admin_token)
        let_in(gateway)
        assert gateway.request("/x", "POST", label=WEB, body=b"hello").status == 200
        assert site.web.last.body == b"hello"


class Plugin:
    """An exec plugin that gives one token after the other, and then the last one again."""

    def __init__(self, folder: Path, *tokens: str, seconds: float = 0, good_for: float = 0) -> None:
        script, self._runs = folder / "plugin", folder / "runs"
        (folder / "tokens").write_text(json.dumps(tokens))
        script.write_text(
            textwrap.dedent(
                f"""\
                #!{sys.executable}
                import datetime, json, time
                with open({str(self._runs)!r}, "a") as runs: runs.write("x")
                tokens = json.load(open({str(folder / "tokens")!r}))
                number = len(open({str(self._runs)!r}).read())
                status = {{"token": tokens[min(number, len(tokens)) - 1]}}
                if {good_for}:
                    end = datetime.datetime.now(datetime.timezone.utc)
                    end += datetime.timedelta(seconds={good_for})
                    status["expirationTimestamp"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
                time.sleep({seconds})
                print(json.dumps({{"kind": "ExecCredential", "status": status,
                    "apiVersion": "client.authentication.k8s.io/v1"}}))
                """
            )
        )
        script.chmod(0o755)
        found = {"command": str(script), "apiVersion": "client.authentication.k8s.io/v1"}
        self.user = {"exec": {**found, "interactiveMode": "Never"}}

    @property
    def runs(self) -> int:
        return len(self._runs.read_text())


def test_a_plugins_token_is_kept(site: Site, tmp_path: Path) -> None:
    """As long as it is good."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token, "wrong")
    with running(config(site, tmp_path, user=plugin.user)) as gateway:
        let_in(gateway)
        assert [page(gateway).status for _ in range(5)] == [200] * 5
        assert plugin.runs == 1


def test_a_refused_token_is_renewed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The apiserver's 401 makes the plugin run, and the request is sent once more, body and all."""
    monkeypatch.setattr(connect, "_FRESH_SECONDS", 0.0)
    good = site.apiserver.admin_token
    plugin = Plugin(tmp_path, good, "wrong", good, good_for=2)
    with running(config(site, tmp_path, user=plugin.user)) as gateway:
        let_in(gateway)
        ran = plugin.runs
        time.sleep(3)  # until the token has expired
        assert gateway.request("/x", "POST", label=WEB, body=b"hello").status == 200
        assert site.web.last.body == b"hello"
        assert plugin.runs >= max(3, ran + 1)


def test_many_refused_requests_run_the_plugin_once(site: Site, tmp_path: Path) -> None:
    """And not a hundred times."""
    plugin = Plugin(tmp_path, "wrong", site.apiserver.admin_token)
    with running(config(site, tmp_path, user=plugin.user)) as gateway:
        gateway.enter(gateway.link)
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(gateway.request(f"/.proxyurls/open/{WEB}").status)

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [303] * 10
        assert plugin.runs == 2


def test_a_401_of_the_app_is_the_apps(site: Site, tmp_path: Path) -> None:
    """It passes, and no plugin is run for it."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token)
    with running(config(site, tmp_path, user=plugin.user)) as gateway:
        let_in(gateway)
        made = reply(
            b'{"error": "log in"}', status=401, headers={"Content-Type": "application/json"}
        )
        got = gateway.request("/", label=WEB, headers=made)
        assert (got.status, got.body) == (401, b'{"error": "log in"}')
        assert plugin.runs == 1


def test_a_plugin_holds_nobody_up(site: Site, tmp_path: Path) -> None:
    """While it runs, the gateway answers what needs no credentials."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token, seconds=2)
    with running(config(site, tmp_path, user=plugin.user)) as gateway:
        gateway.enter(gateway.link)
        waiting = threading.Thread(target=let_in, args=(gateway,))
        waiting.start()
        time.sleep(0.3)
        began = time.monotonic()
        assert gateway.request("/").status == 200
        assert time.monotonic() - began < 1
        waiting.join()
        assert page(gateway).status == 200


def test_a_plugin_that_fails(site: Site, tmp_path: Path) -> None:
    """A page says what kubectl would say."""
    user = {"exec": {"command": "/nowhere/plugin", "apiVersion": "client.authentication.k8s.io/v1"}}
    user["exec"]["interactiveMode"] = "Never"
    with running(config(site, tmp_path, user=user)) as gateway:
        gateway.enter(gateway.link)
        got = gateway.request(f"/.proxyurls/open/{WEB}", headers=PAGE)
        assert got.status == 502
        assert "/nowhere/plugin" in got.text


def test_through_a_proxy(site: Site, tmp_path: Path) -> None:
    """The kubeconfig's proxy-url leads to the apiserver."""
    host, _, port = site.apiserver.server.removeprefix("https://").partition(":")
    with Tunnels((host, int(port))) as proxy:
        with running(config(site, tmp_path, **{"proxy-url": proxy.url})) as gateway:
            let_in(gateway)
            assert page(gateway).status == 200
        assert proxy.asked


def test_a_socks_proxy_is_refused(site: Site, tmp_path: Path) -> None:
    """With a word, and not in the middle of a request."""
    made = config(site, tmp_path, **{"proxy-url": "socks5://127.0.0.1:1"})
    with pytest.raises(InvalidConfig, match="SOCKS"):
        connect.Upstream(made)


def test_tls_server_name(site: Site, tmp_path: Path) -> None:
    """The certificate is checked for the name that the kubeconfig says."""
    for name, status in (("localhost", 303), ("other.example", 502)):
        with running(config(site, tmp_path, **{"tls-server-name": name})) as gateway:
            gateway.enter(gateway.link)
            got = gateway.request(f"/.proxyurls/open/{WEB}")
            assert got.status == status, got
            if status == 502:
                assert "not trusted" in got.text
