"""elasticsearch.py: health and search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxyurls.testing import FakeCluster, Request, Response

from .conftest import App, refusal

if TYPE_CHECKING:
    from .conftest import Run

HEALTH = {"cluster_name": "kubernetes_logging", "status": "yellow", "unassigned_shards": 5}
LOGS = (
    {"user": "kimchy", "message": "trying out Elasticsearch"},
    {"user": "elastic", "message": "willkommen, schön"},
)


def search(total: object) -> App:
    """A small Elasticsearch, that finds all of its logs and says their number in its own way."""

    def answer(request: Request) -> object:
        if request.target.endswith("q=user%3A"):
            return Response('{"error": "Failed to parse query [user:]"}\n', 400)
        return {"hits": {"total": total, "hits": [{"_source": log} for log in LOGS]}}

    return App({"/_cluster/health": HEALTH, "/_search": answer})


def serve(fake_cluster: FakeCluster, app: App) -> App:
    fake_cluster.add_service("elasticsearch-logging", "kube-system", ports=9200, upstream=app)
    return app


@pytest.mark.parametrize("total", [2, {"value": 2, "relation": "eq"}], ids=["6", "7"])
def test_health_and_search(fake_cluster: FakeCluster, run: Run, total: object) -> None:
    """Both are asked, of every Elasticsearch, and no credential reaches it."""
    app = serve(fake_cluster, search(total))
    done = run("elasticsearch.py", "user:kimchy AND ümlaut")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "kubernetes_logging is yellow: 5 shards have no node",
        "2 found",
        '{"user": "kimchy", "message": "trying out Elasticsearch"}',
        '{"user": "elastic", "message": "willkommen, schön"}',
    ]
    query = "user%3Akimchy%20AND%20%C3%BCmlaut"
    assert app.targets == ["/_cluster/health", f"/_search?q={query}"]
    assert not any("Authorization" in request.headers for request in app.requests)


def test_a_query_that_it_refuses(fake_cluster: FakeCluster, run: Run) -> None:
    """Elasticsearch's own words, in one line."""
    app = serve(fake_cluster, search(0))
    said = refusal(run("elasticsearch.py", "user:"))
    assert said.endswith('answered 400: {"error": "Failed to parse query [user:]"}\n')
    assert app.targets[-1] == "/_search?q=user%3A"


def test_a_login_page(fake_cluster: FakeCluster, run: Run) -> None:
    """An answer that is no JSON is shown, in one line, and not read."""
    page = Response("<html>\n  log in", headers={"Content-Type": "text/html"})
    serve(fake_cluster, App({"/_cluster/health": page}))
    said = refusal(run("elasticsearch.py", "x"))
    assert said.endswith("/proxy/_cluster/health answered 200: <html> log in\n")


def test_nothing_there(run: Run) -> None:
    """The apiserver's refusal."""
    said = refusal(run("elasticsearch.py", "x"))
    assert 'services \\"elasticsearch-logging\\" not found' in said


@pytest.mark.parametrize("name", ["elasticsearch.py", "sidecar/ports.py"])
def test_no_cluster(run: Run, name: str) -> None:
    """What load_config says."""
    assert "no apiserver found" in refusal(run(name, "x", kubeconfig="/nowhere"))
