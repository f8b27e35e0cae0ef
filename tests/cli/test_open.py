"""``open``: an app in a browser, at a root of its own."""

from __future__ import annotations

import re
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from .gateways import served

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    from .conftest import Run

NAMESPACE = "opening"


@pytest.fixture(scope="module")
def app(apiserver: APIServer, serve: Serve) -> Upstream:
    """A service ``web``, and one of a similar name."""
    upstream = serve()
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=upstream.address)
    apiserver.add_service("long-name", NAMESPACE, upstream=upstream.address)
    return upstream


def test_the_address_leads_to_the_apps_own_path(apiserver: APIServer, app: Upstream) -> None:
    """With its query and fragment, at the app's own host."""
    argv = ("open", f"web.{NAMESPACE}", "/d/home?x=1#top", "-q", "y=a b", "--no-browser")
    with served(*argv, kubeconfig=apiserver.kubeconfig) as process:
        gateway = process.gateway
        host = gateway.host(f"web--{NAMESPACE}")
        assert process.address.startswith(f"http://{host}/.proxyurls/enter?token=")
        entered = gateway.enter(process.address)
        assert (entered.status, entered.headers["Location"]) == (303, "/d/home?x=1&y=a%20b#top")
        assert gateway.request("/d/home?x=1&y=a%20b", host=host).status == 200
        assert app.last.target == "/d/home?x=1&y=a%20b"
        # and to nothing else
        assert gateway.request("/", host=gateway.host()).status == 403
        assert gateway.request("/", host=gateway.host("other--app")).status == 421
        code, seconds, err = process.stop()
    assert (code, seconds < 2) == (130, True)
    assert f"service 'web' in namespace '{NAMESPACE}'" in err
    assert "Traceback" not in err


def test_the_browser_is_started(apiserver: APIServer, app: Upstream, tmp_path: Path) -> None:
    """The one that BROWSER names, with the address that is printed."""
    script, seen = tmp_path / "browser", tmp_path / "seen"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'w').write(sys.argv[1])"
    )
    script.chmod(0o755)
    argv = ("open", "web", "-n", NAMESPACE)
    with served(*argv, kubeconfig=apiserver.kubeconfig, BROWSER=str(script)) as process:
        end = time.monotonic() + 10
        while not (seen.exists() and seen.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        assert seen.read_text() == process.address


def test_a_browser_that_does_not_start(apiserver: APIServer, app: Upstream) -> None:
    """Is no reason to stop."""
    argv = ("open", "web", "-n", NAMESPACE)
    with served(*argv, kubeconfig=apiserver.kubeconfig, BROWSER="/nowhere/browser") as process:
        assert process.gateway.enter(process.address).status == 303
        time.sleep(0.5)
        err = process.stop()[2]
    assert "Traceback" not in err


def test_single(apiserver: APIServer, app: Upstream) -> None:
    """At localhost itself, for browsers that don't know *.localhost."""
    argv = ("open", "web", "/d", "-n", NAMESPACE, "--single", "--no-browser")
    with served(*argv, kubeconfig=apiserver.kubeconfig) as process:
        gateway = process.gateway
        host = gateway.host()
        assert process.address.startswith(f"http://{host}/.proxyurls/enter?token=")
        assert gateway.enter(process.address).headers["Location"] == "/d"
        assert gateway.request("/d?token=its-own", host=host).status == 200
        assert app.last.values("Host") == [host]
        assert gateway.request("/", host=gateway.host(f"web--{NAMESPACE}")).status == 421


def test_a_port_of_its_own(apiserver: APIServer, app: Upstream) -> None:
    """Two apps can be open at a time, each at one of the gateway's usual ports.

    Which one is the first that is free: tests/gateway/test_listen.py. Other programs take and leave
    these while the test runs.
    """
    argv = ("open", "web", "-n", NAMESPACE, "--no-browser")
    with (
        served(*argv, kubeconfig=apiserver.kubeconfig) as one,
        served(*argv, kubeconfig=apiserver.kubeconfig) as two,
    ):
        ports = {one.gateway.port, two.gateway.port}
        assert len(ports) == 2
        assert ports <= set(range(8001, 8101))


def test_near_names(apiserver: APIServer, app: Upstream) -> None:
    """The one service that is meant, with the reason."""
    argv = ("open", "long", "-n", NAMESPACE, "--no-browser")
    with served(*argv, kubeconfig=apiserver.kubeconfig) as process:
        assert f"://long-name--{NAMESPACE}.localhost:" in process.address
        assert "note: service 'long-name'" in process.stop()[2]


def test_pods_and_explicit_ports(apiserver: APIServer, app: Upstream) -> None:
    """They have hosts of their own."""
    argv = ("open", f"web.{NAMESPACE}:80", "--no-browser")
    with served(*argv, kubeconfig=apiserver.kubeconfig) as process:
        assert re.match(rf"http://web--{NAMESPACE}--80\.localhost:", process.address)
        assert process.gateway.enter(process.address).status == 303
        got = process.gateway.request("/x", label=f"web--{NAMESPACE}--80")
        assert got.status in (200, 403)


@pytest.mark.parametrize(
    ("argv", "message", "code"),
    [
        (("nowhere",), "nowhere", 1),
        ((f"web.{NAMESPACE}:81",), "has no port 81; its ports: ", 1),
        (("pod/nowhere",), 'pods "nowhere" not found', 1),
        (("http://web--x.localhost:8001/",), "a host below localhost is this machine's", 2),
        (("https:web",), "did you mean 'https:web:'?", 2),
        ((f"web.{NAMESPACE}", "../../secrets"), "climb above", 2),
        ((), "TARGET", 2),
    ],
)
def test_refusals(
    apiserver: APIServer, run: Run, argv: tuple[str, ...], message: str, code: int
) -> None:
    """Before anything listens."""
    kubeconfig = ("--kubeconfig", str(apiserver.kubeconfig))
    assert message in run("open", *argv, *kubeconfig, "--no-browser").refusal(code)


def test_a_port_that_was_typed_and_is_taken(apiserver: APIServer, app: Upstream, run: Run) -> None:
    """Is not replaced by another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        kubeconfig = ("--kubeconfig", str(apiserver.kubeconfig))
        result = run("open", f"web.{NAMESPACE}:80", "--no-browser", "-p", str(port), *kubeconfig)
    assert (result.code, result.out) == (1, "")
    note, error = result.err.splitlines()
    assert note.startswith("note: service 'web'")
    assert error.startswith(f"error: port {port} of 127.0.0.1 is in use")
