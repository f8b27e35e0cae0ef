"""How many of a service's endpoints are ready, from EndpointSlices or Endpoints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[str, str]  # namespace and name
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Piece(NamedTuple):
    """What one EndpointSlice or Endpoints object says.

    Attributes:
        service: whose endpoints they are.
        ready: the ready ones, each by its pod's name, else by its address.
        waiting: the others.
    """

    service: Key
    ready: frozenset[str]
    waiting: frozenset[str]


class Readiness(NamedTuple):
    """How many endpoints of a service are ready, of how many."""

    ready: int
    total: int


def from_slice(item: dict[str, Any]) -> Piece:
    """Read an EndpointSlice. A condition that is not there counts as ready.

    Source: k8s.io/api, discovery/v1/types.go, ``EndpointConditions``.
    """
    meta = item["metadata"]
    owner = (meta.get("labels") or {}).get(SERVICE_NAME_LABEL) or ""
    ready: set[str] = set()
    waiting: set[str] = set()
    for endpoint in item.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        into = waiting if conditions.get("ready") is False else ready
        into.add(_who(endpoint, (endpoint.get("addresses") or [""])[0]))
    return Piece((meta["namespace"], owner), frozenset(ready), frozenset(waiting))


def from_endpoints(item: dict[str, Any]) -> Piece:
    """Read an Endpoints object.

    Source: k8s.io/api, core/v1/types.go, ``EndpointSubset``.
    """
    ready: set[str] = set()
    waiting: set[str] = set()
    for subset in item.get("subsets") or ():
        for key, into in (("addresses", ready), ("notReadyAddresses", waiting)):
            into.update(_who(address, address["ip"]) for address in subset.get(key) or ())
    meta = item["metadata"]
    return Piece((meta["namespace"], meta["name"]), frozenset(ready), frozenset(waiting))


def _who(endpoint: dict[str, Any], address: str) -> str:
    # A pod counts once, though a dual-stack service has it in two slices.
    target = endpoint.get("targetRef") or {}
    return str(target.get("name") or address)


def count(pieces: Iterable[Piece]) -> dict[Key, Readiness]:
    """The readiness of each service that any piece speaks of."""
    ready: dict[Key, set[str]] = {}
    waiting: dict[Key, set[str]] = {}
    for piece in pieces:
        ready.setdefault(piece.service, set()).update(piece.ready)
        waiting.setdefault(piece.service, set()).update(piece.waiting)
    return {key: Readiness(len(names), len(names | waiting[key])) for key, names in ready.items()}
