"""What stands in front of the real apiserver: it ends TLS, and passes on what it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from contract.cluster import APIServer
    from typing_extensions import Self

    Change = Callable[[bytes], bytes]

T = TypeVar("T")

NOW = datetime.now(timezone.utc)


class Authority:
    """A CA and its file.

    Args:
        folder: where the file is written.
        name: the CA's organization.
    """

    def __init__(self, folder: Path, name: str = "front-ca") -> None:
        self._ca = trustme.CA(organization_name=name)
        self.file = folder / f"{name}.crt"
        self._ca.cert_pem.write_to_path(str(self.file))

    def context(self, *names: str, since: timedelta, until: timedelta) -> ssl.SSLContext:
        """A server's context with a certificate for these names and times, from now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.renew(context, *names, since=since, until=until)
        return context

    def renew(
        self,
        context: ssl.SSLContext,
        *names: str,
        since: timedelta = timedelta(days=-1),
        until: timedelta = timedelta(days=1),
    ) -> None:
        """Put another certificate into a context, of which new connections take it."""
        leaf = self._ca.issue_cert(
            *(names or ("127.0.0.1",)), not_before=NOW + since, not_after=NOW + until
        )
        leaf.configure_cert(context)


class Front:
    """Passes all on to the apiserver, from the ``with`` to its end.

    Args:
        apiserver: which one.
        tls: what it shows; None speaks plain http.
        change: what to make of each piece of an answer.
    """

    def __init__(
        self,
        apiserver: APIServer,
        tls: ssl.SSLContext | None = None,
        change: Change = lambda piece: piece,
    ) -> None:
        self.tls = tls
        self.change = change
        parts = urlsplit(apiserver.server)
        self._to = (parts.hostname, parts.port)
        self._trust = ssl.create_default_context(cafile=str(apiserver.ca_file))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(self._start())
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)

    async def _stop(self) -> None:
        self._server.close()
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to
        behind, onward = await asyncio.open_connection(
            host, port, ssl=self._trust, server_hostname="127.0.0.1"
        )
        await asyncio.gather(
            _pump(reader, onward, lambda piece: piece), _pump(behind, writer, self.change)
        )


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, change: Change) -> None:
    try:
        with contextlib.suppress(OSError):
            while piece := await source.read(1 << 16):
                sink.write(change(piece))
                await sink.drain()
    finally:
        sink.transport.abort()
