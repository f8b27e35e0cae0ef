"""Real shells at a terminal: what stands in the line after Tab."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
_KEY = "\x18"  # Ctrl-X, which shows the line
_TIME_LIMIT = 20.0
# How each is started without this machine's settings, is told to show its line, and loads a script.
_SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        ['bind -x \'"\\C-x": echo "<$READLINE_LINE>"\''],
        'eval "$({command})"',
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        [
            "autoload -Uz compinit && compinit -u -D",
            'show() { print -r -- "<$BUFFER>" }; zle -N show; bindkey "^X" show',
        ],
        'eval "$({command})"',
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        ['bind \\cx \'echo "<"(commandline)">"\''],
        "{command} | source",
    ),
}


class Shell:
    """An interactive shell that has loaded completion scripts."""

    def __init__(self, name: str, environ: Mapping[str, str], *scripts: str) -> None:
        program, settings, load = _SHELLS[name]
        if shutil.which(name) is None:
            if os.environ.get("PROXYURLS_REQUIRE_SHELLS"):
                pytest.fail(f"PROXYURLS_REQUIRE_SHELLS is set, but there is no {name}")
            pytest.skip(f"there is no {name} here")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TERMINAL, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environ, "TERM": "dumb", "LANG": "C.UTF-8", "PS1": "> "},
        )
        self.seen = ""
        for line in (*settings, *(load.format(command=script) for script in scripts)):
            self.press(f"{line}\n")
        self.press("echo 'rea''dy'\n")
        self.read(r"\bready\b")

    def press(self, text: str) -> None:
        """Press keys."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def read(self, pattern: str) -> re.Match[str]:
        """Wait until the terminal shows something, and take it off what was seen."""
        assert self.process.stdout is not None
        end = time.monotonic() + _TIME_LIMIT
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            assert ready, f"no {pattern} within {_TIME_LIMIT:.0f} s: {self.seen!r}"
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, f"the shell ended: {self.seen!r}"
            self.seen += more.decode(errors="replace")
        self.seen = self.seen[found.end() :]
        return found

    def tab(self, line: str) -> str:
        """The line after Tab at its end; it is removed then."""
        self.press(f"{line}\t{_KEY}")
        shown = self.read(r"<((?:kubectl|proxyurls)[^>\r\n]*)>")[1]
        self.press("\x15")  # Ctrl-U
        return shown

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()


def programs(folder: Path, root: Path) -> dict[str, str]:
    """An environment whose PATH has ours, all three names of it.

    Args:
        folder: where to write them.
        root: the project.
    """
    for name, module in (
        ("proxyurls", "cli"),
        ("kubectl-proxyurls", "cli"),
        ("kubectl_complete-proxyurls", "cli.kubectl_completion"),
    ):
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\n"
            f"import sys\nfrom proxyurls.{module} import main\nsys.exit(main())\n"
        )
        program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(root), "HOME": str(folder)}
