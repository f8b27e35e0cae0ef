"""Which objects may have been meant by a name that there is not, the likeliest first."""

from __future__ import annotations

from difflib import get_close_matches
from http import HTTPStatus

from proxyurls.doctor.reading import Refused, read, read_list
from proxyurls.errors import APIStatusError, ResolveError
from proxyurls.objects import NAMED, NAMESPACED, NODE
from proxyurls.resolve import find_service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from proxyurls.doctor.case import Case
    from proxyurls.objects import Shape

_MOST = 5
_LIST: Shape = {"items": [NAMESPACED]}


def close(name: str, names: Iterable[str]) -> list[str]:
    """The names that are nearly this one, or have it at their start."""
    known = list(names)
    longer = sorted(one for one in known if one.startswith(name))
    return list(dict.fromkeys([*longer, *get_close_matches(name, known, n=_MOST, cutoff=0.6)]))


def services(case: Case) -> list[str]:
    """Services that may be meant, as ``NAME.NAMESPACE``: of just that name, then of near ones.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    found = list(case.lookup.candidates)
    for space in (case.lookup.space, None):
        try:
            service, _ = find_service(case.client, case.lookup.typed, space)
        except ResolveError as error:
            found += error.candidates
        except APIStatusError as error:
            if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                raise
        else:
            found.append(f"{service['metadata']['name']}.{service['metadata']['namespace']}")
    here, name = f".{case.lookup.space}", f"{case.lookup.typed}."
    return sorted(
        dict.fromkeys(found), key=lambda full: (not full.startswith(name), not full.endswith(here))
    )


def pods(case: Case) -> tuple[list[str], list[str]]:
    """The other namespaces that have a pod of that name, and the near names in this one.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    name, space = case.lookup.typed, case.lookup.space
    spaces = with_name(case, "pods", name)
    names = _names(case, f"/api/v1/namespaces/{space}/pods", NAMED)
    return [one for one in spaces if one != space], close(name, names)


def with_name(case: Case, plural: str, name: str) -> list[str]:
    """The namespaces that have an object of that name, as far as they may be listed.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    try:
        found = read(case, f"/api/v1/{plural}?fieldSelector=metadata.name%3D{name}", _LIST)
    except Refused:
        return []
    return [one["metadata"]["namespace"] for one in (found or {}).get("items") or []]


def nodes(case: Case) -> list[str]:
    """Nodes that may be meant: by their address, or by a near name.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    name = case.lookup.typed
    try:
        found = read_list(case, "/api/v1/nodes", {**NAMED, **NODE}) or []
    except Refused:
        return []
    by_address = [
        node["metadata"]["name"]
        for node in found
        if any(a["address"] == name for a in (node.get("status") or {}).get("addresses") or [])
    ]
    return by_address or close(name, [node["metadata"]["name"] for node in found])


def namespaces(case: Case) -> list[str] | None:
    """The near namespaces, where there is none of that name; None where there is, or may be.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    space = case.lookup.space or ""
    try:
        if read(case, f"/api/v1/namespaces/{space}", NAMED) is not None:
            return None
    except Refused:
        return None
    return close(space, _names(case, "/api/v1/namespaces", NAMED))


def exists(case: Case, path: str) -> bool:
    """Whether there is surely such an object.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    try:
        return read(case, path, NAMED) is not None
    except Refused:
        return False


def _names(case: Case, path: str, shape: Shape) -> list[str]:
    try:
        found: list[dict[str, Any]] = read_list(case, path, shape, whole=False) or []
    except Refused:
        return []
    return [one["metadata"]["name"] for one in found]
