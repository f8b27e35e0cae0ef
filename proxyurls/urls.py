"""Full URLs: proxy URLs in their three parts, and in-cluster URLs and back."""

from __future__ import annotations

import re
from functools import lru_cache

from proxyurls.errors import InvalidInput, InvalidSuffix, InvalidTarget, InvalidURL, shown
from proxyurls.segment import check_name, split_segment
from proxyurls.server import check_server, credentials_refusal, join
from proxyurls.suffix import clean
from proxyurls.target import Target
from proxyurls.value import Value

__all__ = ["ProxyURL", "from_cluster_url", "is_removed_form", "join", "parse_url", "to_cluster_url"]

_TARGET = r"(?:namespaces/([^/?#]*)/(service|pod)s|nodes)/([^/?#]+)"
_PROXY = re.compile(rf"/api/v1/{_TARGET}/proxy((?:[/?#].*)?)", re.DOTALL)
# Deprecated in Kubernetes 1.2, removed in 1.10; it has no "proxy" behind the segment.
_REMOVED = re.compile(rf"/api/v1/proxy/{_TARGET}((?:[/?#].*)?)", re.DOTALL)
_BEHIND = re.compile(r"/api/v1/(?:proxy/)?(?:namespaces/[^/]*/(?:services|pods)|nodes)/")
_CLUSTER_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/?#:@\[\]]*)(?::(?P<port>[^/?#@]*))?(?P<suffix>(?:[/?#].*)?)",
    re.DOTALL,
)
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_PORTS = {"http": 80, "https": 443}
_SHOWN = 200  # characters of a URL
_FORM = "SERVER/api/v1/namespaces/NAMESPACE/services/NAME/proxy/…"


class ProxyURL(Value):
    """A proxy URL in its three parts. ``str()`` gives its canonical text.

    Args:
        server: the base URL in front of ``/api/v1``; "" if there is none, and a bare path
            where the text had no host.
        target: the service, pod or node.
        suffix: path, query and fragment behind it: "", or text that starts with "/".

    Raises:
        InvalidURL: the server is none.
        InvalidSuffix: the suffix would leave the target.
    """

    __slots__ = ("_server", "_suffix", "_target")

    def __init__(self, server: str, target: Target, suffix: str = "") -> None:
        self._server = _base(server)
        self._target = target
        self._suffix = clean(suffix)

    @property
    def server(self) -> str:
        """The base URL in front of ``/api/v1``, without a slash at its end; "" for none."""
        return self._server

    @property
    def target(self) -> Target:
        """The service, pod or node."""
        return self._target

    @property
    def suffix(self) -> str:
        """What follows the target: "", or text that starts with "/"."""
        return self._suffix

    def _fields(self) -> tuple[str, Target, str]:
        return (self._server, self._target, self._suffix)

    def __str__(self) -> str:
        return self._server + self._target.path(self._suffix)


@lru_cache(maxsize=64)  # programs know few servers and many URLs
def _base(server: str) -> str:
    """The part in front of ``/api/v1``, refused if it is none."""
    server = server.rstrip("/")
    if "@" in server:
        raise InvalidURL(credentials_refusal())
    if _BEHIND.search(f"{server}/"):
        raise InvalidURL(
            f"invalid server {shown(server)}: it is a proxy URL itself, and the apiserver proxies "
            "no apiserver; type the base URL",
            text=server,
        )
    if server[:1] == "/" and server[:2] != "//":
        check_server(f"https://host{server}")
    elif server:
        check_server(server)
    return server


def parse_url(url: str) -> ProxyURL:
    """Take a proxy URL apart.

    Args:
        url: a full URL (through an apiserver, a kubectl proxy, or a server with a path), or a
            bare path. The form ``/api/v1/proxy/namespaces/…``, which Kubernetes 1.10 removed,
            is read too, and ``str()`` of the result is its modern equivalent.

    Raises:
        InvalidURL: it is no proxy URL.
        InvalidTarget: it is one, of something that can't exist or be reached.
        InvalidSegment: its name segment is none.
        InvalidSuffix: its suffix would leave the target.

    >>> parsed = parse_url("http://localhost:8001/api/v1/nodes/n1:9100/proxy/metrics")
    >>> parsed.server, parsed.target.name, parsed.target.port, parsed.suffix
    ('http://localhost:8001', 'n1', 9100, '/metrics')
    """
    match = _match(url)
    if match is None:
        raise InvalidURL(_url_refusal(url), text=None if "@" in url else url)
    namespace, kind, segment, suffix = match.groups()
    if "%" in segment or "%" in (namespace or ""):
        segment, namespace = _decode(segment), namespace and _decode(namespace)
    name, port, scheme = split_segment(segment)
    target = Target(kind or "node", name, namespace, port, scheme)
    return ProxyURL(url[: match.start()], target, suffix)


def is_removed_form(url: str) -> bool:
    """Whether a URL has the form ``/api/v1/proxy/…``, which Kubernetes 1.10 removed."""
    match = _match(url)
    return match is not None and match.re is _REMOVED


def _match(url: str) -> re.Match[str] | None:
    """The first place from which on a URL is a proxy URL: what stands before is the server."""
    at = url.find("/api/v1/")
    while at >= 0:
        match = _PROXY.fullmatch(url, at) or _REMOVED.fullmatch(url, at)
        if match:
            server = url[:at]
            return None if "?" in server or "#" in server else match
        at = url.find("/api/v1/", at + 1)
    return None


