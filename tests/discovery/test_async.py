"""What only tasks can do: wait for pages, at once with others, and be cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from proxyurls import APIStatusError, AsyncCluster, Cluster, ConnectionFailed, load_config

from .commands import kubeconfig
from .servers import Answer, Asked, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxyurls import Config

COUNT, PAGE = 1200, 500
NODES = {
    "kind": "NodeList",
    "apiVersion": "v1",
    "items": [
        {
            "metadata": {"name": "n"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}]},
        }
    ],
}


def service(number: int) -> dict[str, Any]:
    kind = "NodePort" if number == PAGE + 3 else "ClusterIP"
    return {
        "metadata": {"name": f"s{number:04}", "namespace": "n"},
        "spec": {"type": kind, "ports": [{"port": 80, "nodePort": 30080}]},
    }


def paged(asked: Asked) -> Answer:
    url = urlsplit(asked.target)
    if url.path == "/api/v1/nodes":
        return Answer(json.dumps(NODES).encode())
    start = int(parse_qs(url.query).get("continue", ["0"])[0])
    end = min(start + PAGE, COUNT)
    content = {
        "kind": "ServiceList",
        "apiVersion": "v1",
        "metadata": {"continue": str(end)} if end < COUNT else {},
        "items": [service(number) for number in range(start, end)],
    }
    return Answer(json.dumps(content).encode())


def refused(code: int, **headers: str) -> Answer:
    content = {"kind": "Status", "apiVersion": "v1", "message": "no", "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(content).encode(), code, named)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(paged) as made:
        yield made


@pytest.fixture
def config(server: Loopback, tmp_path: Path) -> Config:
    return load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})


def test_a_page_is_asked_for_when_it_is_wanted(server: Loopback, config: Config) -> None:
    async def look() -> None:
        async with AsyncCluster(config) as cluster:
            found = cluster.services("n")
            assert server.requests == []
            for number in range(PAGE):
                assert (await found.asend(None)).name == f"s{number:04}"
            assert len(server.requests) == 1
            await found.asend(None)
            assert len(server.requests) == 2
            await found.aclose()
            assert [record async for record in found] == []
        assert len(server.requests) == 2

    asyncio.run(look())


def test_both_give_and_ask_the_same(server: Loopback, config: Config) -> None:
    async def look() -> list[Any]:
        async with AsyncCluster(config, trace=lines.append) as cluster:
            found = cluster.services("n", node_ports=True, on_read=counts.append)
            return [record async for record in found]

    lines: list[str] = []
    counts: list[int] = []
    with Cluster(config) as cluster:
        expected = list(cluster.services("n", node_ports=True))
    asked = [each.target for each in server.requests]
    server.requests.clear()
    assert asyncio.run(look()) == expected
    assert [each.target for each in server.requests] == asked
    assert len(asked) == 4
    assert expected[PAGE + 3].addresses == ("http://10.0.0.7:30080/",)
    assert counts == [500, 1000, 1200]
    assert [line.partition(" in ")[0] for line in lines] == [
        f"GET {server.url}{target} 200 OK" for target in asked
    ]


class Held:
    """Answers nothing before it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.arrived = threading.Semaphore(0)

    def __call__(self, asked: Asked) -> Answer:
        self.arrived.release()
        assert self.free.wait(10)
        return paged(asked)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.free.set()


def test_two_at_once(held: Held, tmp_path: Path) -> None:
    """Both are asked before one is answered."""

    async def look(config: Config) -> list[int]:
        async def count(cluster: AsyncCluster) -> int:
            return len([record async for record in cluster.services("n")])

        async with AsyncCluster(config) as cluster:
            tasks = [asyncio.create_task(count(cluster)) for _ in range(2)]
            for _ in tasks:
                assert await asyncio.to_thread(held.arrived.acquire, timeout=10)
            held.free.set()
            return await asyncio.gather(*tasks)

    with Loopback(held) as server:
        config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
        assert asyncio.run(look(config)) == [COUNT, COUNT]


