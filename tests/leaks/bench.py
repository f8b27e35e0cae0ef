"""Where the runs happen: servers that work and that fail, and a kubeconfig full of secrets."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from client.asking import Authority
from discovery.servers import Answer, Blurter, Loopback

from .marks import Search, mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.upstream import Upstream

NAMESPACE = "hushed"
V1 = "client.authentication.k8s.io/v1"
# The ways to say who one is. "pod" has no kubeconfig, "flag" has --token.
KINDS = ["token", "token-file", "flag", "exec-token", "exec-key", "key-data", "key-file"]
KINDS += ["basic", "pod"]
# Odd characters, which are spelt differently from place to place.
PASSWORD = f'{mark("password")[:20]}"é%&{mark("word")[:20]}'
PROXY_PASSWORD = f"{mark('proxy')[:20]}@{mark('squid')[:20]}"
RECORD = """\
#!{python}
import json, os, sys
with open({record!r}, "w") as file:
    json.dump({{"argv": sys.argv, "environ": dict(os.environ)}}, file)
{more}
"""
# For the demo's program, which alone may look at the demo's kubeconfig.
SHOW_KUBECONFIG = """\
path = os.environ["KUBECONFIG"]
with open({record!r}, "a") as file:
    file.write("\\n" + json.dumps([os.stat(path).st_mode, open(path).read()]))
"""


@dataclass
class Bench:
    """All that the runs share.

    Attributes:
        folder: of the files that are given to the runs.
        apiserver: the real one.
        app: the app behind its service ``web``.
        elsewhere: a server that nobody ought to come to.
        servers: the URLs of the clusters in the kubeconfig, by name.
        proxies: the ``proxy-url`` of those that have one.
        search: for all secrets.
    """

    folder: Path
    apiserver: APIServer
    app: Upstream
    elsewhere: Loopback
    servers: dict[str, str]
    proxies: dict[str, str]
    authority: Authority
    search: Search

    @property
    def account(self) -> Path:
        """A pod's service account."""
        return self.folder / "account"

    def program(self, name: str, more: str = "") -> Path:
        """A program that writes down how it was called, and then does something."""
        path = self.folder / name
        record = str(self.record(name))
        more = more.replace("{record!r}", repr(record))
        path.write_text(RECORD.format(python=sys.executable, record=record, more=more))
        path.chmod(0o700)
        return path

    def record(self, name: str) -> Path:
        """Where such a program writes it down."""
        return self.folder / f"{name}.called"

    def called(self, name: str) -> dict[str, Any]:
        """How such a program was called: its ``argv`` and ``environ``."""
        content: dict[str, Any] = json.loads(self.record(name).read_text().partition("\n")[0])
        return content

    def clusters(self) -> dict[str, dict[str, Any]]:
        """The kubeconfig's clusters."""
        real, ours = str(self.apiserver.ca_file), self.authority.file
        found = {
            name: {"server": url, "certificate-authority": ours}
            for name, url in self.servers.items()
        }
        for name, proxy in self.proxies.items():
            found[name]["proxy-url"] = proxy
        for name in ("real", *self.proxies):
            found[name]["certificate-authority"] = real
        found["in-the-clear"] = {"server": "http://k8s.invalid:6443"}
        return found

    def users(self) -> dict[str, dict[str, Any]]:
        """The kubeconfig's users."""
        token, folder = self.apiserver.admin_token, self.folder
        certificate = self.apiserver.client_certificate
        key = self.apiserver.client_key

        def plugin(name: str) -> dict[str, Any]:
            return {
                "exec": {
                    "command": str(folder / name),
                    "args": [f"--secret={mark('exec-arg')}"],
                    "env": [{"name": "PLUGIN_SECRET", "value": mark("exec-env")}],
                    "apiVersion": V1,
                    "interactiveMode": "Never",
                    "provideClusterInfo": True,
                }
            }

        return {
            "token": {"token": token},
            "token-file": {"tokenFile": str(folder / "token")},
            "flag": {},
            "exec-token": plugin("plugin-token"),
            "exec-key": plugin("plugin-key"),
            "key-data": {
                "client-certificate-data": coded(certificate.read_bytes()),
                "client-key-data": coded(key.read_bytes()),
            },
            "key-file": {"client-certificate": str(certificate), "client-key": str(key)},
            "basic": {"username": "ann", "password": PASSWORD},
            "wrong": {"token": mark("wrong")},
            "reader": {"token": self.apiserver.reader_token},
            "plugin-fails": plugin("plugin-fails"),
            "plugin-babbles": plugin("plugin-babbles"),
            "plugin-spills": plugin("plugin-spills"),
            "file-no-text": {"tokenFile": str(folder / "token-no-text")},
            "file-two-lines": {"tokenFile": str(folder / "token-two-lines")},
            "key-alone": {
                "client-certificate-data": coded(self.apiserver.ca_pem),
                "client-key-data": coded(key.read_bytes()),
            },
            "key-no-pem": {
                "client-certificate-data": coded(certificate.read_bytes()),
                "client-key-data": coded(mark("key").encode()),
            },
        }

    def kubeconfig(self, cluster: str, user: str) -> dict[str, Any]:
        """A kubeconfig with all of them, whose context has these two."""
        clusters = [{"name": name, "cluster": one} for name, one in self.clusters().items()]
        users = [{"name": name, "user": one} for name, one in self.users().items()]
        context = {"cluster": cluster, "user": user, "namespace": NAMESPACE}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": clusters,
            "users": users,
            "contexts": [{"name": "here", "context": context}],
            "current-context": "here",
        }


