"""The gateway as users start it: ``proxyurls serve`` or ``open`` in a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proxyurls import service
from proxyurls.gateway.hosts import label

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

START_LIMIT = 30.0
END_LIMIT = 10.0
_ADDRESS = re.compile(r"http://(?:[a-z0-9-]+\.)?localhost:[0-9]+/\S*")


class Gateway:
    """A running gateway, from the ``with`` to its end.

    Args:
        kubeconfig: says which cluster, and with which credentials.
        command: ``serve`` or ``open`` and what else is to stand on the command line.

    Attributes:
        link: the address it printed, token and all.
        origin: that of the index, or of the one app that it serves.
        lines: what it wrote so far, both streams.
    """

    def __init__(self, kubeconfig: Path, *command: str) -> None:
        options = ["--kubeconfig", str(kubeconfig), "--port", "0"]
        if command[0] == "open":
            options.append("--no-browser")
        self._command = [sys.executable, "-u", "-m", "proxyurls", *command, *options]
        self.lines: list[str] = []
        self.link = ""
        self.origin = ""
        self._process: subprocess.Popen[str] | None = None
        self._found = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader.start()
        self._found.wait(START_LIMIT)
        if not self.link:
            self.interrupt()
            raise AssertionError(f"{self._command} printed no address:\n{self.output}")
        self.origin = "http://" + urlsplit(self.link).netloc
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.interrupt()

    def interrupt(self) -> int:
        """Ctrl-C: end it, unless it has ended, and return its exit code."""
        if self._process is None:
            raise AssertionError("it was never started")
        with self._process as process:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                return process.wait(END_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{self._command} didn't end:\n{self.output}") from None
            finally:
                self._reader.join()

    @property
    def output(self) -> str:
        """What it wrote so far."""
        return "".join(self.lines)

    @property
    def port(self) -> int:
        """The port it listens at."""
        return urlsplit(self.origin).port or 80

    def app(self, name: str, namespace: str) -> str:
        """The origin of a service's app."""
        return f"http://{label(service(name, namespace))}.localhost:{self.port}"

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        for line in self._process.stdout:
            self.lines.append(line)
            if not self.link and (found := _ADDRESS.search(line)):
                self.link = found[0]
                self._found.set()
        self._found.set()
