"""What the clients' tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from discovery.commands import kubeconfig

from proxyurls import load_config

from .asking import ASKS, SECRET, Authority

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from contract.cluster import APIServer

    from proxyurls import Config

    from .asking import Ask, Configure


@pytest.fixture(params=ASKS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return ASKS[request.param]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """A Config for a server, away from this machine's own environment."""

    def configure(server: str, *, environ: Mapping[str, str] | None = None, **parts: Any) -> Config:
        parts.setdefault("user", {"token": SECRET})
        path = kubeconfig(tmp_path / "kubeconfig", server, **parts)
        return load_config(path, environ=environ or {})

    return configure


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def real(apiserver: APIServer, configure: Configure) -> Configure:
    """A Config for the real apiserver."""

    def real(server: str | None = None, **parts: Any) -> Config:
        cluster = {"certificate-authority": str(apiserver.ca_file), **parts.pop("cluster", {})}
        return configure(server or apiserver.server, cluster=cluster, **parts)

    return real
