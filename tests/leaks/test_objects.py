"""Objects and errors of the library: their texts hold no secret, nor does what led to an error."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from config.kubeconfigs import one_context
from discovery.servers import Answer, Blurter, Loopback
from gateway.running import running

from proxyurls import Cluster, load_config
from proxyurls.config import load_kubeconfig
from proxyurls.config.exec_plugin import ExecCredential, run_plugin
from proxyurls.config.flags import Flags
from proxyurls.config.model import ClientCertificate, Credential, ExecPlugin
from proxyurls.config.token_file import TokenFile
from proxyurls.errors import ConnectionFailed, CredentialError, InvalidConfig
from proxyurls.gateway.connect import Upstream
from proxyurls.testing import FakeCluster

from .bench import PASSWORD, PROXY_PASSWORD, V1
from .marks import Search, mark
from .recorder import chain, reprs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from proxyurls import Config

SECRET = mark("object")
# What holds secrets, or stands near them. A new one that does belongs here.
HOLDERS = (
    *("Access", "Config", "ClientCertificate", "Cluster", "Credential", "Credentials"),
    *("APIClient", "ExecCredential", "ExecPlugin", "FakeCluster", "Feed", "Flags", "Gateway"),
    *("Kubeconfig", "Settings", "TokenFile", "Upstream", "User"),
)


def test_every_object_keeps_its_secrets(tmp_path: Path) -> None:
    """All there are while a gateway runs before a fake cluster, one of each kind at the least."""
    token = tmp_path / "token"
    token.write_text(SECRET)
    pem = SECRET.encode()
    certificate = ClientCertificate(certificate_data=pem, key_data=pem)
    plugin = ExecPlugin("p", V1, "Never", args=(SECRET,), env=(("A", SECRET),))
    held: list[object] = [
        certificate,
        Credential(token=SECRET, password=SECRET, certificate=certificate, exec=plugin),
        ExecCredential(token=SECRET, certificate=pem, key=pem),
        Flags(token=SECRET, server=f"https://ann:{SECRET}@h"),
    ]
    with FakeCluster(tls=True) as fake:
        fake.add_service("web")
        user = fake.add_user("ann", certificate=True)
        content = json.loads(fake.kubeconfig.read_text())
        proxied = {**content["clusters"][0]["cluster"], "proxy-url": f"http://a:{SECRET}@h"}
        content["clusters"].append({"name": "proxied", "cluster": proxied})
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        config = load_config(path)
        kept = TokenFile(str(token))
        assert kept.token() == SECRET
        with Cluster(config) as cluster, running(config) as gateway:
            cluster.client.get_json("/api/v1/namespaces")
            held += [kept, load_kubeconfig(path), load_config(path, cluster="proxied")]
            held += [load_config(path, user="ann"), config.credentials()]
            assert gateway.enter(gateway.link).status == 303
            assert gateway.request("/").status == 200
            shown = "\n".join(reprs())
            kinds = {type(one).__name__ for one in gc.get_objects() if _ours(one)}
            run_token = gateway.link.partition("token=")[2]
            cookie = next(iter(gateway.cookies.values())).partition("=")[2]
        secrets = {
            "ours": SECRET,
            "admin": fake.admin.token,
            "key": user.key.decode(),
            "run token": run_token,
            "cookie": cookie,
        }
    assert held
    assert set(HOLDERS) <= kinds
    search = Search(secrets, public=user.certificate.decode())
    assert search.names(shown) == set()


def _ours(one: object) -> bool:
    return str(type(one).__module__).startswith("proxyurls")


def _plugin(folder: Path, body: str) -> Callable[[], object]:
    path = folder / "plugin"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n")
    path.chmod(0o700)
    plugin = ExecPlugin(str(path), V1, "Never", args=(f"--token={SECRET}",))
    config = load_config(_file(folder, one_context()))
    return lambda: run_plugin(plugin, config, time_limit=0.5)


def _file(folder: Path, content: str | bytes) -> str:
    path = folder / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def _kubeconfig(content: str | bytes) -> Callable[[Path], Callable[[], object]]:
    def prepare(folder: Path) -> Callable[[], object]:
        path = _file(folder, content)
        return lambda: load_config(path)

    return prepare


def _config(**user: Any) -> Callable[[Path], Callable[[], object]]:
    def prepare(folder: Path) -> Callable[[], object]:
        path = _file(folder, one_context(user=user))
        return lambda: load_config(path).credentials().ssl_context()

    return prepare


FAILING: dict[str, Callable[[Path], Callable[[], object]]] = {
    "a plugin that hangs": lambda at: _plugin(at, "time.sleep(60)"),
    "a plugin that closes its output and hangs": lambda at: _plugin(
        at, "os.close(1)\ntime.sleep(60)"
    ),
    "a plugin that says too much": lambda at: _plugin(at, f"print({SECRET!r} * 40_000)"),
    "a plugin of another API": lambda at: _plugin(
        at, f'print(\'{{"kind": "ExecCredential", "apiVersion": "{SECRET}"}}\')'
    ),
    "a plugin whose time is none": lambda at: _plugin(
        at,
        f'print(\'{{"kind": "ExecCredential", "apiVersion": "{V1}", "status": '
        f'{{"token": "{SECRET}", "expirationTimestamp": "soon"}}}}\')',
    ),
    "a token file in another encoding": lambda at: (
        TokenFile(_file(at, SECRET.encode("utf-16"))).token
    ),
    "a kubeconfig in another encoding": _kubeconfig(f"token: {SECRET}é".encode("latin-1")),
    "a kubeconfig that is no YAML": _kubeconfig(f"users: [token: {SECRET}\n  - x"),
    "a password in a server": _kubeconfig(one_context(server=f"https://a:{SECRET}@h")),
    "a key that is no key": _config(
        **{"client-certificate-data": "QUJD", "client-key-data": "QUJD"}, token=SECRET
    ),
    "a key that is a number": _config(**{"client-key-data": 7}, token=SECRET),
}


@pytest.mark.parametrize("name", FAILING)
def test_an_error_keeps_the_secret(name: str, tmp_path: Path) -> None:
    """So do its causes and contexts, which error reporters send along."""
    fail = FAILING[name](tmp_path)
    with pytest.raises((CredentialError, InvalidConfig)) as caught:
        fail()
    texts = [f"{one!r} {one} {one.args!r} {vars(one)!r}" for one in chain(caught.value)]
    assert Search({"ours": SECRET}).names("\n".join(texts)) == set()


def failed(config: Config, body: object) -> str:
    """What the gateway's error tells when it asks, and what led to it."""

    async def ask() -> None:
        upstream = Upstream(config)
        await upstream.start()
        try:
            await upstream.send("POST", "/x", [], body)
        finally:
            await upstream.close()

    with pytest.raises(ConnectionFailed) as caught:
        asyncio.run(ask())
    return "\n".join(f"{one!r} {one} {one.args!r}" for one in chain(caught.value))


