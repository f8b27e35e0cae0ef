"""Small servers on loopback, for what the real apiserver can't be made to do."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from contract.cluster import APIServer
    from typing_extensions import Self


OBJECT = b'{"kind": "Namespace", "apiVersion": "v1"}'


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; the target to the letter."""

    method: str
    target: str
    headers: Mapping[str, str]  # lower case
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What to say to it."""

    body: bytes = OBJECT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Loopback:
    """A server whose answers a function gives, from the ``with`` to its end.

    A forwarding proxy is one too: its targets are whole URLs.
    """

    def __init__(
        self, answer: Callable[[Asked], Answer], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Asked] = []
        self._server = _Server(answer, self.requests, tls)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        answer: Callable[[Asked], Answer],
        requests: list[Asked],
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.requests, self.tls = answer, requests, tls

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, client = self.socket.accept()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client

    def handle_error(self, request: object, client_address: object) -> None:
        """Some clients break off: that's what the test is about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(1 << 20)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        target = self.raw_requestline.split(b" ")[1].decode("iso-8859-1")
        asked = Asked(
            self.command,
            target,
            {name.lower(): value for name, value in self.headers.items()},
            self._body(),
        )
        self.server.requests.append(asked)
        answer = self.server.answer(asked)
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


def reverse_proxy(apiserver: APIServer, prefix: str) -> Loopback:
    """A server that has the apiserver below ``prefix``, as Rancher does; it signs in as admin."""

    def answer(asked: Asked) -> Answer:
        if not asked.target.startswith(prefix + "/"):
            return Answer(b"404 page not found\n", 404, {"Content-Type": "text/plain"})
        accept = asked.headers.get("accept", "*/*")
        target = asked.target[len(prefix) :]
        said = apiserver.request(asked.method, target, headers={"Accept": accept})
        kind = said.headers.get("Content-Type", "text/plain")
        return Answer(said.body, said.status, {"Content-Type": kind})

    return Loopback(answer)


class Tunnels:
    """A CONNECT proxy that leads every tunnel to one address."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.asked: list[str] = []
        self.heads: list[str] = []
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                piece = client.recv(1)
                if not piece:
                    return
                head += piece
            self.heads.append(head.decode())
            self.asked.append(head.split()[1].decode())
            with socket.create_connection(self._address) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Blurter:
    """Reads a request, says some bytes that are no proper answer, and closes (or waits)."""

    def __init__(self, said: bytes | None) -> None:
        self._said = said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._held:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self._said is None:
                    self._held.append(connection)
                    continue
                with connection, contextlib.suppress(OSError):
                    connection.recv(1 << 16)
                    connection.sendall(self._said)
