"""What goes wrong on the way: httpx's own exceptions, our words, and one renewal."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client.asking import Authority
from client.test_credentials import Plugin
from contract.upstream import reply
from discovery.commands import kubeconfig
from discovery.servers import Answer, Blurter, Loopback

from proxyurls import ClusterTransport, ConnectionFailed, CredentialError, load_config

from .asking import WEB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxyurls import Config

    from .asking import Ask
    from .conftest import Site

    Configure = Callable[..., Config]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """A Config for a server, away from this machine's own environment."""

    def configure(server: str, **parts: Any) -> Config:
        parts.setdefault("user", {"token": "s3cret"})
        return load_config(kubeconfig(tmp_path / "kubeconfig", server, **parts), environ={})

    return configure


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_nobody_listens(configure: Configure, either: Ask) -> None:
    """httpx.ConnectError, which says which server; its cause is our own error."""
    server = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(httpx.ConnectError, match=f"can't reach {server}: connection re") as caught:
        either(configure(server), WEB)
    assert str(caught.value.request.url) == WEB
    cause = caught.value.__cause__
    assert isinstance(cause, ConnectionFailed)
    assert cause.causes == ("refused",)
    assert isinstance(cause.__cause__, httpx.ConnectError)


def test_no_trust(site: Site, configure: Configure, either: Ask, tmp_path: Path) -> None:
    """A certificate that is not trusted."""
    other = Authority(tmp_path)
    config = configure(site.apiserver.server, cluster=other.cluster)
    with pytest.raises(httpx.ConnectError, match=r"is not trusted: .*certificate-authority"):
        either(config, WEB)


def test_a_proxy_that_refuses(configure: Configure, either: Ask) -> None:
    """httpx.ProxyError, without the proxy's password."""
    with Loopback(lambda _: Answer(b"no", 407)) as proxy:
        cluster = {"proxy-url": proxy.url.replace("//", "//me:pa55@")}
        config = configure("https://k8s.test:6443", cluster=cluster)
        with pytest.raises(httpx.ProxyError, match=r"through the proxy .*407") as caught:
            either(config, WEB)
    assert "pa55" not in str(caught.value)


def test_connect_timeout(configure: Configure, either: Ask) -> None:
    """httpx.ConnectTimeout after the client's own seconds: the TLS handshake never comes."""
    with Blurter(None) as server:
        config = configure(f"https://127.0.0.1:{server.port}")
        with pytest.raises(httpx.ConnectTimeout, match=f"can't reach .*:{server.port}"):
            either(config, WEB, timeout=httpx.Timeout(5, connect=0.2))


def test_read_timeout(ask: Ask) -> None:
    """httpx.ReadTimeout, when the app takes too long; by the client or by the request."""
    with pytest.raises(httpx.ReadTimeout):
        ask(f"{WEB}/-/slow/2", timeout=0.3)
    with pytest.raises(httpx.ReadTimeout):
        ask(("GET", f"{WEB}/-/slow/2", {"timeout": 0.3}))
    assert ask(f"{WEB}/-/slow/0.2", timeout=10).text == "at last"


def test_closed_without_an_answer(configure: Configure, either: Ask) -> None:
    """httpx.RemoteProtocolError."""
    with Blurter(b"") as server, pytest.raises(httpx.RemoteProtocolError):
        either(configure(f"http://127.0.0.1:{server.port}"), WEB)


def test_an_answer_that_breaks_off(ask: Ask) -> None:
    """httpx.RemoteProtocolError or ReadError, and never half an answer."""
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        ask(f"{WEB}/-/cut/100000")


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        ({"Content-Encoding": "br"}, "'br', which nobody asked for"),
        ({"Content-Encoding": "gzip"}, "incorrect header check"),
    ],
)
def test_a_page_that_cannot_be_read(
    configure: Configure, either: Ask, headers: dict[str, str], match: str
) -> None:
    """httpx.DecodingError: something in between compressed it in its own way."""
    page = Answer(b"<p>no gzip</p>", 200, {"Content-Type": "text/html", **headers})
    with Loopback(lambda _: page) as server, pytest.raises(httpx.DecodingError, match=match):
        either(configure(server.url), WEB)


def test_retries(configure: Configure, either: Ask) -> None:
    """A connection that can't be made is tried again, if that was asked for."""
    server = f"http://127.0.0.1:{closed_port()}"
    began = time.monotonic()
    with pytest.raises(httpx.ConnectError):
        either(configure(server), WEB, retries=2)
    assert time.monotonic() - began >= 0.5  # httpcore waits 0, then 0.5 seconds


@pytest.mark.parametrize("body", [None, b"a=b"])
def test_renewed_once(site: Site, either: Ask, tmp_path: Path, body: bytes | None) -> None:
    """The apiserver's 401 has the plugin run again, and the request is sent again, body and all."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token)
    config = _by_plugin(site, plugin, tmp_path)
    answer = either(config, ("POST", f"{WEB}/x", {"content": body}), WEB)
    assert answer.status_code == 200
    assert plugin.runs == 2


def test_not_renewed_in_vain(site: Site, either: Ask, tmp_path: Path) -> None:
    """Two times wrong is a 401, which says what to do."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token, wrong=2)
    answer = either(_by_plugin(site, plugin, tmp_path), WEB)
    assert answer.status_code == 401
    assert answer.extensions["proxyurls.refusal"].causes == ("credential-refused",)
    assert plugin.runs == 2


def test_a_stream_is_not_sent_twice(site: Site, tmp_path: Path) -> None:
    """A body that is gone can't be sent again; the next request has the new credential."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token)
    config = _by_plugin(site, plugin, tmp_path)
    with httpx.Client(transport=ClusterTransport(config)) as client:
        assert client.post(WEB, content=iter([b"a", b"b"])).status_code == 401
        assert client.post(WEB, content=iter([b"a", b"b"])).status_code == 200
    assert site.web.last.body == b"ab"


def test_the_apps_401_renews_nothing(site: Site, either: Ask, tmp_path: Path) -> None:
    """An app that wants a login is not a reason to run a plugin."""
    plugin = Plugin(tmp_path, site.apiserver.admin_token, wrong=0)
    config = _by_plugin(site, plugin, tmp_path)
    headers = reply(b"{}", status=401, headers={"Content-Type": "application/json"})
    assert either(config, ("GET", WEB, {"headers": headers})).status_code == 401
    assert plugin.runs == 1


def test_no_credential(configure: Configure, either: Ask) -> None:
    """A plugin that isn't there is our own error: no request can be made."""
    v1 = "client.authentication.k8s.io/v1"
    plugin = {"command": "/nonexistent/plugin", "apiVersion": v1, "interactiveMode": "Never"}
    with pytest.raises(CredentialError, match="/nonexistent/plugin"):
        either(configure("https://127.0.0.1:1", user={"exec": plugin}), WEB)


def _by_plugin(site: Site, plugin: Plugin, folder: Path) -> Config:
    cluster = {"certificate-authority": str(site.apiserver.ca_file)}
    path = kubeconfig(
        folder / "kubeconfig", site.apiserver.server, user=plugin.user, cluster=cluster
    )
    return load_config(path, environ={"PATH": "/usr/bin:/bin"})
