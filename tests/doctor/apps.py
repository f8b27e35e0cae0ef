"""Apps behind a service that answer as a test says."""

from __future__ import annotations

import contextlib
import http.server
import threading
from typing import TYPE_CHECKING, Any

from contract.upstream import certificate

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    Reply = tuple[int, Mapping[str, str], bytes]
    # Takes the path with its query, and the headers.
    Respond = Callable[[str, Mapping[str, str]], Reply]


@contextlib.contextmanager
def app(listener: socket.socket, respond: Respond, *, tls: bool = False) -> Iterator[None]:
    """Answer every GET on a listening socket with what a function says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = respond(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = "Content-Length" in headers

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[Any, Any]:
            connection, client = self.socket.accept()
            if tls:
                connection = certificate().wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            return connection, client

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that speaks no TLS, or leaves, is what some tests are about."""

    server = Server(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
