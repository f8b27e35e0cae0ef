"""Real apps as their makers ship them, on loopback ports of this machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from contract import warden

from . import needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from contract.cluster import Address

START_LIMIT = 60.0
SCRIPT = """
import streamlit
value = streamlit.slider("How many", 0, 100, 10)
streamlit.write(f"twice that is {2 * value}")
"""


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[Address]:
    """Prometheus from Debian's package, which watches itself."""
    binary = needs.program("prometheus")
    address = free_port()
    listens = f"{address[0]}:{address[1]}"
    itself = {"job_name": "prometheus", "static_configs": [{"targets": [listens]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [itself]}
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML too
    command = [
        str(binary),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={listens}",
    ]
    # Ready when it has seen itself.
    with running(command, folder, address, "/api/v1/query?query=up", b'"1"'):
        yield address


@contextlib.contextmanager
def streamlit(folder: Path) -> Iterator[Address]:
    """Streamlit from PyPI, with a script of one slider."""
    needs.package("streamlit")
    script = folder / "slider.py"
    script.write_text(SCRIPT)
    address = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.headless=true", "--browser.gatherUsageStats=false"]
    command += [f"--server.address={address[0]}", f"--server.port={address[1]}"]
    with running(command, folder, address, "/_stcore/health", b"ok"):
        yield address


def free_port() -> Address:
    """A port of 127.0.0.1 that was free a moment ago: these apps take no open socket."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        host, port = found.getsockname()
        return host, port


@contextlib.contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    address: Address,
    health: str,
    sign: bytes,
) -> Iterator[None]:
    """Run a server from the time a page of it says ``sign`` to the end of the context."""
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},  # where Streamlit keeps an id
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            end = time.monotonic() + START_LIMIT
            while sign not in body(address, health):
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"{command[0]} didn't start:\n{log.read_text()}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def body(address: Address, path: str) -> bytes:
    """What a server says at a path; nothing while it doesn't run or refuses."""
    connection = http.client.HTTPConnection(*address, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status == 200:
            return answer.read()
    return b""


@contextlib.contextmanager
def relayed(listener: socket.socket, address: Address) -> Iterator[Address]:
    """Pass what comes to a listening socket on to an address, and say where that socket is.

    The socket may be one of the network in which the real apiserver lives: its upstreams are
    nowhere else.
    """

    def serve() -> None:
        with contextlib.suppress(OSError):  # what `accept` raises in the end
            warden.serve(listener, address)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    host, port = listener.getsockname()[:2]
    yield host, port
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()
