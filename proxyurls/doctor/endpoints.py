"""Step 8: whether something is behind the target that the apiserver will proxy to."""

from __future__ import annotations

from proxyurls.doctor import commands, manifests, pods, references, selection
from proxyurls.doctor.addresses import read_addresses
from proxyurls.doctor.case import Found, Skipped
from proxyurls.doctor.existence import label
from proxyurls.doctor.identity import answer_of_proxy
from proxyurls.doctor.machines import check_node, check_pod
from proxyurls.doctor.port import asked_port
from proxyurls.doctor.reading import Refused
from proxyurls.doctor.shapes import SELECTOR
from proxyurls.objects import check as check_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from proxyurls.doctor.addresses import Address
    from proxyurls.doctor.case import Case

_SHOWN = 3


def check(case: Case) -> str:
    """Go from the service to its addresses, from these to pods, and see what is missing.

    The order is that of ServiceREST.ResourceLocation in Kubernetes (pkg/registry/core/service):
    addresses, those that are ready, those with the port's name, those that are a pod's.

    Args:
        case: what to look into.

    Raises:
        Found: "no-endpoints", "selector-mismatch", "scaled-to-zero", "pods-not-ready",
            "port-not-served", "no-target-ref" or "address-not-allowed".
        ClusterError: as for `APIClient.get_json`.
    """
    if case.lookup.found is None:
        return Skipped(f"what is behind it is not known, since the {case.kind} may not be read")
    if case.kind == "pod":
        return check_pod(case, case.lookup.found)
    if case.kind == "node":
        return check_node(case, case.lookup.found)
    check_shape(case.lookup.found, SELECTOR, case.config.server)
    port = asked_port(case)
    try:
        known = read_addresses(case)
    except Refused as error:
        return Skipped(f"neither Endpoints nor EndpointSlices may be read ({error})")
    selector = (case.lookup.found.get("spec") or {}).get("selector") or {}
    if not known.known:
        if known.refusal and not answer_of_proxy(case):
            return f"a request gets through; which way, is not known ({known.refusal})"
        raise _none(case, port, selector)
    ready = [one for one in known.known if one.ready]
    if not ready:
        raise _not_ready(case, known.known, selector)
    name = port.get("name") or ""
    serving = [one for one in ready if one.number(name) is not None]
    if not serving:
        raise _not_served(case, port, ready, selector)
    good = references.first_good(case, serving)
    if not known.of_endpoints:
        _ask(case, serving, name)
    text = f"{len(ready)} of {len(known.known)} addresses ready: {good.ip}:{good.number(name)}"
    text += f" is pod {good.pod!r}"
    if (case.lookup.found.get("spec") or {}).get("publishNotReadyAddresses"):
        text += "; publishNotReadyAddresses counts pods that are not ready too"
    return text


def _none(case: Case, port: dict[str, Any], selector: dict[str, str]) -> Found:
    """The cause why no address at all is behind the service."""
    if not selector:
        return selection.no_selector(case)
    try:
        matching = pods.selected(case, selector)
        if not matching:
            return selection.no_match(case, selector)
    except Refused as error:
        text = f"no address is behind {label(case)}; pods may not be read ({error})"
        wanted = ",".join(f"{key}={value}" for key, value in selector.items())
        remedy = commands.in_namespace(case, "get", "pods", "-l", wanted)
        return Found("no-endpoints", text, remedy)
    waiting = [pod for pod in matching if not pods.is_ready(pod)]
    if len(waiting) == len(matching):
        return _troubles(case, waiting)
    if isinstance(port.get("targetPort"), str):
        declared = _declared(matching)
        if port["targetPort"] not in [name for name, _ in declared]:
            return _no_such_target(case, port, declared)
    text = (
        f"pods of {label(case)} are ready, but it has no Endpoints (yet): the endpoints "
        "controller is late, or does not run"
    )
    return Found("no-endpoints", text, "kubectl get pods -n kube-system")


