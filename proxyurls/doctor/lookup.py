"""The object behind a target, read once, and what is asked for in full."""

from __future__ import annotations

from http import HTTPStatus

from proxyurls.discovery import record
from proxyurls.doctor.case import Lookup
from proxyurls.doctor.reading import Refused, read
from proxyurls.errors import APIStatusError, ResolveError
from proxyurls.objects import NODE, POD, SERVICE, check
from proxyurls.resolve import find_service
from proxyurls.segment import NameSegment
from proxyurls.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case


def look_up(case: Case) -> None:
    """Read the object; set ``lookup``, ``service`` and ``target`` of the case.

    As ``fetch`` does, it finds the service meant by a display name, by a part of its name and in
    other namespaces, and chooses port and scheme, where neither was typed. The case's name and
    namespace are then those of the service that was found.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    space = None if case.kind == "node" else case.namespace or case.config.namespace
    if case.kind == "service":
        _look_up_service(case, space or "")
        return
    path = f"/api/v1/namespaces/{space}/pods" if case.kind == "pod" else "/api/v1/nodes"
    shape = POD if case.kind == "pod" else NODE
    try:
        case.lookup = Lookup(case.name, space, read(case, f"{path}/{case.name}", shape))
    except Refused as error:
        case.lookup = Lookup(case.name, space, refusal=str(error))
    port = case.port
    if isinstance(port, str) and not port.isdigit():
        port = next((p["containerPort"] for p in container_ports(case) if p.get("name") == port), 0)
    case.target = Target(case.kind, case.name, space, port or None, case.scheme)


def container_ports(case: Case) -> list[dict[str, Any]]:
    """The ports that a pod's containers declare, in order: the apiserver's default is the first."""
    spec = (case.lookup.found or {}).get("spec") or {}
    return [p for c in spec.get("containers") or [] for p in c.get("ports") or []]


def _look_up_service(case: Case, space: str) -> None:
    open_ended = case.port is None and case.scheme is None
    case.lookup = Lookup(case.name, space)
    try:
        if open_ended:
            found, how = find_service(case.client, case.name, case.namespace)
            check(found, SERVICE, case.config.server)
            case.lookup = Lookup(case.name, space, found, how)
        else:
            path = f"/api/v1/namespaces/{space}/services/{case.name}"
            case.lookup = Lookup(case.name, space, read(case, path, SERVICE))
    except Refused as error:
        case.lookup = Lookup(case.name, space, refusal=str(error))
    except ResolveError as error:
        case.lookup = Lookup(case.name, space, candidates=tuple(error.candidates))
    except APIStatusError as error:
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        refusal = error.detail if error.status == HTTPStatus.FORBIDDEN else ""
        case.lookup = Lookup(case.name, space, refusal=refusal)
    case.service = found_service = case.lookup.found
    port: int | str | None = case.port
    scheme = case.scheme
    if found_service:
        meta = found_service["metadata"]
        if (meta["name"], meta["namespace"]) != (case.name, space):
            case.name, case.namespace = meta["name"], meta["namespace"]
        space = meta["namespace"]
        if open_ended:
            port, scheme = _chosen(case, found_service)
    case.target = Target("service", case.name, space, port, scheme)


def _chosen(case: Case, service: dict[str, Any]) -> tuple[str, str]:
    """The port and scheme that ``fetch`` chooses; "" where there is no port to choose."""
    known = record(service, case.config.base_url)
    chosen = next((p for p in known.ports if p.url and p.url == known.url), None)
    if chosen is None or chosen.segment is None:
        return "", ""
    segment = NameSegment.parse(chosen.segment)
    return segment.port, segment.scheme
