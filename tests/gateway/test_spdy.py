"""Other protocols than WebSocket: kubectl's SPDY, in front of a server that echoes bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from proxyurls import load_config
from proxyurls.gateway.filter import Filter

from .running import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def echoing() -> Iterator[tuple[str, list[bytes]]]:
    """A server that leaves HTTP when asked for portforward; its URL, and the heads it got."""
    heads: list[bytes] = []

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            if b"portforward" not in head.partition(b"\r\n")[0]:
                connection.sendall(NOTHING)
                return
            heads.append(head)
            connection.sendall(SWITCHED + b"first words")
            while piece := connection.recv(65536):
                connection.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):  # it's closed
            while True:
                threading.Thread(target=converse, args=listening.accept()[:1], daemon=True).start()

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heads
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_port_forward(tmp_path: Path) -> None:
    """A POST that upgrades to SPDY passes, with what comes right behind the answer's head."""
    path = "/api/v1/namespaces/x/pods/y/portforward"
    (tmp_path / "empty").write_text("")
    with (
        echoing() as (url, heads),
        running(
            load_config(str(tmp_path / "empty"), server=url), token=False, api=Filter.of()
        ) as gateway,
        gateway.connect() as connection,
    ):
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "SPDY/3.1",
            "X-Stream-Protocol-Version": "portforward.k8s.io",
            "Content-Length": "0",
        }
        host = gateway.host()
        gateway.send(connection, "POST", path, host=host, headers=headers)
        stream = connection.makefile("rb")
        head = b"".join(iter(stream.readline, b"\r\n"))
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Upgrade: SPDY/3.1\r\n" in head
        assert stream.read(11) == b"first words"
        frame = bytes(range(256)) * 400
        connection.sendall(frame)
        assert stream.read(len(frame)) == frame
        stream.close()
    assert heads[0].startswith(f"POST {path} HTTP/1.1\r\n".encode())
    assert b"X-Stream-Protocol-Version: portforward.k8s.io" in heads[0]
