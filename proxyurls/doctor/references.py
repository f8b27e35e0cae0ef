"""Whether an endpoint's address is that of a pod: the apiserver proxies to no other."""

from __future__ import annotations

from shlex import join

from proxyurls.doctor import commands, pods
from proxyurls.doctor.case import Found
from proxyurls.doctor.existence import label
from proxyurls.doctor.port import asked_port
from proxyurls.doctor.reading import Refused, read, read_list
from proxyurls.doctor.shapes import POD, a_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from proxyurls.doctor.addresses import Address
    from proxyurls.doctor.case import Case

_TRIED = 20


def first_good(case: Case, serving: Sequence[Address]) -> Address:
    """The first address that the apiserver accepts.

    As isValidAddress in Kubernetes (pkg/registry/core/service/storage): the endpoint's targetRef
    names a pod of the service's namespace, and the pod has that address.

    Args:
        case: with the service looked up.
        serving: ready addresses with the port, at least one.

    Raises:
        Found: "no-target-ref": none is accepted.
        ClusterError: as for `APIClient.get_json`.
    """
    wrong = []
    for one in serving[:_TRIED]:
        trouble = _trouble(case, one)
        if not trouble:
            return one
        wrong.append(trouble)
    raise _no_good(case, serving, wrong)


def pod_of(case: Case, address: Address) -> dict[str, Any] | None:
    """The pod that an address is said to belong to.

    Raises:
        Refused: it may not be read.
        ClusterError: as for `APIClient.get_json`.
    """
    if not a_name(address.pod):  # no apiserver looks what a reference holds; it might lead anywhere
        return None
    space = case.target.namespace
    return read(case, f"/api/v1/namespaces/{space}/pods/{address.pod}", POD)


def _trouble(case: Case, address: Address) -> str:
    """What is wrong with it; "" where nothing is, or nothing can be seen."""
    if address.pod is None:
        return f"{address.ip} has no targetRef"
    if address.namespace != case.target.namespace:
        return f"{address.ip} has a targetRef to namespace {address.namespace!r}"
    try:
        pod = pod_of(case, address)
    except Refused:
        return ""
    if pod is None:
        return f"{address.ip} has a targetRef to pod {address.pod!r}, which is not there"
    has = pods.addresses(pod)
    if address.ip not in has:
        return (
            f"{address.ip} is not the address of pod {address.pod!r} ({', '.join(has) or 'none'})"
        )
    return ""


def _no_good(case: Case, serving: Sequence[Address], wrong: Sequence[str]) -> Found:
    first = serving[0]
    text = f"the apiserver proxies to pods of the namespace alone, and behind {label(case)} "
    text += "; ".join(wrong[:3])
    if (case.name, case.target.namespace) == ("kubernetes", "default"):
        return Found(
            "no-target-ref",
            f"{text}: it is the apiserver",
            "proxyurls fetch --raw /",
        )
    pod = _with_address(case, first.ip)
    if pod is None or first.subset is None:
        number = first.number(asked_port(case).get("name") or "")
        host = f"[{first.ip}]" if ":" in first.ip else first.ip
        url = f"{case.target.scheme or 'http'}://{host}:{number}/{case.suffix.lstrip('/')}"
        return Found("no-target-ref", text, join(["curl", url]))
    reference = {"kind": "Pod", "namespace": case.target.namespace, "name": pod}
    path = f"/subsets/{first.subset}/addresses/{first.place}/targetRef"
    change = [{"op": "add", "path": path, "value": reference}]
    return Found("no-target-ref", text, commands.patch(case, "endpoints", change))


def _with_address(case: Case, ip: str) -> str | None:
    """The name of the namespace's pod that has an address."""
    try:
        found = read_list(case, f"/api/v1/namespaces/{case.target.namespace}/pods", POD) or []
    except Refused:
        return None
    return next((pod["metadata"]["name"] for pod in found if ip in pods.addresses(pod)), None)
