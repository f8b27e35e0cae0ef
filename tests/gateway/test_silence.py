"""A server that never answers the end of TLS: the gateway leaves no connection behind."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import warnings
from typing import TYPE_CHECKING

import pytest
from client.asking import Authority
from discovery.commands import kubeconfig

from proxyurls import load_config, service
from proxyurls.gateway import connect

from .running import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GARBLED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"


@contextlib.contextmanager
def silent(authority: Authority, says: bytes = b"") -> Iterator[int]:
    """A server that makes TLS connections, says one thing and nothing more; gives its port."""
    context = authority.server("127.0.0.1")
    made: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the listener is shut down
                while True:
                    made.append(context.wrap_socket(listener.accept()[0], server_side=True))
                    made[-1].sendall(says)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    for one in made:
        one.close()


@pytest.mark.parametrize(("says", "status"), [(b"", 504), (GARBLED, 502)])
def test_no_connection_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: bytes, status: int
) -> None:
    """None of a request given up or answered with garbage, nor of the question if it hangs."""
    monkeypatch.setattr(connect, "HANG_SECONDS", 0.3)
    authority = Authority(tmp_path)
    with silent(authority, says) as port:
        path = kubeconfig(
            tmp_path / "kubeconfig", f"https://127.0.0.1:{port}", cluster=authority.cluster
        )
        target = service("web", "default", port=80)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            with running(load_config(str(path)), only=target) as gateway:
                gateway.enter(gateway.link)
                host = gateway.link.partition("://")[2].partition("/")[0]
                for body in (None, bytes(100_000)):
                    assert gateway.request("/x", "PUT", host=host, body=body).status == status
            gc.collect()
    assert [str(one.message) for one in seen] == []
