"""README and docs/ can't drift: their commands are run and their output compared."""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import signal
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contract import fixtures
from contract.upstream import certificate

from proxyurls.gateway import hosts

from .cluster import SERVER, Apps, fill
from .pages import PAGES, ROOT

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator

    from contract.cluster import Address, APIServer

HOME = "/home/me"
UNTIL = "2027-06-01 12:00:00 UTC"
VERSION = "v1.20.2"
_BLOCK = re.compile(r"^```console(?P<how>[ a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVER = re.compile(
    r"^```text\n(?P<text>\$ proxyurls (?:serve|open)\b.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(*, offline: bool) -> list[object]:
    """The console blocks of all pages, each named after its page and line."""
    found: list[object] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in _BLOCK.finditer(text):
            if (match["how"].strip() == "offline") is offline:
                line = text.count("\n", 0, match.start()) + 2
                found.append(pytest.param(match["text"], id=f"{page.name}:{line}"))
    return found


def split(block: str) -> list[tuple[str, str]]:
    """A block as (command, output) pairs; a line that starts with "> " goes on with the command."""
    pairs: list[tuple[str, str]] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif line.startswith("> "):
            pairs[-1] = (pairs[-1][0] + line[2:], "")
        else:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + line)
    return pairs


def servers() -> list[object]:
    """The text blocks of all pages with a command that serves."""
    found: list[object] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in _SERVER.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            found.append(pytest.param(match["text"], id=f"{page.name}:{line}"))
    return found


def environment(home: Path) -> dict[str, str]:
    """That of a shell that knows our scripts, and that home."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
    }


def run(command: str, home: Path) -> str:
    """What a command prints, both streams. The home has the examples, as a clone's folder has."""
    if not (home / "examples").exists():
        (home / "examples").symlink_to(ROOT / "examples")
    # stderr first is how a terminal shows it too: notes come before the data they explain.
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1; {command}"],
        check=False,
        stdout=subprocess.PIPE,
        cwd=home,
        env=environment(home),
        timeout=60,
    )
    # The demo's page is at a free port, with a token of its own each time.
    return re.sub(r"(http://localhost:)\d+(/\?token=)\S+", r"\g<1>8001\g<2>…", done.stdout.decode())


@pytest.mark.parametrize("block", blocks(offline=True))
def test_offline_commands_print_what_the_page_says(block: str, tmp_path: Path) -> None:
    """No cluster is needed for these, and none is there."""
    for command, expected in split(block):
        printed = run(command, tmp_path).replace(str(tmp_path), HOME)
        assert printed == expected, command


@contextlib.contextmanager
def serving(listener: socket.socket, tls: ssl.SSLContext | None = None) -> Iterator[Address]:
    """Serve the apps at a socket; its address."""
    server = ThreadingHTTPServer(("", 0), Apps, bind_and_activate=False)
    server.socket.close()
    server.socket = tls.wrap_socket(listener, server_side=True) if tls else listener
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        host, port = server.socket.getsockname()[:2]
        yield host, port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[APIServer, Path]]:
    """A real apiserver with the documents' services, and a home with its kubeconfig."""
    with (
        fixtures.started("real") as apiserver,
        serving(apiserver.listen()) as apps,
        serving(apiserver.listen(), certificate()) as kubelet,
    ):
        fill(apiserver, apps, kubelet)
        home = tmp_path_factory.mktemp("home")
        (home / ".kube").mkdir()
        text = apiserver.kubeconfig.read_text("utf-8")
        (home / ".kube" / "config").write_text(text, "utf-8")
        yield apiserver, home


@pytest.mark.parametrize("block", blocks(offline=False))
def test_commands_print_what_the_page_says(block: str, documented: tuple[APIServer, Path]) -> None:
    """On a real apiserver: addresses, its version and certificate, and the home differ."""
    apiserver, home = documented
    for command, expected in split(block):
        printed = run(command.replace(SERVER, apiserver.server), home)
        assert as_documented(printed, apiserver, home) == expected, command


