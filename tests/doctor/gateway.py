"""A gateway in front of the real apiserver that signs in for others, as Rancher's does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from discovery.servers import Answer, Loopback

from .asking import Doctor

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from contract.cluster import APIServer
    from discovery.servers import Asked

_PASSED_ON = ("accept", "content-type", "impersonate-user")


def gateway(apiserver: APIServer, user: str | None = None, *, tells: bool = False) -> Loopback:
    """Pass all requests on: as the admin, or as the admin who impersonates a user.

    With `tells` it answers a SelfSubjectReview itself, as Kubernetes does from 1.28 on.
    """

    def answer(asked: Asked) -> Answer:
        if tells and asked.target == "/apis/authentication.k8s.io/v1/selfsubjectreviews":
            status = {"userInfo": {"username": user}}
            review = {"kind": "SelfSubjectReview", "status": status}
            return Answer(json.dumps(review).encode(), 201, {"Content-Type": "application/json"})
        headers = {name: asked.headers[name] for name in _PASSED_ON if name in asked.headers}
        if user is not None:
            headers["Impersonate-User"] = user
        said = apiserver.request(
            asked.method, asked.target, headers=headers, body=asked.body or None
        )
        kind = said.headers.get("Content-Type", "text/plain")
        return Answer(said.body, said.status, {"Content-Type": kind})

    return Loopback(answer)


def doctor_through(server: Loopback, folder: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command with a kubeconfig that leads to a gateway."""
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "gateway", "user": "someone"}}],
        "clusters": [{"name": "gateway", "cluster": {"server": server.url}}],
        "users": [{"name": "someone", "user": {"token": "the-gateway-takes-any"}}],
    }
    path = folder / "gateway.kubeconfig"
    path.write_text(json.dumps(content))
    return Doctor(path, capsys)
