"""In-cluster requests as the apiserver's proxy gets them, and its answers as the app gave them.

Pure: texts and lists in, texts and lists out. `transport` sends what comes of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.errors import InvalidInput, InvalidRequest, shown
from proxyurls.segment import check_name
from proxyurls.status import is_refusal, status_error
from proxyurls.suffix import clean, collapses, received, split
from proxyurls.undo.headers import at_origin, hop_by_hop, is_rewritten, takes_gzip, undone
from proxyurls.undo.page import Page
from proxyurls.undo.unprefix import Mount
from proxyurls.urls import from_cluster_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxyurls.errors import APIStatusError
    from proxyurls.target import Target
    from proxyurls.undo.headers import Headers

_STATUS_LIMIT = 64 * 1024  # a Status object is smaller
# What says where a body ends: it's said on each connection anew, and so on ours.
_FRAMING = {"content-length", "transfer-encoding"}
_BODILESS = (204, 304)


class Rules(NamedTuple):
    """Which requests are in-cluster ones, and how they are sent.

    Attributes:
        server: the apiserver's base URL.
        domain: the cluster's DNS domain.
        namespaces: those whose services need no ``.svc``; the first is that of a bare name.
        server_host: send the apiserver's own Host, where a load balancer refuses any other.
        drop_authorization: leave an app's Authorization out, which would not arrive anyway.
    """

    server: str
    domain: str = "cluster.local"
    namespaces: tuple[str, ...] = ()
    server_host: bool = False
    drop_authorization: bool = False


class InCluster(NamedTuple):
    """An in-cluster URL: its scheme, its host with the port, and its path with the query."""

    scheme: str
    netloc: str
    suffix: str


class Sent(NamedTuple):
    """A request as the apiserver gets it, without credentials.

    Attributes:
        target: the app.
        path: absolute and encoded.
        headers: Host first.
        mount: where the app stands.
        bodiless: whether the answer has no body in any case.
    """

    target: Target
    path: str
    headers: Headers
    mount: Mount
    bodiless: bool


def check_rules(rules: Rules) -> Rules:
    """Refuse a domain or a namespace that can't be one, and give back rules that can.

    Raises:
        InvalidTarget: with the name and its rule.
    """
    for label in rules.domain.split("."):
        check_name("domain", label)
    for namespace in rules.namespaces:
        check_name("namespace", namespace)
    return rules


@lru_cache(maxsize=1024)  # programs know few apps and send many requests
def app_at(rules: Rules, scheme: str, host: str, port: int | None) -> Target | None:
    """The service that code in the cluster means by an origin; None if it means none.

    Only hosts that end in ``.svc``, or in that and the cluster's domain, are in the cluster in
    any case: ``example.com`` would be service "example" in namespace "com" to a pod's resolver.

    Args:
        rules: the cluster's domain, and the namespaces whose services need no ``.svc``.
        scheme: "http" or "https".
        host: a host name in lower case.
        port: None for the scheme's own.

    Raises:
        InvalidRequest: such a host can only be in the cluster, but is no service's.
    """
    name = host.removesuffix(".").removesuffix(f".{rules.domain}")
    inner = name.removesuffix(".svc")
    labels = inner.split(".")
    if inner == name:
        if name != host.removesuffix(".") or not rules.namespaces or name == "localhost":
            return None
        if len(labels) == 1:
            labels.append(rules.namespaces[0])
        elif len(labels) != 2 or labels[1] not in rules.namespaces:
            return None
    elif len(labels) == 1:
        raise InvalidRequest(
            f"no in-cluster host of a service: {shown(host)}; type NAME.NAMESPACE.svc", text=host
        )
    behind = "" if port is None else f":{port}"
    try:
        return from_cluster_url(f"{scheme}://{'.'.join(labels)}.svc{behind}")[0]
    except InvalidInput as error:
        raise InvalidRequest(str(error), text=error.text, span=error.span) from error


def sent(rules: Rules, target: Target, method: str, url: InCluster, headers: Headers) -> Sent:
    """Turn an in-cluster request into the proxied one.

    Args:
        rules: how it is sent.
        target: the app, by `app_at`.
        method: the HTTP method, in upper case.
        url: what is asked for.
        headers: those of the request.

    Raises:
        InvalidRequest: it can't go through the apiserver's proxy as it is.
    """
    path = target.path()
    origin = f"{url.scheme}://{url.netloc}"
    own = rules.server.partition("://")[2].partition("/")[0]
    host = next((value for name, value in headers if name.lower() == "host"), url.netloc)
    if rules.server_host:
        other = "://".join((rules.server.partition("://")[0], own))
        headers = [
            (name, at_origin(other, origin, value) if _is_of_origin(name) else value)
            for name, value in headers
        ]
        host = own
    mount = Mount(path.removesuffix("/"), host, origin, absolute=True)
    return Sent(
        target,
        mount.prefix + _suffix(url.suffix),
        [("Host", host), *_request_headers(rules, headers)],
        mount,
        method == "HEAD",
    )


def _is_of_origin(name: str) -> bool:
    return name.lower() in ("origin", "referer")


def _suffix(request_target: str) -> str:
    path = split(request_target)[0]
    at = path.lower().find("%2f")
    if at >= 0:
        raise InvalidRequest(
            f"the path {shown(path)} holds {path[at : at + 3]}, which the apiserver turns into a "
            "'/', so the app would get another path; pass the value in the query, where it "
            "survives, or use kubectl port-forward",
            text=path,
            span=(at, at + 3),
        )
    try:
        suffix = clean(request_target) or "/"
    except InvalidInput as error:
        raise InvalidRequest(str(error), text=error.text, span=error.span) from error
    return received(suffix) if collapses(suffix) else suffix


def _request_headers(rules: Rules, headers: Headers) -> Headers:
    dropped = hop_by_hop(headers) - _FRAMING | {"host", "accept-encoding", "expect"}
    kept: Headers = []
    for name, value in headers:
        key = name.lower()
        if key == "upgrade":
            raise InvalidRequest(
                f"Upgrade: {shown(value)}: no WebSocket goes through this transport; "
                "use `proxyurls serve`, or kubectl port-forward"
            )
        if key.startswith("impersonate-"):
            raise InvalidRequest(
                f"the header {name} is for the apiserver, which would act as somebody else; "
                "leave it out, and impersonate by the kubeconfig or load_config"
            )
        if key == "authorization":
            if rules.drop_authorization:
                continue
            raise InvalidRequest(
                "the apiserver removes the header Authorization, so the app's own login would "
                "never arrive (it comes from headers=, auth= or a user name in the URL); "
                "leave it out, pass drop_authorization=True if the app needs none, or "
                "use kubectl port-forward"
            )
        if key not in dropped:
            kept.append((name, value))
    kept.append(("Accept-Encoding", "gzip" if takes_gzip(headers) else "identity"))
    return kept


def may_be_refusal(status: int, headers: Headers) -> bool:
    """Whether an answer may be the apiserver's own, and is short enough to be looked at.

    Args:
        status: the answer's status.
        headers: its headers.
    """
    if status < 400:
        return False
    first = {name.lower(): value for name, value in headers}
    length = first.get("content-length", "")
    return (
        first.get("content-type", "").partition(";")[0].strip() == "application/json"
        and length.isdigit()
        and len(length) < 10
        and 0 < int(length) <= _STATUS_LIMIT
    )


def refusal(rules: Rules, request: Sent, status: int, body: bytes) -> APIStatusError | None:
    """What the apiserver itself said, if it was not the app that answered.

    Args:
        rules: whose server is named.
        request: what was asked.
        status: the answer's status.
        body: all of its body.
    """
    if not is_refusal(status, body, sure=True):
        return None
    return status_error(rules.server, status, body, target=request.target)


def answer(
    request: Sent, status: int, headers: Iterable[tuple[str, str]]
) -> tuple[Headers, Page | None]:
    """An answer as the app gave it.

    Args:
        request: what was asked.
        status: the answer's status.
        headers: as they came.

    Returns:
        the headers, and what the body has to pass through, if anything.

    Raises:
        ConnectionFailed: the body is compressed in a way that nobody asked for.
    """
    came = list(headers)
    page = None
    if is_rewritten(came) and not request.bodiless and status not in _BODILESS:
        coding = next((value for name, value in came if name.lower() == "content-encoding"), "")
        page = Page(request.mount, coding)
    return undone(came, request.mount), page
