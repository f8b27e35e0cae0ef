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
    from pathlib import Path

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
def test_owner_by_ipv6() -> None:
    """A socket of IPv6 reaches 127.0.0.1, too, and is listed elsewhere."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_INET6) as made,
    ):
        try:
            made.connect(("::ffff:127.0.0.1", listening.getsockname()[1]))
        except OSError:
            pytest.skip("this machine has no IPv6")
        accepted, peer = listening.accept()
        with accepted:
            own = accepted.getsockname()
            assert peer[0] == "127.0.0.1"
            assert peers.owner(peer, own) == os.getuid()
            assert peers.owner((f"::ffff:{peer[0]}", peer[1]), own) == os.getuid()


@linux
def test_nobody_owns_a_closed_socket() -> None:
    """The kernel lists it as root's; here it is nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = socket.create_connection(listening.getsockname())
        made.sendall(b"POST / HTTP/1.1\r\n\r\n")
        made.close()
        accepted, peer = listening.accept()
        with accepted:
            assert peers.owner(peer, accepted.getsockname()) is None


@linux
@pytest.mark.parametrize(
    ("peer", "own", "stranger"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "127.0.0.1", True),  # it may be bound to any of the machine's addresses
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", True),
        ("192.0.2.2", "192.0.2.1", False),
        ("fe80::2%1", "fe80::1%1", False),
    ],
)
def test_an_end_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, peer: str, own: str, *, stranger: bool
) -> None:
    """From this machine it is a stranger's, from another one it can't be told."""
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr(peers, "_owner", lambda *_: None)
    assert peers.is_stranger((peer, 1), (own, 2)) is stranger


@linux
@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_no_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[OSError]) -> None:
    """Where it can't be told, nobody is shut out."""
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr(peers, "_TCP", tmp_path / "missing")
    assert peers.is_stranger(("127.0.0.1", 1), ("127.0.0.1", 2)) is False

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(peers, "_owner", refuse)
    assert peers.is_stranger(("127.0.0.1", 1), ("127.0.0.1", 2)) is False


@linux
@pytest.mark.parametrize(
    ("whose", "mine", "stranger"),
    [(1000, 1000, False), (1001, 1000, True), (0, 1000, False), (5, 0, False), (None, 0, False)],
)
def test_strangers(
    monkeypatch: pytest.MonkeyPatch, whose: int | None, mine: int, *, stranger: bool
) -> None:
    """Other users are; root is not, and root serves everybody."""
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
