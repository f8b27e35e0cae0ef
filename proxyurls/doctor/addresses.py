"""The addresses behind a service, as Endpoints and EndpointSlices have them.

Up to Kubernetes 1.34 the apiserver proxies by Endpoints, from 1.35 on by EndpointSlices
(kubernetes/kubernetes#134860). Controllers keep both alike.
"""

from __future__ import annotations

from proxyurls.doctor.reading import Refused, read, read_list
from proxyurls.doctor.shapes import ENDPOINTS, SLICE
from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from proxyurls.doctor.case import Case


class Address(Record):
    """One address.

    Attributes:
        ip: the address.
        ready: whether it is said to be ready.
        pod: the name of the pod that it is said to belong to, or None.
        namespace: that pod's namespace, "" where the reference names none.
        ports: name ("" for none) and number of each port.
        subset: which subset of the Endpoints object it is in; None for EndpointSlices.
        place: which of that subset's ready addresses it is.
    """

    ip: str
    ready: bool
    pod: str | None
    namespace: str
    ports: tuple[tuple[str, int], ...]
    subset: int | None = None
    place: int = 0

    def number(self, port_name: str) -> int | None:
        """The number of the port of that name, or None where it has none."""
        return dict(self.ports).get(port_name)


class Addresses(Record):
    """What is known of them.

    Attributes:
        of_endpoints: those in the Endpoints object.
        of_slices: those in EndpointSlices.
        refusal: the apiserver's message where one of the two may not be read, else "".
    """

    of_endpoints: tuple[Address, ...]
    of_slices: tuple[Address, ...]
    refusal: str = ""

    @property
    def known(self) -> tuple[Address, ...]:
        """Those that count."""
        return self.of_endpoints or self.of_slices


def read_addresses(case: Case) -> Addresses:
    """All addresses of the case's service.

    Args:
        case: with the service looked up.

    Raises:
        Refused: neither Endpoints nor EndpointSlices may be read.
        ClusterError: as for `APIClient.get_json`.
    """
    space, name = case.target.namespace, case.name
    refusals, in_object, slices = [], None, None
    try:
        in_object = read(case, f"/api/v1/namespaces/{space}/endpoints/{name}", ENDPOINTS)
    except Refused as error:
        refusals.append(error)
    try:
        for version in ("v1", "v1beta1"):  # v1 came with Kubernetes 1.21
            path = f"/apis/discovery.k8s.io/{version}/namespaces/{space}/endpointslices"
            slices = read_list(case, path, SLICE, selector=f"kubernetes.io/service-name={name}")
            if slices is not None:
                break
    except Refused as error:
        refusals.append(error)
    if len(refusals) == 2:
        raise refusals[0]
    return Addresses(
        tuple(_of_endpoints(in_object or {})),
        tuple(_of_slices(slices or [])),
        "; ".join(map(str, refusals)),
    )


def _of_endpoints(found: dict[str, Any]) -> Iterable[Address]:
    for at, subset in enumerate(found.get("subsets") or []):
        ports = _ports(subset)
        for ready, member in ((True, "addresses"), (False, "notReadyAddresses")):
            for place, one in enumerate(subset.get(member) or []):
                pod, namespace = _reference(one)
                yield Address(one["ip"], ready, pod, namespace, ports, at, place)


def _of_slices(found: Iterable[dict[str, Any]]) -> Iterable[Address]:
    for piece in found:
        if piece.get("addressType") == "FQDN":  # a name is never proxied to
            continue
        ports = _ports(piece)
        for one in piece.get("endpoints") or []:
            ready = (one.get("conditions") or {}).get("ready")
            pod, namespace = _reference(one)
            for ip in one.get("addresses") or []:
                yield Address(ip, ready is not False, pod, namespace, ports)


def _ports(found: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple(
        (p.get("name") or "", p["port"]) for p in found.get("ports") or [] if p.get("port")
    )


def _reference(found: dict[str, Any]) -> tuple[str | None, str]:
    reference = found.get("targetRef") or {}
    return reference.get("name"), reference.get("namespace") or ""
