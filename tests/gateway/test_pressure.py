"""What only the real apiserver can show: it holds a sender up, and keeps every byte."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from contract.upstream import make_frame, read_frame, reply

from .conftest import WEB
from .test_upgrade import BINARY, MASK, handshake

if TYPE_CHECKING:
    from .conftest import Gate


def test_a_slow_reader_holds_the_app_up(gate: Gate) -> None:
    """What is not read waits at the sender, and nothing is lost."""
    frame = make_frame(os.urandom(1 << 16), BINARY, mask=MASK)
    with gate.gateway.connect() as connection:
        _, stream = handshake(gate, connection)
        connection.settimeout(2)
        with pytest.raises(TimeoutError):  # 128 MB would not fit into any buffer of ours
            connection.sendall(frame * 2000)
        connection.settimeout(20)
        first = read_frame(stream)
        assert first is not None
        assert len(first[1]) == 1 << 16


def test_bytes_of_headers(gate: Gate) -> None:
    """Those of an answer pass as they are, also where they are no UTF-8."""
    made = reply(b"x", headers={"Content-Type": "x/y", "X-Name": "caf\u00e9"})
    with gate.gateway.connect() as connection:
        gate.gateway.send(connection, "GET", "/", host=gate.gateway.host(WEB), headers=made)
        assert b"\r\nX-Name: caf\xe9\r\n" in connection.recv(65536)


def test_bytes_of_a_requests_headers(gate: Gate) -> None:
    """The client sends no others than UTF-8, so the text arrives, in other bytes."""
    seen = gate.echo(headers={"X-Name": "caf\u00e9"})
    assert seen.values("X-Name") == ["caf\u00c3\u00a9"]
