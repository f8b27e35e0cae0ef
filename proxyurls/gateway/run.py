"""A whole gateway, put together from its settings, and run."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import secrets
import signal
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.errors import InvalidConfig
from proxyurls.gateway import server
from proxyurls.gateway.access import Access
from proxyurls.gateway.app import Gateway, href
from proxyurls.gateway.connect import Upstream, in_thread
from proxyurls.gateway.feed import Feed
from proxyurls.gateway.filter import Filter, found
from proxyurls.gateway.hosts import Hosts
from proxyurls.gateway.index import IndexPage

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable

    from proxyurls.config import Config
    from proxyurls.target import Target


_GARBAGE = (20_000, 50, 50)  # how much of it calls for a search


class Settings(NamedTuple):
    """What a gateway is to do.

    Attributes:
        address: the IP address to listen at.
        port: the port; 0 for any free one, None for the first free one from 8001 on.
        unix_socket: a path to listen at instead, or "".
        allow_remote: let the address be one that other machines reach.
        token: ask browsers for a token.
        only: the one target that is served; None for all, with an index.
        path: where the address leads.
        single: serve that target at ``localhost`` itself.
        api: which requests to the API itself may pass; None for none.
        any_host: take the hosts that `api` accepts for ours, whatever their port.
        server_host: send the apiserver's own host, and not the browser's.
    """

    address: str = "127.0.0.1"
    port: int | None = server.FIRST_PORT
    unix_socket: str = ""
    allow_remote: bool = False
    token: bool = True
    only: Target | None = None
    path: str = "/"
    single: bool = False
    api: Filter | None = None
    any_host: bool = False
    server_host: bool = False


def check_address(settings: Settings) -> None:
    """Refuse an address that is none, or that others reach without being told.

    Raises:
        InvalidConfig: with what to type instead.
    """
    address = settings.address
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise InvalidConfig(
            f"invalid --address {address!r}: it takes an IP address; type 127.0.0.1"
        ) from None
    if not (loopback or settings.allow_remote or settings.unix_socket):
        raise InvalidConfig(
            f"--address {address} lets other machines use your credentials; type 127.0.0.1 "
            "(and reach it by `ssh -L`), or add --allow-remote"
        )


@asynccontextmanager
async def gateway(
    config: Config,
    settings: Settings,
    sockets: list[socket.socket],
    *,
    tell: Callable[[str], None],
) -> AsyncIterator[Gateway]:
    """A gateway that answers as long as the context lasts.

    Args:
        config: the apiserver, and as whom.
        settings: what it is to do.
        sockets: that listen; they are closed.
        tell: takes a line for the person at the terminal.
    """
    credentials = config.credentials()
    upstream = Upstream(config, credentials=credentials)
    hosts = Hosts()
    label = None if settings.only is None else hosts.label(settings.only)
    access = Access(
        secrets.token_bytes(32),
        None if settings.unix_socket else int(sockets[0].getsockname()[1]),
        random=lambda: secrets.token_urlsafe(24),
        token=settings.token,
        api=settings.api is not None,
        only=label,
        single=settings.single,
        name="localhost" if _has_labels(settings.address) else _in_url(settings.address),
        any_host=_other_hosts(settings),
    )
    index = None
    feed = None
    if settings.only is None:
        feed = Feed(config, credentials=credentials)
        name = config.context or config.server
        page = IndexPage(
            feed.snapshot, lambda one: href(hosts, one), cluster=name, server=config.server
        )
        index = (page, feed)
    made = Gateway(
        access,
        upstream,
        hosts,
        tell=tell,
        only=settings.only,
        start=("" if settings.single else label or "", settings.path),
        index=index,
        api=settings.api,
        server_host=settings.server_host,
    )
    async with AsyncExitStack() as stack:
        await upstream.start()
        stack.push_async_callback(upstream.close)
        if feed is not None:
            feed.start()
            stack.push_async_callback(in_thread, feed.stop)
        await stack.enter_async_context(server.serving(made, sockets))
        yield made


def run(
    config: Config,
    settings: Settings,
    *,
    tell: Callable[[str], None],
    ready: Callable[[str], None],
) -> signal.Signals:
    """Run a gateway until SIGINT or SIGTERM comes.

    Args:
        config: the apiserver, and as whom.
        settings: what it is to do.
        tell: takes a line for the person at the terminal.
        ready: called with the address, once requests are answered.

    Returns:
        the signal.

    Raises:
        ListenError: the port or socket can't be had.
        InvalidConfig: the address may not be used.
    """
    check_address(settings)
    if not (_has_labels(settings.address) or settings.single or settings.api):
        raise InvalidConfig(
            f"the apps' host names, below localhost, don't lead to --address {settings.address}; "
            "leave it out, or type `open --single` or `serve --api`"
        )
    with ExitStack() as stack:
        if settings.unix_socket:
            sockets = [stack.enter_context(server.listen_unix(settings.unix_socket))]
        else:
            sockets = server.listen(settings.address, settings.port)
            for one in sockets:
                stack.callback(one.close)
        return asyncio.run(_until_signal(config, settings, sockets, tell, ready))


async def _until_signal(
    config: Config,
    settings: Settings,
    sockets: list[socket.socket],
    tell: Callable[[str], None],
    ready: Callable[[str], None],
) -> signal.Signals:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[signal.Signals] = loop.create_future()

    def end(number: signal.Signals) -> None:
        if not came.done():
            came.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, end, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda at, _: loop.call_soon_threadsafe(end, signal.Signals(at)))
    async with gateway(config, settings, sockets, tell=tell) as made:
        # What was loaded stays: looking through it again and again for garbage costs a tenth of
        # the time of a request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        ready(made.link())
        return await came


def _has_labels(address: str) -> bool:
    """Whether browsers come here by ``localhost`` and the names below it."""
    return address in ("127.0.0.1", "::1") or ipaddress.ip_address(address).is_unspecified


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _other_hosts(settings: Settings) -> Callable[[str], bool] | None:
    """Which further names are ours: those of --accept-hosts; and where it listens everywhere, any
    address, since only names can be rebound (an address in a URL is where the browser goes).
    """
    rules = settings.api
    if settings.any_host and rules is not None:
        return lambda name: found(rules.accept_hosts, name)
    if ipaddress.ip_address(settings.address).is_unspecified:
        return _is_address
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
