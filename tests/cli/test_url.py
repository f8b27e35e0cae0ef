"""``proxyurls url``."""

# ruff: noqa: E501  (tables)

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest
import trustme

from proxyurls import Target, service

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Run

K8S = "https://k8s.example:6443"
SHOP = f"{K8S}/api/v1/namespaces/shop"
RANCHER = "https://rancher.example/k8s/clusters/c-1"


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (["web"], f"{SHOP}/services/web/proxy/"),
        (["web", "d/x?y=z#t"], f"{SHOP}/services/web/proxy/d/x?y=z#t"),
        (["https:web:443", "/"], f"{SHOP}/services/https:web:443/proxy/"),
        (["web.prod:80"], f"{K8S}/api/v1/namespaces/prod/services/web:80/proxy/"),
        (["web", "-n", "prod"], f"{K8S}/api/v1/namespaces/prod/services/web/proxy/"),
        (["pod/web-0:8080", "metrics"], f"{SHOP}/pods/web-0:8080/proxy/metrics"),
        (["node/n1"], f"{K8S}/api/v1/nodes/n1/proxy/"),
        (["node/n1", "--resolve"], f"{K8S}/api/v1/nodes/n1/proxy/"),
        (["http://web:3000/d?x"], f"{SHOP}/services/web:3000/proxy/d?x"),
        (["web", "--context", "dev"], f"{RANCHER}/api/v1/namespaces/default/services/web/proxy/"),
        (["web", "--cluster", "two"], f"{RANCHER}/api/v1/namespaces/shop/services/web/proxy/"),
        (["web", "x y?é", "-q", "a b=c&d=e", "-q", "a b="], f"{SHOP}/services/web/proxy/x%20y?%C3%A9&a%20b=c%26d%3De&a%20b="),
        (["web", "--via", "http://localhost:8001/"], "http://localhost:8001/api/v1/namespaces/default/services/web/proxy/"),
        (["web", "--via", "http://[::1]:8001", "-s", "https://x"], "http://[::1]:8001/api/v1/namespaces/default/services/web/proxy/"),
        (["web", "--path"], "/api/v1/namespaces/default/services/web/proxy/"),
        (["web", "--path", "--context", "prod"], "/api/v1/namespaces/shop/services/web/proxy/"),
        (["web", "--path", "--context", "prod", "-n", "x"], "/api/v1/namespaces/x/services/web/proxy/"),
        (["web", "-s", "https://x/y/"], "https://x/y/api/v1/namespaces/default/services/web/proxy/"),
        (["web", "-s", "localhost:8080"], "http://localhost:8080/api/v1/namespaces/default/services/web/proxy/"),
        (["web", "-s", "https://x", "--context", "prod"], "https://x/api/v1/namespaces/shop/services/web/proxy/"),
        (["http://localhost:8001/api/v1/namespaces/a/services/web/proxy/x"], f"{K8S}/api/v1/namespaces/a/services/web/proxy/x"),
        ([f"{K8S.upper().replace('HTTPS', 'https')}/api/v1/nodes/n1/proxy/"], f"{K8S}/api/v1/nodes/n1/proxy/"),
    ],
)  # fmt: skip
def test_urls(run: Run, kubeconfig: Path, words: list[str], url: str) -> None:
    """The URL, a newline, and nothing else."""
    result = run("url", *words)
    assert (result.code, result.out, result.err) == (0, f"{url}\n", "")


def test_explicit_kubeconfig_gives_the_namespace(
    run: Run, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--kubeconfig is read with --path; without it there is no need for any file."""
    monkeypatch.setenv("KUBECONFIG", "/nowhere/at/all")
    shown = run("url", "web", "--path", "--kubeconfig", str(kubeconfig))
    assert shown.out == "/api/v1/namespaces/shop/services/web/proxy/\n"
    assert run("url", "web", "--path").out == "/api/v1/namespaces/default/services/web/proxy/\n"


def test_pasted_url_of_another_cluster(run: Run, kubeconfig: Path) -> None:
    """A warning says that the context's server is printed, unless another was asked for."""
    pasted = "https://other:6443/api/v1/namespaces/a/services/web/proxy/x"
    result = run("url", pasted)
    assert result.out == f"{K8S}/api/v1/namespaces/a/services/web/proxy/x\n"
    assert result.err.startswith("warning: the URL was of https://other:6443, and this is of the ")
    assert result.err.count("\n") == 1
    for words in (["-s", "https://other:6443"], ["--via", "http://localhost:8001"], ["--path"]):
        assert run("url", pasted, *words).err == ""
    assert run("url", f"{K8S}:443".replace(":6443:443", "/api/v1/nodes/n/proxy/")).code == 0


def test_via_is_a_kubectl_proxy(run: Run) -> None:
    """Which speaks plain http, so that needs not be typed."""
    result = run("url", "web.shop:80", "--via", "localhost:8001")
    root = "http://localhost:8001/api/v1/namespaces/shop/services/web:80/proxy/"
    assert (result.code, result.out) == (0, root + "\n")


def test_removed_form(run: Run) -> None:
    """The form that Kubernetes 1.10 removed is answered with today's, and said to be."""
    result = run("url", "/api/v1/proxy/namespaces/a/services/web/x", "--path")
    assert result.out == "/api/v1/namespaces/a/services/web/proxy/x\n"
    assert result.err.startswith("note: ")
    assert "1.10" in result.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["web", "../../secrets"], "climb above"),
        (["web", "%2e%2e/x"], "climb above"),
        (["web", "a\udcff"], "half a character"),
        (["web", "-q", "a=\udcff"], "half a character"),
        (["web\udcff"], "type the service's name"),
        (["/api/v1/nodes/n/proxy/x", "/y"], "drop SUFFIX"),
        (["web", "-s", "ftp://x"], "scheme"),
        (["web", "-s", "https://x?y"], "no query"),
        (["web", "--via", "localhost:8001?x"], "no query"),
        (["web", "-n", ""], "leave it out for the default"),
    ],
)
def test_refusals(run: Run, words: list[str], text: str) -> None:
    """One line, exit code 2."""
    words = words if {"-s", "--via"} & set(words) else [*words, "--path"]
    assert text in run("url", *words).refusal()


