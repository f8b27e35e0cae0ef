"""Objects and errors of the library: their texts hold no secret, nor does what led to an error."""

from __future__ import annotations

import gc
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from config.kubeconfigs import one_context
from gateway.running import running

from proxyurls import Cluster, load_config
from proxyurls.config import load_kubeconfig
from proxyurls.config.exec_plugin import ExecCredential, run_plugin
from proxyurls.config.flags import Flags
from proxyurls.config.model import ClientCertificate, Credential, ExecPlugin
from proxyurls.config.token_file import TokenFile
from proxyurls.errors import CredentialError, InvalidConfig
from proxyurls.testing import FakeCluster

from .bench import PASSWORD, PROXY_PASSWORD, V1
from .marks import Search, mark
from .recorder import chain, reprs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


@pytest.mark.parametrize("password", [PASSWORD, PROXY_PASSWORD])
def test_the_marks_are_odd_enough(password: str) -> None:
    """They are spelt differently in JSON, in a URL and in a repr."""
    assert not password.isalnum()
