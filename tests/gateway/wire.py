"""A wire to an apiserver, that can be cut, frozen and restored on the same port."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Wire:
    """Passes bytes on to a server, from the ``with`` to its end.

    Args:
        server: the base URL of the server.
    """

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.url = f"{parts.scheme}://127.0.0.1:{self._port}"
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept, self._listener)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flows.set()
        self.cut()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Close the port and all connections: the server has stopped."""
        _close(self._listener)
        with self._lock:
            for one in self._open:
                _close(one)
            self._open.clear()

    def restore(self) -> None:
        """Open the port again: the server is back."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._spawn(self._accept, self._listener)

    def freeze(self) -> None:
        """Let nothing through any more, without closing anything: the network is gone."""
        self._flows.clear()

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it's closed
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                with self._lock:
                    self._open += [client, server]
                self._spawn(self._pump, client, server)
                self._spawn(self._pump, server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it's cut
            while piece := source.recv(1 << 16):
                self._flows.wait()
                sink.sendall(piece)
        _close(sink)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # nobody is there
        one.shutdown(socket.SHUT_RDWR)
    one.close()
