"""A user's code: that the public types are what they are said to be.

Not a test to run: mypy --strict and pyright check it against the installed wheel
(tests/distribution/test_types.py), and the annotations fail there where a type is another.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import httpx

import proxyurls
from proxyurls import (
    Alteration,
    AmbiguousService,
    APIStatusError,
    AsyncCluster,
    AsyncClusterTransport,
    Cluster,
    ClusterError,
    ClusterService,
    ClusterTransport,
    Config,
    ConfigError,
    ConfigNotFound,
    ConnectionFailed,
    CredentialError,
    InvalidConfig,
    InvalidInput,
    InvalidRequest,
    InvalidSegment,
    InvalidSuffix,
    InvalidTarget,
    InvalidURL,
    ListenError,
    NameSegment,
    ProxyURL,
    ProxyURLsError,
    Resolved,
    ResolveError,
    ServiceNotFound,
    ServicePort,
    ServiceRecord,
    Target,
    alterations,
    from_cluster_url,
    load_config,
    node,
    parse_url,
    pod,
    service,
    to_cluster_url,
)
from proxyurls.testing import (
    Credentials,
    FakeCluster,
    Fault,
    Faults,
    Match,
    Recorded,
    Request,
    Requests,
    Response,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import yarl


def build() -> None:
    """Targets and what they are made of."""
    targets: list[Target] = [
        service("web"),
        service("web", "prod", port=80, scheme="https"),
        service("web", namespace="prod", port="http"),
        pod("web-0", "prod", port=8080),
        node("n1", port="9100"),
    ]
    one = targets[0]
    kind: str = one.kind
    namespace: str | None = one.namespace
    name: str = one.name
    port: int | str | None = one.port
    scheme: str | None = one.scheme
    segment: NameSegment = one.segment
    parts: tuple[str, str, str] = (segment.name, segment.port, segment.scheme)
    text: str = str(NameSegment.parse("https:web:")) + NameSegment("web", port="80").name
    ordered: list[Target] = sorted(set(targets))
    smaller: bool = targets[0] < targets[1]
    by_target: dict[Target, int] = {one: hash(one)}
    again: Target = pickle.loads(pickle.dumps(one))
    print(kind, namespace, name, port, scheme, parts, text, ordered, smaller, by_target, again)


def use(target: Target) -> None:
    """Paths, URLs and queries."""
    path: str = target.path()
    path = target.path("d/x?y")
    url: yarl.URL = target.url("https://host")
    url = target.url("https://host", "d", query={"q": "a", "n": 1, "f": 0.5, "many": ["x", 2]})
    url = target.url("https://host", query=[("q", "a"), ("q", 2)])
    host: str | None = url.host
    print(path, host)


def take_apart(text: str) -> ProxyURL | None:
    """URLs and in-cluster URLs."""
    try:
        parsed: ProxyURL = parse_url(text)
    except (InvalidURL, InvalidTarget, InvalidSegment, InvalidSuffix) as error:
        message: str | None = error.text
        span: tuple[int, int] | None = error.span
        print(message, span)
        return None
    server: str = parsed.server
    suffix: str = parsed.suffix
    built: ProxyURL = ProxyURL(server, parsed.target, suffix)
    target: Target
    target, suffix = from_cluster_url("http://web.prod.svc:80/x")
    inside: str = to_cluster_url(target, suffix, domain="cluster.local")
    print(str(built), inside)
    return built


def foretell(suffix: str) -> list[str]:
    """What will be altered."""
    found: list[Alteration] = alterations(suffix)
    found += alterations(suffix, websocket=True)
    return [one.kind + one.before + one.after + one.reason + one.remedy for one in found]


def errors() -> None:
    """The tree: each of these assignments fails where it is another."""
    root: type[Exception] = ProxyURLsError
    wrong: list[type[ValueError]] = [InvalidInput, InvalidConfig, InvalidRequest]
    ours: list[type[ProxyURLsError]] = [InvalidInput, ConfigError, ClusterError, ListenError]
    config: list[type[ConfigError]] = [ConfigNotFound, CredentialError, InvalidConfig]
    lost: list[type[LookupError]] = [ResolveError, ServiceNotFound, AmbiguousService]
    answered: list[type[ClusterError]] = [APIStatusError, ConnectionFailed]
    error = APIStatusError("no", status=403)
    status: int = error.status
    said: tuple[str, str] = (error.reason, error.detail)
    near: tuple[str, ...] = AmbiguousService("which?").candidates
    call: Callable[[str], ProxyURL] = parse_url
    version: str = proxyurls.__version__
    print(root, wrong, ours, config, lost, answered, status, said, near, call, version)


def connect(kubeconfig: Path) -> Config:
    """What was chosen, and live credentials for any HTTP library."""
    config: Config = load_config(kubeconfig, context="prod", as_groups=["ops"], environ={})
    chosen: tuple[str, str, str, str] = (
        config.context,
        config.cluster,
        config.user,
        config.namespace,
    )
    server: tuple[str, str] = (config.server, config.base_url)
    kind: str = config.credential.kind
    warnings: tuple[str, ...] = config.warnings
    headers: list[tuple[str, str]] = config.credentials().headers()
    tls: ssl.SSLContext | None = config.credentials().ssl_context()
    again: bool = config.credentials().renew(headers)
    print(chosen, server, kind, warnings, config.sources["server"], tls, again)
    return load_config(token="t", server="https://h", namespace="n")


def discover(config: Config) -> Resolved:
    """Services, their ports and URLs."""
    with Cluster(config, timeout=5) as cluster:
        found: Iterator[ServiceRecord] = cluster.services("shop", label_selector="a=b")
        for record in found:
            texts: tuple[str, str, str, str] = (
                record.namespace,
                record.name,
                record.display_name,
                record.why,
            )
            url: str | None = record.url
            ports: tuple[ServicePort, ...] = record.ports
            numbers: list[int] = [port.port for port in ports]
            segments: list[str | None] = [port.segment for port in ports]
            flags: tuple[bool, tuple[str, ...]] = (record.cluster_service, record.addresses)
            print(texts, url, numbers, segments, flags, record.as_dict()["url"])
        listed: list[ClusterService] = cluster.cluster_services()
        urls: list[str] = [one.url for one in listed]
        resolved: Resolved = cluster.resolve("grafana", port="http", scheme="https")
        target: Target = resolved.target
        why: str = resolved.why
    print(urls, target, why)
    return resolved


async def discover_async(config: Config) -> Resolved:
    """The same for tasks."""
    async with AsyncCluster(config, timeout=5, trace=print) as cluster:
        found: AsyncIterator[ServiceRecord] = cluster.services("shop", node_ports=True)
        records: list[ServiceRecord] = [record async for record in found]
        listed: list[ClusterService] = await cluster.cluster_services()
        transport: AsyncClusterTransport = cluster.transport()
        resolved: Resolved = await cluster.resolve("grafana", port="http", scheme="https")
    await cluster.aclose()
    print(records, listed, transport)
    return resolved


def embed(config: Config) -> httpx.Client:
    """In-cluster URLs, for httpx's clients."""
    transport: ClusterTransport = Cluster(config).transport()
    transport = ClusterTransport(config, others="refuse", namespaces=["shop"], retries=2)
    transport = ClusterTransport(config, others=httpx.HTTPTransport(), domain="corp.example")
    tasks: httpx.AsyncBaseTransport = AsyncClusterTransport(
        config, others=httpx.AsyncHTTPTransport(), credentials=config.credentials()
    )
    print(httpx.AsyncClient(transport=tasks))
    return httpx.Client(transport=transport, mounts={"all://*.svc": transport})


