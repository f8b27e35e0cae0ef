"""What stands behind kube-dns's TCP port: a server that hangs up on whatever is no DNS.

DNS over TCP is a length of two bytes and as many bytes of a message (RFC 1035, 4.2.2). Of HTTP
"GE" is the length, 18245, which never comes, so CoreDNS hangs up in the end; this one does it at
once. It knows no names, and so answers no DNS either.
"""

from __future__ import annotations

import socketserver
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_PATIENCE = 2.0


class NameServer:
    """Listens on a free loopback port, as long as its ``with`` lasts."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up first, or says nothing, is no news."""


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Read what there is and hang up."""
        self.request.settimeout(_PATIENCE)
        self.request.recv(65536)
