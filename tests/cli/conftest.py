"""What the command line's tests share: running it here, and as a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxyurls.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., "Result"]
    Child = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: one, cluster: {server: "https://k8s.example:6443"}}
- {name: two, cluster: {server: "https://rancher.example/k8s/clusters/c-1"}}
users:
- {name: admin, user: {token: s3cr3t}}
contexts:
- {name: prod, context: {cluster: one, user: admin, namespace: shop}}
- {name: dev, context: {cluster: two, user: admin}}
"""


@dataclass(frozen=True)
class Result:
    """What a command line did."""

    code: int
    out: str
    err: str

    def refusal(self, code: int = 2) -> str:
        """The text of the one error line."""
        assert (self.code, self.out) == (code, ""), self
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert self.err.endswith("\n")
        return self.err.removeprefix("error: ").rstrip("\n")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, proxy or terminal of the machine that runs the tests."""
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith(("KUBE", "_ARGCOMPLETE", "COMP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/proxyurls"])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def run(*argv: str) -> Result:
        capsys.readouterr()
        code = main(argv)
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def child() -> Child:
    """Run a command line in a process of its own."""

    def child(*argv: str, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {
            "capture_output": True,
            "text": True,
            "timeout": 60,
            "check": False,
        }
        return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: PLW1510
            [sys.executable, "-m", "proxyurls", *argv],
            **{**settings, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, **options},
        )

    return child


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig with two contexts, in $KUBECONFIG."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path
