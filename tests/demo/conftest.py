"""The command as a process of its own, in an environment that knows nothing of this machine's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Demo = Callable[..., subprocess.CompletedProcess[str]]

SCRIPTS = Path(sys.executable).parent
LAST = "Ctrl-C ends it.\n"
NOTE = (
    "note: this is a demonstration and no Kubernetes: a fake cluster with small apps in it; "
    "it ends with the program\n"
)
PAGE = re.compile(r"note: until then a browser finds the apps at (http://localhost:\d+/\S+)\n")


def without_page(said: str) -> str:
    """What is left without the line that names the index page, which must be there."""
    left, count = PAGE.subn("", said)
    assert count == 1, said
    return left


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home, a folder for what is temporary, and a PATH without this venv and kubectl."""
    for name in ("home", "tmp", "bin"):
        (tmp_path / name).mkdir()
    for name in ("cat", "grep", "sh", "sleep", "true"):
        found = shutil.which(name)
        assert found is not None, f"the tests need {name}"
        (tmp_path / "bin" / name).symlink_to(found)
    return {
        "PATH": str(tmp_path / "bin"),
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
    }


@pytest.fixture
def demo(environment: Mapping[str, str]) -> Demo:
    """Run ``proxyurls demo`` to its end."""

    def demo(*argv: str, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {"env": environment, "timeout": 60, "check": False}
        settings |= {"capture_output": True, "text": True, **options}
        line = [str(SCRIPTS / "proxyurls"), "demo", *argv]
        done = subprocess.run(line, **settings)  # type: ignore[call-overload]  # noqa: PLW1510
        if done.stderr.startswith(NOTE):
            done.stderr = without_page(done.stderr)
        return done  # type: ignore[no-any-return]

    return demo


@contextmanager
def serving(
    environment: Mapping[str, str], *argv: str
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """``proxyurls demo``, and the lines that it prints once it listens."""
    line = [str(SCRIPTS / "proxyurls"), "demo", *argv]
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, [one.rstrip("\n") for one in iter(process.stdout.readline, LAST)]
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()


@pytest.fixture
def kubectl(environment: dict[str, str]) -> Path:
    """kubectl, put on the PATH."""
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    found = shutil.which("kubectl", path=str(Path(folder).expanduser())) if folder else None
    if found is None:
        reason = "KUBEBUILDER_ASSETS names no folder with kubectl"
        if os.environ.get("PROXYURLS_REQUIRE_REAL"):
            pytest.fail(f"PROXYURLS_REQUIRE_REAL is set, but {reason}", pytrace=False)
        pytest.skip(reason)
    environment["PATH"] += f":{Path(found).parent}"
    return Path(found)
