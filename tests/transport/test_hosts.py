"""Which hosts are in the cluster, and what becomes of requests for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from discovery.servers import Answer, Loopback

from proxyurls import (
    ClusterTransport,
    InvalidConfig,
    InvalidRequest,
    InvalidTarget,
    load_config,
)
from proxyurls.proxied import Rules, app_at
from proxyurls.testing import FakeCluster, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxyurls import Config

    from .asking import Ask

SERVER = "https://api.example:6443"


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as cluster:
        for name, namespace in (("web", "shop"), ("db", "data"), ("web", "svc")):
            cluster.add_service(name, namespace, upstream=lambda request: f"{request.target}")
        yield cluster


@pytest.fixture(scope="module")
def leaves(cluster: FakeCluster) -> Callable[[str], None]:
    """A service that redirects to whatever was said last."""
    said = [""]
    cluster.add_service(
        "leaves", "shop", upstream=lambda _: Response("", 302, {"Location": said[-1]})
    )
    return said.append


@pytest.fixture
def config(cluster: FakeCluster) -> Config:
    return cluster.config()


@pytest.mark.parametrize(
    ("host", "options", "segment"),
    [
        ("web.shop.svc", {}, "shop/web:80"),
        ("web.shop.svc.", {}, "shop/web:80"),
        ("web.shop.svc.cluster.local", {}, "shop/web:80"),
        ("web.svc.svc", {}, "svc/web:80"),
        ("web.shop.svc.corp.example", {"domain": "corp.example"}, "shop/web:80"),
        ("web.shop.svc.corp.example", {}, None),
        ("web.shop.svc.cluster.local", {"domain": "corp.example"}, None),
        # Without ".svc" nothing tells it from the rest of the world, unless it is said.
        ("example.com", {}, None),
        ("web.shop", {}, None),
        ("web", {}, None),
        ("web.shop", {"namespaces": ("shop",)}, "shop/web:80"),
        ("web", {"namespaces": ("shop", "data")}, "shop/web:80"),
        ("db.data", {"namespaces": ("shop", "data")}, "data/db:80"),
        ("example.com", {"namespaces": ("shop",)}, None),
        ("www.web.shop", {"namespaces": ("shop",)}, None),
        ("localhost", {"namespaces": ("shop",)}, None),
        ("127.0.0.1", {"namespaces": ("shop",)}, None),
        ("web--shop.localhost", {"namespaces": ("shop",)}, None),
        ("shop.cluster.local", {"namespaces": ("shop",)}, None),
        ("mysvc", {}, None),
        ("svc", {}, None),
        ("web.shop.mysvc", {}, None),
    ],
)
def test_in_the_cluster(host: str, options: dict[str, Any], segment: str | None) -> None:
    """A host that ends in .svc, or in that and the domain; and what `namespaces` adds."""
    target = app_at(Rules(SERVER, **options), "http", host, None)
    assert (target and f"{target.namespace}/{target.segment}") == segment


def test_ports_and_schemes() -> None:
    """The port is the URL's, or the scheme's own; another scheme is refused."""
    found = app_at(Rules(SERVER), "https", "vault.safe.svc", None)
    assert found is not None
    assert str(found.segment) == "https:vault:443"
    found = app_at(Rules(SERVER), "http", "vault.safe.svc", 8200)
    assert found is not None
    assert str(found.segment) == "vault:8200"
    with pytest.raises(InvalidRequest, match=r"'ftp://vault\.safe\.svc'; type http://"):
        app_at(Rules(SERVER), "ftp", "vault.safe.svc", None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"domain": "Cluster.local"}, "domain name 'Cluster'"),
        ({"domain": ""}, "domain name is empty"),
        ({"namespaces": ["a.b"]}, "namespace name 'a.b'"),
        ({"namespaces": "shop"}, r"namespaces is one text, 'shop'; type \['shop'\]"),
        ({"others": "refused"}, "invalid others 'refused'; type 'direct', 'refuse' or"),
    ],
)
def test_wrong_options(options: dict[str, Any], match: str) -> None:
    """An option that can't be right is refused at once, not when a request has gone astray."""
    with pytest.raises((InvalidTarget, InvalidConfig), match=match):
        ClusterTransport(load_config(server=SERVER, environ={}), **options)


