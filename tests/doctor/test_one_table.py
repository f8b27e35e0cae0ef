"""One fault, one cause: doctor, fetch, the gateway's page and the library's error agree."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pytest
from gateway.conftest import let_in
from gateway.running import running

from proxyurls import load_config
from proxyurls.causes import CAUSES
from proxyurls.cli import main
from proxyurls.cli.target_text import parse_target
from proxyurls.gateway.hosts import label
from proxyurls.status import status_error

from .apps import app
from .asking import Doctor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.cluster import APIServer

NAMESPACE = "one-table"
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@pytest.fixture(scope="module")
def kubeconfig(apiserver: APIServer) -> Iterator[Path]:
    """That of a cluster with an app, and services with which something is wrong."""
    apiserver.add_namespace(NAMESPACE)
    listener = apiserver.listen()
    with app(listener, lambda _path, _headers: (200, {}, b"hello")):
        apiserver.add_service("web", NAMESPACE, upstream=listener.getsockname()[:2])
        with apiserver.listen() as other:
            closed = other.getsockname()[:2]
        apiserver.add_service("closed", NAMESPACE, upstream=closed)
        apiserver.add_service("bare", NAMESPACE, endpoints=False)
        yield apiserver.kubeconfig


@pytest.mark.parametrize(
    ("typed", "causes"),
    [
        (f"https:web.{NAMESPACE}:80", ["speaks-http"]),
        (f"closed.{NAMESPACE}:80", ["nothing-listens"]),
        (f"web.{NAMESPACE}:81", ["no-such-port"]),
        (f"web.{NAMESPACE}:nope", ["no-such-port", "pods-not-ready"]),
        (f"gone.{NAMESPACE}:80", ["no-such-service", "no-endpoints"]),
        (f"bare.{NAMESPACE}:80", ["no-endpoints", "no-such-service"]),
    ],
)
def test_the_same_cause(
    kubeconfig: Path,
    apiserver: APIServer,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    causes: list[str],
) -> None:
    """The first is the true one. Where an answer leaves more possible, it says how to tell."""
    found = Doctor(kubeconfig, capsys)(typed).cause
    assert found["name"] == causes[0]

    target = parse_target(typed).target()
    answer = apiserver.get(target.path())
    error = status_error(apiserver.server, answer.status, answer.body, target=target)
    assert set(causes) <= set(error.causes)
    advice = str(error).partition(answer.message)[2]
    if len(error.causes) > 1:
        assert f"`proxyurls doctor {typed}` tells which" in advice
        assert all(CAUSES[name].text in advice for name in causes)

    assert main(["fetch", typed, "--kubeconfig", str(kubeconfig)]) == 1
    assert capsys.readouterr().err == f"error: {error}\n"

    with running(load_config(str(kubeconfig))) as gateway:
        host = label(target)
        assert host
        let_in(gateway, host)
        page = gateway.request("/", label=host, headers=PAGE)
        assert page.status == answer.status
        assert html.escape(str(error)) in page.text
