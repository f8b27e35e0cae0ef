"""Why no pod is behind a service: its selector, or none."""

from __future__ import annotations

from difflib import SequenceMatcher

from proxyurls.doctor import commands, near, pods
from proxyurls.doctor.case import Found
from proxyurls.doctor.existence import label
from proxyurls.doctor.reading import Refused, read_list
from proxyurls.doctor.shapes import LABELLED, WORKLOAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case

# Labels that controllers give to one pod or to one generation of pods alone.
_GENERATED = (
    *("pod-template-hash", "controller-revision-hash", "pod-template-generation"),
    *("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"),
)
_JOB = ("job-name", "batch.kubernetes.io/job-name")


def no_selector(case: Case) -> Found:
    """A service that neither selects pods nor has Endpoints.

    Args:
        case: with the service looked up.

    Raises:
        ClusterError: as for `APIClient.get_json`.
    """
    text = f"{label(case)} has no selector and no Endpoints, so nothing is behind it"
    try:
        found = [pod for pod in _labelled(case) if _resembles(case, pod)]
    except Refused:
        found = []
    for pod in found:
        labels = {key: value for key, value in _labels(pod).items() if key not in _GENERATED}
        if labels:
            text += f"; pod {pod['metadata']['name']!r} may be meant"
            return Found(
                "no-endpoints",
                text,
                commands.patch(case, "service", {"spec": {"selector": labels}}),
            )
    return Found("no-endpoints", text)


def no_match(case: Case, selector: dict[str, str]) -> Found:
    """A service whose selector no pod of its namespace matches.

    Args:
        case: with the service looked up.
        selector: its selector.

    Raises:
        Refused: pods may not be listed.
        ClusterError: as for `APIClient.get_json`.
    """
    wanted = ",".join(f"{key}={value}" for key, value in selector.items())
    text = f"{label(case)} selects {wanted}, and no pod has that"
    idle = _without_replicas(case, selector)
    if idle:
        kind, name = idle
        text = f"{kind} {name!r} behind {label(case)} has 0 replicas"
        remedy = commands.in_namespace(case, "scale", f"{kind}/{name}", "--replicas=1")
        return Found("scaled-to-zero", text, remedy)
    ranked = sorted(
        ((_likeness(case, selector, pod), pod["metadata"]["name"], pod) for pod in _labelled(case)),
        key=lambda row: (-row[0], row[1]),
    )
    if ranked and ranked[0][0] > 0:
        _, name, pod = ranked[0]
        labels = _labels(pod)
        other = {key: labels.get(key) for key in selector if labels.get(key) != selector[key]}
        has = ", ".join(
            f"no label {key}" if value is None else f"{key}={value}" for key, value in other.items()
        )
        text += f"; pod {name!r} has {has}"
        change = {"spec": {"selector": other}}
        return Found("selector-mismatch", text, commands.patch(case, "service", change))
    return _elsewhere(case, selector, text)


def _elsewhere(case: Case, selector: dict[str, str], text: str) -> Found:
    try:
        others = pods.selected(case, selector, everywhere=True)
    except Refused:
        others = []
    for pod in others:
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        text += f"; pod {name!r} of namespace {space!r} has, but a service selects in its own alone"
        if near.exists(case, f"/api/v1/namespaces/{space}/services/{case.name}"):
            return Found("selector-mismatch", text, case.command(namespace=space))
        return Found("selector-mismatch", text, f"proxyurls services -n {space}")
    remedy = commands.in_namespace(case, "get", "deployments,statefulsets,daemonsets,pods")
    return Found("selector-mismatch", text, remedy)


def _labelled(case: Case) -> list[dict[str, Any]]:
    """The namespace's pods, name and labels alone, without those of jobs."""
    path = f"/api/v1/namespaces/{case.target.namespace}/pods"
    found = read_list(case, path, LABELLED, whole=False) or []
    return [pod for pod in found if not any(key in _labels(pod) for key in _JOB)]


def _labels(item: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = item["metadata"].get("labels") or {}
    return found


def _resembles(case: Case, pod: dict[str, Any]) -> bool:
    """Whether a pod has the service's name, in its own or as a label."""
    name = case.name
    return pod["metadata"]["name"].startswith(name) or name in _labels(pod).values()


def _likeness(case: Case, selector: dict[str, str], pod: dict[str, Any]) -> float:
    """How much a pod looks like one that is meant; 0 is not at all."""
    labels, total = _labels(pod), 0.0
    for key, value in selector.items():
        if key in labels:
            ratio = SequenceMatcher(None, labels[key], value).ratio()
            total += ratio if ratio >= 0.6 else 0.0
    return total + (0.5 if _resembles(case, pod) else 0.0)


def _without_replicas(case: Case, selector: dict[str, str]) -> tuple[str, str] | None:
    """The workload whose pods would match, and which is to have none."""
    for kind in ("deployment", "statefulset"):
        path = f"/apis/apps/v1/namespaces/{case.target.namespace}/{kind}s"
        try:
            found = read_list(case, path, WORKLOAD) or []
        except Refused:
            continue
        for item in found:
            spec = item.get("spec") or {}
            labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
            if spec.get("replicas") == 0 and selector.items() <= labels.items():
                return kind, item["metadata"]["name"]
    return None
