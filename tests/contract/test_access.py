"""The ways in: IPv6, and the kubeconfig that kubectl reads."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from .kubectl import kubectl

if TYPE_CHECKING:
    from .cluster import APIServer


def test_ipv6(apiserver: APIServer) -> None:
    """The server is reached by IPv6 as by IPv4, with a certificate for ::1."""
    if apiserver.server6 is None:
        pytest.skip("this machine has no IPv6 loopback (::1)")
    parts = urlsplit(apiserver.server6)
    assert (parts.hostname, parts.port) == ("::1", urlsplit(apiserver.server).port)
    context = ssl.create_default_context(cadata=apiserver.ca_pem.decode())
    connection = http.client.HTTPSConnection("::1", parts.port, context=context, timeout=10)
    connection.request("GET", "/readyz")
    assert connection.getresponse().read() == b"ok"
    connection.close()


@pytest.mark.parametrize("context", ["admin", "token"])
def test_contexts(apiserver: APIServer, context: str) -> None:
    """The kubeconfig lets kubectl in by client certificate and by token."""
    run = kubectl(apiserver, "--context", context, "get", "--raw", "/readyz")
    assert (run.returncode, run.stdout) == (0, "ok")


def test_reader(apiserver: APIServer) -> None:
    """The kubeconfig lets kubectl in as the reader, who may do nothing."""
    run = kubectl(apiserver, "--context", "reader", "get", "services")
    assert run.returncode == 1
    assert 'User "reader" cannot list resource "services"' in run.stderr


def test_default_context(apiserver: APIServer) -> None:
    """The current context is the admin's, and the token's has a namespace of its own."""
    assert kubectl(apiserver, "config", "current-context").stdout == "admin\n"
    path = '{.contexts[?(@.name=="token")].context.namespace}'
    run = kubectl(apiserver, "config", "view", "-o", f"jsonpath={path}")
    assert run.stdout == "monitoring"
