"""Streams, many requests at a time, new certificates while running, and the end."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from contract.upstream import arrived
from discovery.commands import kubeconfig

from proxyurls import AsyncClusterTransport, ClusterTransport, load_config

from .asking import WEB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from .conftest import Site

MIB = 1 << 20
BIG = 64 * MIB
FLAT = 16 * MIB  # the apps of these tests hold some, too


@pytest.fixture
def traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def blocks() -> Iterator[bytes]:
    block = bytes(MIB)
    for _ in range(BIG // MIB):
        yield block


async def blocks_in_tasks() -> AsyncIterator[bytes]:
    for block in blocks():
        yield block


@pytest.mark.usefixtures("traced")
def test_streams_in_threads(site: Site) -> None:
    """Bodies of any size go both ways in constant memory."""
    with httpx.Client(transport=ClusterTransport(site.config())) as client:
        assert client.post(f"{WEB}/-/count", content=blocks()).text == str(BIG)
        with client.stream("GET", f"{WEB}/-/big/{BIG}") as answer:
            assert sum(map(len, answer.iter_raw())) == BIG
    assert tracemalloc.get_traced_memory()[1] < FLAT


@pytest.mark.usefixtures("traced")
def test_streams_in_tasks(site: Site) -> None:
    """The same for tasks."""

    async def run() -> None:
        transport = AsyncClusterTransport(site.config())
        async with httpx.AsyncClient(transport=transport) as client:
            sent = await client.post(f"{WEB}/-/count", content=blocks_in_tasks())
            assert sent.text == str(BIG)
            async with client.stream("GET", f"{WEB}/-/big/{BIG}") as answer:
                assert sum([len(data) async for data in answer.aiter_raw()]) == BIG

    asyncio.run(run())
    assert tracemalloc.get_traced_memory()[1] < FLAT


def test_events_come_as_they_are_sent(site: Site) -> None:
    """The first of three server-sent events is here before the last one is sent."""
    with (
        httpx.Client(transport=ClusterTransport(site.config())) as client,
        client.stream("GET", f"{WEB}/-/sse/3") as answer,
    ):
        lines = answer.iter_lines()
        began = time.monotonic()
        assert next(lines) == "data: 0"
        first = time.monotonic() - began
        assert [line for line in lines if line] == ["data: 1", "data: 2"]
        assert time.monotonic() - began > first + 0.3  # they are sent 0.2 seconds apart


def test_threads(site: Site) -> None:
    """Many threads share one transport; each gets its own answer."""
    with httpx.Client(transport=ClusterTransport(site.config())) as client:

        def ask(number: int) -> str:
            return arrived(client.get(f"{WEB}/{number}").content).target

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, range(100))) == [f"/{number}" for number in range(100)]


def test_tasks(site: Site) -> None:
    """So do many tasks, and what one of them gives up is nobody else's."""

    async def run() -> None:
        transport = AsyncClusterTransport(site.config())
        async with httpx.AsyncClient(transport=transport) as client:

            async def ask(number: int) -> str:
                return arrived((await client.get(f"{WEB}/{number}")).content).target

            slow = asyncio.create_task(client.get(f"{WEB}/-/slow/5"))
            await asyncio.sleep(0.2)
            slow.cancel()
            found = await asyncio.gather(*map(ask, range(100)))
            assert found == [f"/{number}" for number in range(100)]
            with pytest.raises(asyncio.CancelledError):
                await slow
            assert transport._leases[-1].users == 0

    asyncio.run(run())


@pytest.fixture
def renewed(site: Site, tmp_path: Path) -> tuple[Path, Any]:
    """A kubeconfig that names its certificate by file, and how to put another in its place."""
    certificate, key = tmp_path / "client.crt", tmp_path / "client.key"
    shutil.copy(site.apiserver.client_certificate, certificate)
    shutil.copy(site.apiserver.client_key, key)
    path = kubeconfig(
        tmp_path / "kubeconfig",
        site.apiserver.server,
        user={"client-certificate": str(certificate), "client-key": str(key)},
        cluster={"certificate-authority": str(site.apiserver.ca_file)},
    )

    def renew() -> None:
        # The same certificate, but other bytes: what counts is that the file is another.
        certificate.write_bytes(b"renewed\n" + certificate.read_bytes())

    return path, renew


def test_a_new_certificate(site: Site, renewed: tuple[Path, Any]) -> None:
    """New requests use it at once. An answer that is being read comes whole by the old one."""
    path, renew = renewed
    transport = ClusterTransport(load_config(path, environ={}))
    with httpx.Client(transport=transport) as client:
        with client.stream("GET", f"{WEB}/-/big/{8 * MIB}") as answer:
            chunks = answer.iter_raw()
            size = len(next(chunks))
            renew()
            assert client.get(WEB).status_code == 200
            assert len(transport._leases) == 2
            assert size + sum(map(len, chunks)) == 8 * MIB
        assert len(transport._leases) == 1
        first = transport._leases[0]
        renew()
        assert client.get(WEB).status_code == 200
        assert transport._leases[0] is not first
    assert transport._leases == []


def test_a_new_certificate_for_tasks(
    site: Site, renewed: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, some seconds later."""
    path, renew = renewed
    monkeypatch.setattr(AsyncClusterTransport, "fresh_seconds", 0.0)

    async def run() -> None:
        transport = AsyncClusterTransport(load_config(path, environ={}))
        async with httpx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", f"{WEB}/-/big/{8 * MIB}") as answer:
                renew()
                assert (await client.get(WEB)).status_code == 200
                assert len(transport._leases) == 2
                assert sum([len(data) async for data in answer.aiter_raw()]) == 8 * MIB
            assert len(transport._leases) == 1

    asyncio.run(run())


def test_files_are_read_in_threads(site: Site) -> None:
    """A task never waits for a file or a plugin, and neither is looked at for each request."""
    config = site.config()
    credentials = config.credentials()
    threads: list[str] = []
    original = credentials.headers

    def headers() -> list[tuple[str, str]]:
        threads.append(threading.current_thread().name)
        return original()

    credentials.headers = headers  # type: ignore[method-assign]

    async def run() -> None:
        transport = AsyncClusterTransport(config, credentials=credentials)
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(3):
                await client.get(WEB)

    asyncio.run(run())
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().name


def test_closed_and_used_again(site: Site) -> None:
    """Closing ends all connections; a transport that is used again makes new ones."""
    transport = ClusterTransport(site.config())
    with httpx.Client(transport=transport) as client:
        assert client.get(WEB).status_code == 200
    assert transport._leases == []
    with pytest.raises(RuntimeError):
        client.get(WEB)
    transport.close()
    with httpx.Client(transport=transport) as client:
        assert client.get(WEB).status_code == 200
