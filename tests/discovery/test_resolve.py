"""Which service was meant, on the real apiserver: and each answer really leads there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from contract.cluster import ContainerPort, Port

from proxyurls import load_config
from proxyurls.errors import (
    AmbiguousService,
    APIStatusError,
    InvalidInput,
    InvalidTarget,
    ServiceNotFound,
)

from .commands import environment, proxyurls
from .tasks import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from contract.cluster import APIServer

    from .tasks import AnyCluster

    ClusterOf = Callable[..., AnyCluster]
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    from proxyurls import Resolved

HOME, AWAY, FENCED = "monitoring", "resolve-away", "resolve-fenced"
TLS = "https"


@dataclass(frozen=True)
class Town:
    """Three namespaces; the context ``token`` is at home in ``monitoring``.

    =============  ==========  ==================================================
    resolve-graph  HOME, AWAY  3000
    resolve-dash   AWAY        443, https
    resolve-lone   AWAY        80, displayed as Lighthouse
    resolve-multi  AWAY        9000 x, 8080 http, 8443 admin (https), 53 dns (UDP)
    resolve-alias  AWAY        an ExternalName
    resolve-udp    AWAY        53 UDP
    resolve-bare   AWAY        no ports
    resolve-pair-… AWAY        …-one and …-two
    fenced-shop    FENCED      80
    =============  ==========  ==================================================
    """

    apiserver: APIServer
    plain: Upstream
    other: Upstream
    tls: Upstream

    def get(self, found: Resolved) -> Upstream:
        """The upstream that answered at a resolved target."""
        upstreams = (self.plain, self.other, self.tls)
        before = [len(each.requests) for each in upstreams]
        answer = self.apiserver.get(found.target.path("/who"))
        assert answer.status == 200, answer
        assert answer.json()["target"] == "/who"
        (heard,) = (
            each
            for each, count in zip(upstreams, before, strict=True)
            if len(each.requests) > count
        )
        return heard


@pytest.fixture(scope="module")
def town(apiserver: APIServer, serve: Serve) -> Iterator[Town]:
    made = Town(apiserver, plain=serve(), other=serve(), tls=serve(tls=True))
    plain, other, tls = made.plain.address, made.other.address, made.tls.address
    for name in (HOME, AWAY, FENCED):
        apiserver.add_namespace(name)
    paths = []

    def add(name: str, space: str, **more: Any) -> None:
        paths.append(f"/api/v1/namespaces/{space}/services/{name}")
        apiserver.add_service(name, space, **more)

    add("resolve-graph", HOME, ports=[Port(3000)], upstream=plain)
    add("resolve-graph", AWAY, ports=[Port(3000)], upstream=other)
    add("resolve-dash", AWAY, ports=[Port(443)], upstream=tls)
    lighthouse = {"kubernetes.io/name": "Lighthouse"}
    add("resolve-lone", AWAY, upstream=other, labels=lighthouse)
    ports = [
        Port(9000, "x", upstream=other),
        Port(8080, "http", upstream=plain),
        Port(8443, "admin", upstream=tls),
        Port(53, "dns", "UDP", upstream=plain),
    ]
    add("resolve-multi", AWAY, ports=ports)
    add("resolve-alias", AWAY, type="ExternalName", external_name="db.test", endpoints=False)
    add("resolve-udp", AWAY, ports=[Port(53, "dns", "UDP")], endpoints=False)
    add("resolve-bare", AWAY, ports=[], endpoints=False)
    for name in ("resolve-pair-one", "resolve-pair-two"):
        add(name, AWAY, upstream=plain)
    add("fenced-shop", FENCED, upstream=plain)
    yield made
    for path in paths:
        apiserver.request("DELETE", path)
        apiserver.request("DELETE", path.replace("/services/", "/endpoints/"))


@pytest.fixture(params=KINDS)
def cluster_of(request: pytest.FixtureRequest) -> ClusterOf:
    def made(apiserver: APIServer, context: str, **flags: Any) -> AnyCluster:
        config = load_config(apiserver.kubeconfig, context=context, environ={}, **flags)
        return KINDS[request.param](config)

    return made


@pytest.fixture
def cluster(town: Town, cluster_of: ClusterOf) -> Iterator[AnyCluster]:
    with cluster_of(town.apiserver, "token") as made:
        assert made.config.namespace == HOME
        yield made


class TestName:
    def test_exact_at_home(self, town: Town, cluster: AnyCluster) -> None:
        found = cluster.resolve("resolve-graph")
        assert (found.target.namespace, str(found.target.segment)) == (HOME, "resolve-graph:3000")
        assert found.why == (
            "service 'resolve-graph' in namespace 'monitoring' (the exact name), "
            "port 3000 (the only TCP port), http (nothing says https)"
        )
        assert town.get(found) is town.plain

    def test_exact_elsewhere(self, town: Town, cluster: AnyCluster) -> None:
        found = cluster.resolve("resolve-graph", AWAY)
        assert found.target.namespace == AWAY
        assert town.get(found) is town.other
        found = cluster.resolve("resolve-dash")
        assert (found.target.namespace, found.target.scheme) == (AWAY, TLS)
        assert "(the exact name), port 443" in found.why
        assert town.get(found) is town.tls

    @pytest.mark.parametrize("typed", ["Lighthouse", "lighthouse", "LIGHTHOUSE"])
    def test_display_name(self, town: Town, cluster: AnyCluster, typed: str) -> None:
        found = cluster.resolve(typed)
        assert (found.target.name, found.target.namespace) == ("resolve-lone", AWAY)
        assert "(its display name)" in found.why
        assert town.get(found) is town.other

    def test_prefix(self, cluster: AnyCluster) -> None:
        found = cluster.resolve("resolve-mul")
        assert found.target.name == "resolve-multi"
        assert "(the only name with that start)" in found.why

    def test_substring(self, town: Town, cluster: AnyCluster) -> None:
        found = cluster.resolve("solve-das")
        assert found.target.name == "resolve-dash"
        assert "(the only name that holds it)" in found.why
        assert town.get(found) is town.tls

    def test_the_better_match_wins(self, town: Town, cluster: AnyCluster) -> None:
        """An exact name before a prefix, a prefix before a substring."""
        for name in ("resolve", "has-resolve-lone-within"):
            town.apiserver.add_service(name, AWAY, upstream=town.plain.address)
        try:
            assert cluster.resolve("resolve").target.name == "resolve"
            assert cluster.resolve("resolve-lon").target.name == "resolve-lone"
            with pytest.raises(AmbiguousService):
                cluster.resolve("solve-lone")
        finally:
            for name in ("resolve", "has-resolve-lone-within"):
                path = f"/api/v1/namespaces/{AWAY}/services/{name}"
                town.apiserver.request("DELETE", path)

    def test_two_candidates(self, cluster: AnyCluster) -> None:
        with pytest.raises(AmbiguousService) as caught:
            cluster.resolve("resolve-pair")
        expected = (f"resolve-pair-one.{AWAY}", f"resolve-pair-two.{AWAY}")
        assert caught.value.candidates == expected
        assert str(caught.value) == (
            f"2 services fit 'resolve-pair': {expected[0]}, {expected[1]}; "
            "type one of these in its place"
        )

    def test_two_namespaces(self, cluster_of: ClusterOf, town: Town) -> None:
        with cluster_of(town.apiserver, "admin") as cluster:  # at home in default
            with pytest.raises(AmbiguousService) as caught:
                cluster.resolve("resolve-graph")
            assert caught.value.candidates == (f"resolve-graph.{HOME}", f"resolve-graph.{AWAY}")

    def test_nothing(self, cluster: AnyCluster) -> None:
        with pytest.raises(ServiceNotFound) as caught:
            cluster.resolve("resolve-grahp")
        assert f"resolve-graph.{AWAY}" in caught.value.candidates
        assert str(caught.value).startswith(
            "no service fits 'resolve-grahp' in any namespace; near: "
        )
        for candidate in caught.value.candidates:
            assert candidate in str(caught.value)

    def test_every_namespace_of_a_near_name_is_named(self, cluster: AnyCluster) -> None:
        with pytest.raises(ServiceNotFound) as caught:
            cluster.resolve("resolve-grahp")
        near = set(caught.value.candidates)
        assert near >= {f"resolve-graph.{HOME}", f"resolve-graph.{AWAY}"}

    def test_nothing_like_it(self, cluster: AnyCluster) -> None:
        with pytest.raises(ServiceNotFound, match="`proxyurls services -A` lists what there is"):
            cluster.resolve("zzzzzz")

    def test_not_in_that_namespace(self, cluster: AnyCluster) -> None:
        with pytest.raises(ServiceNotFound, match=f"in namespace '{HOME}'"):
            cluster.resolve("resolve-dash", HOME)

    @pytest.mark.parametrize("typed", [" ", "a b", "a/b", "../x", "a?b", "Ä", "x" * 300])
    def test_what_is_no_name(self, cluster: AnyCluster, typed: str) -> None:
        with pytest.raises((InvalidInput, ServiceNotFound)):
            cluster.resolve(typed)

    def test_no_name_at_all(self, cluster: AnyCluster) -> None:
        with pytest.raises(InvalidInput):
            cluster.resolve("")

    @pytest.mark.parametrize("space", ["a/b", "../x", "A", "a b", "a?b"])
    def test_what_is_no_namespace(self, cluster: AnyCluster, space: str) -> None:
        for name in ("resolve-graph", "Lighthouse", "not a name"):
            with pytest.raises(InvalidTarget):
                cluster.resolve(name, space)
        with pytest.raises(InvalidTarget):
            list(cluster.services(space))
        with pytest.raises(InvalidTarget):
            cluster.cluster_services(space)


class TestPort:
    @pytest.mark.parametrize(
        ("port", "segment", "reached"),
        [
            (None, "resolve-multi:8080", "plain"),
            (9000, "resolve-multi:9000", "other"),
            ("9000", "resolve-multi:9000", "other"),
            ("x", "resolve-multi:9000", "other"),
            ("http", "resolve-multi:8080", "plain"),
            ("admin", "https:resolve-multi:8443", "tls"),
            (8443, "https:resolve-multi:8443", "tls"),
        ],
    )
    def test_of_many(
        self, town: Town, cluster: AnyCluster, port: int | str | None, segment: str, reached: str
    ) -> None:
        found = cluster.resolve("resolve-multi", port=port)
        assert str(found.target.segment) == segment
        assert town.get(found) is getattr(town, reached)

    def test_scheme_as_given(self, town: Town, cluster: AnyCluster) -> None:
        found = cluster.resolve("resolve-multi", port="x", scheme="https")
        assert str(found.target.segment) == "https:resolve-multi:9000"
        assert found.why.endswith("port 9000, https (as given)")
        found = cluster.resolve("resolve-dash", scheme="http")
        assert found.target.scheme in (None, "http")
        answer = town.apiserver.get(found.target.path("/"))
        assert answer.status != 200  # it's the app that speaks https

    @pytest.mark.parametrize("port", ["dns", 53])
    def test_udp(self, cluster: AnyCluster, port: int | str) -> None:
        with pytest.raises(ServiceNotFound, match=r"has no proxy URL.* not spoken over UDP"):
            cluster.resolve("resolve-multi", port=port)

    @pytest.mark.parametrize("port", ["nope", 81])
    def test_no_such_port(self, cluster: AnyCluster, port: int | str) -> None:
        with pytest.raises(ServiceNotFound) as caught:
            cluster.resolve("resolve-multi", port=port)
        assert f"has no port {port!r}" in str(caught.value)
        assert "9000 (x), 8080 (http), 8443 (admin), 53 (dns)" in str(caught.value)

    @pytest.mark.parametrize("port", [0, 65536, "Not_A_Port", "", -1])
    def test_what_is_no_port(self, cluster: AnyCluster, port: int | str) -> None:
        with pytest.raises(InvalidTarget):
            cluster.resolve("resolve-multi", port=port)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("resolve-alias", "an ExternalName is a DNS alias for db.test"),
            ("resolve-udp", "no TCP port: 53/UDP"),
            ("resolve-bare", "the service has no ports"),
        ],
    )
    def test_none_to_proxy_to(self, cluster: AnyCluster, name: str, why: str) -> None:
        with pytest.raises(ServiceNotFound) as caught:
            cluster.resolve(name)
        assert f"service {name!r} in namespace {AWAY!r} has no proxy URL: {why}" in str(
            caught.value
        )


class TestRights:
    """The user ``reader`` sees what was granted, and nothing else."""

    def test_none(self, cluster_of: ClusterOf, town: Town) -> None:
        with cluster_of(town.apiserver, "reader", as_user="nobody") as cluster:
            with pytest.raises((ServiceNotFound, APIStatusError)) as caught:
                cluster.resolve("resolve-graph")
            assert "\n" not in str(caught.value)

    @pytest.fixture
    def fenced(self, town: Town) -> str:
        """A user who may list one namespace's services, and do nothing else."""
        user = "fenced"
        town.apiserver.grant(user, verbs=["list"], resources=["services"], namespace=FENCED)
        return user

    @pytest.mark.parametrize("typed", ["fenced-shop", "fenced", "shop"])
    def test_the_own_namespace_only(
        self, cluster_of: ClusterOf, town: Town, fenced: str, typed: str
    ) -> None:
        flags = {"as_user": fenced, "namespace": FENCED}
        with cluster_of(town.apiserver, "token", **flags) as cluster:
            assert cluster.resolve(typed).target.name == "fenced-shop"
            assert cluster.resolve(typed, FENCED).target.name == "fenced-shop"
            with pytest.raises(ServiceNotFound, match=f"in namespace '{FENCED}'"):
                cluster.resolve("resolve-dash")

    def test_a_namespace_that_may_not_be_listed(
        self, cluster_of: ClusterOf, town: Town, fenced: str
    ) -> None:
        with (
            cluster_of(town.apiserver, "token", as_user=fenced) as cluster,
            pytest.raises(APIStatusError, match="403 Forbidden"),
        ):
            cluster.resolve("resolve-dash", AWAY)

    def test_namespaces_may_be_listed(self, cluster_of: ClusterOf, town: Town) -> None:
        """Each namespace is then asked for by itself."""
        user = "walker"
        town.apiserver.grant(user, verbs=["list"], resources=["namespaces"])
        for space in (FENCED, AWAY):
            town.apiserver.grant(user, verbs=["list"], resources=["services"], namespace=space)
        with cluster_of(town.apiserver, "token", as_user=user) as cluster:
            assert cluster.resolve("fenced-shop").target.namespace == FENCED
            assert cluster.resolve("Lighthouse").target.name == "resolve-lone"
            # the one at home isn't hers to see
            assert cluster.resolve("resolve-graph").target.namespace == AWAY
            with pytest.raises(ServiceNotFound) as caught:
                cluster.resolve("zzzzzz")
        assert f"namespace '{FENCED}'" in str(caught.value)
        assert f"namespace '{AWAY}'" in str(caught.value)
        assert HOME not in str(caught.value)


