"""README's two commands, as a newcomer runs them: a bare clone, an empty HOME, no cluster.

They install from PyPI and take minutes, so only PROXYURLS_NEWCOMER=1 runs them; .ci/run does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```bash\n(python3 -m venv .*?)\n```$", README, re.MULTILINE | re.DOTALL)
# What a network needs is the machine's, not the newcomer's.
NETWORK = re.compile(r"(?i)(PIP_.*|.*_PROXY|SSL_CERT_.*|REQUESTS_CA_BUNDLE|LANG|LC_.*)")

pytestmark = pytest.mark.skipif(
    os.environ.get("PROXYURLS_NEWCOMER") != "1",
    reason="installs from PyPI and runs all tests: set PROXYURLS_NEWCOMER=1",
)


def as_a_newcomer(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a clone, with nothing of ours in the environment."""
    subprocess.run(["git", "clone", "-q", ROOT, folder / "clone"], check=True)
    home = folder / "home"
    home.mkdir()
    environ = {name: value for name, value in os.environ.items() if NETWORK.fullmatch(name)}
    environ["HOME"] = str(home)
    base = Path(sys.base_prefix, "bin")  # not our venv's: a newcomer has none yet
    environ["PATH"] = f"{base}:/usr/bin:/bin"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder / "clone",
        env=environ,
        text=True,
        capture_output=True,
        timeout=1200,
        check=False,
    )


def test_there_are_two() -> None:
    assert len(COMMANDS) == 2


def test_the_main_job() -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = as_a_newcomer(COMMANDS[0], Path(folder))
    assert done.returncode == 0, done.stderr
    shown = README.split(COMMANDS[0], 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    notes = [line for line in done.stderr.splitlines(keepends=True) if line.startswith("note:")]
    assert plain("".join(notes) + done.stdout) == plain(shown)


def plain(printed: str) -> str:
    """Without what differs each time: ports, since they are free ones, and the token."""
    printed = re.sub(r"(?<=http://127\.0\.0\.1:)\d+", "PORT", printed)
    return re.sub(r"(?<=http://localhost:)\d+/\?token=\S+", "PORT/?token=…", printed)


def test_the_tests() -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = as_a_newcomer(COMMANDS[1], Path(folder))
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d{3,} passed", done.stdout)
    assert "KUBEBUILDER_ASSETS" in done.stdout  # it says why some are skipped
