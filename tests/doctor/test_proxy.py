"""Step 2 on the real apiserver: a proxy on the way to it."""

from __future__ import annotations

import base64
import re
import socket
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from discovery.servers import Answer, Blurter, Loopback, Tunnels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer

    from .conftest import Kubectl, Lead
    from .front import Authority

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
VERSION = b'{"gitVersion": "v1.20.2"}'


class Guarded(Tunnels):
    """A proxy that wants the user ``ann`` with the password ``pa:ss``."""

    WANTED = b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:pa:ss")

    def _serve(self, client: socket.socket) -> None:
        if self.WANTED in client.recv(4096, socket.MSG_PEEK):
            super()._serve(client)
            return
        with client:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def here(apiserver: APIServer) -> tuple[str, int]:
    """Where the apiserver is."""
    return "127.0.0.1", int(apiserver.server.rpartition(":")[2])


@pytest.fixture
def guarded(here: tuple[str, int]) -> Iterator[Guarded]:
    with Guarded(here) as proxy:
        yield proxy


def through(apiserver: APIServer, proxy: str) -> dict[str, str]:
    """A kubeconfig's cluster with a proxy."""
    return {"certificate-authority": str(apiserver.ca_file), "proxy-url": proxy}


def test_through_a_proxy(apiserver: APIServer, lead: Lead, web: str, here: tuple[str, int]) -> None:
    with Tunnels(here) as proxy:
        found = lead(cluster=through(apiserver, proxy.url))(web)
        assert found.healthy
        assert f"answers through the proxy at {proxy.url[7:]}" in found.step("connection")[1]
        assert not any("Bearer" in head for head in proxy.heads)


def test_proxy_wants_a_password(
    apiserver: APIServer, lead: Lead, web: str, guarded: Guarded
) -> None:
    found = lead(cluster=through(apiserver, guarded.url))(web)
    assert found.cause["name"] == "proxy-refused"
    assert "answered 407 Proxy Authentication Required to CONNECT 127.0.0.1:" in found.cause["text"]
    url = re.search(r"its URL \((\S+)\)", found.cause["remedy"])
    assert url, found.cause
    filled = url[1].replace("USER:PASSWORD", "ann:pa%3Ass")
    healthy = lead(cluster=through(apiserver, filled))(web)
    assert healthy.healthy
    assert "pa%3Ass" not in str(healthy)


def test_proxy_refuses(apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl) -> None:
    with Loopback(lambda _: Answer(b"no", 403)) as proxy:
        doctor = lead(cluster=through(apiserver, proxy.url))
        found = doctor(web)
    assert found.cause["name"] == "proxy-refused"
    assert f"the proxy {proxy.url} answered 403 Forbidden to CONNECT" in found.cause["text"]
    assert doctor.kubeconfig
    command = found.cause["remedy"].partition("go without: ")[2]
    kubectl(command, doctor.kubeconfig)
    assert doctor(web).healthy


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_proxy_is_not_there(
    apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    doctor = lead(cluster=through(apiserver, url))
    found = doctor(web)
    assert found.cause["name"] == "refused"
    assert found.cause["text"].startswith(f"can't connect to the proxy {url}: ")
    command = found.cause["remedy"].partition("go without: ")[2]
    assert doctor.kubeconfig
    kubectl(command, doctor.kubeconfig)
    assert doctor(web).healthy


def test_proxy_of_the_environment(
    apiserver: APIServer, lead: Lead, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.1 is this machine for the system, and no loopback address for Go's rule."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    doctor = lead(apiserver.server.replace("127.0.0.1", "127.1"))
    options = ("--tls-server-name", "127.0.0.1")
    found = doctor(web, *options)
    assert found.cause["name"] == "unknown-host"
    assert "it is that of the proxy http://proxy.invalid:3128" in found.cause["text"]
    assert "mend $HTTPS_PROXY" in found.cause["remedy"]
    name, _, value = found.cause["remedy"].partition("export ")[2].partition("=")
    monkeypatch.setenv(name, value)
    assert doctor(web, *options).healthy


def test_plain_http_through_a_proxy(lead: Lead, web: str, apiserver: APIServer) -> None:
    """It's asked for whole URLs, and gets no credential but its own."""
    with Loopback(lambda _: Answer(VERSION)) as proxy:
        own = {"proxy-url": proxy.url.replace("//", "//a:b@")}
        doctor = lead("http://127.1:8001", cluster=own)
        found = doctor(web)
        asked = proxy.requests[0]
    assert found.step("connection")[0] == "ok"
    assert asked.target == "http://127.1:8001/version"
    assert asked.headers["proxy-authorization"] == "Basic YTpi"
    assert "authorization" not in asked.headers
    trusting = ("--certificate-authority", str(apiserver.ca_file))
    assert doctor(web, "--server", apiserver.server, *trusting).cause["name"] == "refused"


def test_proxy_with_socks(
    lead: Lead, web: str, apiserver: APIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a package more, which is not there."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"socks5://127.0.0.1:{listener.getsockname()[1]}"
        found = lead(cluster=through(apiserver, url))(web)
    assert found.cause["name"] == "wrong-config"
    assert found.cause["remedy"] == "type: pip install 'proxyurls[socks]'"
    assert lead()(web).healthy


def test_proxy_with_tls(
    apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl, authority: Authority
) -> None:
    """Its certificate is not checked for by us, but by the HTTP library, with the system's CAs."""
    context = authority.context("127.0.0.1", since=-DAY, until=DAY)
    with Loopback(lambda _: Answer(), tls=context) as proxy:
        doctor = lead(cluster=through(apiserver, proxy.url))
        found = doctor(web)
    assert found.cause["name"] == "unknown-authority"
    assert "or that of the proxy, for which this machine's CAs count" in found.cause["text"]
    kubectl("kubectl config unset clusters.front.proxy-url", doctor.kubeconfig)
    assert doctor(web).healthy


def test_proxy_says_rubbish(lead: Lead, web: str, apiserver: APIServer, kubectl: Kubectl) -> None:
    with Blurter(b"SSH-2.0-OpenSSH_9.2\r\n") as proxy:
        doctor = lead(cluster=through(apiserver, f"http://127.0.0.1:{proxy.port}"))
        found = doctor(web)
    assert found.cause["name"] == "proxy-refused"
    assert "gave no proper answer to CONNECT 127.0.0.1:" in found.cause["text"]
    kubectl(found.cause["remedy"].partition("go without: ")[2], doctor.kubeconfig)
    assert doctor(web).healthy
