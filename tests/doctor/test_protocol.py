"""Step 7 on the real apiserver: what is no HTTP over TCP can't be proxied to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .lab import Lab

DNS = (
    {"port": 53, "name": "dns", "protocol": "UDP"},
    {"port": 53, "name": "dns-tcp", "targetPort": 8053},
)


def test_headless(lab: Lab) -> None:
    """A headless service is as good as any."""
    report = lab.doctor(lab.web("headless"))
    assert report.healthy
    assert report.step("protocol")[1].startswith("TCP; the service is headless")


def test_with_an_address(lab: Lab) -> None:
    """And so is one with an address of its own, about which nothing is said."""
    lab.pod("addressed-0")
    lab.service("addressed", {"port": 80}, clusterIP="")
    lab.serve("addressed", pod="addressed-0")
    report = lab.doctor(lab.target("addressed"))
    assert report.healthy
    assert report.step("protocol") == ("ok", "TCP")


@pytest.mark.parametrize(
    ("typed", "suffix", "curl"),
    [
        ("outside", "", "curl https://example.com/"),
        ("outside:8080", "/a?b=c", "curl 'https://example.com:8080/a?b=c'"),
        ("http:outside:", "/a", "curl http://example.com/a"),
        ("outside:80", "", "curl http://example.com/"),
    ],
)
def test_external_name(lab: Lab, typed: str, suffix: str, curl: str) -> None:
    """An ExternalName has nothing behind it: its host is what to ask."""
    lab.service("outside", type="ExternalName", externalName="example.com", clusterIP="")
    assert lab.said("outside") == (404, 'services "outside" not found')
    report = lab.doctor(lab.target(typed), suffix)
    assert report.cause["name"] == "external-name"
    assert report.cause["text"] == (
        f"service 'outside' in namespace {lab.namespace!r} is an ExternalName, "
        "a DNS alias for example.com: there is nothing to proxy to"
    )
    assert lab.remedy(report) == curl


def test_no_ports(lab: Lab) -> None:
    """A headless service may have no ports: the patch gives it one."""
    lab.pod("portless-0")
    lab.service("portless")
    lab.serve("portless", pod="portless-0")
    report = lab.doctor(lab.target("portless"))
    assert report.cause["name"] == "no-such-port"
    assert report.cause["text"] == f"service 'portless' in namespace {lab.namespace!r} has no ports"
    assert lab.said("portless:80")[1] == 'no service port 80 found for service "portless"'
    lab.run(report)
    assert lab.doctor(*report.argv).healthy


@pytest.fixture
def dns(lab: Lab) -> str:
    """A service that has one number twice."""
    lab.pod("dns-0")
    lab.service("dns", *DNS)
    lab.serve("dns", *DNS, pod="dns-0")
    return "dns"


@pytest.mark.parametrize("port", ["53", "dns"])
def test_udp(lab: Lab, dns: str, port: str) -> None:
    """A UDP port, and a TCP one of the same number: that one's name is what to type."""
    report = lab.doctor(lab.target(f"{dns}:{port}"))
    assert report.cause["name"] == "not-tcp"
    assert report.cause["text"] == (
        f"port 53 of service 'dns' in namespace {lab.namespace!r} is UDP, "
        "and the apiserver proxies HTTP over TCP"
    )
    assert lab.remedy(report) == f"proxyurls fetch dns.{lab.namespace}:dns-tcp"
    lab.run(report)
    assert lab.doctor.remedied(report).healthy


def test_udp_alone(lab: Lab) -> None:
    """UDP and nothing else: there is nothing to type, so the remedy is another way to ask."""
    lab.service("syslog", {"port": 514, "protocol": "UDP"})
    report = lab.doctor(lab.target("syslog:514"))
    assert report.cause["name"] == "not-tcp"
    assert report.cause["text"].endswith("; it has no TCP port")
    assert lab.remedy(report) == "`kubectl port-forward` takes no UDP either: ask from a pod"
    report = lab.doctor(lab.target("syslog:515"))
    assert report.cause["name"] == "no-such-port"
    assert lab.remedy(report) == "`proxyurls services` lists its ports"


def test_udp_is_dialled(lab: Lab) -> None:
    """The apiserver itself does not look: it dials the UDP port by TCP."""
    lab.pod("quic-0")
    ports = ({"port": 443, "name": "h3", "protocol": "UDP"}, {"port": 443, "name": "h2"})
    lab.service("quic", *ports)
    lab.serve("quic", *ports, pod="quic-0")
    assert lab.said("quic:443")[0] == 200
    report = lab.doctor(lab.target("quic:443"))
    assert report.healthy
    assert report.step("protocol")[1] == (
        "TCP: port 443 is UDP and TCP, with the same port of the pods"
    )


def test_pod(lab: Lab) -> None:
    """A pod's first port may be UDP."""
    ports = [
        {"containerPort": 8125, "name": "statsd", "protocol": "UDP"},
        {"containerPort": lab.port, "name": "web"},
    ]
    lab.pod("statsd", ports=ports)
    assert "dial tcp" in lab.said("statsd", "pods")[1]
    report = lab.doctor("pod/statsd", f"--namespace={lab.namespace}")
    assert report.cause["name"] == "not-tcp"
    assert lab.remedy(report) == f"proxyurls fetch pod/statsd:{lab.port} -n {lab.namespace}"
    lab.run(report)
    assert lab.doctor(f"pod/statsd:{lab.port}", f"--namespace={lab.namespace}").healthy


def test_pod_with_udp_alone(lab: Lab) -> None:
    """Nothing that a pod declares is TCP."""
    lab.pod("sink", ports=[{"containerPort": 8125, "protocol": "UDP"}])
    report = lab.doctor("pod/sink", f"--namespace={lab.namespace}")
    assert report.cause["name"] == "not-tcp"
    assert report.cause["text"].endswith("; it declares no TCP port")
