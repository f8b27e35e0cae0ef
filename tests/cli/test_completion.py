"""Shell completion, by the protocol that bash speaks and by bash itself."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxyurls.testing import FakeCluster

    from .conftest import Run


def complete(line: str, **environ: str) -> list[str]:
    """What the shell is offered for the end of a line. Asserts that there is no noise."""
    reader, writer = os.pipe()
    # In the shell it is descriptor 8; dup2 in a shell, since subprocess keeps numbers.
    done = subprocess.run(
        ["bash", "-c", f'exec 8>&{writer}; exec "$0" -m proxyurls', sys.executable],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_TYPE": "9",
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": "bash",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            **environ,
        },
        pass_fds=[writer],
        capture_output=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    with os.fdopen(reader) as file:
        found = file.read()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return [word.rstrip() for word in found.split("\n") if word]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("proxyurls co", ["config", "completion"]),
        ("proxyurls -n x par", ["parse"]),
        ("proxyurls --conte", ["--context"]),
        ("proxyurls url web --re", ["--resolve", "--request-timeout"]),
        ("proxyurls url --context ", ["prod", "dev"]),
        ("proxyurls --context ", ["prod", "dev"]),
        ("proxyurls url web --context=d", ["--context=dev"]),
        ("proxyurls config --cluster ", ["one", "two"]),
        ("proxyurls config --user ", ["admin"]),
        ("proxyurls config -o ", ["text", "json"]),
        ("proxyurls completion ", ["bash", "zsh", "fish"]),
        ("proxyurls parse ", []),
        ("proxyurls url web ", []),
        ("proxyurls url web --token ", []),
        ("proxyurls url web -q ", []),
    ],
)
def test_without_a_cluster(kubeconfig: Path, line: str, words: list[str]) -> None:
    """Commands, options, formats, and the names in the kubeconfig."""
    assert complete(line) == words


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are offered for options that take one."""
    (tmp_path / "some.conf").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("proxyurls url --kubeconfig so") == ["some.conf"]


def test_named_kubeconfig(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--kubeconfig counts, wherever it stands."""
    monkeypatch.delenv("KUBECONFIG")
    assert complete(f"proxyurls --kubeconfig {kubeconfig} url --context d") == ["dev"]
    assert complete(f"proxyurls url --kubeconfig={kubeconfig} --context d") == ["dev"]


@pytest.mark.parametrize("content", ["a: [", "- a", "users: [{name: u, user: {token: 1}}]"])
def test_broken_kubeconfig(kubeconfig: Path, content: str) -> None:
    """A kubeconfig that can't be read completes nothing, without a word."""
    kubeconfig.write_text(content)
    assert complete("proxyurls url --context ") == []
    assert complete("proxyurls url -n ") == []


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[list[str]]:
    """An API with services, pods, nodes and namespaces; the paths that were asked for."""
    asked: list[str] = []
    names = {
        "/api/v1/namespaces/shop/services": ["web", "worker", "cart"],
        "/api/v1/namespaces/ops/services": ["grafana"],
        "/api/v1/namespaces/shop/pods": ["web-0", "web-1"],
        "/api/v1/nodes": ["n1"],
        "/api/v1/namespaces": ["shop", "ops"],
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            found = names.get(self.path.partition("?")[0])
            items = [{"metadata": {"name": name}} for name in found or ()]
            status = {"kind": "Status", "message": "no", "code": 403}
            answer = {"kind": "List", "apiVersion": "v1", "items": items} if found else status
            body = json.dumps(answer).encode()
            self.send_response(200 if found else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        text = kubeconfig.read_text()
        address = f"http://127.0.0.1:{server.server_port}"
        kubeconfig.write_text(text.replace("https://k8s.example:6443", address))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("proxyurls url w", ["web", "worker"]),
        ("proxyurls url ", ["web", "worker", "cart", "svc/", "pod/", "node/"]),
        ("proxyurls url svc/c", ["svc/cart"]),
        ("proxyurls url pod/", ["pod/web-0", "pod/web-1"]),
        ("proxyurls url node/", ["node/n1"]),
        ("proxyurls url deploy/", []),
        ("proxyurls -n ops url g", ["grafana"]),
        ("proxyurls url -n ops g", ["grafana"]),
        ("proxyurls url -n forbidden g", []),
        ("proxyurls url --namespace ", ["shop", "ops"]),
        ("proxyurls -n o", ["ops"]),
    ],
)
def test_names_of_the_cluster(api: list[str], line: str, words: list[str]) -> None:
    """Services, pods, nodes and namespaces."""
    assert complete(line) == words


def test_name_and_namespace(fake_cluster: FakeCluster) -> None:
    """Behind a name and a dot come the namespaces that have a service of that name, no others."""
    for name, namespace in (("web", "shop"), ("web", "ops"), ("other", "shop")):
        fake_cluster.add_service(name, namespace)
    found = {"KUBECONFIG": str(fake_cluster.kubeconfig)}
    assert sorted(complete("proxyurls url web.", **found)) == ["web.ops", "web.shop"]
    assert complete("proxyurls fetch svc/web.s", **found) == ["svc/web.shop"]
    assert complete("proxyurls fetch https:web.s", **found) == ["https:web.shop:"]
    assert complete("proxyurls url other.o", **found) == []
    assert complete("proxyurls url pod/web.", **found) == []
    assert complete("proxyurls url web,metadata.namespace=shop.", **found) == []


def test_unreachable_cluster(kubeconfig: Path) -> None:
    """A server that never answers costs two seconds and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = kubeconfig.read_text()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        kubeconfig.write_text(text.replace("https://k8s.example:6443", address))
        started = time.monotonic()
        assert complete("proxyurls url w") == []
        assert time.monotonic() - started < 6
    assert complete("proxyurls url w") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(run: Run, shell: str) -> None:
    """The script is for both names of the program."""
    result = run("completion", shell)
    assert (result.code, result.err) == (0, "")
    assert "proxyurls" in result.out
    assert "kubectl-proxyurls" in result.out
    found = shutil.which(shell)
    if found:
        subprocess.run([found, "-n"], input=result.out, text=True, check=True)


def test_unknown_shell(run: Run) -> None:
    """The known ones are listed."""
    message = run("completion", "tcsh").refusal()
    assert all(shell in message for shell in ("tcsh", "bash", "zsh", "fish"))
    assert "SHELL" in run("completion").refusal()


def test_in_bash(kubeconfig: Path, tmp_path: Path) -> None:
    """Bash loads the script and completes with it."""
    program = tmp_path / "proxyurls"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m proxyurls "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(proxyurls completion bash)"
        COMP_LINE='proxyurls url --context ' COMP_POINT=24 COMP_TYPE=9 COMP_CWORD=3
        COMP_WORDS=(proxyurls url --context '')
        _python_argcomplete proxyurls '' --context
        printf '%s\\n' "${COMPREPLY[@]}"
        complete -p proxyurls kubectl-proxyurls
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[:2] == ["prod", "dev"], done.stderr
    assert len(lines) == 4


def test_stray_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """_ARGCOMPLETE without a line to complete is no reason to do anything else."""
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    assert run("url", "web", "--path").code == 0
