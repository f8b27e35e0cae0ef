"""elasticsearch.py: health and search."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proxyurls.demo.elasticsearch import Elasticsearch
from proxyurls.demo.tweets import tweets
from proxyurls.testing import FakeCluster, Response

from .conftest import App, refusal

if TYPE_CHECKING:
    from .conftest import Run


@pytest.fixture
def demo(fake_cluster: FakeCluster) -> App:
    """The demo's Elasticsearch, at its place."""
    return serve(fake_cluster, App(Elasticsearch([tweets()])))


def serve(fake_cluster: FakeCluster, app: App) -> App:
    fake_cluster.add_service("elasticsearch-logging", "kube-system", ports=9200, upstream=app)
    return app


def test_health_and_search(demo: App, run: Run) -> None:
    """Both are asked, and no credential arrives."""
    done = run("elasticsearch.py", 'user:kimchy AND message:"another tweet"')
    assert (done.returncode, done.stderr) == (0, "")
    health, found, hit = done.stdout.splitlines()
    assert health == "kubernetes_logging is yellow: 5 shards have no node"
    assert found == "1 found"
    assert json.loads(hit) == {
        "user": "kimchy",
        "post_date": "2009-11-15T14:15:51",
        "message": "another tweet, will it be indexed?",
        "likes": 1,
    }
    query = "user%3Akimchy+AND+message%3A%22another+tweet%22"
    assert demo.targets == ["/_cluster/health", f"/_search?q={query}"]
    assert not any("Authorization" in request.headers for request in demo.requests)


def test_newer_ones(fake_cluster: FakeCluster, run: Run) -> None:
    """From Elasticsearch 7 on the number of hits is an object."""
    health = {"cluster_name": "logs", "status": "green", "unassigned_shards": 0}
    hits = {"total": {"value": 1, "relation": "eq"}, "hits": [{"_source": {"user": "jané"}}]}
    serve(fake_cluster, App({"/_cluster/health": health, "/_search": {"hits": hits}}))
    assert run("elasticsearch.py", "*").stdout.splitlines() == [
        "logs is green: 0 shards have no node",
        "1 found",
        '{"user": "jané"}',
    ]


def test_a_query_that_it_refuses(demo: App, run: Run) -> None:
    """Elasticsearch's own words, in one line."""
    said = refusal(run("elasticsearch.py", "user:"))
    assert "/_search?q=user%3A answered 400: {" in said
    assert "Failed to parse query [user:]" in said
    assert demo.targets[-1] == "/_search?q=user%3A"


def test_a_login_page(fake_cluster: FakeCluster, run: Run) -> None:
    """An answer that is no JSON is shown, in one line, and not read."""
    page = Response("<html>\n  log in", headers={"Content-Type": "text/html"})
    serve(fake_cluster, App({"/_cluster/health": page}))
    said = refusal(run("elasticsearch.py", "x"))
    assert said.endswith("svc:9200/_cluster/health answered 200: <html> log in\n")


def test_nothing_there(run: Run) -> None:
    """The apiserver's refusal."""
    said = refusal(run("elasticsearch.py", "x"))
    assert 'services \\"elasticsearch-logging\\" not found' in said


@pytest.mark.parametrize("name", ["elasticsearch.py", "sidecar/ports.py"])
def test_no_cluster(run: Run, name: str) -> None:
    """What load_config says."""
    assert "no apiserver found" in refusal(run(name, "x", kubeconfig="/nowhere"))
