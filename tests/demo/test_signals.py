"""How the demo ends: by Ctrl-C, by other signals, and with a program that gets them too."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import SCRIPTS, serving

if TYPE_CHECKING:
    from collections.abc import Callable

# Says what it got: each SIGINT and SIGTERM, until it has been told to end by the latter.
LISTENER = """
import signal, sys, time
count = 0
def heard(number, frame):
    global count
    count += number == signal.SIGINT
    if number == signal.SIGTERM:
        print(f"{count} interrupts", flush=True)
        sys.exit(5)
signal.signal(signal.SIGINT, heard)
signal.signal(signal.SIGTERM, heard)
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""


def left(environment: dict[str, str]) -> list[Path]:
    """What is left in the folder for what is temporary."""
    return list(Path(environment["TMPDIR"]).iterdir())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it(environment: dict[str, str], number: int, code: int) -> None:
    """At once, though a client holds a connection, with the exit code that a shell shows."""
    with serving(environment) as (process, lines):
        port = int(lines[1].partition("127.0.0.1:")[2].partition(",")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
            assert len(left(environment)) == 1
            process.send_signal(number)
            assert process.wait(10) == code
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert left(environment) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.4, 0.5])
def test_a_signal_while_it_starts(environment: dict[str, str], delay: float) -> None:
    """Nothing is left, whenever it comes."""
    line = [str(SCRIPTS / "proxyurls"), "demo"]
    with subprocess.Popen(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        time.sleep(delay)
        process.terminate()
        # Before our own handler is there it is the kernel that ends it.
        assert process.wait(20) in (143, -signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert left(environment) == []


def test_what_is_ignored_stays_so(environment: dict[str, str]) -> None:
    """As under nohup: the terminal goes away, the demo stays."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with serving(environment) as (process, _):
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_program_gets_the_signal(environment: dict[str, str], number: int) -> None:
    """What we are sent is sent on to it, and its end is ours."""
    program = ["sh", "-c", "echo ready; exec sleep 60"]
    line = [str(SCRIPTS / "proxyurls"), "demo", "--", *program]
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    assert left(environment) == []


@pytest.mark.parametrize("typed", [True, False])
def test_ctrl_c_reaches_a_program_once(environment: dict[str, str], *, typed: bool) -> None:
    """From the terminal it has it already; a signal to us alone is sent on."""
    line = [str(SCRIPTS / "proxyurls"), "demo", "--", sys.executable, "-c", LISTENER]
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        line,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(theirs)
    try:
        until(terminal, lambda text: "ready" in text)
        if typed:
            os.write(terminal, b"\x03")
        else:
            process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.terminate()
        text = until(terminal, lambda text: "interrupts" in text)
        assert process.wait(20) == 5
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    # In the terminal's foreground we take every SIGINT for typed: it does not say who sent it.
    assert f"{1 if typed else 0} interrupts" in text
    assert left(environment) == []


def until(terminal: int, enough: Callable[[str], bool]) -> str:
    """What a terminal shows, up to what is waited for."""
    text = ""
    while not enough(text):
        text += os.read(terminal, 4096).decode()
    return text
