"""Files that a kubeconfig names, and itself, where they have no end or are not what they seem."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from cli.conftest import ROOT
from config.kubeconfigs import one_context
from discovery.commands import environment as environment_of

from proxyurls.config import files

from .payloads import check_messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.conftest import Run

SECRET = "r00t-hash-of-shadow"
KINDS = (
    "zero",
    "random",
    "fifo",
    "folder",
    "sparse",
    "socket",
    "missing",
    "loop",
    "long",
    "unreadable",
)
KEYS = ("tokenFile", "client-certificate", "client-key", "certificate-authority")


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A path of each kind."""
    folder = tmp_path / "odd"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    with (folder / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    (folder / "loop").symlink_to("loop")
    (folder / "unreadable").write_text("x")
    (folder / "unreadable").chmod(0)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    found = {kind: str(folder / kind) for kind in KINDS}
    yield {**found, "zero": "/dev/zero", "random": "/dev/urandom", "long": "/" + "a" * 5000}
    listening.close()


def run_alone(*argv: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command in a process without root's rights, that may have 400 MB."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20));"
        "from proxyurls.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *argv]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    return subprocess.run(
        command,
        env=environment_of(folder, PYTHONPATH=str(ROOT), **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("key", KEYS)
def test_named_files(key: str, odd: dict[str, str], run: Run, tmp_path: Path) -> None:
    """Refused at once, each with its reason: no device or pipe is read, nothing waits."""
    path = tmp_path / "kubeconfig"
    pem = tmp_path / "x.pem"
    pem.write_text("x")
    for kind, named in odd.items():
        if kind == "unreadable" and os.geteuid() == 0:  # see test_without_rights
            continue
        user: dict[str, str] = {"client-certificate": str(pem), "client-key": str(pem)}
        user = {**user, key: named} if key.startswith("client") else {}
        user = {key: named} if key == "tokenFile" else user
        cluster = {key: named} if key == "certificate-authority" else {}
        path.write_text(one_context(user=user, cluster=cluster))
        began = time.monotonic()
        got = run("config", "--kubeconfig", str(path))
        assert time.monotonic() - began < 2
        check_messages(got.err)
        assert key in got.refusal()
        assert "unable to read" in got.err


def test_without_rights(odd: dict[str, str], tmp_path: Path) -> None:
    """A file that may not be read is told by its name, as is one outside of the folder."""
    path = tmp_path / "kubeconfig"
    os.chmod(tmp_path, 0o755)  # noqa: PTH101  (pytest's are its user's alone)
    path.write_text(one_context(user={"tokenFile": "odd/unreadable"}))
    done = run_alone("config", "--kubeconfig", str(path), folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Permission denied; check the path\n")


def test_outside_of_the_folder(run: Run, tmp_path: Path) -> None:
    """As kubectl, a path may lead anywhere; what it holds goes to the server alone, if at all."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "shadow").write_text(f"root:{SECRET}:1\nbin:*:2\n")
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "kubeconfig"
    for user, cluster in (
        ({"tokenFile": "../etc/shadow"}, {}),
        ({"client-certificate": "../etc/shadow", "client-key": "../etc/shadow"}, {}),
        ({}, {"certificate-authority": "../etc/shadow"}),
    ):
        path.write_text(one_context(server="https://127.0.0.1:1", user=user, cluster=cluster))
        for argv in (("config",), ("cluster-info",), ("fetch", "web:80"), ("url", "web", "--curl")):
            got = run(*argv, "--kubeconfig", str(path))
            check_messages(got.err)
            assert SECRET not in got.out + got.err
            assert got.code == (1 if argv[0] in ("cluster-info", "fetch") else 0), got


@pytest.mark.parametrize("key", KEYS)
def test_files_that_change_later(key: str, tmp_path: Path) -> None:
    """A file that has become a pipe since it was looked at is not read either."""
    from proxyurls.config import load_config
    from proxyurls.errors import ProxyURLsError

    for name in KEYS:
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n")
    user = {name: str(tmp_path / name) for name in KEYS[:1] if key == name}
    if key.startswith("client"):
        user = {name: str(tmp_path / name) for name in KEYS[1:3]}
    path = tmp_path / "kubeconfig"
    path.write_text(
        one_context(user=user, cluster={KEYS[3]: str(tmp_path / KEYS[3])} if key == KEYS[3] else {})
    )
    config = load_config(path, environ={})
    (tmp_path / key).unlink()
    os.mkfifo(tmp_path / key)
    credentials = config.credentials()
    began = time.monotonic()
    with pytest.raises(ProxyURLsError, match="it is no regular file"):
        [credentials.headers(), credentials.ssl_context()]
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("zero", "it is larger than 10 MiB"),
        ("random", "it is larger than 10 MiB"),
        ("sparse", "it is larger than 10 MiB"),
        ("folder", "is a directory"),
        ("socket", "can't be read: "),
        ("missing", "no such file"),
        ("loop", "can't be read: Too many levels of symbolic links"),
        ("long", "can't be read: File name too long"),
        ("unreadable", "can't be read: Permission denied"),
    ],
)
def test_the_kubeconfig_itself(kind: str, says: str, odd: dict[str, str], tmp_path: Path) -> None:
    """One line, soon, and in little memory."""
    for more in ({}, {"KUBECONFIG": odd[kind]}):
        words = ("config",) if more else ("config", "--kubeconfig", odd[kind])
        began = time.monotonic()
        done = run_alone(*words, folder=tmp_path, **more)
        assert time.monotonic() - began < 10
        check_messages(done.stderr)
        if more and kind == "missing":  # as kubectl: one of a list need not be there
            continue
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert says in done.stderr


def test_a_pipe_without_end(run: Run, odd: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes, somebody writes and stays, or writes for ever: it ends in any case."""
    monkeypatch.setattr(files, "_PIPE_SECONDS", 0.5)
    assert (
        "it did not end within 0.5 seconds" in run("config", "--kubeconfig", odd["fifo"]).refusal()
    )
    held = os.open(odd["fifo"], os.O_RDWR)
    os.write(held, b"clusters: []\n")
    assert (
        "it did not end within 0.5 seconds" in run("config", "--kubeconfig", odd["fifo"]).refusal()
    )
    os.close(held)
    monkeypatch.setattr(files, "_PIPE_SECONDS", 20.0)

    def flood() -> None:
        with suppress(BrokenPipeError), open(odd["fifo"], "wb", buffering=0) as file:  # noqa: PTH123
            while True:
                file.write(b"#" * 65536)

    thread = threading.Thread(target=flood)
    thread.start()
    assert "it is larger than 10 MiB" in run("config", "--kubeconfig", odd["fifo"]).refusal()
    thread.join(20)
    assert not thread.is_alive()


def test_pipes_that_end(tmp_path: Path) -> None:
    """``<(…)`` of a shell, standard input and /dev/null go on to work."""
    (tmp_path / "k").write_text(one_context())
    script = (
        f'set -e; run() {{ {sys.executable} -m proxyurls config -o json "$@"; }};'
        "run --kubeconfig <(sleep 0.2; cat k); run --kubeconfig /dev/stdin < k;"
        "cat k | run --kubeconfig /dev/stdin; run --kubeconfig /dev/null -s https://k8s.test:6443"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment_of(tmp_path, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count('"server": "https://k8s.test:6443"') == 4
    assert done.stderr == ""


def test_the_odd_files(odd: dict[str, str]) -> None:
    """The fixture's paths are what their names say."""
    assert stat.S_ISFIFO(os.stat(odd["fifo"]).st_mode)  # noqa: PTH116
    assert os.stat(odd["sparse"]).st_size > 10_000_000_000  # noqa: PTH116
