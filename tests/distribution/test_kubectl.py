"""The kubectl plugin, as the wheel installs it, with the real kubectl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import proxyurls

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from .installed import Installed

    Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def kubectl(installed: Installed) -> Kubectl:
    """Run the real kubectl on the demo's cluster, with the venv first in PATH."""
    program = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")).expanduser() / "kubectl"
    if not program.exists():
        if os.environ.get("PROXYURLS_REQUIRE_REAL"):
            pytest.fail("PROXYURLS_REQUIRE_REAL is set, but KUBEBUILDER_ASSETS has no kubectl")
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    return lambda *words: installed.run("proxyurls", "demo", "--", program, *words)


def test_kubectl_finds_the_plugin(kubectl: Kubectl, installed: Installed) -> None:
    """Under one name, and nothing about it is to be warned of."""
    done = kubectl("plugin", "list")
    assert done.returncode == 0, done.stderr
    assert str(installed.folder / "bin" / "kubectl-proxyurls") in done.stdout.splitlines()
    ours = [line for line in done.stderr.splitlines() if "proxyurls" in line]
    assert [line for line in ours if not line.startswith("note: ")] == []


def test_its_words_and_flags_are_passed_on(kubectl: Kubectl) -> None:
    """Commands, and kubectl's own flags behind the plugin's name; help says `kubectl proxyurls`."""
    assert proxyurls.__version__ in kubectl("proxyurls", "--version").stdout
    listed = kubectl("proxyurls", "services", "-n", "shop", "-o", "name")
    assert listed.stdout == "service/dashboard\n", listed.stderr
    assert kubectl("proxyurls", "-n", "shop", "services", "-o", "name").stdout == listed.stdout
    assert "usage: kubectl proxyurls url TARGET" in kubectl("proxyurls", "url", "--help").stdout


def test_its_exit_code_and_error_are_kubectl_s(kubectl: Kubectl) -> None:
    """What goes wrong is told once, by us."""
    done = kubectl("proxyurls", "url", "https:web", "--path")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("error: invalid TARGET 'https:web'")


def test_it_is_completed(kubectl: Kubectl) -> None:
    """By `kubectl_complete-proxyurls`, which the wheel brings along."""
    done = kubectl("__complete", "proxyurls", "url", "-n", "kube-system", "kib")
    assert done.stdout == "kibana-logging\n:4\n", done.stderr
