"""Which service, port and scheme were meant by a name, and why."""

from __future__ import annotations

from http import HTTPStatus

from proxyurls.asking import Get, run
from proxyurls.discovery import record, services_path
from proxyurls.errors import AmbiguousService, APIStatusError, InvalidTarget, ServiceNotFound
from proxyurls.objects import NAMED, POD, SERVICE, check
from proxyurls.paging import Paging
from proxyurls.record import Record
from proxyurls.segment import NameSegment, check_port, check_scheme
from proxyurls.target import Target, pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from proxyurls.asking import Steps
    from proxyurls.client import APIClient
    from proxyurls.config import Config
    from proxyurls.discovery import ServicePort, ServiceRecord

_NEAR = 10


class Resolved(Record):
    """What was meant.

    Attributes:
        target: the target, with a port number where the service has one.
        why: how it was found and why that port and scheme, in one line.
    """

    target: Target
    why: str


def resolve_service(
    config: Config,
    name: str,
    namespace: str | None = None,
    *,
    port: int | str | None = None,
    scheme: str | None = None,
) -> Steps[Resolved]:
    """What to ask to find the one service meant.

    A service of exactly that name comes first (the context's namespace before others), then one
    with that display name, then the only one whose name begins with it, then the only one that
    holds it.

    Args:
        config: whose server it is, and the context's namespace.
        name: a name, a display name, or a part of a name.
        namespace: where to look; None is every namespace that the user may list.
        port: a port number or name of the service; None to choose the one for browsers.
        scheme: "http" or "https"; None to tell by the port.

    Raises:
        ServiceNotFound: there is none, or it has no such port, or none that can be proxied to.
        AmbiguousService: there are several; they are the error's candidates.
        ClusterError: as for `APIClient.get_json`.
    """
    found, how = yield from finding(config, name, namespace)
    check(found, SERVICE, config.server)
    service = record(found, config.base_url)
    where = f"service {service.name!r} in namespace {service.namespace!r}"
    chosen = _choose_port(service, where, port)
    segment = NameSegment.parse(chosen.segment or service.name)
    wanted = check_scheme(scheme) if scheme else segment.scheme
    why = service.why if port is None else f"port {chosen.port}, {chosen.scheme} ({chosen.why})"
    if scheme:
        why = f"port {chosen.port}, {scheme} (as given)"
    target = Target("service", service.name, service.namespace, segment.port, wanted or None)
    return Resolved(target, f"{where} ({how}), {why}")


def resolve_pod(
    config: Config,
    name: str,
    namespace: str | None = None,
    *,
    port: int | str | None = None,
    scheme: str | None = None,
) -> Steps[Resolved]:
    """What to ask to turn a pod's port name into its number.

    The apiserver looks up no names for pods.

    Args:
        config: whose server it is, and the context's namespace.
        name: the pod's name.
        namespace: its namespace; None is the context's.
        port: a port number, or the name of a container's port; None leaves the default,
            which is the first port of its containers.
        scheme: "http" or "https".

    Raises:
        ServiceNotFound: the pod has no port of that name.
        ClusterError: as for `APIClient.get_json`, with status 404 where there is no such pod.
    """
    where = namespace or config.namespace
    plain = pod(name, where, scheme=scheme)
    found = yield Get(f"/api/v1/namespaces/{plain.namespace}/pods/{plain.name}")
    check(found, POD, config.server)
    containers = (found.get("spec") or {}).get("containers") or []
    ports = [each for container in containers for each in container.get("ports") or []]
    named = {str(each.get("name") or each["containerPort"]): each for each in ports}
    label = f"pod {name!r} in namespace {where!r}"
    if port is None or isinstance(port, int) or port.isdigit():
        number = None if port is None else check_port("pod", port)
        how = "its default port" if number is None else "port as given"
        return Resolved(pod(name, where, port=number, scheme=scheme), f"{label}, {how}")
    if port not in named:
        has = ", ".join(f"{key} ({each['containerPort']})" for key, each in named.items()) or "none"
        raise ServiceNotFound(f"{label} has no port named {port!r}; its ports: {has}")
    number, protocol = named[port]["containerPort"], named[port].get("protocol") or "TCP"
    if protocol != "TCP":
        raise ServiceNotFound(f"{label} has no proxy URL for port {port!r}: it is {protocol}")
    return Resolved(
        pod(name, where, port=number, scheme=scheme), f"{label}, port {number} is named {port}"
    )


def _choose_port(service: ServiceRecord, where: str, port: int | str | None) -> ServicePort:
    if port is None:
        chosen = next((p for p in service.ports if service.url and p.url == service.url), None)
        if chosen is None:
            raise ServiceNotFound(f"{where} has no proxy URL: {service.why}")
        return chosen
    wanted = check_port("service", port)
    matching = [p for p in service.ports if wanted in (p.port, p.name)]
    if not matching:
        has = ", ".join(f"{p.port} ({p.name})" if p.name else str(p.port) for p in service.ports)
        raise ServiceNotFound(f"{where} has no port {port!r}; its ports: {has or 'none'}")
    for each in matching:
        if each.url:
            return each
    raise ServiceNotFound(f"{where} has no proxy URL for port {port!r}: {matching[0].why}")