class Silent:
    """Takes one connection, answers nothing, and sees how it ends."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.arrived.set()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        self.ended.set()
        writer.close()

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.ended = asyncio.Event()


@pytest.mark.parametrize("what", ["services", "resolve", "cluster_services"])
def test_a_cancelled_task_leaves_no_connection(what: str, tmp_path: Path) -> None:
    async def ask(cluster: AsyncCluster) -> None:
        if what == "services":
            async for _ in cluster.services("n"):
                pass
        elif what == "resolve":
            await cluster.resolve("web")
        else:
            await cluster.cluster_services()

    async def look() -> None:
        silent = Silent()
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            config = load_config(kubeconfig(tmp_path / "kubeconfig", url), environ={})
            async with AsyncCluster(config) as cluster:
                task = asyncio.create_task(ask(cluster))
                await asyncio.wait_for(silent.arrived.wait(), 10)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                # Before the cluster is closed.
                await asyncio.wait_for(silent.ended.wait(), 10)

    asyncio.run(look())


def test_a_silent_server(held: Held, tmp_path: Path) -> None:
    """The time limit's error is the same one as that of threads."""

    async def look(config: Config) -> None:
        async with AsyncCluster(config, timeout=0.3) as cluster:
            await cluster.resolve("web")

    with Loopback(held) as server:
        config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
        with pytest.raises(ConnectionFailed) as caught:
            asyncio.run(look(config))
        with Cluster(config, timeout=0.3) as cluster, pytest.raises(ConnectionFailed) as other:
            cluster.resolve("web")
        held.free.set()
    assert str(caught.value) == str(other.value)


def test_waiting_for_a_busy_server_holds_nobody_up(tmp_path: Path) -> None:
    """Retry-After is waited for, and other tasks go on meanwhile."""
    answers = [refused(429, Retry_After="1")]

    async def look(config: Config) -> int:
        async with AsyncCluster(config) as cluster:
            task = asyncio.ensure_future(cluster.cluster_services())
            ticks = 0
            while not task.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert len(await task) == COUNT
            return ticks

    with Loopback(lambda asked: answers.pop() if answers else paged(asked)) as server:
        config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
        started = time.monotonic()
        assert asyncio.run(look(config)) > 20
        assert time.monotonic() - started >= 1
        assert len(server.requests) == 4


@pytest.mark.parametrize("code", [401, 403, 404, 500])
def test_refusals_are_those_of_threads(code: int, tmp_path: Path) -> None:
    async def look(config: Config) -> None:
        async with AsyncCluster(config) as cluster:
            await cluster.cluster_services()

    with Loopback(lambda _: refused(code)) as server:
        config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
        with pytest.raises(APIStatusError) as caught:
            asyncio.run(look(config))
        with Cluster(config) as cluster, pytest.raises(APIStatusError) as other:
            cluster.cluster_services()
    assert vars(caught.value) == vars(other.value)
    assert str(caught.value) == str(other.value)


def test_a_plugin_does_not_hold_the_loop_up(server: Loopback, tmp_path: Path) -> None:
    """It is run in a thread, and once; its token is sent."""
    credential = {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1",
        "status": {"token": "from-the-plugin"},
    }
    code = f"import time; time.sleep(0.5); print({json.dumps(credential)!r})"
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", code],
            "interactiveMode": "Never",
        }
    }
    file = tmp_path / "kubeconfig"
    content = {
        "kind": "Config",
        "apiVersion": "v1",
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(content))

    async def look() -> int:
        async with AsyncCluster(load_config(file, environ={})) as cluster:
            task = asyncio.ensure_future(cluster.cluster_services())
            ticks = 0
            while not task.done():
                await asyncio.sleep(0.01)
                ticks += 1
            await task
            return ticks

    assert asyncio.run(look()) > 10
    sent = {each.headers.get("authorization") for each in server.requests}
    assert sent == {"Bearer from-the-plugin"}


def test_closing_twice_and_using_again(server: Loopback, config: Config) -> None:
    """As with Cluster: closing ends connections, and the next request makes one."""

    async def look() -> None:
        cluster = AsyncCluster(config)
        await cluster.cluster_services()
        await cluster.aclose()
        await cluster.aclose()
        await cluster.cluster_services()
        await cluster.aclose()

    asyncio.run(look())
    assert len(server.requests) == 6


def test_no_warnings(server: Loopback, tmp_path: Path) -> None:
    """Nothing is left open, an iterator that was left in mid-list included."""
    file = kubeconfig(tmp_path / "kubeconfig", server.url)
    code = """
import asyncio, sys
from proxyurls import AsyncCluster, load_config

async def main():
    async with AsyncCluster(load_config(sys.argv[1], environ={})) as cluster:
        async for record in cluster.services("n"):
            print(record.name)
            break

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "s0000\n", "")
