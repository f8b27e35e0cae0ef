"""Errors, interruptions, closed pipes and full disks."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxyurls import ConnectionFailed, InvalidInput
from proxyurls.cli import config as config_module
from proxyurls.cli import console
from proxyurls.cli.parser import UsageError

from .conftest import ROOT

if TYPE_CHECKING:
    from .conftest import Child, Run


@pytest.mark.parametrize(
    ("target", "words", "text"),
    [
        ("https:web", [], "did you mean 'https:web:'?"),
        ("HTTPS:web:", [], "did you mean 'https:web:'?"),
        ("web:99999", [], "a port number is from 1 to 65535"),
        ("web:port name", [], "did you mean 'port-name'?"),
        ("My_Service", [], "did you mean 'my-service'?"),
        ("web", ["-n", ""], "the namespace name is empty; leave it out for the default"),
        ("web", ["--namespace="], "the namespace name is empty; leave it out for the default"),
        ("node/n1", ["-n", "prod"], "a node has no namespace"),
        ("pod/web-0:http", [], "a pod's port is a number"),
        ("a:b:c:d", [], "it has 4 parts and three are the most"),
        ("", [], "TARGET is empty"),
        ("web\x1b[31m", [], "\\x1b"),
        ("web\nnext", [], "\\n"),
        ("web\udcff", [], "\\udcff"),
    ],
)
def test_wrong_input(run: Run, target: str, words: list[str], text: str) -> None:
    """Exit code 2 and one line that says what to type instead."""
    assert text in run("url", "--path", target, *words).refusal()


def test_exit_codes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong input is 2, a failed operation 1."""

    def fail(error: Exception) -> int:
        monkeypatch.setattr(config_module, "run", lambda _: throw(error))
        return run("config").code

    def throw(error: Exception) -> int:
        raise error

    assert fail(ConnectionFailed("x")) == 1
    assert fail(UsageError("x")) == 2
    assert fail(InvalidInput("x")) == 2
    assert fail(OSError("x")) == 1
    assert fail(PermissionError(13, "Permission denied", "/x")) == 1


def test_messages_are_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a server said, it is one line and moves no cursor."""

    def fail(_: object) -> int:
        raise ConnectionFailed("two\nlines \x1b[2J \udcff é")

    monkeypatch.setattr(config_module, "run", fail)
    assert run("config").refusal(1) == r"two\nlines \x1b[2J \udcff é"


def test_files_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can't be opened is named with the system's reason."""
    monkeypatch.setattr(config_module, "run", lambda _: len(Path("/nowhere/x").read_text()))
    assert run("config").refusal(1) == "/nowhere/x: No such file or directory"


def test_bugs_show_no_traceback_and_no_value(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error names its place alone: its text may hold a secret."""
    monkeypatch.setattr(config_module, "run", lambda _: dict[str, int]()["SECRET"])
    result = run("config")
    assert (result.code, result.out) == (1, "")
    *frames, message = result.err.splitlines()
    assert "error: internal error: KeyError at test_errors.py:" in message
    assert "SECRET" not in message
    assert bool(frames) == sys.flags.dev_mode


def test_a_bug_in_dev_mode() -> None:
    """``-X dev`` shows the frames of an error and of what led to it, and no error's text."""
    secret = "s3cr3t"
    code = (
        "import os, sys; from proxyurls.cli import main, config\n"
        "def run(_):\n"
        "    try: os.environ[os.environ['MARK']]\n"
        "    except KeyError: raise RuntimeError(os.environ['MARK'])\n"
        "config.run = run; sys.exit(main(['config']))"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MARK": secret},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert secret not in done.stderr
    *frames, message = done.stderr.splitlines()
    assert message.startswith("error: internal error: RuntimeError at <string>:4; ")
    shown = [line for line in frames if not line.startswith(" ")]
    assert shown == ["KeyError", "RuntimeError"]
    assert '  File "<string>", line 4, in run' in frames


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C: 130, and on a terminal a line break behind the ^C; here is none."""

    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(config_module, "run", interrupt)
    monkeypatch.setattr(console, "drop_stdout", lambda: None)
    result = run("config")
    assert (result.code, result.out, result.err) == (130, "", "")


def run_script(script: str, **options: object) -> subprocess.CompletedProcess[str]:
    settings: dict[str, object] = {
        "capture_output": True,
        "text": True,
        "timeout": 60,
        "check": False,
    }
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: PLW1510
        ["bash", "-c", script], **{**settings, "env": env, **options}
    )


@pytest.mark.parametrize("command", ["--help", "url web --path", "completion bash"])
def test_reader_goes_away(command: str) -> None:
    """A closed pipe ends it as SIGPIPE ends other tools: 141 in the shell, and silence."""
    done = run_script(f"$PYTHON -m proxyurls {command} | true; echo ${{PIPESTATUS[0]}}")
    # What fits the pipe's buffer may have been written before it was closed.
    assert done.stdout in ("141\n", "0\n")
    assert done.stderr == ""


def test_closed_pipe(child: Child) -> None:
    """The same with a pipe that is closed before anything is written."""
    reader, writer = os.pipe()
    os.close(reader)
    done = child(
        "url", "web", "--path", capture_output=False, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("words", [["url", "web", "--path"], ["--help"], ["completion", "bash"]])
def test_full_disk(child: Child, words: list[str]) -> None:
    """Output that was lost is no success."""
    with Path("/dev/full").open("w") as full:
        done = child(*words, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "error: writing the output failed: No space left on device\n"


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    """Started without stdout or stderr, it neither crashes nor mixes them up."""
    done = run_script(f"$PYTHON -m proxyurls url https:web --path {closed}; echo $?")
    assert done.stdout == "2\n"
    done = run_script(f"$PYTHON -m proxyurls url web --path {closed}; echo $?")
    assert done.stdout.endswith("0\n")
    assert done.stderr == ""


def test_ascii_terminal(child: Child) -> None:
    """A stdout that can't show a character gets an escape, not a traceback."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = child("url", "--help", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "svc/\\u2026" in done.stdout


def test_bytes_that_are_no_text() -> None:
    """Arguments that are no UTF-8 are refused in one line."""
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"proxyurls", b"url", b"web\xff", b"--path"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: invalid service name 'web\\udcff'")
    assert done.stderr.count(b"\n") == 1


def test_signal_to_a_child(tmp_path: Path) -> None:
    """SIGINT while it waits: 130, quietly."""
    fifo = tmp_path / "kubeconfig"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "proxyurls", "config", "--kubeconfig", str(fifo)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while True:
        try:  # there is a reader as soon as the child has opened it
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            break
    process.send_signal(signal.SIGINT)
    os.close(writer)  # since a signal just before read() would not end it
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour(environ: dict[str, str], coloured: bool) -> None:  # noqa: FBT001
    """The label is coloured on a terminal, and never with NO_COLOR."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    done = subprocess.run(
        [sys.executable, "-m", "proxyurls", "url"],
        env={**env, **environ},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000)
    os.close(ours)
    assert (done.returncode, done.stdout) == (2, b"")
    assert shown.startswith(b"\x1b[31;1merror:\x1b[0m " if coloured else b"error: ")


def test_no_colour_in_a_pipe(run: Run) -> None:
    """Nor without a terminal."""
    assert "\x1b" not in run("url").err
