"""Service objects to records with the right URLs, and the lists they come from.

The upper half is pure: JSON in, frozen records out. The lower half asks for what it needs.
"""

from __future__ import annotations

from http import HTTPStatus

from proxyurls.asking import Get, each, run
from proxyurls.errors import APIStatusError, InvalidTarget
from proxyurls.objects import NODE, SERVICE, items_of
from proxyurls.paging import Paging
from proxyurls.record import Record
from proxyurls.segment import check_name, join_segment
from proxyurls.target import Target
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from proxyurls.asking import Items, Steps
    from proxyurls.client import APIClient
    from proxyurls.config import Config
    from proxyurls.objects import Shape

CLUSTER_SERVICE_LABEL = "kubernetes.io/cluster-service"
DISPLAY_NAME_LABEL = "kubernetes.io/name"
_HTTPS_NUMBERS = (443, 8443)
_WEB_NUMBERS = (80, 443, 8080, 8443)
# The protocols that have a name in Kubernetes' own list (core/v1 ServicePort.appProtocol) or
# IANA's, and what they mean for us. Others ("redis", "grpc" over who knows what) decide nothing.
_APP_PROTOCOLS = {
    "http": "http",
    "https": "https",
    "kubernetes.io/h2c": "http",
    "kubernetes.io/ws": "http",
    "kubernetes.io/wss": "https",
    "ws": "http",
    "wss": "https",
}


class ClusterService(Record):
    """One line of ``kubectl cluster-info``."""

    display_name: str
    namespace: str
    name: str
    url: str


class ServicePort(Record):
    """A port of a service.

    Attributes:
        name: the port's name, "" where it has none.
        port: its number.
        protocol: "TCP", "UDP" or "SCTP".
        scheme: "http" or "https"; None where the apiserver can't reach the port.
        why: why that scheme, or why there is no URL.
        segment: the name segment to reach it by, or None.
        url: its proxy URL, or None.
    """

    name: str
    port: int
    protocol: str
    scheme: str | None
    why: str
    segment: str | None
    url: str | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self._fields}