def as_documented(printed: str, apiserver: APIServer, home: Path) -> str:
    """Output with the documents' addresses, home, date and version in it."""
    for real, shown in (
        (apiserver.server, SERVER),
        (apiserver.server.partition("//")[2], SERVER.partition("//")[2]),
        (str(home), HOME),
    ):
        printed = printed.replace(real, shown)
    printed = re.sub(r"(until )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", rf"\g<1>{UNTIL}", printed)
    printed = re.sub(r"(ready: [\d.]+:)\d+", r"\g<1>9200", printed)
    return re.sub(r"(Kubernetes )v\S+", rf"\g<1>{VERSION}", printed)


@pytest.mark.parametrize("block", servers())
def test_servers_print_what_the_page_says(block: str, documented: tuple[APIServer, Path]) -> None:
    """Those that run until Ctrl-C, and what is asked of them meanwhile; port and token differ."""
    apiserver, home = documented
    (serve, expected), *others = split(block)
    command = serve.strip() if "--unix-socket" in serve else f"{serve.strip()} --port 0"
    with subprocess.Popen(
        ["bash", "-c", f"exec 2>&1; exec {command}"],
        stdout=subprocess.PIPE,
        cwd=home,
        env={**environment(home), "BROWSER": "true"},
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            printed = "".join(child.stdout.readline() for _ in expected.splitlines())
            port = re.search(r"localhost:(\d+)/", printed)
            for secret, shown in (
                (r"localhost:\d+/", "localhost:8001/"),
                (r"token=[\w-]+", "token=…"),
                (re.escape(apiserver.server), SERVER),
            ):
                printed = re.sub(secret, shown, printed)
            assert printed == expected
            for asked, answer in others:
                here = asked.replace(":8001", f":{port[1]}") if port else asked
                assert run(here, home) == answer, asked
        finally:
            child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_of_the_core(page: Path) -> None:
    """Examples before a page's "On a cluster" need none."""
    text = page.read_text("utf-8").partition("\n## On a cluster")[0]
    run_examples(text, page.name, {})


def test_python_examples_on_a_cluster(
    documented: tuple[APIServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of library.md, on the real apiserver."""
    apiserver, home = documented
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    text = (ROOT / "docs" / "library.md").read_text("utf-8").partition("\n## On a cluster")[2]
    assert text.count(">>>") > 5
    run_examples(text.replace(SERVER, apiserver.server), "library.md", {})


def run_examples(text: str, name: str, names: dict[str, object]) -> None:
    """Run the ``>>>`` lines of a page; what a fence leaves behind an output is no part of it."""
    text = re.sub(r"^```\w*$", "", text, flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, names, name, name, 0)
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


def test_every_command_is_documented() -> None:
    """Each has a section of its own in docs/commands.md."""
    from proxyurls.cli.commands import COMMANDS

    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    sections = set(re.findall(r"^## (\S+)", text, re.MULTILINE))
    assert set(COMMANDS) <= sections


def test_host_names_mean_what_the_page_says() -> None:
    """Each of the gateway's page, spelt as a target's own."""
    text = (ROOT / "docs" / "gateway.md").read_text("utf-8").partition("\n## Host names\n")[2]
    rows = re.findall(r"^\| (.*) \| `([a-z0-9-]+)` \|$", text.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) == 6
    for said, label in rows:
        target = hosts.parse_label(label)
        assert target is not None
        for part in (target.name, target.namespace, target.port, target.scheme):
            assert part is None or str(part) in said or "the same" in said
        assert hosts.label(target) == label


def test_ci_runs_the_readme_s_commands() -> None:
    """`.ci/run` takes them from the README, by the test that does."""
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert re.search(r"^PROXYURLS_NEWCOMER=1 .*tests/docs/test_newcomer.py$", ci, re.MULTILINE)