def answer(request: Request) -> Response:
    """An upstream function."""
    got: tuple[str, str, bytes] = (request.method, request.target, request.body)
    header: str | None = request.headers.get("Accept")
    return Response(f"{got} {header}", 201, {"Content-Type": "text/plain"})


def fake() -> None:
    """A fake cluster, with a user who may do little."""
    with FakeCluster(tls=True) as cluster:
        cluster.add_service("web", "shop", ports={"http": 80}, upstream=answer)
        cluster.add_pod("web-0", "shop", ports=[8080], upstream="http://127.0.0.1:9")
        jane: Credentials = cluster.add_user("jane", certificate=True)
        cluster.grant("jane", verbs=["get"], resources=["services/proxy"], names=["web"])
        token: str = jane.token
        url: str = cluster.url
        config: Config = cluster.config("jane")
        path: Path = cluster.kubeconfig
        print(token, url, config, path)


def go_wrong(faults: Faults) -> Fault:
    """Faults on demand."""
    with faults.refuse(429, "slow down", times=1, retry_after=1, verb="list") as fault:
        happened: int = fault.happened
    faults.instead(Response("login", 302, {"Location": "/"}), proxied=False).end()
    faults.stall(after=10, target=service("web"), user="jane")
    print(happened)
    return faults.delay(0.5, path="/api/*", method="GET", query={"limit": "*"})


def look_back(cluster: FakeCluster) -> Recorded:
    """What was requested."""
    found: Requests = cluster.requests.filter(proxied=True)
    found.none(verb="delete")
    one: Recorded = found.one(target=service("web"))
    parts: list[str | None] = [one.path, one.headers["accept"], one.user, one.suffix]
    target: Target | None = one.target
    with cluster.down():
        print(parts, target, Match(method="GET")(one))
    cluster.restart()
    return found[0]


async def fake_async() -> str:
    """The same in an event loop."""
    async with FakeCluster() as cluster:
        return cluster.url
