"""Examples as a user runs them: a process of its own, that has KUBECONFIG and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from proxyurls.testing import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxyurls.testing import FakeCluster

    Run = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLES = Path(__file__).parents[2] / "examples"
COOKBOOK = EXAMPLES.parent / "docs" / "cookbook.md"


class App:
    """An app that remembers what it was asked.

    Args:
        answers: what it gives for each path; or another app, which answers.
    """

    def __init__(self, answers: Mapping[str, object] | Callable[[Request], object]) -> None:
        self.answers = answers
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> object:
        self.requests.append(request)
        if callable(self.answers):
            return self.answers(request)
        path = request.target.partition("?")[0]
        return self.answers.get(path, Response("no such page", 404))

    @property
    def targets(self) -> list[str]:
        """Path and query of each request so far."""
        return [request.target for request in self.requests]


@pytest.fixture
def run(fake_cluster: FakeCluster, tmp_path: Path) -> Run:
    """Run an example against the fake cluster."""

    def run(
        name: str, *argv: str, kubeconfig: str = str(fake_cluster.kubeconfig), stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(EXAMPLES / name), *argv],
            input=stdin,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": kubeconfig},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def follow(fake_cluster: FakeCluster) -> Callable[[str], httpx.Response]:
    """Open a link as the cluster's admin."""
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    return lambda url: httpx.get(url, headers=headers, trust_env=False)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed example says."""
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith("error: "), done
    assert done.stderr.count("\n") == 1, done
    return done.stderr