class ServiceRecord(Record):
    """A service and how to reach it.

    Attributes:
        namespace: its namespace.
        name: its name.
        display_name: the label ``kubernetes.io/name``, or its name.
        cluster_service: whether ``kubectl cluster-info`` would list it (in its namespace).
        type: "ClusterIP", "NodePort", "LoadBalancer" or "ExternalName".
        url: the proxy URL of the port that is most likely the web's, or None.
        why: why that port, or why there is no URL.
        ports: all its ports, in the service's order.
        addresses: URLs of its LoadBalancer or NodePort, from outside and without the apiserver.
    """

    namespace: str
    name: str
    display_name: str
    cluster_service: bool
    type: str
    url: str | None
    why: str
    ports: tuple[ServicePort, ...]
    addresses: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON values: the keys are the attributes."""
        values = {name: getattr(self, name) for name in self._fields}
        values["ports"] = [port.as_dict() for port in self.ports]
        values["addresses"] = list(self.addresses)
        return values


def cluster_service(service: dict[str, Any], server: str) -> ClusterService:
    """What kubectl prints for a service, to the letter, its mistakes included.

    Source: k8s.io/kubectl, pkg/cmd/clusterinfo/clusterinfo.go: a LoadBalancer is always http,
    IPv6 has no brackets, each port's URL is followed by a space, and UDP has URLs too.

    Args:
        service: a Service object.
        server: the apiserver's base URL as the kubeconfig has it.
    """
    meta, spec = service["metadata"], service.get("spec") or {}
    ports = spec.get("ports") or []
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if ingress:
        host = ingress[0].get("ip") or ingress[0].get("hostname") or ""
        url = "".join(f"http://{host}:{port['port']} " for port in ports)
    else:
        segment = meta["name"]
        if ports:
            name = ports[0].get("name") or ""
            secure = name == "https" or ports[0]["port"] == 443
            segment = join_segment(segment, name, "https" if secure else "")
        url = f"{server}/api/v1/namespaces/{meta['namespace']}/services/{segment}/proxy"
    display_name = (meta.get("labels") or {}).get(DISPLAY_NAME_LABEL) or meta["name"]
    return ClusterService(display_name, meta["namespace"], meta["name"], url)


def scheme_of(port: dict[str, Any]) -> tuple[str, str]:
    """The scheme of a ServicePort object and the reason, strongest evidence first."""
    protocol = port.get("appProtocol") or ""
    if protocol.lower() in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[protocol.lower()], f"appProtocol is {protocol}"
    name = port.get("name") or ""
    if name == "https" or name.startswith("https-"):
        return "https", f"the port is named {name}"
    if port["port"] in _HTTPS_NUMBERS:
        return "https", f"the port number is {port['port']}"
    return "http", "nothing says https"


def _rank(port: dict[str, Any]) -> tuple[int, str]:
    """How sure it is that a port is the one for browsers, and why; lower is surer."""
    name = port.get("name") or ""
    if (port.get("appProtocol") or "").lower() in _APP_PROTOCOLS:
        return 0, f"appProtocol {port['appProtocol']}"
    if name in ("http", "https", "web") or name.startswith(("http-", "https-", "web-")):
        return 1, f"named {name}"
    if port["port"] in _WEB_NUMBERS:
        return 2, "a usual web port"
    return 3, "the first TCP port"


def record(
    service: dict[str, Any], server: str, *, node_address: str | None = None
) -> ServiceRecord:
    """A Service object as a record.

    Args:
        service: a Service object.
        server: the apiserver's base URL.
        node_address: a node's address or name for NodePort URLs; without one they are left out.
    """
    meta, spec = service["metadata"], service.get("spec") or {}
    name, namespace = meta["name"], meta["namespace"]
    labels = meta.get("labels") or {}
    kind = spec.get("type") or "ClusterIP"
    objects = spec.get("ports") or []
    ports = tuple(_port(service, at, server) for at in range(len(objects)))
    reachable = [at for at, port in enumerate(ports) if port.url]
    url, why = None, _no_url(kind, spec, ports)
    if reachable:
        best = min(reachable, key=lambda at: _rank(objects[at])[0])
        url = ports[best].url
        reason = _rank(objects[best])[1] if len(reachable) > 1 else "the only TCP port"
        why = f"port {ports[best].port} ({reason}), {ports[best].scheme} ({ports[best].why})"
    return ServiceRecord(
        namespace=namespace,
        name=name,
        display_name=labels.get(DISPLAY_NAME_LABEL) or name,
        cluster_service=labels.get(CLUSTER_SERVICE_LABEL) == "true",
        type=kind,
        url=url,
        why=why,
        ports=ports,
        addresses=tuple(_addresses(service, objects, node_address)),
    )


def _no_url(kind: str, spec: dict[str, Any], ports: tuple[ServicePort, ...]) -> str:
    if kind == "ExternalName":
        outside = spec.get("externalName") or "another host"
        return f"an ExternalName is a DNS alias for {outside}: there is nothing to proxy to"
    if not ports:
        return "the service has no ports"
    return f"no TCP port: {', '.join(f'{port.port}/{port.protocol}' for port in ports)}"


def _port(service: dict[str, Any], at: int, server: str) -> ServicePort:
    meta, spec = service["metadata"], service["spec"]
    objects, external = spec["ports"], spec.get("type") == "ExternalName"
    port = objects[at]
    number, port_name = port["port"], port.get("name") or ""
    protocol = port.get("protocol") or "TCP"
    if external or protocol != "TCP":
        why = (
            "an ExternalName has no endpoints"
            if external
            else f"the apiserver proxies HTTP, and that is not spoken over {protocol}"
        )
        return ServicePort(port_name, number, protocol, None, why, None, None)
    scheme, why = scheme_of(port)
    # A number works whether the port is named or not, but it means the first port that has it:
    # DNS has 53 twice, and there the name tells TCP from UDP.
    taken = any(other["port"] == number for other in objects[:at])
    try:
        target = Target(
            "service",
            meta["name"],
            meta["namespace"],
            port_name if taken and port_name else number,
            "https" if scheme == "https" else None,
        )
    except InvalidTarget:
        if not taken:
            raise
        why = f"another port has the number {number}, and a URL has no place for its name"
        return ServicePort(port_name, number, protocol, None, why, None, None)
    url = join(server, target.path())
    return ServicePort(port_name, number, protocol, scheme, why, str(target.segment), url)


def _addresses(
    service: dict[str, Any], objects: list[dict[str, Any]], node_address: str | None
) -> Iterator[str]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    for port in objects:
        if (port.get("protocol") or "TCP") != "TCP":
            continue
        scheme = scheme_of(port)[0]
        for entry in ingress:
            host = entry.get("ip") or entry.get("hostname")
            if host:
                yield _address(scheme, host, port["port"])
        if port.get("nodePort") and node_address and not ingress:
            yield _address(scheme, node_address, port["nodePort"])


def _address(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{shown}/" if port == default else f"{scheme}://{shown}:{port}/"


def services_path(namespace: str | None) -> str:
    """The list of a namespace's services, or of all with None.

    Raises:
        InvalidTarget: there can be no such namespace.
    """
    if namespace:
        check_name("namespace", namespace)
    return f"/api/v1/namespaces/{namespace}/services" if namespace else "/api/v1/services"


def list_objects(
    client: APIClient,
    path: str,
    *,
    label_selector: str | None = None,
    on_read: Callable[[int], None] | None = None,
    on_version: Callable[[str], None] | None = None,
    metadata_only: bool = False,
    shape: Shape | None = None,
) -> Iterator[dict[str, Any]]:
    """The objects of a list, each once, never holding more than a page.

    Where the continue token expires in mid-list (410), the list goes on from the token that the
    server sends with the refusal, or is begun again without repeating what was given.

    Args:
        client: the connection.
        path: the list's path.
        label_selector: as for ``kubectl -l``.
        on_read: called after each page with the number of objects so far.
        on_version: called with the first page's resourceVersion, from which a watch misses nothing.
        metadata_only: leave spec and status out where the server can: less to send and to read.
        shape: what each object must look like; None leaves it to the caller to look.

    Raises:
        ClusterError: as for `APIClient.get_json`; an object does not look like that; or the list
            leads back to itself.
    """
    asked = Paging(
        client.config.server,
        path,
        label_selector=label_selector,
        on_read=on_read,
        on_version=on_version,
        metadata_only=metadata_only,
        shape=shape,
    )
    return each(client, asked.objects())


def services_of(
    config: Config,
    namespace: str | None,
    *,
    label_selector: str | None = None,
    node_ports: bool = False,
    on_read: Callable[[int], None] | None = None,
) -> Items[ServiceRecord]:
    """What to ask for the records of a namespace's services, or of all with None.

    Args:
        config: whose server it is.
        namespace: where.
        label_selector: as for ``kubectl -l``.
        node_ports: also ask for a node's address, before the first service that needs it.
        on_read: called after each page with the number of services so far.
    """
    path, address, asked = services_path(namespace), None, not node_ports
    paging = Paging(
        config.server, path, label_selector=label_selector, on_read=on_read, shape=SERVICE
    )
    while (items := (yield from paging.page())) is not None:
        while items:
            item = items.pop()
            if not asked and (item.get("spec") or {}).get("type") == "NodePort":
                address, asked = (yield from first_address(config.server)), True
            yield record(item, config.base_url, node_address=address)
            del item


def cluster_services_of(config: Config, namespace: str | None) -> Steps[list[ClusterService]]:
    """What to ask for what ``kubectl cluster-info`` lists.

    Args:
        config: whose server it is.
        namespace: where; None is kube-system, whatever the context says, as with kubectl.
    """
    path = services_path(namespace or "kube-system")
    selector = f"{CLUSTER_SERVICE_LABEL}=true"
    paging, found = Paging(config.server, path, label_selector=selector, shape=SERVICE), []
    while (items := (yield from paging.page())) is not None:
        found += [cluster_service(item, config.server) for item in reversed(items)]
    return found


def node_address(client: APIClient) -> str | None:
    """An address of the first ready node, as `first_address` says."""
    return run(client, first_address(client.config.server))


def first_address(server: str) -> Steps[str | None]:
    """An address of the first ready node, for NodePort URLs: external before internal.

    Returns:
        None where there is no node, or the user may not list them.
    """
    try:
        answer = yield Get("/api/v1/nodes?limit=20")
    except APIStatusError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return None
        raise
    for node in items_of(answer, NODE, server):
        status = node.get("status") or {}
        ready = {c["type"]: c["status"] for c in status.get("conditions") or []}.get("Ready")
        found = {a["type"]: a["address"] for a in status.get("addresses") or []}
        if ready != "False" and found.keys() & {"ExternalIP", "InternalIP", "Hostname"}:
            return str(found.get("ExternalIP") or found.get("InternalIP") or found["Hostname"])
    return None