def test_no_apiserver(run: Run) -> None:
    """Without any source of a server, the error names all four."""
    message = run("url", "web").refusal(1)
    for source in ("--server", "$KUBECONFIG", "~/.kube/config", "service account"):
        assert source in message


@pytest.mark.parametrize(
    "words",
    [
        ["url", "web", "x", "-q", "a=b", "-s", "https://x"],
        ["url", "https:web.prod:", "--via", "http://localhost:8001"],
        ["url", "pod/web-0", "--path", "-n", "x"],
        ["parse", "https://x/api/v1/namespaces/y/services/web:80/proxy/a%2Fb"],
    ],
)
def test_start_up(words: list[str]) -> None:
    """No third-party package is within reach, and nothing slow of the standard library loads."""
    code = (
        "import sys; sys.argv[0] = 'proxyurls'; from proxyurls.cli import main; "
        f"code = main({words!r}); "
        "print(code, *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    code_text, *modules = done.stdout.splitlines()[-1].split()
    assert (code_text, done.stderr) == ("0", "")
    slow = {"typing", "dataclasses", "urllib", "shutil", "inspect", "json", "pathlib", "yaml"}
    assert slow.isdisjoint(modules)
    assert not [name for name in modules if name.startswith("proxyurls.config")]


class Resolving:
    """Stands for a Cluster: what was asked, and an answer."""

    asked: ClassVar[list[tuple[object, ...]]] = []

    def __init__(self, config: object, **_: object) -> None:
        self.config = config

    def __enter__(self) -> Resolving:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def resolve(
        self, name: str, namespace: str | None = None, *, kind: str, port: object, scheme: object
    ) -> object:
        self.asked.append((name, namespace, kind, port, scheme))

        class Found:
            target: Target = service("grafana", "monitoring", port=443, scheme="https")
            why = "the only service of that name"

        return Found()


def test_resolve(run: Run, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--resolve prints what the cluster says, and on stderr why."""
    monkeypatch.setattr("proxyurls.cluster.Cluster", Resolving)
    result = run("url", "grafana", "/d", "--resolve")
    assert result.out == f"{K8S}/api/v1/namespaces/monitoring/services/https:grafana:443/proxy/d\n"
    assert result.err == "note: the only service of that name\n"
    assert Resolving.asked[-1:] == [("grafana", None, "service", None, None)]
    assert run("url", "https:web.prod:tls", "--resolve", "--path").out.startswith("/api/v1/")
    assert Resolving.asked[-1:] == [("web", "prod", "service", "tls", "https")]
    assert run("url", "pod/web-0:http", "--resolve", "-n", "x").code == 0
    assert Resolving.asked[-1:] == [("web-0", "x", "pod", "http", None)]


def write(path: Path, user: dict[str, object], cluster: dict[str, object]) -> str:
    content = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(content))
    return str(path)


DATA = base64.b64encode(b"pem").decode()
TOKEN = '-H "Authorization: Bearer $TOKEN" '
VIEW = "kubectl config view --raw --minify --flatten"


@pytest.mark.parametrize(
    ("user", "cluster", "more", "middle", "notes"),
    [
        ({}, {}, [], "", []),
        ({"token": "S3CRET"}, {}, [], TOKEN, [VIEW, "{.users[0].user.token}"]),
        ({}, {}, ["--token", "S3CRET"], TOKEN, ["what you gave as --token"]),
        ({"username": "joe x", "password": "S3CRET"}, {}, [], "-u 'joe x':\"$PASSWORD\" ", ["{.users[0].user.password}"]),
        ({"tokenFile": "TMP/to ken"}, {}, [], "-H \"Authorization: Bearer $(cat 'TMP/to ken')\" ", []),
        ({"exec": {"command": "plug", "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "args": ["S3CRET"]}}, {}, [], TOKEN, ["plug"]),
        ({"client-certificate": "TMP/c", "client-key": "TMP/k"}, {}, [], "--cert TMP/c --key TMP/k ", []),
        ({"client-certificate-data": DATA, "client-key-data": DATA}, {}, [], "--cert client.crt --key client.key ", ["> client.crt", "(umask 077; kubectl", "> client.key)"]),
        ({}, {"certificate-authority": "TMP/c"}, [], "--cacert TMP/c ", []),
        ({}, {"certificate-authority-data": DATA}, [], "--cacert ca.crt ", ["{.clusters[0].cluster.certificate-authority-data}", "base64 -d > ca.crt"]),
        ({}, {"insecure-skip-tls-verify": True}, [], "-k ", ["TLS verification is off"]),
        ({}, {"proxy-url": "http://p:3128"}, [], "-x http://p:3128 ", []),
        ({}, {"proxy-url": "http://u:S3CRET@p:3128"}, [], "-x 'http://u:***@p:3128' ", ["replace ***"]),
        ({}, {}, ["--as", "joe", "--as-group", "a b", "--as-group", "c", "--as-uid", "1"], "-H 'Impersonate-User: joe' -H 'Impersonate-Uid: 1' -H 'Impersonate-Group: a b' -H 'Impersonate-Group: c' ", []),
        ({}, {}, ["--request-timeout", "1m"], "--max-time 60 ", []),
    ],
)  # fmt: skip
def test_curl(  # noqa: PLR0917
    run: Run,
    tmp_path: Path,
    user: dict[str, object],
    cluster: dict[str, object],
    more: list[str],
    middle: str,
    notes: list[str],
) -> None:
    """The command names files and variables; what they stand for is told on stderr."""
    for name in ("to ken", "c", "k"):
        (tmp_path / name).touch()
    place = str(tmp_path)
    user = {key: v.replace("TMP", place) if isinstance(v, str) else v for key, v in user.items()}
    cluster = {
        key: v.replace("TMP", place) if isinstance(v, str) else v for key, v in cluster.items()
    }
    config = write(tmp_path / "config", user, {"server": K8S, **cluster})
    result = run("url", "web", "a'b?x=[1]", "--curl", "--kubeconfig", config, *more)
    wanted = (
        f"curl --globoff --path-as-is {middle.replace('TMP', place)}"
        f"'{K8S}/api/v1/namespaces/default/services/web/proxy/a'\"'\"'b?x=[1]'\n"
    )
    assert (result.code, result.out) == (0, wanted)
    assert "S3CRET" not in result.out + result.err
    assert all(note in result.err for note in notes)
    assert bool(notes) == bool(result.err)


def test_curl_through_another_base(run: Run, kubeconfig: Path) -> None:
    """A kubectl proxy brings its own credentials."""
    result = run("url", "web", "--curl", "--via", "http://localhost:8001")
    assert result.out == (
        "curl --globoff --path-as-is "
        "http://localhost:8001/api/v1/namespaces/default/services/web/proxy/\n"
    )
    assert result.err == ""


def test_curl_proxy_of_the_environment(
    run: Run, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable with a password is named; where kubectl takes no proxy, curl is told so."""
    monkeypatch.setenv("HTTPS_PROXY", "http://u:S3CRET@p:3128")
    assert '-x "$HTTPS_PROXY"' in run("url", "web", "--curl").out
    monkeypatch.setenv("HTTPS_PROXY", "p:3128")
    assert "-x http://p:3128 " in run("url", "web", "--curl").out
    monkeypatch.setenv("NO_PROXY", ".example")
    assert "--noproxy '*' " in run("url", "web", "--curl").out


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[int, list[tuple[str, dict[str, str]]]]]:
    """An https server for the name "apiserver" that wants a client certificate."""
    seen: list[tuple[str, dict[str, str]]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("apiserver").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    client = ca.issue_cert("client")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, seen
        server.shutdown()
        thread.join()


def test_curl_command_works(
    run: Run, tmp_path: Path, tls_server: tuple[int, list[tuple[str, dict[str, str]]]]
) -> None:
    """A shell runs the printed command: TLS both ways, the other name, the token, the suffix."""
    assert shutil.which("curl"), "the curl command is tested with curl"
    port, seen = tls_server
    user: dict[str, object] = {
        "client-certificate": "cert.pem",
        "client-key": "key.pem",
        "token": "t0ken",
    }
    cluster: dict[str, object] = {
        "server": f"https://127.0.0.1:{port}/k8s",
        "certificate-authority": "ca.pem",
        "tls-server-name": "apiserver",
    }
    config = write(tmp_path / "config", user, cluster)
    shown = run(
        "url", "web", "a'b/c?x=[1]&y=$HOME", "--curl", "--kubeconfig", config, "--as", "joe"
    )
    done = subprocess.run(
        ["sh", "-c", shown.out],
        env={"PATH": os.environ["PATH"], "TOKEN": "t0ken", "https_proxy": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path, headers = seen[0]
    assert path == "/k8s/api/v1/namespaces/default/services/web/proxy/a'b/c?x=[1]&y=$HOME"
    assert headers["host"] == f"127.0.0.1:{port}"
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["impersonate-user"] == "joe"