def _not_ready(case: Case, known: Sequence[Address], selector: dict[str, str]) -> Found:
    """The cause why there are addresses and none is ready."""
    try:
        if selector:
            waiting = [p for p in pods.selected(case, selector) if not pods.is_ready(p)]
        else:
            read = [references.pod_of(case, one) for one in known[:_SHOWN] if one.pod]
            waiting = [pod for pod in read if pod and not pods.is_ready(pod)]
    except Refused:
        waiting = []
    if waiting:
        return _troubles(case, waiting)
    shown = ", ".join(one.ip + (f" (pod {one.pod!r})" if one.pod else "") for one in known[:_SHOWN])
    text = f"no address behind {label(case)} is ready: {shown}"
    return Found("pods-not-ready", text, commands.in_namespace(case, "get", "pods"))


def _troubles(case: Case, waiting: Sequence[dict[str, Any]]) -> Found:
    told = [pods.trouble(case, pod) for pod in waiting[:_SHOWN]]
    more = f", and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
    text = f"no pod behind {label(case)} is ready: {'; '.join(text for text, _ in told)}{more}"
    return Found("pods-not-ready", text, told[0][1])


def _not_served(
    case: Case, port: dict[str, Any], ready: Sequence[Address], selector: dict[str, str]
) -> Found:
    """The cause why no ready address has the port."""
    if selector and isinstance(port.get("targetPort"), str):
        try:
            declared = _declared(pods.selected(case, selector))
        except Refused:
            declared = []
        if declared and port["targetPort"] not in [name for name, _ in declared]:
            return _no_such_target(case, port, declared)
    name = port.get("name") or ""
    has = sorted({pair for one in ready for pair in one.ports})
    if not ready[0].ports:
        text = f"the endpoints of {label(case)} have no ports at all"
        return Found("port-not-served", text)
    shown = ", ".join(
        f"{number} (named {other})" if other else f"{number}" for other, number in has
    )
    asked = f"{port['port']} (named {name})" if name else f"{port['port']}, which has no name"
    text = f"the endpoints of {label(case)} have port {shown}, and none of the name of port {asked}"
    numbers = [
        at for at, (_, number) in enumerate(ready[0].ports) if number == port.get("targetPort")
    ]
    at = numbers[0] if numbers else 0
    subset = f"/subsets/{ready[0].subset or 0}/ports"
    change: list[dict[str, Any]] = [{"op": "add", "path": f"{subset}/{at}/name", "value": name}]
    declared_by = [p.get("name") for p in ((case.service or {}).get("spec") or {})["ports"]]
    if ready[0].ports[at][0] in declared_by:  # another port of the service needs it as it is
        wanted = port.get("targetPort")
        number = wanted if isinstance(wanted, int) else port["port"]
        change = [{"op": "add", "path": f"{subset}/-", "value": {"name": name, "port": number}}]
    elif not name:
        change = [{"op": "remove", "path": f"{subset}/{at}/name"}]
    return Found("port-not-served", text, commands.patch(case, "endpoints", change))


def _declared(found: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """Name and number of the ports that the pods' containers declare."""
    return [
        (port.get("name") or "", port["containerPort"])
        for pod in found
        for container in (pod.get("spec") or {}).get("containers") or []
        for port in container.get("ports") or []
    ]


def _no_such_target(case: Case, port: dict[str, Any], declared: Sequence[tuple[str, int]]) -> Found:
    wanted = port["targetPort"]
    has = ", ".join(
        f"{name} ({number})" if name else str(number) for name, number in dict.fromkeys(declared)
    )
    text = (
        f"port {port['port']} of {label(case)} leads to the pods' port named {wanted!r}, "
        f"and their containers declare {has or 'none'}"
    )
    spec = (case.service or {}).get("spec") or {}
    at = spec["ports"].index(port)
    name, number = declared[0] if declared else ("", port["port"])
    path = f"/spec/ports/{at}/targetPort"
    change = [{"op": "replace", "path": path, "value": name or number}]
    return Found("port-not-served", text, commands.patch(case, "service", change))


def _ask(case: Case, serving: Sequence[Address], name: str) -> None:
    """Let the apiserver say whether it reads EndpointSlices, where nothing else has addresses."""
    if not answer_of_proxy(case).endswith("not found"):
        return
    rows = [(one.ip, one.pod or "") for one in serving]
    text = (
        f"{label(case)} has EndpointSlices and no Endpoints, and an apiserver before Kubernetes "
        "1.35 proxies by Endpoints"
    )
    manifest = manifests.endpoints(
        case.name, case.target.namespace or "", rows, serving[0].number(name) or 0, name
    )
    raise Found("no-endpoints", text, manifest)
