"""A server that never answers the end of TLS: the gateway leaves no connection behind."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import warnings
from typing import TYPE_CHECKING

from client.asking import Authority
from discovery.commands import kubeconfig

from proxyurls import load_config, service
from proxyurls.gateway import connect

from .running import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@contextlib.contextmanager
def silent(authority: Authority) -> Iterator[int]:
    """A server that makes TLS connections, and does nothing more; gives its port."""
    context = authority.server("127.0.0.1")
    made: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the listener is shut down
                while True:
                    made.append(context.wrap_socket(listener.accept()[0], server_side=True))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for one in made:
        one.close()


def test_no_connection_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of a request which was given up, nor that of the question whether it hangs."""
    monkeypatch.setattr(connect, "HANG_SECONDS", 0.3)
    authority = Authority(tmp_path)
    with silent(authority) as port:
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
                    assert gateway.request("/x", "PUT", host=host, body=body).status == 504
            gc.collect()
    assert [str(one.message) for one in seen] == []