def test_short_names(config: Config, either: Ask) -> None:
    """With `namespaces`, what a pod would write works from here too."""
    for url in ("http://web/x", "http://web.shop/x", "http://web.shop.svc/x"):
        assert either(config, url, namespaces=["shop"]).text == "/x"


@pytest.mark.parametrize("refused", ["http://example.com/", "https://web.shop/", "http://[::1]/"])
def test_others_refused(config: Config, either: Ask, refused: str) -> None:
    """Where that is asked for, no other host is asked."""
    with pytest.raises(InvalidRequest, match="takes no others"):
        either(config, refused, others="refuse")
    assert either(config, "http://web.shop.svc/x", others="refuse").text == "/x"


def test_others_directly(config: Config, either: Ask) -> None:
    """By default they go out as they would without us, their Authorization too."""
    with Loopback(lambda _: Answer(b"hello")) as server:
        answer = either(config, ("GET", f"{server.url}/a%2Fb?c", {"auth": ("me", "pass")}))
        (asked,) = server.requests
    assert (answer.text, asked.target) == ("hello", "/a%2Fb?c")
    assert asked.headers["authorization"] == "Basic bWU6cGFzcw=="
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"


def test_others_by_the_environments_proxy(
    config: Config, either: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As httpx does it where no transport is given. The apiserver is not asked by that proxy."""
    with Loopback(lambda _: Answer(b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert either(config, "http://elsewhere.test/x").text == "by proxy"
        assert either(config, "http://web.shop.svc/x").text == "/x"
        assert [asked.target for asked in proxy.requests] == ["http://elsewhere.test/x"]


def test_others_by_a_transport(config: Config, either: Ask) -> None:
    """Or by one that is given."""
    mock = httpx.MockTransport(lambda request: httpx.Response(200, text=str(request.url)))
    assert (
        either(config, "https://elsewhere.test/x", others=mock).text == "https://elsewhere.test/x"
    )


def test_from_the_cluster_to_another_host(
    config: Config, leaves: Callable[[str], None], either: Ask
) -> None:
    """A redirect out of the cluster is followed there, and takes no credential along."""
    with Loopback(lambda _: Answer(b"out")) as server:
        leaves(server.url)
        answer = either(config, "http://leaves.shop.svc/", follow_redirects=True)
        (asked,) = server.requests
    assert answer.text == "out"
    assert "authorization" not in asked.headers


def test_mounted(config: Config) -> None:
    """By `mounts` it takes some hosts alone, and the client's own options are for the others."""
    with Loopback(lambda _: Answer(b"direct")) as server, ClusterTransport(config) as transport:
        mounts = {"all://*.svc": transport, "all://*.svc.cluster.local": transport}
        with httpx.Client(mounts=mounts, trust_env=False) as client:
            assert client.get("http://web.shop.svc/x").text == "/x"
            assert client.get("http://web.shop.svc.cluster.local/x").text == "/x"
            assert client.get(server.url).text == "direct"


def test_a_proxy_of_the_clients_own(config: Config) -> None:
    """A client with `proxy` sends nothing by the transport that it is given: so httpx has it."""
    with (
        Loopback(lambda _: Answer(b"by proxy")) as proxy,
        httpx.Client(transport=ClusterTransport(config), proxy=proxy.url) as client,
    ):
        assert client.get("http://web.shop.svc/x").text == "by proxy"


def test_of_a_cluster(config: Config) -> None:
    """`Cluster.transport` has the cluster's own config."""
    from proxyurls import Cluster

    with Cluster(config) as cluster, httpx.Client(transport=cluster.transport()) as client:
        assert client.get("http://web.shop.svc/x").text == "/x"
        assert [one.name for one in cluster.services("shop")][-1:] == ["web"]
