"""The real kubectl, with an apiserver's kubeconfig and nothing of this machine's."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .cluster import APIServer


def command(apiserver: APIServer, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment to run kubectl with."""
    if apiserver.kubectl is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    home = apiserver.kubeconfig.parent
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(home)}
    environment["KUBECONFIG"] = str(apiserver.kubeconfig)
    return [str(apiserver.kubectl), *arguments], environment


def kubectl(apiserver: APIServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl to its end."""
    line, environment = command(apiserver, *arguments)
    return subprocess.run(
        line, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
