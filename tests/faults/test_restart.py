"""kube-apiserver is killed and started again: streams say that they broke off, watches recover."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import pytest
from contract.controlplane import RealAPIServer
from gateway.conftest import let_in
from gateway.running import running

from proxyurls import load_config

from .subjects import NAMESPACE, WEB

if TYPE_CHECKING:
    from contract.cluster import APIServer
    from contract.upstream import Upstream

    from .conftest import Lead, Start

ENDLESS = "/-/sse/600"  # two minutes
RECOVERY = 15.0  # the longest pause between two tries is 8 s
LABEL = f"web--{NAMESPACE}"


def test_restart(apiserver: APIServer, app: Upstream, lead: Lead, start: Start) -> None:
    """In mid-stream and in mid-watch: fetch fails, a browser sees the end missing, serve's index
    shows what was made afterwards.
    """
    assert isinstance(apiserver, RealAPIServer)
    folder = lead(apiserver.server)
    fetch = start(
        *("-m", "proxyurls", "fetch", WEB, ENDLESS, "--kubeconfig", "kubeconfig"), cwd=folder
    )
    assert fetch.stdout is not None
    with running(load_config(str(folder / "kubeconfig"))) as gateway:
        let_in(gateway, LABEL)
        with gateway.connect() as connection:
            gateway.send(connection, "GET", ENDLESS, host=gateway.host(LABEL))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.readline() == b"data: 0\n"
            assert fetch.stdout.readline() == b"data: 0\n"
            wait_for("idle-00", gateway.request)
            apiserver.restart()
            with pytest.raises(http.client.IncompleteRead):
                answer.read()
        _, err = fetch.communicate(timeout=5)
        assert fetch.returncode == 1
        said = err.decode()
        assert said.startswith("error: the answer broke off after ")
        assert said.endswith(" bytes; what came is not whole\n")
        apiserver.add_service("after-the-restart", NAMESPACE, upstream=app.address)
        wait_for("after-the-restart", gateway.request)
        assert gateway.request("/-/big/5", label=LABEL).body == bytes(5)


def wait_for(name: str, request: object) -> None:
    """Wait until the index shows a service."""
    end = time.monotonic() + RECOVERY
    while name not in request("/").text:  # type: ignore[operator]
        assert time.monotonic() < end, f"{name} is not shown"
        time.sleep(0.1)
