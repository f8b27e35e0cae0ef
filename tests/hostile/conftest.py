"""Running commands here, from a home with a kubeconfig of the hostile cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli.conftest import Result, environment
from discovery.commands import kubeconfig

from proxyurls.cli import main

from .cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.conftest import Run

__all__ = ["environment"]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run a command line in this process. What is not UTF-8 is lone surrogates in the result."""

    def run(*argv: str) -> Result:
        capsysbinary.readouterr()
        code = main(argv)
        out, err = capsysbinary.readouterr()
        return Result(code, out.decode(errors="surrogateescape"), err.decode())

    return run


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A hostile cluster, which $KUBECONFIG names."""
    with Cluster() as one:
        path = kubeconfig(tmp_path / "kubeconfig", one.url, namespace="shop")
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield one
