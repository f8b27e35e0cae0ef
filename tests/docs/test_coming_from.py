"""What docs/coming-from.md says of the `kubernetes` client."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from proxyurls import service
from proxyurls.testing import FakeCluster, Request, Response

from .pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str], tuple[str, object]]

PAGE = (ROOT / "docs" / "coming-from.md").read_text("utf-8")


@pytest.fixture
def ask() -> Iterator[Ask]:
    """The client's call for a path: what the app is asked for, and what the caller gets."""
    client: Any = pytest.importorskip("kubernetes")
    asked: list[str] = []

    def app(request: Request) -> Response:
        asked.append(request.target)
        return Response('{"a": true}', headers={"Content-Type": "application/json"})

    with FakeCluster(tls=True) as cluster, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, of its dependencies
        cluster.add_service("web", "shop", upstream=app)
        api = client.config.new_client_from_config(str(cluster.kubeconfig))
        call = client.client.CoreV1Api(api).connect_get_namespaced_service_proxy_with_path

        def asking(path: str) -> tuple[str, object]:
            answer = call("web:80", "shop", path)
            return asked.pop(), answer

        yield asking
        api.rest_client.pool_manager.clear()


def test_what_the_client_makes_of_a_path(ask: Ask) -> None:
    """Each row of the table."""
    rows = re.findall(r'^\| `"(\S+)"` \| `(\S+)` \| (?:`"(.*?)"` for .*)?\|$', PAGE, re.MULTILINE)
    assert len(rows) == 2
    for path, target, answer in rows:
        seen, got = ask(path)
        assert seen == target
        assert answer in ("", got)


def test_what_ours_makes_of_it() -> None:
    """The query stays one."""
    (path, target) = re.findall(r"`service.*\.path\(\"(\S+)\"\)` asks for `(\S+)`", PAGE)[0]
    assert service("web", "shop", port=80).path(path).endswith(f"/proxy{target}")
