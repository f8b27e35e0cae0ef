"""Step 8 on the real apiserver: the pods behind a service are not ready, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .lab import CRASH, SINCE, not_ready, running, waiting

if TYPE_CHECKING:
    from .lab import Lab

UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available",
}
ENDED = {"terminated": {"exitCode": 2, "reason": "Error"}}


@pytest.mark.parametrize(
    ("status", "why", "command"),
    [
        (
            not_ready(waiting("ImagePullBackOff", 'Back-off pulling image "none"')),
            "container 'app' waits: ImagePullBackOff: Back-off pulling image \"none\"",
            "describe pod",
        ),
        (
            not_ready(CRASH, phase="Running"),
            "container 'app' waits: CrashLoopBackOff: back-off, exit code 137, restarted 7 times",
            "logs",
        ),
        (
            not_ready({**waiting("", ""), "state": ENDED}, phase="Running"),
            "container 'app' ended: Error, exit code 2",
            "describe pod",
        ),
        (
            not_ready(
                {"name": "app", "ready": False, "restartCount": 0, "state": {"running": {}}},
                phase="Running",
            ),
            "container 'app' runs, and its readiness probe fails",
            "describe pod",
        ),
        (
            {"phase": "Pending", "conditions": [UNSCHEDULABLE]},
            "it is on no node: Unschedulable: 0/3 nodes are available",
            "describe pod",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
            "it is Failed: Evicted: low on memory",
            "describe pod",
        ),
        ({}, "it is Pending", "describe pod"),
        ({"phase": "Running"}, "its kubelet has not said that it is", "describe pod"),
    ],
    ids=[
        *("image", "crash", "ended", "probe", "unschedulable", "evicted", "new", "silent"),
    ],
)
def test_not_ready(
    lab: Lab, request: pytest.FixtureRequest, status: dict[str, Any], why: str, command: str
) -> None:
    """A pod is there and not ready: which, since when, why; and what shows more."""
    name = f"sick-{request.node.callspec.id}"
    labels = {"app": name}
    lab.pod(f"{name}-1", labels=labels, status=status)
    lab.service(name, {"port": 80}, selector=labels)
    address = lab.address(f"{name}-1")
    lab.endpoints(name, {"notReadyAddresses": [address], "ports": [{"port": lab.port}]})
    assert lab.said(name) == (503, f'no endpoints available for service "{name}"')
    report = lab.doctor(lab.target(name))
    assert report.cause["name"] == "pods-not-ready"
    since = f" since {SINCE}" if "containerStatuses" in status else ""
    assert report.cause["text"] == (
        f"no pod behind service '{name}' in namespace {lab.namespace!r} is ready: "
        f"pod '{name}-1'{since}: {why}"
    )
    assert lab.remedy(report).startswith(f"kubectl {command} {name}-1 ")
    if command != "logs":  # a log is the kubelet's to show, and there is none
        assert f"{name}-1" in lab.run(report)
    lab.report(f"{name}-1", running(lab.ip))  # the kubelet's part, once the app is mended
    lab.serve(name, pod=f"{name}-1")
    assert lab.doctor(*report.argv).healthy


def test_not_ready_and_no_endpoints(lab: Lab) -> None:
    """The same where not even an Endpoints object is there yet."""
    lab.pod("slow-1", labels={"app": "slow"}, status=not_ready(CRASH))
    lab.service("slow", {"port": 80}, selector={"app": "slow"})
    assert lab.said("slow") == (404, 'services "slow" not found')
    assert lab.doctor(lab.target("slow")).cause["name"] == "pods-not-ready"


def test_not_ready_without_selector(lab: Lab) -> None:
    """Endpoints made by hand whose addresses are not ready."""
    lab.pod("hand-1", status=not_ready(CRASH))
    lab.service("hand", {"port": 80})
    address = lab.address("hand-1")
    lab.endpoints("hand", {"notReadyAddresses": [address], "ports": [{"port": lab.port}]})
    assert "pod 'hand-1' since" in lab.doctor(lab.target("hand")).cause["text"]
    lab.endpoints("hand", {"notReadyAddresses": [{"ip": lab.ip}], "ports": [{"port": lab.port}]})
    report = lab.doctor(lab.target("hand"))
    assert report.cause["name"] == "pods-not-ready"
    assert report.cause["text"].endswith(f"is ready: {lab.ip}")
    lab.run(report)
