"""grafana_link.py: a dashboard's URL."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from .conftest import App, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from proxyurls.testing import FakeCluster

    from .conftest import Run

VARIABLES = [("namespace", "a&b"), ("pod", "web-0"), ("pod", "50% ü+/=")]


@pytest.fixture
def grafana(fake_cluster: FakeCluster) -> App:
    """A Grafana with one dashboard."""
    app = App({"/d/pods": "the dashboard"})
    ports = {"http": 3000, "gossip": 9094}
    fake_cluster.add_service("grafana", "monitoring", ports=ports, upstream=app)
    return app


def test_link(
    fake_cluster: FakeCluster, grafana: App, run: Run, follow: Callable[[str], httpx.Response]
) -> None:
    """Grafana gets the variables as they were typed, in their order, whatever is in them."""
    variables = [f"{name}={value}" for name, value in VARIABLES]
    done = run("grafana_link.py", "pods", *variables, "--from", "now-6h")
    assert (done.returncode, done.stderr) == (0, "")
    link = done.stdout.rstrip("\n")
    path = "/api/v1/namespaces/monitoring/services/grafana:3000/proxy/d/pods?"
    assert link.startswith(fake_cluster.url + path)
    assert follow(link).text == "the dashboard"
    (target,) = grafana.targets
    assert parse_qsl(urlsplit(target).query) == [
        ("from", "now-6h"),
        ("to", "now"),
        *((f"var-{name}", value) for name, value in VARIABLES),
    ]


def test_via(grafana: App, run: Run) -> None:
    """The link goes through another base, a kubectl proxy's."""
    done = run("grafana_link.py", "pods", "--via", "http://localhost:8001")
    assert done.stdout == (
        "http://localhost:8001/api/v1/namespaces/monitoring/services/grafana:3000/proxy"
        "/d/pods?from=now-1h&to=now\n"
    )
    assert grafana.targets == []


@pytest.mark.parametrize("uid", ["../../../../secrets", "%2e%2e/%2e%2e/x", "..", "a/../../../x"])
def test_an_uid_that_would_leave_grafana(grafana: App, run: Run, uid: str) -> None:
    """It's refused, or is one piece below /d/."""
    done = run("grafana_link.py", uid)
    if done.returncode == 0:
        assert "/proxy/d/" in done.stdout
        assert "/" not in done.stdout.partition("/proxy/d/")[2]
    else:
        assert "can climb above the target's /proxy/" in refusal(done)


def test_no_grafana(run: Run) -> None:
    """What was looked for, and where."""
    assert "no service fits 'grafana' in any namespace" in refusal(run("grafana_link.py", "pods"))


def test_a_base_that_is_none(grafana: App, run: Run) -> None:
    """It's named, and the link is not printed."""
    assert "'localhost:8001'" in refusal(run("grafana_link.py", "pods", "--via", "localhost:8001"))


def test_no_value(grafana: App, run: Run) -> None:
    """Wrong usage."""
    done = run("grafana_link.py", "pods", "namespace")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: 'namespace' is no NAME=VALUE\n")
