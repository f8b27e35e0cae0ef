"""Asking an apiserver, by each of our clients."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from discovery.servers import OBJECT, Answer, Loopback

from proxyurls import oneshot
from proxyurls.async_client import AsyncAPIClient
from proxyurls.client import APIClient
from proxyurls.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxyurls import Config

    Ask = Callable[..., dict[str, Any]]
    Configure = Callable[..., Config]

SECRET = "s3cret-t0ken"
TIME_LIMIT = 0.3


def by_client(config: Config, path: str, *, timeout: float | None = None) -> dict[str, Any]:
    with APIClient(config, timeout=timeout) as client:
        return client.get_json(path)


def by_tasks(config: Config, path: str, *, timeout: float | None = None) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        client = AsyncAPIClient(config, timeout=timeout)
        try:
            return await client.get_json(path)
        finally:
            await client.aclose()

    return asyncio.run(ask())


ASKS: dict[str, Ask] = {"client": by_client, "oneshot": oneshot.get_json, "tasks": by_tasks}


def always(body: bytes = OBJECT, status: int = 200, **headers: str) -> Loopback:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Loopback(lambda _: Answer(body, status, named))


class Authority:
    """A CA, its file, and servers' contexts."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = str(folder / "ca.crt")
        self._ca.cert_pem.write_to_path(self.file)
        self.cluster = {"certificate-authority": self.file}

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context


def same(config: Config, path: str = "/api", *, timeout: float | None = 10) -> ClusterError:
    """The error of all clients, which is one and the same."""
    caught = []
    for ask in ASKS.values():
        with pytest.raises(ClusterError) as one:
            ask(config, path, timeout=timeout)
        caught.append(one.value)
    first = caught[0]
    for other in caught[1:]:
        assert (type(first), str(first)) == (type(other), str(other))
        assert vars(first) == vars(other)
    text = str(first)
    assert text.isprintable()  # one line
    assert SECRET not in text
    return first
