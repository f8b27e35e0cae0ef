"""Fixtures that any test folder may use: ``apiserver`` and ``serve``.

``tests/conftest.py`` loads this file, so a test merely asks for ``apiserver``: the real
one. The contract's own tests run once for each kind of apiserver there is.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from . import controlplane, fake
from .upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from .cluster import APIServer

    Serve = Callable[..., Upstream]

KINDS: dict[str, Callable[[], AbstractContextManager[APIServer]]] = {
    "real": controlplane.start,
    "fake": fake.start,
}


@contextlib.contextmanager
def started(kind: str) -> Iterator[APIServer]:
    """An apiserver of a kind, as long as the context lasts.

    Skips the test where it can't be had, unless PROXYURLS_REQUIRE_REAL says it must.
    """
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(KINDS[kind]())
        except controlplane.Unavailable as reason:
            if os.environ.get("PROXYURLS_REQUIRE_REAL"):
                pytest.fail(f"PROXYURLS_REQUIRE_REAL is set, but {reason}", pytrace=False)
            pytest.skip(str(reason))
        yield server


@pytest.fixture(scope="session")
def apiserver(request: pytest.FixtureRequest) -> Iterator[APIServer]:
    """A running apiserver, started once and ended with the session.

    It's the real one; the contract's own tests (``conftest.py``) run against every kind.
    """
    with started(getattr(request, "param", "real")) as server:
        yield server


@pytest.fixture(scope="session")
def serve(apiserver: APIServer) -> Iterator[Serve]:
    """Serve an upstream that the apiserver can reach: ``serve(tls=True).address``."""
    with contextlib.ExitStack() as stack:

        def start(*, tls: bool = False) -> Upstream:
            return stack.enter_context(Upstream(apiserver.listen(), tls=tls))

        yield start