def find_service(
    client: APIClient, name: str, namespace: str | None = None
) -> tuple[dict[str, Any], str]:
    """The Service object meant by a name, and how it was found: see `resolve_service`.

    Args:
        client: the connection.
        name: a name, a display name, or a part of a name.
        namespace: where to look; None is every namespace that the user may list.

    Raises:
        ServiceNotFound: there is none.
        AmbiguousService: there are several; they are the error's candidates.
        ClusterError: as for `APIClient.get_json`.
    """
    return run(client, finding(client.config, name, namespace))


def finding(config: Config, name: str, namespace: str | None) -> Steps[tuple[dict[str, Any], str]]:
    """What to ask for `find_service`."""
    home = namespace or config.namespace
    if not name:
        raise InvalidTarget("the service name is empty; type one", text=name)
    refused = None
    if _is_name(name):
        try:
            found = yield Get(f"{services_path(home)}/{name}")
        except APIStatusError as error:
            # Who may not get it may still list it.
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                raise
            refused = error
        else:
            return found, "the exact name"
    ranks: tuple[list[dict[str, Any]], ...] = ([], [], [], [])
    hows = ("the exact name", "its display name", "the only name with that start")
    names = []

    def take(item: dict[str, Any]) -> None:
        names.append(f"{item['metadata']['name']}.{item['metadata']['namespace']}")
        rank = _match(item, name)
        if rank is not None:
            ranks[rank].append(item)

    scope = yield from _readable(config, namespace, take)
    for matches, how in zip(ranks, (*hows, "the only name that holds it"), strict=True):
        if len(matches) == 1:
            return matches[0], how
        if matches:
            fitting = sorted(
                f"{s['metadata']['name']}.{s['metadata']['namespace']}" for s in matches
            )
            shown = ", ".join(fitting[:10]) + (", …" if len(fitting) > 10 else "")
            raise AmbiguousService(
                f"{len(fitting)} services fit {name!r}: {shown}; type one of these in its place",
                candidates=fitting,
            )
    if not scope and refused:
        raise refused
    raise _not_found(name, names, scope)


def _is_name(text: str) -> bool:
    try:
        Target("service", text, "default")
    except ValueError:
        return False
    return True


def _match(item: dict[str, Any], name: str) -> int | None:
    """How well a Service object fits a name: 0 is best, None is not at all."""
    own = item["metadata"]["name"]
    display = (item["metadata"].get("labels") or {}).get("kubernetes.io/name", "")
    if own == name:
        return 0
    if display.lower() == name.lower():
        return 1
    if own.startswith(name.lower()):
        return 2
    return 3 if name.lower() in own else None


def _readable(
    config: Config, namespace: str | None, take: Callable[[dict[str, Any]], None]
) -> Steps[list[str]]:
    """Take the services of every namespace that the user may list, and say which they were."""
    paging = Paging(config.server, services_path(namespace), shape=SERVICE)
    try:
        yield from _all_of(paging, take)
    except APIStatusError as error:
        if error.status != HTTPStatus.FORBIDDEN or namespace:
            raise
    else:
        return [f"namespace {namespace!r}" if namespace else "any namespace"]
    scope, spaces = [], []
    listed = Paging(config.server, "/api/v1/namespaces", metadata_only=True, shape=NAMED)
    try:
        yield from _all_of(listed, lambda space: spaces.append(space["metadata"]["name"]))
    except APIStatusError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        spaces = [config.namespace]
    for space in spaces:
        try:
            yield from _all_of(Paging(config.server, services_path(space), shape=SERVICE), take)
        except APIStatusError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
        else:
            scope.append(f"namespace {space!r}")
    return scope


def _all_of(paging: Paging, take: Callable[[dict[str, Any]], None]) -> Steps[None]:
    while (items := (yield from paging.page())) is not None:
        while items:
            take(items.pop())


def _not_found(name: str, names: list[str], scope: list[str]) -> ServiceNotFound:
    import difflib

    by_name: dict[str, list[str]] = {}
    for full in names:
        by_name.setdefault(full.partition(".")[0], []).append(full)
    close = difflib.get_close_matches(name, by_name, n=5, cutoff=0.5)
    near = [full for each in close for full in by_name[each]][:_NEAR]
    where = ", ".join(scope) or "the namespaces you may list (none)"
    hint = f"near: {', '.join(near)}" if near else "`proxyurls services -A` lists what there is"
    return ServiceNotFound(f"no service fits {name!r} in {where}; {hint}", candidates=near)
