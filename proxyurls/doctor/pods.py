"""Pods: which there are, what keeps them from being ready, and what their address is."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import quote

from proxyurls.doctor import commands
from proxyurls.doctor.reading import read, read_list
from proxyurls.doctor.shapes import POD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case


def selected(case: Case, selector: dict[str, str], *, everywhere: bool = False) -> list[Any]:
    """The pods that a service's selector matches.

    Args:
        case: whose client asks, and whose namespace it is.
        selector: labels and their values.
        everywhere: in all namespaces, and no more than a few.

    Raises:
        Refused: pods may not be listed.
        ClusterError: as for `APIClient.get_json`.
    """
    text = ",".join(f"{key}={value}" for key, value in selector.items())
    if everywhere:
        answer = read(case, f"/api/v1/pods?limit=5&labelSelector={quote(text)}", {"items": [POD]})
        return (answer or {}).get("items") or []
    path = f"/api/v1/namespaces/{case.target.namespace}/pods"
    return read_list(case, path, POD, selector=text) or []


def addresses(pod: dict[str, Any]) -> list[str]:
    """The addresses that a pod has so far."""
    status = pod.get("status") or {}
    several = [one["ip"] for one in status.get("podIPs") or []]
    return several or [one for one in [status.get("podIP")] if one]


def is_proxied(ip: str) -> bool:
    """Whether the apiserver proxies to an address at all.

    As IsGlobalUnicast of Go's net package has it, which apimachinery's IsProxyableIP asks.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or ip == "255.255.255.255"
    )


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the kubelet says so."""
    return (_condition(pod, "Ready") or {}).get("status") == "True"


def trouble(case: Case, pod: dict[str, Any]) -> tuple[str, str]:
    """What keeps a pod from being ready, and the command that shows more.

    Args:
        case: whose target it is behind.
        pod: a Pod object that is not ready.

    Returns:
        ``pod 'web-1' since 2026-11-25T02:00:00Z: container 'web' waits: CrashLoopBackOff``, for
        example, and a command of kubectl.
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    name = meta["name"]
    since = (_condition(pod, "Ready") or {}).get("lastTransitionTime")
    head = f"pod {name!r}" + (f" since {since}" if since else "")
    remedy = commands.in_namespace(case, "describe", "pod", name)
    phase = status.get("phase") or "Pending"
    statuses = [*(status.get("initContainerStatuses") or []), *_containers(status)]
    for one in statuses:
        state = one.get("state") or {}
        again = one.get("restartCount") or 0
        waiting, ended = state.get("waiting"), state.get("terminated")
        last = ended or (one.get("lastState") or {}).get("terminated")
        ran = f", exit code {last['exitCode']}" if last and last.get("exitCode") else ""
        if again:
            ran += f", restarted {again} times"
        if waiting:
            if last or again:
                words = ("logs", name, "-c", one["name"], "--previous")
                remedy = commands.in_namespace(case, *words)
            return f"{head}: container {one['name']!r} waits: {_why(waiting)}{ran}", remedy
        if ended and ended.get("exitCode"):
            return f"{head}: container {one['name']!r} ended: {_why(ended)}{ran}", remedy
    scheduled = _condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return f"{head}: it is on no node: {_why(scheduled)}", remedy
    if phase != "Running":
        more = f": {_why(status)}" if status.get("reason") or status.get("message") else ""
        return f"{head}: it is {phase}{more}", remedy
    probed = {c["name"] for c in (pod.get("spec") or {}).get("containers") or [] if _probed(c)}
    failing = [one["name"] for one in statuses if one.get("ready") is False]
    if failing and failing[0] in probed:
        return f"{head}: container {failing[0]!r} runs, and its readiness probe fails", remedy
    ready = _condition(pod, "Ready")
    return f"{head}: {_why(ready) if ready else 'its kubelet has not said that it is'}", remedy


def _containers(status: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = status.get("containerStatuses") or []
    return found


def _probed(container: dict[str, Any]) -> bool:
    return bool(container.get("readinessProbe"))


def _condition(pod: dict[str, Any], kind: str) -> dict[str, Any] | None:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), None)


def _why(found: dict[str, Any]) -> str:
    """The reason and message of a condition or state, the message cut where it is long."""
    texts = [found.get("reason"), (found.get("message") or "")[:200]]
    return ": ".join(text for text in texts if text) or "for no reason that is given"