@pytest.fixture(scope="module")
def app(town: Town) -> str:
    """A pod with two containers: the ports http, admin, tls, and 9 without a name."""
    ip, port = town.plain.address
    other, tls = town.other.address[1], town.tls.address[1]
    rows = [
        [ContainerPort(port, "http")],
        [ContainerPort(other, "admin"), ContainerPort(tls, "tls"), ContainerPort(9)],
    ]
    town.apiserver.add_pod("resolve-app", AWAY, ip=ip, ports=rows)
    return "resolve-app"


class TestPod:
    @pytest.mark.parametrize(
        ("port", "scheme", "reached"),
        [
            ("http", None, "plain"),
            ("admin", None, "other"),
            ("tls", "https", "tls"),
            (None, None, "plain"),
        ],
    )
    def test_names(
        self,
        *,
        town: Town,
        cluster: AnyCluster,
        app: str,
        port: str | None,
        scheme: str | None,
        reached: str,
    ) -> None:
        found = cluster.resolve(app, AWAY, kind="pod", port=port, scheme=scheme)
        upstream: Upstream = getattr(town, reached)
        assert (found.target.kind, found.target.name) == ("pod", app)
        assert found.target.port == (None if port is None else upstream.address[1])
        assert town.get(found) is upstream

    def test_a_number_stays(self, town: Town, cluster: AnyCluster, app: str) -> None:
        number = town.other.address[1]
        for port in (number, str(number)):
            found = cluster.resolve(app, AWAY, kind="pod", port=port)
            assert found.target.port == number
            assert town.get(found) is town.other

    def test_no_such_port(self, town: Town, cluster: AnyCluster, app: str) -> None:
        with pytest.raises(ServiceNotFound) as caught:
            cluster.resolve(app, AWAY, kind="pod", port="nope")
        assert f"pod '{app}' in namespace '{AWAY}' has no port named 'nope'" in str(caught.value)
        assert f"http ({town.plain.address[1]})" in str(caught.value)

    def test_a_name_is_no_other_ports_number(self, cluster: AnyCluster, app: str) -> None:
        with pytest.raises((ServiceNotFound, InvalidInput)):
            cluster.resolve(app, AWAY, kind="pod", port="No_Name")

    def test_udp(self, town: Town, cluster: AnyCluster) -> None:
        container = {
            "name": "c",
            "image": "none",
            "ports": [{"containerPort": 53, "name": "dns", "protocol": "UDP"}],
        }
        pod = {"metadata": {"name": "resolve-dns"}, "spec": {"containers": [container]}}
        path = f"/api/v1/namespaces/{AWAY}/pods"
        headers = {"Content-Type": "application/json"}
        town.apiserver.request("POST", path, headers=headers, body=json.dumps(pod).encode())
        with pytest.raises(ServiceNotFound, match="UDP"):
            cluster.resolve("resolve-dns", AWAY, kind="pod", port="dns")

    def test_no_such_pod(self, cluster: AnyCluster) -> None:
        with pytest.raises(APIStatusError, match='pods "nope" not found'):
            cluster.resolve("nope", AWAY, kind="pod", port="http")

    def test_the_context_s_namespace(self, cluster: AnyCluster, app: str) -> None:
        with pytest.raises(APIStatusError, match="404 Not Found"):
            cluster.resolve(app, kind="pod", port="http")


