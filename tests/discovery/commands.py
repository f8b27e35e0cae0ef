"""Running proxyurls and kubectl as people do: as processes, piped or on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROXYURLS = (sys.executable, "-m", "proxyurls")
TIME_LIMIT = 60
_OURS = ("KUBE", "NO_COLOR", "COLUMNS", "LINES", "XDG_", "PYTHONUNBUFFERED")


@dataclass(frozen=True)
class Done:
    """How a process ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """What it wrote to stdout."""
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        """The lines of it."""
        return self.text.splitlines()

    @property
    def error(self) -> str:
        """The one line on stderr, which is an error."""
        text = self.err.decode()
        assert text.startswith("error: "), text
        assert text.count("\n") == 1, text
        assert text.endswith("\n"), text
        return text[:-1]

    @property
    def note(self) -> str:
        """The one line on stderr, which is a note."""
        text = self.err.decode()
        assert text.startswith("note: "), text
        assert text.count("\n") == 1, text
        return text[:-1]


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment, without what would point at a cluster or a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and "PROXY" not in name.upper()
    }
    return {**kept, "HOME": str(home), "TERM": "xterm", **more}


def run(*command: str, env: Mapping[str, str]) -> Done:
    """Run a command to its end, piped."""
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Seen:
    """What a terminal showed. Line ends are those of a file."""

    code: int
    text: str
    piped: str  # stdout, where that was no terminal


def on_terminal(
    *command: str, env: Mapping[str, str], columns: int = 200, out_piped: bool = False
) -> Seen:
    """Run a command to its end on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with (
        tempfile.TemporaryFile() as file,
        subprocess.Popen(
            command, env=env, stdin=theirs, stdout=file if out_piped else theirs, stderr=theirs
        ) as process,
    ):
        os.close(theirs)
        pieces = []
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while piece := os.read(ours, 1 << 16):
                pieces.append(piece)
        os.close(ours)
        code = process.wait(TIME_LIMIT)
        file.seek(0)
        piped = file.read().decode()
    return Seen(code, b"".join(pieces).decode().replace("\r\n", "\n"), piped)


def kubeconfig(
    path: Path,
    server: str,
    *,
    user: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> Path:
    """Write a kubeconfig of one context."""
    context = {"cluster": "c", "user": "u"} | ({"namespace": namespace} if namespace else {})
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "only",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "only", "context": context}],
    }
    path.write_text(json.dumps(content))
    return path


def proxyurls(*words: str, env: Mapping[str, str]) -> Done:
    """Run ``proxyurls``, piped."""
    return run(*PROXYURLS, *words, env=env)


def words(command: Sequence[str]) -> str:
    """A command as the name of a test."""
    return " ".join(command) or "plain"
