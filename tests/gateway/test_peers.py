"""Who is at the other end of a connection."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest
from contract.fixtures import KINDS

from proxyurls.gateway import peers

from .running import running

if TYPE_CHECKING:
    from .conftest import Site

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")


@linux
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_owner(family: socket.AddressFamily, address: str) -> None:
    """The user who made the connection; nobody for one that isn't there."""
    try:
        listening = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with listening, socket.create_connection(listening.getsockname()[:2]) as made:
        accepted, peer = listening.accept()
        with accepted:
            own = accepted.getsockname()[:2]
            assert peers.owner(peer[:2], own) == os.getuid()
            assert peers.owner((address, 1), own) is None
        assert made.getsockname()[:2] == peer[:2]


@linux
@pytest.mark.parametrize(
    ("whose", "mine", "stranger"),
    [(1000, 1000, False), (1001, 1000, True), (0, 1000, False), (None, 1000, False), (5, 0, False)],
)
def test_strangers(
    monkeypatch: pytest.MonkeyPatch, whose: int | None, mine: int, *, stranger: bool
) -> None:
    """Other users are; root and who can't be told are not, and root serves everybody."""
    monkeypatch.setattr(peers, "owner", lambda *_: whose)
    monkeypatch.setattr("os.getuid", lambda: mine)
    assert peers.is_stranger(("127.0.0.1", 1), ("127.0.0.1", 2)) is stranger


@linux
@pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")
def test_another_user_of_the_machine(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who read the token in a browser's command line gets no cookie, and the terminal tells."""
    uid = os.getuid()
    with running(site.config()) as gateway:
        with monkeypatch.context() as patched:
            patched.setattr("os.getuid", lambda: uid + 1000)
            patched.setattr(peers, "owner", lambda *_: uid + 1)
            got = gateway.enter(gateway.link)
        assert got.status == 403
        assert "Set-Cookie" not in got.headers
        assert "another user" in gateway.said[0]
        assert gateway.enter(gateway.said[0].rpartition(" ")[2]).status == 303