class TestCommandLine:
    def test_url(self, town: Town, tmp_path: Path) -> None:
        env = environment(tmp_path, KUBECONFIG=str(town.apiserver.kubeconfig))
        done = proxyurls("url", "lighthouse", "/who", "--resolve", env=env)
        assert (done.code, done.lines) == (
            0,
            [
                f"{town.apiserver.server}/api/v1/namespaces/{AWAY}/services/resolve-lone:80/proxy/who"
            ],
        )
        assert "its display name" in done.note

    def test_two_candidates(self, town: Town, tmp_path: Path) -> None:
        env = environment(tmp_path, KUBECONFIG=str(town.apiserver.kubeconfig))
        done = proxyurls("url", "resolve-pair", "--resolve", env=env)
        assert (done.code, done.out) == (1, b"")
        assert done.error == (
            "error: 2 services fit 'resolve-pair'; "
            f"type `proxyurls url --resolve resolve-pair-one.{AWAY}` "
            f"or `proxyurls url --resolve resolve-pair-two.{AWAY}`"
        )
        typed = f"resolve-pair-one.{AWAY}"
        done = proxyurls("url", "--resolve", typed, env=env)
        assert (done.code, done.text.count("/resolve-pair-one:80/")) == (0, 1)

    def test_nothing(self, town: Town, tmp_path: Path) -> None:
        env = environment(tmp_path, KUBECONFIG=str(town.apiserver.kubeconfig))
        done = proxyurls("url", "resolve-dasch", "--resolve", env=env)
        assert (done.code, done.out) == (1, b"")
        assert f"near: resolve-dash.{AWAY}" in done.error
