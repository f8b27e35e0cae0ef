"""``serve`` and ``open`` as processes of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TIME_LIMIT = 20.0


@dataclass
class Process:
    """A command that serves."""

    child: subprocess.Popen[str]
    address: str  # the one line on stdout

    @property
    def gateway(self) -> Running:
        """Requests to it."""
        match = re.search(r":(\d+)/", self.address)
        assert match, self.address
        return Running(int(match[1]), self.address, [])

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float, str]:
        """Send a signal: the exit code, how long it took, and all that stands on stderr."""
        began = time.monotonic()
        self.child.send_signal(number)
        _, err = self.child.communicate(timeout=TIME_LIMIT)
        return self.child.returncode, time.monotonic() - began, err


@contextlib.contextmanager
def served(*argv: str, kubeconfig: object, **environ: str) -> Iterator[Process]:
    """Run a command until it has printed its address."""
    child = subprocess.Popen(
        [sys.executable, "-m", "proxyurls", *argv],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KUBECONFIG": str(kubeconfig),
            "BROWSER": "/bin/false",
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        if not line:
            raise AssertionError(child.communicate(timeout=TIME_LIMIT))
        yield Process(child, line.rstrip("\n"))
    finally:
        child.kill()
        child.communicate(timeout=TIME_LIMIT)
