"""The namespace ``faults``, a wire to the apiserver, and a kubeconfig that leads through it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from discovery.commands import kubeconfig

from .subjects import NAMESPACE, SERVICES
from .wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.cluster import APIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    Lead = Callable[[str], Path]
    Start = Callable[..., subprocess.Popen[bytes]]

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, proxy or terminal of the machine that runs the tests."""
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith(("KUBE", "_ARGCOMPLETE", "COMP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="session")
def app(apiserver: APIServer, serve: Serve) -> Upstream:
    """The app behind the service ``web``, among others without one; two are cluster services."""
    made = serve()
    apiserver.add_namespace(NAMESPACE)
    labels = {"faults": "yes"}
    apiserver.add_service("web", NAMESPACE, upstream=made.address, labels=labels)
    for number in range(SERVICES):
        more = {"kubernetes.io/cluster-service": "true"} if number < 2 else {}
        name = f"idle-{number:02}"
        apiserver.add_service(name, NAMESPACE, endpoints=False, labels=labels | more)
    return made


@pytest.fixture(scope="session")
def wire(apiserver: APIServer, app: Upstream) -> Iterator[Wire]:
    """The wire."""
    with Wire(apiserver) as made:
        yield made


@pytest.fixture
def lead(apiserver: APIServer, tmp_path: Path) -> Lead:
    """Write a kubeconfig that leads to a URL; returns its folder."""

    def lead(url: str) -> Path:
        (tmp_path / "upload").write_bytes(bytes(1 << 20))
        kubeconfig(
            tmp_path / "kubeconfig",
            url,
            user={"token": apiserver.admin_token},
            cluster={"certificate-authority": str(apiserver.ca_file)},
            namespace=NAMESPACE,
        )
        return tmp_path

    return lead


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python in a process of its own; ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        settings: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            # Whoever runs the tests may ignore it, as nohup does.
            "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        }
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("environ", {})}
        command = [sys.executable, *words]
        started.append(subprocess.Popen(command, env=environ, **{**settings, **options}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
