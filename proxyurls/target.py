"""A target: the service, pod or node behind the apiserver, and its proxy path."""

from __future__ import annotations

from proxyurls.errors import InvalidTarget, shown
from proxyurls.segment import (
    NameSegment,
    check_name,
    check_port,
    check_scheme,
    is_service,
    join_segment,
)
from proxyurls.server import join
from proxyurls.suffix import clean, with_query
from proxyurls.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yarl

    from proxyurls.suffix import Query

KINDS = ("service", "pod", "node")


class Target(Value):
    """A service, pod or node that a proxy URL points at. Build it with `service`, `pod`, `node`.

    Args:
        kind: "service", "pod" or "node".
        name: its name.
        namespace: its namespace; None for nodes.
        port: a number from 1 to 65535, a service's port name, or None for the default.
        scheme: "http", "https", or None for the default.

    Raises:
        InvalidTarget: no such object can exist, or the apiserver can't reach such a port.
    """

    __slots__ = ("_kind", "_name", "_namespace", "_port", "_scheme")

    def __init__(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        port: int | str | None = None,
        scheme: str | None = None,
    ) -> None:
        if kind != "service" or not is_service(f"{name}/{namespace}"):
            _check_names(kind, name, namespace)
        self._kind = kind
        self._name = name
        self._namespace = namespace
        self._port = check_port(kind, port) if port or port == 0 else None
        self._scheme = check_scheme(scheme) if scheme else None

    @property
    def kind(self) -> str:
        """The kind: "service", "pod" or "node"."""
        return self._kind

    @property
    def namespace(self) -> str | None:
        """The namespace; None for nodes."""
        return self._namespace

    @property
    def name(self) -> str:
        """The object's name."""
        return self._name

    @property
    def port(self) -> int | str | None:
        """The port's number, or a service's port name; None for the default port."""
        return self._port

    @property
    def scheme(self) -> str | None:
        """The scheme: "http", "https", or None for the apiserver's default."""
        return self._scheme

    @property
    def segment(self) -> NameSegment:
        """Name, port and scheme as the URL has them; also what RBAC calls the resource name."""
        return NameSegment(self._name, str(self._port or ""), self._scheme or "")

    def path(self, suffix: str = "") -> str:
        """The absolute, encoded path of a proxy URL.

        Args:
            suffix: path, query and fragment behind the target, as already-typed URL text.

        Returns:
            ``/api/v1/namespaces/NAMESPACE/services/SEGMENT/proxy/…``

        Raises:
            InvalidSuffix: the suffix would leave the target or can't be sent.

        >>> service("elasticsearch-logging", "kube-system").path("_search?q=user:kimchy")
        '/api/v1/namespaces/kube-system/services/elasticsearch-logging/proxy/_search?q=user:kimchy'
        """
        segment = join_segment(self._name, self._port or "", self._scheme)
        behind = clean(suffix) or "/"
        if self._kind == "node":
            return f"/api/v1/nodes/{segment}/proxy{behind}"
        return f"/api/v1/namespaces/{self._namespace}/{self._kind}s/{segment}/proxy{behind}"

    def url(self, server: str, suffix: str = "", *, query: Query | None = None) -> yarl.URL:
        """The proxy URL as a `yarl.URL`.

        Args:
            server: the apiserver's base URL, or that of a kubectl proxy; its path is kept.
            suffix: as for `path`.
            query: raw names and values to append, encoded here.

        Raises:
            InvalidURL: the server is no http or https URL.
            InvalidSuffix: as for `path`.
        """
        import yarl

        suffix = with_query(suffix, query) if query else suffix
        # encoded=True: yarl would otherwise resolve dot segments and quote once more.
        return yarl.URL(join(server, self.path(suffix)), encoded=True)

    def _fields(self) -> tuple[str, str, str | None, int | str | None, str | None]:
        return (self._kind, self._name, self._namespace, self._port, self._scheme)


def _check_names(kind: str, name: str, namespace: str | None) -> None:
    if kind not in KINDS:
        raise InvalidTarget(
            f"invalid kind {shown(kind)}: the apiserver proxies to a service, pod or node",
            text=kind,
        )
    check_name(kind, name)
    if kind == "node":
        if namespace is not None:
            raise InvalidTarget(
                f"a node has no namespace, so node {name!r} can't be in {shown(namespace)}; "
                "leave the namespace out",
                text=namespace,
            )
    elif namespace is None:
        raise InvalidTarget(f"{kind} {name!r} needs a namespace; type one")
    else:
        check_name("namespace", namespace)


def service(
    name: str,
    namespace: str = "default",
    *,
    port: int | str | None = None,
    scheme: str | None = None,
) -> Target:
    """A service.

    Args:
        name: its name, an RFC 1123 label (a leading digit needs a server that allows it).
        namespace: its namespace.
        port: a port number or name of the service; None for its unnamed port.
        scheme: "https" if the app speaks TLS; None or "http" otherwise.

    Raises:
        InvalidTarget: no such service can exist.

    >>> str(service("dashboard", "kube-system", port=443, scheme="https").segment)
    'https:dashboard:443'
    """
    return Target("service", name, namespace, port, scheme)


def pod(
    name: str,
    namespace: str = "default",
    *,
    port: int | str | None = None,
    scheme: str | None = None,
) -> Target:
    """A pod.

    Args:
        name: its name, an RFC 1123 subdomain.
        namespace: its namespace.
        port: a port number; None for the first port of its containers.
        scheme: "https" if the app speaks TLS; None or "http" otherwise.

    Raises:
        InvalidTarget: no such pod can exist, or the port is a name.
    """
    return Target("pod", name, namespace, port, scheme)


def node(name: str, *, port: int | str | None = None, scheme: str | None = None) -> Target:
    """A node.

    Args:
        name: its name, an RFC 1123 subdomain.
        port: a port number; None for the kubelet's.
        scheme: "http" or "https"; without it, and always at the kubelet's port, the kubelet's own.

    Raises:
        InvalidTarget: no such node can exist, or the port is a name.
    """
    return Target("node", name, None, port, scheme)
