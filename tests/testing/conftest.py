"""A fake cluster with TLS, shared; the plugin's own fixture comes from the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from proxyurls.testing import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Get = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    """A fake cluster with TLS."""
    with FakeCluster(tls=True) as made:
        yield made


@pytest.fixture
def get(fake_cluster: FakeCluster) -> Iterator[Get]:
    """GET something of the plain fake cluster, as its admin."""
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    with httpx.Client(base_url=fake_cluster.url, headers=headers, trust_env=False) as client:
        yield client.get
