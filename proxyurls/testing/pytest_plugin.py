"""The fixture ``fake_cluster``: pytest loads this file by its entry point, and little besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxyurls.testing.cluster import FakeCluster


@pytest.fixture
def fake_cluster() -> Iterator[FakeCluster]:
    """A fake cluster of plain http, of this test alone."""
    from proxyurls.testing.cluster import FakeCluster

    with FakeCluster() as cluster:
        yield cluster
