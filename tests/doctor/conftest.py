"""What these tests share: a machine without a configuration, and a service that works."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from .asking import Doctor
from .front import Authority
from .lab import Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.controlplane import RealAPIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    Lead = Callable[..., Doctor]
    Kubectl = Callable[[str, Path | None], None]

NAMESPACE = "doctor-ways"
WEB = f"web.{NAMESPACE}"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig or proxy of the machine that runs the tests."""
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="session")
def web(apiserver: APIServer, serve: Serve) -> str:
    """A service with an app behind it."""
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=serve().address)
    return WEB


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA for what stands in front of the apiserver."""
    return Authority(tmp_path)


@pytest.fixture
def lead(apiserver: APIServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lead:
    """Make a kubeconfig: ``lead(server, cluster={…}, user={…})``, the apiserver's admin else."""

    def lead(
        server: str | None = None,
        *,
        cluster: dict[str, Any] | None = None,
        user: dict[str, Any] | None = None,
    ) -> Doctor:
        trusted = {"certificate-authority": str(apiserver.ca_file)}
        own = {"server": server or apiserver.server, **(trusted if cluster is None else cluster)}
        content = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "front", "user": "ann"}}],
            "clusters": [{"name": "front", "cluster": own}],
            "users": [
                {"name": "ann", "user": {"token": apiserver.admin_token} if user is None else user},
                {"name": "admin", "user": {"token": apiserver.admin_token}},
            ],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        return Doctor(path, capsys)

    return lead


@pytest.fixture(scope="session")
def upstream(serve: Serve) -> Upstream:
    """An app that echoes."""
    return serve()


@pytest.fixture
def lab(
    apiserver: RealAPIServer,
    upstream: Upstream,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> Lab:
    """A namespace for each file of tests."""
    namespace = request.path.stem.replace("test_", "doctor-")
    apiserver.add_namespace(namespace)
    return Lab(apiserver, namespace, upstream, Doctor(apiserver.kubeconfig, capsys))


@pytest.fixture
def kubectl(apiserver: APIServer) -> Kubectl:
    """Type a command with kubectl in it, for a kubeconfig and in its folder."""
    if apiserver.kubectl is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    path = f"{apiserver.kubectl.parent}:{os.environ['PATH']}"

    def kubectl(command: str, kubeconfig: Path | None) -> None:
        assert command.startswith("kubectl "), command
        assert kubeconfig
        environ = {**os.environ, "PATH": path, "KUBECONFIG": str(kubeconfig)}
        words = ["bash", "-c", command]
        subprocess.run(words, check=True, env=environ, cwd=kubeconfig.parent)

    return kubectl
