"""What the demo waits for: a signal, or the end of a program that it runs."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as a shell has it
# A signal that comes just before Python blocks wakes nobody: its handler has to wait so long.
_BLIND_SECONDS = 0.5
_LOOPBACK = "127.0.0.1,localhost,::1"


class NotStarted(Exception):
    """A program that can't be run; ``code`` is what a shell would end with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Signals:
    """Catches what asks this process to end, as long as its ``with`` lasts.

    What was ignored stays so: under nohup SIGHUP, and SIGINT in a script's background.
    """

    def __init__(self) -> None:
        self._before: dict[int, object] = {}
        # Handlers run in the midst of anything, and this alone is made for that.
        self._caught: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._program: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, _: object) -> None:
        if self._program is None:
            self._caught.put(number)
        elif number != signal.SIGINT or not _typed():
            self._program.send_signal(number)

    def wait(self) -> int:
        """Wait for a signal.

        Returns:
            128 and its number, as a shell would report it.
        """
        while True:
            with suppress(queue.Empty):
                return 128 + self._caught.get(timeout=_BLIND_SECONDS)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a program until it ends, with our own stdin, stdout and stderr.

        Signals are passed on to it, but for what the terminal has sent to it already.

        Args:
            command: its name and arguments.
            environment: all of its environment; its PATH is where the program is looked for.

        Returns:
            its exit code, 128 and the number of the signal that ended it.

        Raises:
            NotStarted: there's no such program, or it can't be run.
        """
        name, path = command[0], environment.get("PATH", os.defpath)
        found = shutil.which(name, path=path)
        if found is None:
            if shutil.which(name, mode=os.F_OK, path=path) or (
                os.sep in name and Path(name).exists()
            ):
                raise NotStarted(_NOT_EXECUTABLE, "it is no program that may be executed")
            where = "there is no such file" if os.sep in name else "the PATH has no such program"
            raise NotStarted(_NOT_FOUND, f"{where}; check its name")
        try:
            self._program = subprocess.Popen(  # noqa: S603  (running it is what was asked for)
                command, executable=found, env=environment
            )
        except OSError as error:
            raise NotStarted(_NOT_EXECUTABLE, error.strerror or str(error)) from None
        while not self._caught.empty():  # what came before there was a program to send it to
            self._program.send_signal(self._caught.get())
        code = None
        while code is None:
            with suppress(subprocess.TimeoutExpired):
                code = self._program.wait(_BLIND_SECONDS)
        self._program = None
        return code if code >= 0 else 128 - code


def _typed() -> bool:
    """Whether our process group is the terminal's, so that Ctrl-C reaches all of it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def own_script() -> Path | None:
    """The script ``proxyurls`` that belongs to this very process, None where it has none."""
    for folder in (Path(sys.argv[0]).parent, Path(sysconfig.get_path("scripts"))):
        if found := shutil.which("proxyurls", path=str(folder.absolute())):
            return Path(found)
    return None


def on_path(script: Path) -> bool:
    """Whether the shell finds this very script when its name is typed."""
    found = shutil.which(script.name)
    with suppress(OSError):
        return found is not None and script.samefile(found)
    return False


def environment(kubeconfig: Path) -> dict[str, str]:
    """The environment for a program that is to meet the demo's cluster.

    Args:
        kubeconfig: the demo's, in a folder that goes with it.
    """
    made = dict(os.environ)
    made["KUBECONFIG"] = str(kubeconfig)
    # kubectl remembers what a server offers; of this one nobody wants to know tomorrow.
    made["KUBECACHEDIR"] = str(kubeconfig.parent / "cache")
    script = own_script()
    if script is not None and not on_path(script):
        made["PATH"] = os.pathsep.join([str(script.parent), made.get("PATH", os.defpath)])
    if any(name.lower() in ("http_proxy", "all_proxy") for name in made):
        # Go leaves loopback alone by itself; curl and httpx have to be told.
        given = made.get("no_proxy") or made.get("NO_PROXY")
        direct = given if given == "*" else ",".join(filter(None, [given, _LOOPBACK]))
        made["no_proxy"] = made["NO_PROXY"] = direct
    return made
