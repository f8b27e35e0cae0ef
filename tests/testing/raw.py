"""Requests to a fake cluster, as text on a socket."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxyurls.testing import FakeCluster

WEB = "/api/v1/namespaces/default/services/web/proxy"
_WEBSOCKET = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)


def asked(cluster: FakeCluster, path: str, *lines: str) -> socket.socket:
    """A connection on which the cluster's admin has asked for something."""
    host, port = cluster.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    token = f"Authorization: Bearer {cluster.admin.token}"
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: h", token, *lines])
    connection.sendall(f"{head}\r\n\r\n".encode())
    return connection


@contextmanager
def talk(cluster: FakeCluster, path: str, *lines: str) -> Iterator[tuple[str, socket.socket, Any]]:
    """A WebSocket: the head of its answer, the socket, and what comes from it."""
    connection = asked(cluster, path, *_WEBSOCKET, *lines)
    with connection, connection.makefile("rb") as stream:
        head = b""
        while (line := stream.readline()).strip():
            head += line
        yield head.decode(), connection, stream
