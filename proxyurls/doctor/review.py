"""What users may ask the apiserver about themselves. Nothing is kept of it there."""

from __future__ import annotations

import json

from proxyurls.doctor.shapes import ACCESS
from proxyurls.objects import check
from proxyurls.status import read_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.doctor.case import Case
    from proxyurls.objects import Shape
    from proxyurls.target import Target


def review(case: Case, group: str, kind: str, spec: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """POST a review and give its status.

    Args:
        case: whose client asks.
        group: the API group, ``authorization.k8s.io``; its version is v1.
        kind: ``SelfSubjectAccessReview``, for example.
        spec: the question.
        shape: what the answer must look like.

    Raises:
        ClusterError: as for `APIClient.get_json`; status 404 where there is no such review.
    """
    question = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
    path = f"/apis/{group}/v1/{kind.lower()}s"
    headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
    body = json.dumps(question).encode()
    with case.client.stream("POST", path, headers=headers, body=body) as response:
        answer = b"".join(case.client.limited(response.iter_bytes()))
        found = read_answer(case.config.server, response.status_code, answer)
    check(found, shape, case.config.server)
    status: dict[str, Any] = found.get("status") or {}
    return status


def may(case: Case, verb: str, target: Target) -> bool:
    """Whether the user may use the proxy to this target.

    Args:
        case: whose client asks.
        verb: "get", which GET, HEAD and WebSockets need, or "create", which POST needs.
        target: the target. RBAC sees its whole segment as the resource's name.

    Raises:
        ClusterError: as for `review`.
    """
    spec = {
        "resourceAttributes": {
            "verb": verb,
            "version": "v1",
            "resource": f"{target.kind}s",
            "subresource": "proxy",
            "name": str(target.segment),
            "namespace": target.namespace or "",
        }
    }
    group, kind = "authorization.k8s.io", "SelfSubjectAccessReview"
    return bool(review(case, group, kind, spec, ACCESS)["allowed"])
