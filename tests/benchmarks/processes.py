"""Whole processes, started as a stranger's shell would: from a plain installation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

    from .timing import Turn

    Command = Sequence[str | Path]

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


class Failed(Exception):
    """Why a benchmark could not run."""


def install(folder: Path) -> Path:
    """Install the project and its rivals into a new virtual environment; return its bin.

    Not editable, compiled, and without pip and setuptools, whose .pth file takes time at every
    start. The rivals get the versions that this environment has.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
    try:
        rivals = [f"{name}=={version(name)}" for name in ("kubernetes", "lightkube")]
    except PackageNotFoundError as missing:
        raise Failed(f"{missing.name} isn't installed here; the extra bench has it") from missing
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--compile"]
    done = subprocess.run(
        [*pip, str(PROJECT), *rivals], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"pip could not install what is measured:\n{done.stderr}")
    return folder / "bin"


@lru_cache
def kubectl() -> tuple[Path, str]:
    """The plain binary, envtest's or that of PATH, and its version."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    beside = Path(folder).expanduser() / "kubectl" if folder else None
    found = str(beside) if beside and beside.exists() else shutil.which("kubectl")
    if not found:
        raise Failed("there is no kubectl in KUBEBUILDER_ASSETS or PATH")
    plain = Path(found).resolve()
    with plain.open("rb") as file:
        script = file.read(2) == b"#!"
    command = [str(plain), "version", "--client"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if script or "dispatcher" in text:
        raise Failed(f"{plain} starts another kubectl; put its plain binary into PATH")
    return plain, text.partition("\n")[0].rpartition(" ")[2]


@dataclass
class Launcher:
    """Our end of the line to ``launcher.py``."""

    requests: IO[str]
    answers: IO[str]
    folder: Path
    env: Mapping[str, str]

    def run(self, argv: Command) -> tuple[float, float]:
        """Run a command line, which must succeed; return seconds and its peak in MiB."""
        words = [str(word) for word in argv]
        request = {"argv": words, "env": {**self.env}, "stdout": str(self.output)}
        self.requests.write(json.dumps(request) + "\n")
        self.requests.flush()
        line = self.answers.readline()
        if not line:
            raise Failed(f"the launcher ended instead of running {words}")
        answer = json.loads(line)
        if answer["code"] != 0:
            errors = Path(f"{self.output}.err").read_text(errors="replace")
            raise Failed(f"{' '.join(words)}: exit code {answer['code']}\n{errors}")
        return answer["seconds"], answer["peak"]

    @property
    def output(self) -> Path:
        """Where a command's stdout is."""
        return self.folder / "stdout"

    def turn(self, argv: Command) -> Turn:
        """A contestant: the seconds that a command line takes."""
        return lambda: self.run(argv)[0]


@contextmanager
def launcher(folder: Path, prefix: Sequence[str] = (), **env: str) -> Iterator[Launcher]:
    """Start the launcher, behind ``prefix`` if it shall run elsewhere, with an empty home."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    known = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    argv = [*prefix, sys.executable, "-I", "-S", str(HERE / "launcher.py")]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise Failed("the launcher has no pipes")
        yield Launcher(process.stdin, process.stdout, folder, {**known, "HOME": str(home), **env})
        process.stdin.close()


def program(name: str) -> str:
    """A program of PATH."""
    found = shutil.which(name)
    if found is None:
        raise Failed(f"there is no {name} here; Debian's packages are nginx-light, wrk and curl")
    return found