def _decode(text: str) -> str:
    # The apiserver splits the segment after decoding; what is no UTF-8 can be no name.
    return _ESCAPES.sub(
        lambda m: bytes.fromhex(m[0].replace("%", "")).decode(errors="replace"), text
    )


def _url_refusal(url: str) -> str:
    if "@" in url.partition("/api/")[0]:
        return credentials_refusal()
    head = f"not a proxy URL: {shown(url, _SHOWN)}"
    path = re.split(r"[?#]", url)[0]
    if not path.isprintable() or len(path) > _SHOWN:
        return f"{head}; it has the form {_FORM}"
    node = re.search(r"/api/v1/namespaces/[^/]*/nodes/([^/]+)", path)
    if node:
        return f"{head}: a node has no namespace; type …/api/v1/nodes/{node[1]}/proxy/"
    lost = re.search(r"/api/v1/(services|pods)/([^/]+)", path)
    if lost:
        return (
            f"{head}: the namespace is missing; "
            f"type …/api/v1/namespaces/NAMESPACE/{lost[1]}/{lost[2]}/proxy/"
        )
    rest = re.search(r"(/api/v1/(?:namespaces/[^/]*/(?:services|pods)|nodes)/[^/]+)/?(.*)$", path)
    if rest:
        return f"{head}: /proxy is missing behind the name; type …{rest[1]}/proxy/{rest[2]}"
    if re.match(r"https?://[^/?#]+\.svc[.:/]", url):
        return f"{head}: it is an in-cluster URL, which from_cluster_url takes"
    if re.search(r"/apis?(?:/|$)", path):
        return f"{head}; it has the form {_FORM} (`proxyurls fetch --raw PATH` asks the API itself)"
    return f"{head}; it has the form {_FORM}"


def from_cluster_url(url: str) -> tuple[Target, str]:
    """The target that code inside the cluster means by a URL, and the suffix.

    Args:
        url: ``http://NAME.NAMESPACE.svc.cluster.local:PORT/…``; the domain (any domain),
            ``svc`` and the namespace ("default") may be missing, and so may the port, which is
            then 80 or 443 by the scheme.

    Returns:
        the service, with a port number, and the suffix.

    Raises:
        InvalidURL: it is no http or https URL of a service.
        InvalidTarget: its name, namespace or port can't exist.
        InvalidSuffix: its path would climb above the app's root.

    >>> from_cluster_url("http://grafana.monitoring.svc:3000/d/x?y")
    (Target('service', 'grafana', 'monitoring', 3000, None), '/d/x?y')
    """
    quoted = "(a URL with '@', not shown)" if "@" in url else shown(url, _SHOWN)
    match = _CLUSTER_URL.fullmatch(url)
    if match is None:
        raise InvalidURL(f"not an in-cluster URL: {quoted}; type http://NAME.NAMESPACE.svc:PORT/…")
    scheme, host, port, suffix = match.groups()
    labels = host.removesuffix(".").split(".")
    if labels[-1].lower() == "localhost" and len(labels) > 1:
        why = "a host below localhost is this machine's, perhaps a gateway's; type NAME.NAMESPACE"
        raise InvalidURL(f"not an in-cluster URL: {quoted}; {why}")
    if len(labels) > 2 and labels[2] != "svc":
        why = "its host has the form NAME.NAMESPACE.svc and a domain"
        if "svc" in labels:
            why = "it names a pod behind a service; type pod/NAME for the pod"
        raise InvalidURL(f"not an in-cluster URL of a service: {quoted}; {why}")
    name, namespace = labels[0], labels[1] if len(labels) > 1 else "default"
    number: int | str = port or _PORTS[scheme]
    if port and not (port.isascii() and port.isdigit()):
        raise InvalidTarget(f"invalid port in {quoted}: a URL's port is a number")
    try:
        for label in labels[2:]:
            check_name("domain", label)
        target = Target("service", name, namespace, number, "https" if scheme == "https" else None)
    except InvalidInput as error:
        raise type(error)(f"{error} (in {quoted})", text=error.text, span=error.span) from None
    if "@" not in url:
        return target, clean(suffix)
    try:
        return target, clean(suffix)
    except InvalidSuffix:  # its message shows what may be the end of a password
        raise InvalidSuffix(
            f"invalid suffix in {quoted}: it would leave the target, or holds a control character "
            "or half a character; type the path from the app's own root"
        ) from None


def to_cluster_url(target: Target, suffix: str = "", *, domain: str = "cluster.local") -> str:
    """The URL by which code inside the cluster reaches a service.

    Args:
        target: a service with a port number.
        suffix: path, query and fragment.
        domain: the cluster's DNS domain.

    Raises:
        InvalidTarget: it is no service, or its port is not a number: DNS knows no port names.
        InvalidSuffix: as for `Target.path`.

    >>> to_cluster_url(Target("service", "web", "prod", 8443, "https"), "/x")
    'https://web.prod.svc.cluster.local:8443/x'
    """
    if target.kind != "service" or not isinstance(target.port, int):
        raise InvalidTarget(
            f"{target.kind} segment {shown(str(target.segment))} has no in-cluster URL: "
            "that takes a service and a port number"
        )
    for label in domain.split("."):
        check_name("domain", label)
    scheme = target.scheme or "http"
    port = "" if target.port == _PORTS[scheme] else f":{target.port}"
    return f"{scheme}://{target.name}.{target.namespace}.svc.{domain}{port}{clean(suffix) or '/'}"
