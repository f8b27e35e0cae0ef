"""The fake one: `proxyurls.testing.FakeCluster`, filled through its API as the real one is."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxyurls.testing import FakeCluster

from .cluster import write_kubeconfig
from .controlplane import Unavailable
from .filled import FilledByAPI

if TYPE_CHECKING:
    from collections.abc import Iterator

UPSTREAMS = "127.0.0.2"  # not 127.0.0.1: that one is refused, as by the real server


@dataclass
class FakeAPIServer(FilledByAPI):
    """A fake cluster."""

    cluster: FakeCluster

    def listen(self) -> socket.socket:
        """Listen at a free port of a loopback address that the fake may proxy to."""
        return socket.create_server((UPSTREAMS, 0))

    def expire_continue_tokens(self) -> None:
        """Forget the past."""
        self.cluster.expire_continue_tokens()


@contextlib.contextmanager
def start() -> Iterator[FakeAPIServer]:
    """Start a fake cluster, and end it."""
    try:
        socket.create_server((UPSTREAMS, 0)).close()
    except OSError as error:
        raise Unavailable(f"this machine has no address {UPSTREAMS}: {error}") from None
    with FakeCluster(tls=True) as cluster, tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        cluster.allow_address(UPSTREAMS)
        admin = cluster.add_user("token-user", groups=["system:masters"])
        reader = cluster.add_user("reader")
        kubectl = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")).expanduser() / "kubectl"
        apiserver = FakeAPIServer(
            server=cluster.url,
            server6=cluster.url6,
            ca_file=folder / "ca.crt",
            client_certificate=folder / "admin.crt",
            client_key=folder / "admin.key",
            kubeconfig=folder / "kubeconfig",
            admin_token=admin.token,
            reader_token=reader.token,
            kubectl=kubectl.absolute() if kubectl.exists() else None,
            cluster=cluster,
        )
        apiserver.ca_file.write_bytes(cluster.ca_pem)
        apiserver.client_certificate.write_bytes(cluster.admin.certificate)
        apiserver.client_key.write_bytes(cluster.admin.key)
        write_kubeconfig(
            apiserver.kubeconfig,
            server=apiserver.server,
            ca_pem=cluster.ca_pem,
            certificate=cluster.admin.certificate,
            key=cluster.admin.key,
            admin_token=admin.token,
            reader_token=reader.token,
        )
        yield apiserver