async def streamed() -> AsyncIterator[bytes]:
    yield b"a body that can't be sent again"


@pytest.mark.parametrize("streams", [False, True])
def test_the_gateways_proxy_refuses(tmp_path: Path, *, streams: bool) -> None:
    """It gets the password, in UTF-8 as from Go; its refusal tells only whose it was."""
    login = f"ann:{SECRET}é%/"
    with Loopback(lambda _: Answer(b"", 407)) as proxy:
        url = proxy.url.replace("//", f"//{quote(login, safe=':')}@")
        config = load_config(_file(tmp_path, one_context(cluster={"proxy-url": url})))
        told = failed(config, streamed() if streams else None)
    assert "the proxy http://ann:***@" in told
    assert "answered 407 Proxy Authentication Required; check proxy-url" in told
    sent = proxy.requests[0].headers["proxy-authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == login
    assert Search({"ours": SECRET}).names(told) == set()


@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_to_the_gateway_is_none(tmp_path: Path, *, streams: bool) -> None:
    with Blurter(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n") as server:
        text = one_context(server=f"http://127.0.0.1:{server.port}", user={"token": SECRET})
        told = failed(load_config(_file(tmp_path, text)), streamed() if streams else None)
    assert "can't reach http://127.0.0.1:" in told
    assert Search({"ours": SECRET}).names(told) == set()


@pytest.mark.parametrize("password", [PASSWORD, PROXY_PASSWORD])
def test_the_marks_are_odd_enough(password: str) -> None:
    """They are spelt differently in JSON, in a URL and in a repr."""
    assert not password.isalnum()
