"""Completion in real shells, as somebody types, and in kubectl's own completion."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT
from .shells import Shell, programs

if TYPE_CHECKING:
    from proxyurls.testing import FakeCluster

SHELLS = ["bash", "zsh", "fish"]


def found_kubectl() -> Path:
    """The real one."""
    kubectl = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")).expanduser() / "kubectl"
    if not kubectl.exists():
        if os.environ.get("PROXYURLS_REQUIRE_REAL"):
            pytest.fail("PROXYURLS_REQUIRE_REAL is set, but KUBEBUILDER_ASSETS has no kubectl")
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    return kubectl


# Read before tests/cli/conftest.py takes KUBE… out of the environment.
@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The real kubectl."""
    return found_kubectl()


@pytest.fixture
def environ(fake_cluster: FakeCluster, tmp_path: Path) -> dict[str, str]:
    """Our programs, and a cluster with two services."""
    for name in ("web", "worker"):
        fake_cluster.add_service(name)
    return {**programs(tmp_path, ROOT), "KUBECONFIG": str(fake_cluster.kubeconfig)}


@pytest.mark.parametrize("shell", SHELLS)
def test_as_typed(shell: str, environ: dict[str, str]) -> None:
    """A command, an option, a context, services, one with a scheme; and what is ambiguous."""
    with Shell(shell, environ, f"proxyurls completion {shell}") as typed:
        assert typed.tab("proxyurls comp") == "proxyurls completion "
        assert typed.tab("proxyurls url --conte") == "proxyurls url --context "
        assert typed.tab("proxyurls url --context a") == "proxyurls url --context admin "
        assert typed.tab("proxyurls url wo") == "proxyurls url worker "
        assert typed.tab("proxyurls url https:wo").rstrip() == "proxyurls url https:worker:"
        assert typed.tab("proxyurls url w") == "proxyurls url w"
        assert typed.tab("proxyurls url worker.") == "proxyurls url worker.default "
        assert typed.tab("kubectl-proxyurls comp") == "kubectl-proxyurls completion "


def test_kubectl_in_zsh(kubectl: Path, environ: dict[str, str]) -> None:
    """In kubectl's own completion, ours is asked."""
    environ["PATH"] = f"{kubectl.parent}:{environ['PATH']}"
    with Shell("zsh", environ, "kubectl completion zsh") as typed:
        assert typed.tab("kubectl proxyurls comp") == "kubectl proxyurls completion "
        assert typed.tab("kubectl proxyurls url wo") == "kubectl proxyurls url worker "


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["comp"], ["completion\tprint the shell completion script", ":4"]),
        (["url", "wo"], ["worker", ":4"]),
        (["url", "svc/w"], ["svc/web", "svc/worker", ":4"]),
        (["url", "https:wo"], ["https:worker:", ":6"]),
        (["url", "pod"], ["pod/", ":6"]),
        (["url", "-n", "kube"], ["kube-system", ":4"]),
        (["url", "--context", ""], ["admin", ":4"]),
        (["url", "it's a"], [":4"]),
    ],
    ids=" ".join,
)
def test_what_kubectl_gets(
    kubectl: Path, environ: dict[str, str], words: list[str], answer: list[str]
) -> None:
    """One candidate a line, and whether files and a space shall follow."""
    done = subprocess.run(
        [kubectl, "__complete", "proxyurls", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()) == (0, answer), done.stderr


def test_without_a_kubeconfig(environ: dict[str, str], tmp_path: Path) -> None:
    """What can't be known is not completed, and nothing is said."""
    environ["KUBECONFIG"] = str(tmp_path / "none")
    done = subprocess.run(
        [tmp_path / "kubectl_complete-proxyurls", "url", "w"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, ":4\n", "")
