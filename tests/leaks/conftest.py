"""The bench that the runs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .bench import NAMESPACE, built

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer
    from contract.fixtures import Serve

    from .bench import Bench


@pytest.fixture(scope="session")
def bench(
    apiserver: APIServer, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """Servers, an app, and a kubeconfig full of secrets."""
    app = serve()
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=app.address)
    with built(tmp_path_factory.mktemp("bench"), apiserver, app) as made:
        yield made
