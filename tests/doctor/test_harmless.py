"""Doctor changes nothing in the cluster: each request of many runs is a GET or a self review."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .gateway import doctor_through, gateway

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from .lab import Lab

REVIEW = re.compile(r"/apis/auth[a-z]+\.k8s\.io/v1/selfsubject[a-z]*reviews")


def objects(lab: Lab) -> list[Any]:
    """All that there is, as far as doctor looks at it, with its versions."""
    found = []
    for path in (
        *("/api/v1/namespaces", "/api/v1/nodes", "/api/v1/services", "/api/v1/endpoints"),
        *("/api/v1/pods", "/api/v1/events", "/apis/apps/v1/deployments"),
        *(f"/apis/rbac.authorization.k8s.io/v1/{kind}" for kind in ("roles", "clusterroles")),
        *(f"/apis/rbac.authorization.k8s.io/v1/{kind}bindings" for kind in ("role", "clusterrole")),
    ):
        found += json.loads(lab.apiserver.get(path).body)["items"]
    return found


def test_nothing_changes(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the fault, every step included, and with --probe."""
    target = lab.web("harmless")
    lab.service("unmatched", {"port": 80}, selector={"app": "harmles"})
    lab.service("unselected", {"port": 80})
    lab.service("outside", type="ExternalName", externalName="example.com", clusterIP="")
    lab.endpoints("unmatched")
    lab.pod("waits", labels={"app": "waits"}, status={"phase": "Pending"})
    lab.service("waits", {"port": 80}, selector={"app": "waits"})
    lab.endpoints("untold", {"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]})
    lab.service("untold", {"port": 80})
    runs = [
        (target, "/x?y=z", "--probe"),
        (lab.target("https:harmless:80"), "--probe"),
        (lab.target("harmless:81"),),
        (lab.target("harmles:80"),),
        (lab.target("unmatched"),),
        (lab.target("unselected"),),
        (lab.target("outside"),),
        (lab.target("waits"),),
        (lab.target("untold"),),
        ("pod/harmless-0", f"--namespace={lab.namespace}"),
        ("pod/harmless-9", f"--namespace={lab.namespace}"),
        ("node/none",),
        (target, "--as=nobody-in-particular"),
    ]
    before = objects(lab)
    with gateway(lab.apiserver) as server:
        doctor = doctor_through(server, tmp_path, capsys)
        causes = [doctor(*words).content["cause"] for words in runs]
        asked = [(one.method, one.target) for one in server.requests]
    assert objects(lab) == before
    assert len({cause["name"] for cause in causes if cause}) >= 10
    assert {method for method, _ in asked} == {"GET", "POST"}
    for method, path in asked:
        assert method == "GET" or REVIEW.fullmatch(path), (method, path)
