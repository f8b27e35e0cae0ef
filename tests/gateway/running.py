"""A gateway on a thread of the test process, and raw requests to it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proxyurls.gateway import server
from proxyurls.gateway.run import Settings, gateway

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxyurls.config import Config

TIME_LIMIT = 20.0


@dataclass(frozen=True)
class Reply:
    """An answer, as it came."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Running:
    """A gateway that runs."""

    port: int
    link: str
    said: list[str]
    loop: asyncio.AbstractEventLoop | None = None
    cookies: dict[str, str] = field(default_factory=dict)

    def connect(self) -> socket.socket:
        """A plain connection to it."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=TIME_LIMIT)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def host(self, label: str = "") -> str:
        """The Host of a label, or of the index."""
        return f"{label}.localhost:{self.port}" if label else f"localhost:{self.port}"

    def send(
        self,
        connection: socket.socket,
        method: str,
        target: str | bytes,
        *,
        host: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Write one request, the target to the byte."""
        lines = {"Host": host}
        if host in self.cookies:
            lines["Cookie"] = self.cookies[host]
        if body is not None:
            lines["Content-Length"] = str(len(body))
        lines.update(headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        raw = target if isinstance(target, bytes) else target.encode()
        connection.sendall(
            b"%s %s HTTP/1.1\r\n%s\r\n%s"
            % (method.encode(), raw, head.encode("latin-1"), body or b"")
        )

    def request(
        self,
        target: str | bytes = "/",
        method: str = "GET",
        *,
        label: str = "",
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send one request on a connection of its own, and read the answer."""
        with self.connect() as connection:
            self.send(
                connection,
                method,
                target,
                host=self.host(label) if host is None else host,
                headers={"Connection": "close", **(headers or {})},
                body=body,
            )
            return read_reply(connection, method)

    def raw(self, data: bytes) -> bytes:
        """Write bytes, and read all that comes."""
        with self.connect() as connection:
            found = b""
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):  # closed at once
                connection.sendall(data)
                while piece := connection.recv(65536):
                    found += piece
            return found

    def enter(self, url: str) -> Reply:
        """Follow an address with a token, and keep the cookie."""
        match = re.fullmatch(r"http://([^/]+)(/.*)", url)
        assert match, url
        reply = self.request(match[2], host=match[1])
        if "Set-Cookie" in reply.headers:
            self.cookies[match[1]] = reply.headers["Set-Cookie"].partition(";")[0]
        return reply

    def tasks(self) -> int:
        """How many tasks there are in its loop."""
        return len(asyncio.all_tasks(self.loop))


def read_reply(connection: socket.socket, method: str = "GET") -> Reply:
    """Read one answer."""
    answer = http.client.HTTPResponse(connection, method=method)
    answer.begin()
    return Reply(answer.status, answer.reason, answer.headers, answer.read())


@contextlib.contextmanager
def running(config: Config, **settings: Any) -> Iterator[Running]:
    """Run a gateway, at a free port, as long as the context lasts."""
    chosen = Settings(**{"port": 0, **settings})
    sockets = server.listen(chosen.address, chosen.port)
    said: list[str] = []
    made: list[Running] = []
    started = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with gateway(config, chosen, sockets, tell=said.append) as one:
            port = sockets[0].getsockname()[1]
            made.append(Running(port, one.link(), said, loop))
            stops.append((loop, stop := asyncio.Event()))
            started.set()
            await stop.wait()

    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert started.wait(TIME_LIMIT), "the gateway did not start"
    try:
        yield made[0]
    finally:
        loop, stop = stops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIME_LIMIT)
        for one in sockets:
            one.close()
        assert not thread.is_alive(), "the gateway did not stop"


def lines(reply: bytes) -> io.BytesIO:
    """Bytes to be read line by line."""
    return io.BytesIO(reply)
