"""health.py: in-cluster URLs, asked from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyurls.testing import Response

from .conftest import App, refusal

if TYPE_CHECKING:
    from proxyurls.testing import FakeCluster

    from .conftest import Run


REFUSED = (
    "no in-cluster host: 'example.com', and this transport takes no others; "
    "type NAME.NAMESPACE.svc, or leave others='refuse' out"
)


def test_health(fake_cluster: FakeCluster, run: Run) -> None:
    """One that is well, one that redirects, one that isn't, one that isn't there, one outside."""
    app = App(
        {
            "/health": "fine",
            "/old": Response("", 302, {"Location": "/health"}),
            "/broken": Response("", 500),
        }
    )
    fake_cluster.add_service("web", "shop", ports=8080, upstream=app)
    web, nothing = "http://web.shop.svc:8080", "http://nothing.shop.svc/"
    urls = [f"{web}/health", f"{web}/old", f"{web}/broken", nothing, "https://example.com/"]
    done = run("health.py", *urls)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        f"200 OK            {web}/health",
        f"200 OK            {web}/old",
        f"500 Internal Server Error {web}/broken",
        f'404 Not Found (the apiserver: services "nothing" not found) {nothing}',
        f"no answer: {REFUSED} https://example.com/",
    ]
    assert not any("Authorization" in request.headers for request in app.requests)
    assert run("health.py", urls[0]).returncode == 0


def test_no_cluster(run: Run) -> None:
    """What load_config says."""
    assert "no apiserver found" in refusal(run("health.py", "http://x", kubeconfig="/nowhere"))