def coded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def secrets_of(apiserver: APIServer) -> Search:
    """All that is secret here."""
    secrets = {
        "token": apiserver.admin_token,
        "reader": apiserver.reader_token,
        "key": apiserver.client_key.read_text(),
        "password": PASSWORD,
        "proxy-password": PROXY_PASSWORD,
    }
    names = ("wrong", "exec-arg", "exec-env", "cookie", "api-key", "typed", "body", "key")
    secrets |= {f"{name} of ours": mark(name) for name in names}
    public = apiserver.client_certificate.read_text() + apiserver.ca_pem.decode()
    return Search(secrets, public=public)


@contextlib.contextmanager
def built(folder: Path, apiserver: APIServer, app: Upstream) -> Iterator[Bench]:
    """The bench, as long as the context lasts."""
    authority = Authority(folder)
    own = authority.server("127.0.0.1")
    with contextlib.ExitStack() as stack:

        def says(answer: Answer, *, plain: bool = False) -> str:
            server = Loopback(lambda _: answer, tls=None if plain else own)
            return stack.enter_context(server).url

        elsewhere = stack.enter_context(Loopback(lambda _: Answer()))
        wants = Answer(b"who are you?", 407, {"Proxy-Authenticate": "Basic"})
        squid = urlsplit(says(wants, plain=True)).netloc
        login = f"ann:{quote(PROXY_PASSWORD)}"
        servers = {
            "real": apiserver.server,
            "wrong-ca": apiserver.server,
            "closed": f"https://127.0.0.1:{_closed_port()}",
            "unknown": "https://k8s.invalid:6443",
            "broken": says(Answer(b"oh no", 500)),
            "login-page": says(Answer(b"<html>log in</html>", 200, {"Content-Type": "text/html"})),
            "redirects": says(Answer(b"", 302, {"Location": elsewhere.url})),
            "cut": says(Answer(b'{"kind":', 200, {"Content-Length": "999"})),
            "no-json": says(Answer(b'{"kind": nonsense', 200)),
            "plain": says(Answer(), plain=True).replace("http:", "https:"),
            "hangs": f"https://127.0.0.1:{stack.enter_context(Blurter(None)).port}",
            "hangs-up": f"https://127.0.0.1:{stack.enter_context(Blurter(b'')).port}",
            "by-proxy": apiserver.server,
            "by-no-proxy": apiserver.server,
            "by-odd-proxy": apiserver.server,
        }
        proxies = {
            "by-proxy": f"http://{login}@{squid}",
            "by-no-proxy": f"http://{login}@127.0.0.1:{_closed_port()}",
            "by-odd-proxy": f"http://ann:{PROXY_PASSWORD[:20]}/{PROXY_PASSWORD[21:]}@{squid}",
        }
        search = secrets_of(apiserver)
        made = Bench(folder, apiserver, app, elsewhere, servers, proxies, authority, search)
        _write(made)
        yield made


def _write(bench: Bench) -> None:
    """The files that the kubeconfig names."""
    token, folder = bench.apiserver.admin_token, bench.folder
    (folder / "token").write_text(token)
    (folder / "token-no-text").write_bytes(token.encode() + b"\xff\n")
    (folder / "token-two-lines").write_text(f"{token}\n{token}\n")
    bench.account.mkdir()
    (bench.account / "token").write_text(token)
    (bench.account / "ca.crt").write_bytes(bench.apiserver.ca_pem)
    (bench.account / "namespace").write_text(NAMESPACE)
    key = {
        "clientCertificateData": bench.apiserver.client_certificate.read_text(),
        "clientKeyData": bench.apiserver.client_key.read_text(),
    }
    for name, status in (("plugin-token", {"token": token}), ("plugin-key", key)):
        answer = {"kind": "ExecCredential", "apiVersion": V1, "status": status}
        bench.program(name, f"print({json.dumps(answer)!r})")
    bench.program("plugin-fails", f"print({token!r}); sys.exit(3)")
    bench.program("plugin-babbles", f"print('token: ' + {token!r})")
    bench.program("plugin-spills", f"sys.stdout.buffer.write({token!r}.encode() + bytes([255]))")
    bench.program("browser")
    bench.program("program", SHOW_KUBECONFIG)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
