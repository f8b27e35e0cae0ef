from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from config.plugins import Plugin
from proxyurls.config import Config, load_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Load(Protocol):
    def __call__(
        self, text: str | None = None, *, environ: Mapping[str, str] | None = None, **flags: Any
    ) -> Config: ...


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """load_config of a kubeconfig text, away from this machine's own environment."""

    def load(
        text: str | None = None, *, environ: Mapping[str, str] | None = None, **flags: Any
    ) -> Config:
        path = None
        if text is not None:
            path = tmp_path / "kubeconfig"
            path.write_text(text, encoding="utf-8")
        flags.setdefault("_service_account", str(tmp_path / "no-service-account"))
        return load_config(path, environ=environ or {}, **flags)

    return load


@pytest.fixture
def service_account(tmp_path: Path) -> Path:
    """The folder that Kubernetes mounts into a pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("sa-token\n")
    (folder / "ca.crt").write_text("sa-ca")
    (folder / "namespace").write_text("sa-ns\n")
    return folder


@pytest.fixture
def plugin(tmp_path: Path, load: Load) -> Plugin:
    """An exec plugin that is yet to be told what to do."""
    return Plugin(tmp_path, load)
