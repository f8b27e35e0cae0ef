"""What runs in the background: the fake apiserver's sockets, and the apps behind it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from aiohttp import web

from proxyurls.testing import upstreams
from proxyurls.testing.background import Background
from proxyurls.testing.cutting import reset
from proxyurls.testing.protocol import Protocol, Server, incoming
from proxyurls.testing.proxy import Proxy
from proxyurls.testing.server import Front

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from proxyurls.testing.api import API
    from proxyurls.testing.faults import Faults
    from proxyurls.testing.refusal import Object
    from proxyurls.testing.requests import Requests
    from proxyurls.testing.upstreams import App, Upstream


class Host:
    """A front on loopback and the apps behind it, from its making to `stop`.

    Args:
        api: the objects.
        requests: where requests are recorded.
        faults: what is to go wrong.
        tls: to serve https with.
        port: where to listen; a free port with 0.

    Raises:
        OSError: it can't listen there.
    """

    def __init__(
        self,
        api: API,
        requests: Requests,
        faults: Faults,
        *,
        tls: ssl.SSLContext | None,
        port: int,
    ) -> None:
        self.api, self.port, self.ipv6 = api, port, False
        self._requests, self._faults = requests, faults
        self._tls = tls
        self._served: list[upstreams.Served] = []
        self._addresses = 0
        self._runner: web.ServerRunner | None = None
        self._background = Background()
        try:
            self._background.run(self._open())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Hang up, shut the apps down and end the thread.

        Raises:
            RuntimeError: the shutdown of an ASGI app failed.
        """
        try:
            self._background.run(self._close())
        finally:
            self._background.stop()

    async def _open(self) -> None:
        self._proxy = Proxy()
        self._front = Front(self.api, self._proxy, self._requests, self._faults)
        self._server = Server(
            *(self._front.handle, Protocol), request_factory=incoming, handler_cancellation=True
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._up(self._runner)

    async def _up(self, runner: web.ServerRunner) -> None:
        await self._listen(runner, "127.0.0.1")
        self.port = runner.addresses[0][1]
        with contextlib.suppress(OSError):
            await self._listen(runner, "::1")
            self.ipv6 = True

    async def _down(self, runner: web.ServerRunner) -> None:
        for site in tuple(runner.sites):
            await site.stop()
        for connection in tuple(self._server.connections):
            reset(connection.transport)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Reset all connections and listen no more, until the ``with`` ends.

        Raises:
            OSError: it can't listen there again.
        """
        runner = self._runner
        if runner is None:
            yield
            return
        self._background.run(self._down(runner))
        try:
            yield
        finally:
            self._background.run(self._up(runner))

    async def _listen(self, runner: web.ServerRunner, host: str) -> None:
        try:
            await web.TCPSite(runner, host, self.port, ssl_context=self._tls).start()
        except OSError as error:
            text = f"the fake cluster can't listen at port {self.port} of {host}: {error.strerror}"
            raise OSError(error.errno, text) from None

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self._proxy.close()
        ends = await asyncio.gather(*(app.close() for app in self._served), return_exceptions=True)
        for error in ends:
            if error is not None:
                raise error

    def lead(
        self, upstream: Upstream | None, ports: list[Object], certificate: ssl.SSLContext | None
    ) -> str:
        """A new address, whose TCP ports lead to an upstream.

        Args:
            upstream: a URL, an address or an app; None where there's nothing.
            ports: ports as services, endpoints and containers have them.
            certificate: what an app is served with by https.
        """
        self._addresses += 1
        ip = f"10.244.{self._addresses // 250}.{self._addresses % 250 + 1}"
        if upstream is None:
            return ip
        address = upstreams.address_of(upstream)
        if address is None:
            address = self._serve(cast("App", upstream), certificate)
        for port in ports:
            if port["protocol"] == "TCP":
                self._front.routes[ip, port["port"]] = address
        return ip

    def _serve(self, app: App, certificate: ssl.SSLContext | None) -> upstreams.Address:
        """The address of an app, which is served once, however many targets lead to it."""
        for one in self._served:
            if one.app is app and (one.certificate is None) is (certificate is None):
                return one.address
        served = upstreams.Served(app, certificate)
        self._background.run(served.open())
        self._served.append(served)
        return served.address

    def allow(self, ip: str) -> None:
        """Let a loopback address be proxied to."""
        self._front.reachable.add(ip)
