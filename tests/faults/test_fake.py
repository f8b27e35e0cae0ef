"""The fake cluster's faults are those of ``table.txt``: each command says of both the same.

The table is proved before the real apiserver by test_table.py; here it's held against the fake.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from contract.upstream import Upstream
from discovery.commands import kubeconfig

from proxyurls.testing import FakeCluster, Response

from .injected import FAULTS, JSON, LOGIN
from .subjects import COMPLETION, NAMESPACE, SERVICES, SUBJECTS, run
from .test_table import ROWS, hurry, problems
from .wire import STALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PAGED = {"continue": "*"}
HTML = {"Content-Type": "text/html"}
AWAY = {**HTML, "Location": "https://login.example/?back=1"}
BUSY, OLD = "too many requests", "the continue token is too old"
MADE: dict[str, Callable[[FakeCluster], AbstractContextManager[object]]] = {
    "connection refused": lambda cluster: cluster.down(),
    "reset before the answer": lambda cluster: cluster.faults.reset(),
    "reset in the body": lambda cluster: cluster.faults.reset(after=40),
    "closed in the body": lambda cluster: cluster.faults.truncate(after=40),
    "reset in a list page": lambda cluster: cluster.faults.reset(after=900, query=PAGED),
    "closed in a list page": lambda cluster: cluster.faults.truncate(after=900, query=PAGED),
    "stall before the answer": lambda cluster: cluster.faults.stall(),
    "stall in the body": lambda cluster: cluster.faults.stall(after=40),
    "stall in a list page": lambda cluster: cluster.faults.stall(after=900, query=PAGED),
    "401 once": lambda cluster: cluster.faults.refuse(401, "Unauthorized", times=1),
    "401 for good": lambda cluster: cluster.faults.refuse(401, "Unauthorized"),
    "403": lambda cluster: cluster.faults.refuse(403, "not for you"),
    "403 in a list page": lambda cluster: cluster.faults.refuse(403, "not for you", query=PAGED),
    "409": lambda cluster: cluster.faults.refuse(409, "it was changed meanwhile"),
    "410": lambda cluster: cluster.faults.refuse(410, "too old resource version"),
    "410 once in a list page": lambda cluster: cluster.faults.refuse(
        410, OLD, query=PAGED, times=1
    ),
    "410 in every list page": lambda cluster: cluster.faults.refuse(410, OLD, query=PAGED),
    "429 once, Retry-After 0": lambda cluster: cluster.faults.refuse(
        429, BUSY, retry_after=0, times=1
    ),
    "429 for good, Retry-After 30": lambda cluster: cluster.faults.refuse(
        429, BUSY, retry_after=30
    ),
    "429 without Retry-After": lambda cluster: cluster.faults.refuse(429, BUSY),
    "500": lambda cluster: cluster.faults.refuse(500, "etcdserver: leader changed"),
    "503": lambda cluster: cluster.faults.refuse(503, "the server is shutting down"),
    "503 once, Retry-After 0": lambda cluster: cluster.faults.refuse(
        503, "shutting down", retry_after=0, times=1
    ),
    "502 of a load balancer": lambda cluster: cluster.faults.instead(Response(LOGIN, 502, HTML)),
    "login page": lambda cluster: cluster.faults.instead(Response(LOGIN, headers=HTML)),
    "redirect to a login page": lambda cluster: cluster.faults.instead(Response(b"", 302, AWAY)),
    "invalid JSON": lambda cluster: cluster.faults.instead(
        Response('{"kind": "ServiceList", "items": [', headers={"Content-Type": JSON})
    ),
}


@pytest.fixture(scope="module")
def filled() -> Iterator[FakeCluster]:
    """A fake cluster with the services that the real one has here."""
    with (
        FakeCluster(tls=True) as cluster,
        Upstream(socket.create_server(("127.0.0.1", 0))) as app,
    ):
        labels = {"faults": "yes"}
        cluster.add_service("web", NAMESPACE, upstream=app.address, labels=labels)
        for number in range(SERVICES):
            more = {"kubernetes.io/cluster-service": "true"} if number < 2 else {}
            cluster.add_service(f"idle-{number:02}", NAMESPACE, labels=labels | more)
        yield cluster


@contextlib.contextmanager
def ending(cluster: FakeCluster, name: str) -> Iterator[None]:
    """A stall ends as that of the wire does, since a browser would wait for ever."""
    timer = threading.Timer(STALL_SECONDS, cluster.restart)
    if "stall" in name:
        timer.start()
    yield
    timer.cancel()


@pytest.mark.parametrize("name", MADE)
def test_fault(
    name: str, filled: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each subject says of it just what it says of the real one."""
    limit = FAULTS[name].limit
    hurry(monkeypatch, limit)
    (tmp_path / "upload").write_bytes(bytes(1 << 20))
    (tmp_path / "ca.crt").write_bytes(filled.ca_pem)
    kubeconfig(
        tmp_path / "kubeconfig",
        filled.url,
        user={"token": filled.add_user(name, groups=["system:masters"]).token},
        cluster={"certificate-authority": str(tmp_path / "ca.crt")},
        namespace=NAMESPACE,
    )
    wrong = []
    for subject in SUBJECTS:
        with MADE[name](filled), ending(filled, name):
            outcome = run(subject, tmp_path, limit)
        expected = None if subject == COMPLETION else ROWS[name].of(subject)
        wrong += [
            f"{subject}: {problem}: {outcome}"[:1000]
            for problem in problems(subject, outcome, expected, filled.url)
        ]
    assert not wrong, "\n".join(wrong)


def test_each_is_one_of_the_table() -> None:
    """Faults of both have the same names; what the fake has not are those of TLS and of framing."""
    assert set(MADE) <= set(FAULTS)
