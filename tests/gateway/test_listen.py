"""Where the gateway listens."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from proxyurls.errors import ListenError
from proxyurls.gateway import server

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which another program listens."""
    with socket.create_server((ADDRESS, 0)) as listening:
        yield listening.getsockname()[1]


def first_of(port: int | None) -> int:
    """The port at which the gateway listens."""
    with ExitStack() as stack:
        made = [stack.enter_context(closing(one)) for one in server.listen(ADDRESS, port)]
        ports: set[int] = {one.getsockname()[1] for one in made}
        assert len(ports) == 1
        return ports.pop()


def test_the_first_that_is_free(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the usual one upwards, past those that are in use."""
    monkeypatch.setattr(server, "FIRST_PORT", taken)
    assert taken < first_of(None) < taken + 100


def test_the_usual_one(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody has it."""
    assert server.FIRST_PORT == 8001
    free = first_of(0)
    monkeypatch.setattr(server, "FIRST_PORT", free)
    assert first_of(None) == free
    assert free != taken


def test_a_port_in_use(taken: int) -> None:
    """A port that was asked for is no other one; the message says what to type."""
    with pytest.raises(ListenError, match=f"port {taken} of {ADDRESS} is in use") as caught:
        server.listen(ADDRESS, taken)
    suggested = int(str(caught.value).rpartition("--port ")[2])
    assert suggested > taken
