"""Tokens that rotate, under load too: where a credential can be renewed, no 401 reaches a user.

The apiserver itself refuses the old token: it never gets to see it whole (``Wire.revoke``).
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from discovery.commands import kubeconfig
from gateway.running import running

from proxyurls import load_config, service
from proxyurls.client import APIClient

from .subjects import APP, LIST, NAMESPACE, SUBJECTS, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.upstream import Upstream

    from .wire import Wire

ROTATIONS = 4
BETWEEN = 0.3  # seconds, of requests one after the other
KINDS = ("tokenFile", "exec")
READ = """printf '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", \
"status": {"token": "%s"}}' "$(cat "$0")" """


class Rotating(NamedTuple):
    """A folder whose kubeconfig names a token that another one takes the place of."""

    folder: Path
    tokens: tuple[str, str]

    def put(self, number: int) -> None:
        """Replace the file, as the kubelet does."""
        new = self.folder / "new"
        new.write_text(self.tokens[number])
        new.replace(self.folder / "token")


@pytest.fixture(scope="module")
def tokens(apiserver: APIServer, app: Upstream) -> tuple[str, str]:
    """Two, of service accounts that may do the same."""
    del app  # it has made the namespace
    made = []
    for name in ("former", "latter"):
        made.append(apiserver.service_account_token(NAMESPACE, name))
        user = f"system:serviceaccount:{NAMESPACE}:{name}"
        resources = ["services", "services/proxy"]
        apiserver.grant(user, verbs=["get", "list", "create"], resources=resources)
    return made[0], made[1]


@pytest.fixture(params=KINDS)
def rotating(
    request: pytest.FixtureRequest,
    apiserver: APIServer,
    wire: Wire,
    tmp_path: Path,
    tokens: tuple[str, str],
) -> Rotating:
    """The first token is in place; nothing is refused yet."""
    wire.mend()
    file = tmp_path / "token"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/sh",
        "args": ["-c", READ, str(file)],
        "interactiveMode": "Never",
    }
    user: dict[str, Any] = {"tokenFile": str(file)} if request.param == "tokenFile" else {}
    kubeconfig(
        tmp_path / "kubeconfig",
        wire.url,
        user=user or {"exec": plugin},
        cluster={"certificate-authority": str(apiserver.ca_file)},
        namespace=NAMESPACE,
    )
    # Small enough to be sent whole before the answer; else that may be lost to a reset.
    (tmp_path / "upload").write_bytes(bytes(1 << 14))
    made = Rotating(tmp_path, tokens)
    made.put(0)
    return made


@pytest.mark.parametrize("subject", SUBJECTS)
def test_401_once(subject: str, wire: Wire, rotating: Rotating) -> None:
    """The token is refused, and in that moment there is a new one: each subject goes on with it.

    An upload that is read as it is sent can't be sent again, and says so of the 401.
    """
    wire.revoke(rotating.tokens[0], lambda: rotating.put(1))
    outcome = run(subject, rotating.folder, 10.0)
    assert wire.refused
    if subject == "fetch -d":
        assert outcome.code == "1"
        assert "401 Unauthorized" in outcome.said
    else:
        assert (outcome.code in ("0", "fine", "200", "silent"), outcome.said) == (True, ""), outcome
        assert wire.refused == 1
        assert outcome.out or outcome.files


def test_rotation_under_load(wire: Wire, rotating: Rotating) -> None:
    """Threads with clients that share credentials, and browsers, while the token rotates."""
    config = load_config(str(rotating.folder / "kubeconfig"))
    shared = config.credentials()
    over = threading.Event()
    counts: dict[str, int] = {}

    def load(name: str, once: Callable[[], int]) -> None:
        while not over.is_set():
            assert once() == 200, name
            counts[name] = counts.get(name, 0) + 1

    def client(name: str) -> None:
        with APIClient(config, credentials=shared, timeout=10) as made:

            def once() -> int:
                assert made.get_json(LIST)["kind"] == "ServiceList"
                with made.stream("POST", f"{LIST}/web:80/proxy/-/count", body=b"x") as answer:
                    answer.read()
                    return int(answer.status_code)

            load(name, once)

    target = service("web", NAMESPACE, port=80)
    with running(config, only=target) as gateway, ThreadPoolExecutor(5) as pool:
        gateway.enter(gateway.link)
        host = gateway.link.partition("://")[2].partition("/")[0]
        asked = {
            "browser": lambda: gateway.request(APP, host=host).status,
            "form": lambda: gateway.request("/-/count", "POST", host=host, body=b"x").status,
        }
        work = [pool.submit(load, name, once) for name, once in asked.items()]
        work += [pool.submit(client, f"client {number}") for number in range(3)]
        refused = 0
        try:
            for number in range(1, ROTATIONS + 1):
                time.sleep(BETWEEN)
                rotating.put(number % 2)
                wire.revoke(rotating.tokens[(number - 1) % 2])
                time.sleep(BETWEEN)
                refused += wire.refused
        finally:
            over.set()
        for one in work:
            one.result()
    assert refused >= ROTATIONS  # of the gateway's, which looks for a new one only now and then
    assert len(counts) == len(work)
    assert min(counts.values()) > ROTATIONS


def test_a_rotation_that_can_not_be_seen(wire: Wire, rotating: Rotating) -> None:
    """The file has the time, the size and the inode that it had: the 401 tells."""
    file = rotating.folder / "token"
    known = rotating.tokens[0]
    status = file.stat()
    with APIClient(load_config(str(rotating.folder / "kubeconfig"))) as client:
        assert client.get_json(LIST)["kind"] == "ServiceList"
        text = rotating.tokens[1].ljust(len(known))
        file.write_text(text)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        wire.revoke(known)
        assert client.get_json(LIST)["kind"] == "ServiceList"
    assert wire.refused == 1
