"""A user's code: that the public types are what they are said to be.

Not a test to run: mypy --strict checks it (tests/test_exports.py), and the annotations fail
there where a type is another.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import proxyurls
from proxyurls import (
    Alteration,
    InvalidInput,
    InvalidSegment,
    InvalidSuffix,
    InvalidTarget,
    InvalidURL,
    NameSegment,
    ProxyURL,
    ProxyURLsError,
    Target,
    alterations,
    from_cluster_url,
    node,
    parse_url,
    pod,
    service,
    to_cluster_url,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
    wrong: type[ValueError] = InvalidInput
    ours: type[ProxyURLsError] = InvalidInput
    lost: type[LookupError] = proxyurls.ServiceNotFound
    status: int = proxyurls.APIStatusError("no", status=403).status
    near: tuple[str, ...] = proxyurls.AmbiguousService("which?").candidates
    call: Callable[[str], ProxyURL] = parse_url
    version: str = proxyurls.__version__
    print(root, wrong, ours, lost, status, near, call, version)
