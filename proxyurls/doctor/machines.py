"""Whether a pod or a node has an address that the apiserver will proxy to."""

from __future__ import annotations

from proxyurls.doctor import commands, pods
from proxyurls.doctor.case import Found
from proxyurls.doctor.existence import label
from proxyurls.doctor.shapes import POD
from proxyurls.objects import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case

_ENDED = ("Succeeded", "Failed")
# The kubelet's address is the first of these that the node has, unless the apiserver has a flag
# --kubelet-preferred-address-types.
_PREFERRED = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")


def check_pod(case: Case, pod: dict[str, Any]) -> str:
    """Say which address the pod has.

    Args:
        case: what to look into.
        pod: the Pod object.

    Raises:
        Found: "address-not-allowed", or "pods-not-ready" for a pod that has ended.
    """
    check(pod, POD, case.config.server)
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    has = pods.addresses(pod)
    if not has:
        trouble, remedy = pods.trouble(case, pod)
        raise Found("address-not-allowed", f"{label(case)} has no address yet; {trouble}", remedy)
    ip = has[0]
    if not pods.is_proxied(ip):
        text = f"{label(case)} has address {ip}, and loopback and link-local are never proxied to"
        raise Found(
            "address-not-allowed", text, commands.in_namespace(case, "describe", "pod", case.name)
        )
    if status.get("phase") in _ENDED:
        trouble, remedy = pods.trouble(case, pod)
        raise Found("pods-not-ready", f"{label(case)} has ended; {trouble}", remedy)
    text = f"its address is {ip}" + (
        ", its node's (hostNetwork)" if spec.get("hostNetwork") else ""
    )
    if not pods.is_ready(pod):
        text += f"; it is not ready, which matters to services alone ({pods.trouble(case, pod)[0]})"
    return text


def check_node(case: Case, node: dict[str, Any]) -> str:
    """Say which address the node has, and whether its kubelet reports.

    Args:
        case: what to look into.
        node: the Node object.

    Raises:
        Found: "address-not-allowed".
    """
    status = node.get("status") or {}
    has = {one["type"]: one["address"] for one in reversed(status.get("addresses") or [])}
    chosen = next((kind for kind in _PREFERRED if kind in has), None)
    if chosen is None:
        text = f"{label(case)} has no address, so its kubelet has not reported yet"
        raise Found(
            "address-not-allowed", text, commands.in_namespace(case, "describe", "node", case.name)
        )
    text = f"its {chosen} is {has[chosen]}"
    ready = next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), None)
    if ready and ready["status"] != "True":
        text += f"; Ready is {ready['status']} ({ready.get('reason') or 'no reason given'})"
    return text
