"""Step 8 on the real apiserver for pods and nodes: whether there is an address to proxy to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxyurls.doctor.pods import is_proxied

from .lab import CRASH, not_ready, running

if TYPE_CHECKING:
    from .asking import Report
    from .lab import Lab


def ask(lab: Lab, name: str, *options: str) -> Report:
    """Doctor of a pod, at the app's port."""
    return lab.doctor(f"pod/{name}:{lab.port}", f"--namespace={lab.namespace}", *options)


def test_address(lab: Lab) -> None:
    """A pod that runs has an address."""
    lab.pod("runs")
    report = ask(lab, "runs")
    assert report.healthy
    assert report.step("endpoints") == ("ok", f"its address is {lab.ip}")


def test_host_network(lab: Lab) -> None:
    """A pod in its node's network has the node's address."""
    lab.pod("host", hostNetwork=True)
    report = ask(lab, "host")
    assert report.healthy
    assert report.step("endpoints")[1].endswith(f"{lab.ip}, its node's (hostNetwork)")


def test_not_ready(lab: Lab) -> None:
    """The apiserver proxies to a pod that is not ready all the same."""
    status = {**not_ready(CRASH), **running(lab.ip, ready=False), "phase": "Running"}
    lab.pod("shaky", status=status)
    assert lab.said(f"shaky:{lab.port}", "pods")[0] == 200
    report = ask(lab, "shaky")
    assert report.healthy
    assert (
        "; it is not ready, which matters to services alone (pod 'shaky'"
        in report.step("endpoints")[1]
    )


@pytest.mark.parametrize(
    "status",
    [{}, not_ready({**CRASH, "lastState": {}, "restartCount": 0}), {"phase": "Running"}],
    ids=["new", "waiting", "running"],
)
def test_no_address(lab: Lab, request: pytest.FixtureRequest, status: dict[str, Any]) -> None:
    """A pod without an address, and what it waits for."""
    name = f"homeless-{request.node.callspec.id}"
    lab.pod(name, status=status)
    assert lab.said(f"{name}:{lab.port}", "pods") == (400, "address not allowed")
    report = ask(lab, name)
    assert report.cause["name"] == "address-not-allowed"
    assert (
        f"pod '{name}' in namespace {lab.namespace!r} has no address yet; pod "
        in (report.cause["text"])
    )
    assert lab.remedy(report) == f"kubectl describe pod {name} -n {lab.namespace}"
    assert name in lab.run(report)
    lab.report(name, running(lab.ip))  # the kubelet's part
    assert ask(lab, name).healthy


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.1.1", "::1", "fe80::1", "224.0.0.1"])
def test_address_not_allowed(lab: Lab, ip: str) -> None:
    """Loopback, link-local and multicast addresses are proxied to for no pod."""
    name = "at-" + ip.replace(".", "-").replace(":", "x")
    lab.pod(name, status=running(ip))
    assert lab.said(f"{name}:{lab.port}", "pods") == (400, "address not allowed")
    report = ask(lab, name)
    assert report.cause["name"] == "address-not-allowed"
    assert f"has address {ip}, and " in report.cause["text"]
    lab.run(report)
    lab.report(name, running(lab.ip))
    assert ask(lab, name).healthy


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_ended(lab: Lab, phase: str) -> None:
    """A pod that has ended keeps its address, at which nobody is."""
    name = f"ended-{phase.lower()}"
    lab.pod(name, status={**running("10.200.0.19", ready=False), "phase": phase})
    report = ask(lab, name)
    assert report.cause["name"] == "pods-not-ready"
    assert f"pod '{name}' in namespace {lab.namespace!r} has ended; " in report.cause["text"]
    assert f"it is {phase}" in report.cause["text"]
    lab.run(report)


def test_node(lab: Lab) -> None:
    """A node's address is the first of the apiserver's order of kinds."""
    lab.apiserver.add_node("whole", ip=lab.ip, kubelet_port=10250)
    report = lab.doctor(f"node/whole:{lab.port}")
    assert report.healthy
    assert report.step("endpoints") == ("ok", f"its InternalIP is {lab.ip}")
    status = {
        "addresses": [
            {"type": "InternalIP", "address": "192.0.2.1"},
            {"type": "Hostname", "address": lab.ip},
        ],
        "conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}],
    }
    lab.apiserver.create("/api/v1/nodes/whole/status", {"status": status}, method="PATCH")
    report = lab.doctor(f"node/whole:{lab.port}")
    assert report.healthy
    assert report.step("endpoints")[1] == (
        f"its Hostname is {lab.ip}; Ready is Unknown (NodeStatusUnknown)"
    )


def test_node_without_address(lab: Lab) -> None:
    """A node whose kubelet has not reported."""
    lab.apiserver.create("/api/v1/nodes", {"metadata": {"name": "blank"}})
    status, message = lab.said("blank", "nodes")
    assert (status, message.startswith("no preferred addresses found")) == (500, True)
    report = lab.doctor("node/blank")
    assert report.cause["name"] == "address-not-allowed"
    assert report.cause["text"] == (
        "node 'blank' has no address, so its kubelet has not reported yet"
    )
    assert lab.remedy(report) == "kubectl describe node blank"
    lab.run(report)
    lab.apiserver.add_node("blank", ip=lab.ip, kubelet_port=10250)
    assert lab.doctor(f"node/blank:{lab.port}").healthy


@pytest.mark.parametrize(
    ("ip", "proxied"),
    [
        *(("10.0.0.1", True), ("fd00::1", True), ("::ffff:10.0.0.1", True)),
        *(("0.0.0.0", False), ("255.255.255.255", False), ("::ffff:127.0.0.1", False)),
        *(("nonsense", False), ("", False)),
    ],
)
def test_is_proxied(ip: str, proxied: bool) -> None:  # noqa: FBT001
    """What the apiserver would refuse, also where no pod can be made to have it."""
    assert is_proxied(ip) is proxied
