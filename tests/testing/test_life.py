"""The fake cluster's start and its end."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from contract.upstream import make_frame, read_frame

from proxyurls.testing import FakeCluster

from .raw import WEB, asked, talk

if TYPE_CHECKING:
    from collections.abc import Callable


def test_life() -> None:
    """It ends with its with; nothing is left of it: no thread, no file, no port."""
    threads = threading.active_count()
    with FakeCluster() as cluster:
        kubeconfig, url = cluster.kubeconfig, cluster.url
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
    cluster.stop()
    assert not kubeconfig.parent.exists()
    assert threading.active_count() == threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


@pytest.mark.parametrize(
    "use",
    [
        lambda cluster: cluster.kubeconfig,
        lambda cluster: cluster.url,
        lambda cluster: cluster.add_service("web", upstream=print),
        lambda cluster: cluster.allow_address("127.0.0.2"),
    ],
)
def test_not_running(use: Callable[[FakeCluster], object]) -> None:
    """Before its start and after its stop it says that it isn't running."""
    cluster = FakeCluster()
    with pytest.raises(RuntimeError, match="isn't running: start it"):
        use(cluster)
    cluster.start().stop()
    with pytest.raises(RuntimeError, match="isn't running: start it"):
        use(cluster)


def test_starts_once() -> None:
    """It starts once, and says so."""
    with FakeCluster() as cluster, pytest.raises(RuntimeError, match="make a new FakeCluster"):
        cluster.start()
    with pytest.raises(RuntimeError, match="make a new FakeCluster"):
        cluster.start()


def test_async_with() -> None:
    """It may be used in an event loop, and does not block it."""

    async def main() -> int:
        async with FakeCluster() as cluster, httpx.AsyncClient(trust_env=False) as client:
            cluster.add_service("web", upstream=lambda _: "hi")
            return (await client.get(f"{cluster.url}/version")).status_code

    assert asyncio.run(main()) == 200


def test_port() -> None:
    """It listens at the port that was asked for, again and again; a taken one is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"can't listen at port {port} of 127.0.0.1") as error:
            FakeCluster(port=port).start()
        assert error.value.errno == errno.EADDRINUSE
    for _ in range(2):
        with FakeCluster(port=port) as cluster:
            assert cluster.url == f"http://127.0.0.1:{port}"
            assert httpx.get(f"{cluster.url}/version", trust_env=False).status_code == 200


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_port(port: int) -> None:
    """A port that can't be is refused at once."""
    with pytest.raises(ValueError, match=f"not {port}"):
        FakeCluster(port=port)


async def chatty(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that never ends an answer."""
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "yes"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(3600)


def test_quick_end() -> None:
    """It ends at once with watches, WebSockets and streams open, and leaves nothing behind."""
    threads = set(threading.enumerate())
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("error")
        cluster = stack.enter_context(FakeCluster())
        cluster.add_service("web", upstream=chatty)
        cluster.add_service("lazy", upstream=lambda _: time.sleep(0.3))
        for _ in range(3):
            stack.enter_context(asked(cluster, f"{WEB}/stream")).recv(65536)
            stack.enter_context(asked(cluster, "/api/v1/services?watch=1")).recv(65536)
            stack.enter_context(asked(cluster, WEB.replace("web", "lazy") + "/"))
            _, connection, stream = stack.enter_context(talk(cluster, f"{WEB}/ws"))
            connection.sendall(make_frame(b"hello", mask=b"abcd"))
            assert read_frame(stream) == (1, b"yes")
        started = time.monotonic()
        cluster.stop()
        assert time.monotonic() - started < 1
        gc.collect()
    end = time.monotonic() + 5
    while set(threading.enumerate()) - threads and time.monotonic() < end:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= threads


SILENT = """
import socket, time
from proxyurls.testing import FakeCluster
with FakeCluster() as cluster:
    cluster.add_service("web", upstream=lambda request: time.sleep(0.2))
    host, port = cluster.url.removeprefix("http://").split(":")
    for path in ("/api/v1/services?watch=1", "/api/v1/namespaces/default/services/web/proxy/"):
        connection = socket.create_connection((host, int(port)))
        token = f"Authorization: Bearer {cluster.admin.token}"
        connection.sendall(f"GET {path} HTTP/1.1\\r\\nHost: h\\r\\n{token}\\r\\n\\r\\n".encode())
        time.sleep(0.05)
        connection.close()
"""


def test_silence() -> None:
    """With warnings as errors, a whole process says nothing of anything left open."""
    command = [sys.executable, "-W", "error", "-c", SILENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
