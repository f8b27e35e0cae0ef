"""Step 6 on the real apiserver: the port that is asked for is none, or one must be typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .lab import Lab

NAMED = ({"port": 8080, "name": "http"}, {"port": 9090, "name": "metrics"})


@pytest.fixture
def multi(lab: Lab) -> str:
    """A service with two named ports."""
    lab.pod("multi-0")
    lab.service("multi", *NAMED)
    lab.serve("multi", *NAMED, pod="multi-0")
    return "multi"


@pytest.mark.parametrize(
    ("port", "text"),
    [("8080", "port 8080 (named http)"), ("metrics", "port 9090 (named metrics)")],
)
def test_there(lab: Lab, multi: str, port: str, text: str) -> None:
    """A port by its number or name."""
    report = lab.doctor(lab.target(f"{multi}:{port}"))
    assert report.healthy
    assert report.step("port") == ("ok", text)


def test_unnamed(lab: Lab) -> None:
    """The unnamed port is the default, and needs no number."""
    report = lab.doctor(lab.web("plain").replace("plain", "http:plain") + ":")
    assert report.healthy
    assert report.step("port") == ("ok", "port 80, the default: it is unnamed")


def test_no_number(lab: Lab, multi: str) -> None:
    """A number that the service has not: its ports are listed, the web's is what to type."""
    message = f'no service port 99 found for service "{multi}"'
    assert lab.said(f"{multi}:99") == (503, message)
    report = lab.doctor(lab.target(f"{multi}:99"))
    assert report.cause["name"] == "no-such-port"
    assert report.cause["text"] == (
        f"service 'multi' in namespace {lab.namespace!r} has no port 99; "
        "its ports: 8080 (named http), 9090 (named metrics)"
    )
    assert lab.remedy(report) == f"proxyurls fetch multi.{lab.namespace}:8080"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_no_name(lab: Lab, multi: str) -> None:
    """A port name that the service has not; the apiserver speaks of endpoints."""
    message = f'no endpoints available for service "{multi}:metric"'
    assert lab.said(f"{multi}:metric") == (503, message)
    report = lab.doctor(lab.target(f"{multi}:metric"))
    assert report.cause["name"] == "no-such-port"
    assert "has no port 'metric'; " in report.cause["text"]
    assert lab.remedy(report) == f"proxyurls fetch multi.{lab.namespace}:9090"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_target_port(lab: Lab) -> None:
    """The pods' own port, or the nodes', is none of the service."""
    lab.pod("inner-0")
    lab.service(
        "inner",
        {"port": 80, "name": "web", "targetPort": lab.port, "nodePort": 30123},
        {"port": 81, "name": "api", "targetPort": "grpc"},
        type="NodePort",
        clusterIP="",
    )
    lab.serve("inner", {"name": "web"}, pod="inner-0")
    assert (
        lab.said(f"inner:{lab.port}")[1] == f'no service port {lab.port} found for service "inner"'
    )
    report = lab.doctor(lab.target(f"inner:{lab.port}"))
    assert report.cause["name"] == "no-such-port"
    assert report.cause["text"].endswith(f"; {lab.port} is the pods' port behind its port 80")
    assert lab.remedy(report) == f"proxyurls fetch inner.{lab.namespace}:80"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy
    report = lab.doctor(lab.target("inner:30123"))
    assert report.cause["text"].endswith("; 30123 is the nodes' port behind its port 80")
    report = lab.doctor(lab.target("inner:grpc"))
    assert report.cause["text"].endswith("; grpc is the pods' port behind its port 81")
    assert lab.remedy(report) == f"proxyurls fetch inner.{lab.namespace}:81"


def test_port_needed(lab: Lab, multi: str) -> None:
    """A scheme without a port, and named ports only; the apiserver speaks of endpoints."""
    message = f'no endpoints available for service "http:{multi}:"'
    assert lab.said(f"http:{multi}:") == (503, message)
    report = lab.doctor(lab.target(f"http:{multi}:"))
    assert report.cause["name"] == "port-needed"
    assert "has named ports only, so one must be typed; its ports: 8080" in report.cause["text"]
    assert lab.remedy(report) == f"proxyurls fetch http:multi.{lab.namespace}:8080"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_bare_name(lab: Lab, multi: str) -> None:
    """Without scheme and port the one for browsers is chosen, as by `fetch`."""
    assert lab.said(multi) == (503, f'no endpoints available for service "{multi}"')
    report = lab.doctor(lab.target(multi))
    assert report.healthy
    assert report.step("port") == ("ok", "port 8080 (named http)")


@pytest.fixture
def declaring(lab: Lab) -> str:
    """A pod whose container declares ports."""
    ports = [{"containerPort": lab.port, "name": "web"}, {"containerPort": 9, "name": "grpc"}]
    lab.pod("declaring", ports=ports)
    return "declaring"


@pytest.mark.parametrize("port", ["", ":web"])
def test_pod(lab: Lab, declaring: str, port: str) -> None:
    """A pod's default port is the first it declares, and a name is looked up."""
    report = lab.doctor(f"pod/{declaring}{port}", f"--namespace={lab.namespace}")
    assert report.healthy
    first = ", the first that its containers declare" if not port else ""
    assert report.step("port") == ("ok", f"port {lab.port} (named web){first}")


def test_pod_port_undeclared(lab: Lab) -> None:
    """A port that a pod does not declare is asked all the same."""
    lab.pod("mute")
    report = lab.doctor(f"pod/mute:{lab.port}", f"--namespace={lab.namespace}")
    assert report.healthy
    assert report.step("port")[1].endswith("its containers declare none, which does not matter")


def test_pod_without_ports(lab: Lab) -> None:
    """A pod that declares no port is asked at the scheme's own."""
    lab.pod("silent")
    assert f"dial tcp {lab.ip}:80: connect: connection refused" in lab.said("silent", "pods")[1]
    report = lab.doctor("pod/silent", f"--namespace={lab.namespace}")
    assert report.step("port") == (
        "ok",
        "its containers declare no port, so it is asked at 80, its scheme's own",
    )
    assert report.cause["name"] == "nothing-listens"


def test_no_pod_port(lab: Lab, declaring: str) -> None:
    """A port name that no container declares: the apiserver looks up none at all."""
    report = lab.doctor(f"pod/{declaring}:wbe", f"--namespace={lab.namespace}")
    assert report.cause["name"] == "no-such-port"
    assert report.cause["text"] == (
        f"pod 'declaring' in namespace {lab.namespace!r} has no port named 'wbe'; "
        f"its ports: {lab.port} (named web), 9 (named grpc)"
    )
    fetch = f"proxyurls fetch pod/declaring:{lab.port} -n {lab.namespace}"
    assert lab.remedy(report) == fetch
    lab.run(report)
    assert lab.doctor(f"pod/declaring:{lab.port}", f"--namespace={lab.namespace}").healthy


def test_node(lab: Lab) -> None:
    """A node's default port is its kubelet's."""
    lab.apiserver.add_node("ported", ip=lab.ip, kubelet_port=lab.port)
    text = f"port {lab.port}, its kubelet's, in the kubelet's own scheme"
    assert lab.doctor("node/ported").step("port") == ("ok", text)
    text = f"port 9 as typed; its kubelet's is {lab.port}"
    assert lab.doctor("node/ported:9").step("port") == ("ok", text)
