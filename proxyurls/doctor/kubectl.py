"""Commands of kubectl that a remedy consists of."""

from __future__ import annotations

import json
from shlex import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.doctor.case import Case


def patch(case: Case, resource: str, change: object) -> str:
    """Change the service, or the Endpoints object of its name.

    Args:
        case: which service.
        resource: "service" or "endpoints".
        change: a list is a JSON patch (RFC 6902), anything else a merge patch (RFC 7386).
    """
    kind = "json" if isinstance(change, list) else "merge"
    words = ["kubectl", "patch", resource, case.name, "-n", case.target.namespace or ""]
    return join([*words, f"--type={kind}", "-p", json.dumps(change)])


def describe(kind: str, name: str, namespace: str | None = None) -> str:
    """Show an object and its events.

    Args:
        kind: "pod" or "node".
        name: its name.
        namespace: None for nodes.
    """
    return join(["kubectl", "describe", kind, name, *(["-n", namespace] if namespace else [])])


def logs(pod: str, container: str, namespace: str) -> str:
    """Show what a container wrote before it ended last.

    Args:
        pod: the pod's name.
        container: the container's.
        namespace: the pod's.
    """
    return join(["kubectl", "logs", pod, "-c", container, "-n", namespace, "--previous"])


def scale(kind: str, name: str, namespace: str) -> str:
    """Have one pod made.

    Args:
        kind: "deployment" or "statefulset".
        name: its name.
        namespace: its namespace.
    """
    return join(["kubectl", "scale", f"{kind}/{name}", "-n", namespace, "--replicas=1"])
