"""In process: building service URL paths, parsing URLs."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yarl

from proxyurls import parse_url, service

from .timing import Row, in_process, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Service = tuple[str, str, int | str | None, str | None, str]

# Name, namespace, port, scheme, path behind it; no queries, as the official client sends none.
SHAPES: list[Service] = [
    ("elasticsearch-logging-{}", "kube-system", None, None, "_search"),
    ("grafana-{}", "monitoring", 3000, None, "d/{}/cluster-overview"),
    ("dashboard-{}", "team-{}", 443, "https", "api/v1/login/status"),
    ("web-{}", "default", "http", None, "static/js/main.{}.js"),
]
TO_ENCODE: list[Service] = [("files-{}", "prod", 8080, None, "reports/2024 Q1/café-{}.pdf")]
SERVERS = [
    "https://10.0.0.1:6443",
    "https://203.0.113.7",
    "http://localhost:8001",
    "https://rancher.example.com/k8s/clusters/c-m-x7k2p9zq",
    "https://prod-eu.k8s.example.com:6443",
    "https://[fd00:10:96::1]:6443",
]
SEGMENTS = ["{}", "{}:80", "{}:http", "https:{}:", "https:{}:8443", "{}:9090", "https:{}:https"]
SUFFIXES = [
    "/",
    "/d/{}/home?orgId=1&from=now-6h&to=now",
    "/api/v1/query?query=rate(http_requests_total%5B5m%5D)&step={}",
    "/_search?q=user:kimchy&size={}",
    "/static/app-{}.js",
    "/metrics",
    "",
    "/a%20file/{}.txt",
]


def urls(count: int) -> list[str]:
    """Distinct proxy URLs: of 10, seven services, two pods and a node; any server and suffix."""
    kinds = itertools.cycle("ssspsssnsp")
    return [_url(kind, at) for kind, at in zip(kinds, range(count), strict=False)]


def _url(kind: str, at: int) -> str:
    server, suffix = SERVERS[at % len(SERVERS)], SUFFIXES[at // 3 % len(SUFFIXES)].format(at)
    if kind == "n":
        return f"{server}/api/v1/nodes/ip-10-0-{at}.example.internal:10250/proxy{suffix}"
    if kind == "p":
        where, segment = "pods", f"web-{at}-x2x7z:8080"
    else:
        where, segment = "services", SEGMENTS[at // 2 % len(SEGMENTS)].format(f"web-{at}")
    return f"{server}/api/v1/namespaces/team-{at % 90}/{where}/{segment}/proxy{suffix}"


SERIALIZE = "_connect_get_namespaced_service_proxy_with_path_serialize"


def services(shapes: list[Service], count: int) -> list[Service]:
    """Distinct services with a path behind each."""
    return [
        (name.format(at), namespace.format(at % 90), port, scheme, path.format(at))
        for at, (name, namespace, port, scheme, path) in zip(
            range(count), itertools.cycle(shapes), strict=False
        )
    ]


def build_ours(targets: list[Service]) -> list[str]:
    """Each path by proxyurls, which validates every part."""
    return [
        service(name, namespace, port=port, scheme=scheme).path(path)
        for name, namespace, port, scheme, path in targets
    ]


def build_bare(targets: list[Service]) -> list[str]:
    """Each path by an f-string, which validates nothing."""
    return [
        f"/api/v1/namespaces/{namespace}/services/{segment(name, port, scheme)}/proxy/{quote(path)}"
        for name, namespace, port, scheme, path in targets
    ]


def segment(name: str, port: int | str | None, scheme: str | None) -> str:
    """What a script would write."""
    if scheme:
        return f"{scheme}:{name}:{port or ''}"
    return f"{name}:{port}" if port else name


class Official:
    """The ``kubernetes`` client with its HTTP sending stubbed out: what remains is building."""

    class Answer:
        """What it takes for an answer."""

        status, response = 200, None

    def __init__(self) -> None:
        from kubernetes import client

        configuration = client.Configuration(host="")
        # Without this it writes %2F and %3A: the same to the apiserver, and no faster.
        configuration.safe_chars_for_path_param = "/:"
        self.sent: list[str] = []
        self.api: Any = client.CoreV1Api(client.ApiClient(configuration))
        self.api.api_client.rest_client.request = self._send

    def _send(self, _method: str, url: str, *_: object, **__: object) -> Answer:
        self.sent.append(url)
        return self.Answer()

    def build(self, targets: list[Service]) -> list[str]:
        """Each path by the method that a user calls."""
        self.sent = []
        for name, namespace, port, scheme, path in targets:
            self.api.connect_get_namespaced_service_proxy_with_path(
                segment(name, port, scheme), namespace, path, _preload_content=False
            )
        return self.sent

    def serialize(self, targets: list[Service]) -> list[str]:
        """Each path by what that method calls inside, past its validation of types."""
        build = getattr(self.api, SERIALIZE)
        return [
            build(segment(name, port, scheme), namespace, path, None, None, None, None, 0)[1]
            for name, namespace, port, scheme, path in targets
        ]


def build(rounds: int = 100, count: int = 500) -> Iterator[Row]:
    """Build service URL paths."""
    works = {
        "build a service URL path": services(SHAPES, count),
        "build one with a suffix to encode": services(TO_ENCODE, count),
    }
    for work, targets in works.items():
        yield _building(
            work,
            targets,
            "f-string, quote()",
            theirs=build_bare,
            limit=4.0,
            says="within 4 x",
            rounds=rounds,
        )
    official = Official()
    methods = {"kubernetes client": official.build}
    if hasattr(official.api, SERIALIZE):  # not so in old clients
        methods["its serialisation alone"] = official.serialize
    for work, targets in works.items():
        for against, theirs in methods.items():
            yield _building(
                work,
                targets,
                against,
                theirs=theirs,
                limit=0.1,
                says="10 x faster",
                rounds=rounds,
            )


def _building(
    work: str,
    targets: list[Service],
    against: str,
    *,
    theirs: Callable[[list[Service]], list[str]],
    limit: float,
    says: str,
    rounds: int,
) -> Row:
    if theirs(targets) != build_ours(targets):
        raise AssertionError(f"not the same paths as by {against}")
    contestants = {"ours": build_ours, "theirs": theirs}
    taken = take_turns(
        {name: in_process(partial(do, targets)) for name, do in contestants.items()}, rounds
    )
    each = {name: [s / len(targets) for s in seconds] for name, seconds in taken.items()}
    return Row(work, against, limit, says, each["ours"], each["theirs"])


def clear_yarl() -> None:
    """Empty yarl's caches, of hosts and of whole URLs."""
    for module in (yarl._url, yarl._parse):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    yarl.cache_clear()


def parse(rounds: int = 25, count: int = 10_000) -> Iterator[Row]:
    """Parse distinct URLs."""
    texts = urls(count)
    if len(set(texts)) != count:
        raise AssertionError("the URLs aren't distinct")

    def theirs() -> None:
        for text in texts:
            yarl.URL(text)

    def ours() -> None:
        for text in texts:
            parse_url(text)

    taken = take_turns({"ours": in_process(ours), "theirs": in_process(theirs, clear_yarl)}, rounds)
    work = f"parse {count:,} distinct URLs"
    yield Row(work, "yarl.URL()", 1.0, "no slower", taken["ours"], taken["theirs"])
