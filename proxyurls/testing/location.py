"""Which address a segment means: services, pods and nodes.

Source: k8s.io/kubernetes, pkg/registry/core/{service/storage,pod,node}.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Container
from typing import NamedTuple

from proxyurls.errors import InvalidSegment
from proxyurls.segment import split_segment
from proxyurls.testing.refusal import (
    Object,
    Refusal,
    bad_request,
    not_found,
    quoted,
    unavailable,
)

# Gives the object of a resource and a name, or raises a refusal.
Get = Callable[[str, str], Object]

_NUMBER = re.compile(r"[+-]?[0-9]+")


class Location(NamedTuple):
    """Where the proxy dials. The port is a text that need not be a number: see `dialled`."""

    scheme: str
    ip: str
    port: str

    @property
    def host_port(self) -> str:
        """IP and port as Go's dialler names them."""
        ip = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{ip}:{self.dialled}"

    @property
    def dialled(self) -> int | None:
        """The port's number; None where it's no number at all, on which the server panics."""
        if not self.port:
            return 443 if self.scheme == "https" else 80
        return int(self.port) if self.port.isascii() and self.port.isdigit() else None


def locate(kind: str, segment: str, get: Get, *, reachable: Container[str] = ()) -> Location:
    """Find what a segment means.

    Args:
        kind: "services", "pods" or "nodes".
        segment: the decoded segment.
        get: looks up an object of the target's namespace.
        reachable: addresses to proxy to although they are loopback ones.

    Raises:
        Refusal: the segment, or what it names, leads nowhere.
    """
    try:
        name, port, scheme = split_segment(segment)
    except InvalidSegment:
        raise bad_request(f"invalid {kind[:-1]} request {quoted(segment)}") from None
    if kind == "services":
        return _service(segment, name, port, scheme or "http", get)
    if kind == "pods":
        return _pod(get("pods", name), port, scheme or "http", reachable)
    return _node(get("nodes", name), port, scheme or "http", reachable)


def _service(segment: str, name: str, port: str, scheme: str, get: Get) -> Location:
    if _NUMBER.fullmatch(port) and abs(int(port[:25])) < 1 << 63:  # ParseInt, of 64 bits
        number = int(port)
        ports = get("services", name)["spec"].get("ports") or ()
        named = [one.get("name", "") for one in ports if one["port"] == number]
        if not named:
            raise unavailable(f'no service port {number} found for service "{name}"')
        port = named[0]
    try:
        subsets = get("endpoints", name).get("subsets") or ()
    except Refusal as refusal:
        if refusal.code != 404:  # a name that can't be
            raise
        raise not_found("services", name) from None
    if not subsets:
        raise unavailable(f"no endpoints available for service {quoted(name)}")
    for subset in subsets:
        for one in subset.get("ports") or ():
            if one.get("name", "") == port and subset.get("addresses"):
                return Location(scheme, subset["addresses"][0]["ip"], str(one["port"]))
    raise unavailable(f"no endpoints available for service {quoted(segment)}")


def _pod(pod: Object, port: str, scheme: str, reachable: Container[str]) -> Location:
    if not port:
        containers = pod.get("spec", {}).get("containers") or ()
        declared = [one for container in containers for one in container.get("ports") or ()]
        port = str(declared[0]["containerPort"]) if declared else ""
    ip = pod.get("status", {}).get("podIP") or ""
    _check_address(ip, reachable)
    return Location(scheme, ip, port)


def _node(node: Object, port: str, scheme: str, reachable: Container[str]) -> Location:
    status = node.get("status", {})
    addresses = status.get("addresses") or ({"address": ""},)
    endpoint = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {})
    kubelet = str(endpoint.get("Port", 10250))
    ip = addresses[0]["address"]
    if port in ("", kubelet):
        return Location("https", ip, kubelet)
    _check_address(ip, reachable)
    return Location(scheme, ip, port)


def _check_address(ip: str, reachable: Container[str]) -> None:
    """IsProxyableIP of pkg/proxy/util."""
    if ip in reachable:
        return
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise bad_request("address not allowed") from None
    if address.is_loopback or address.is_link_local or address.is_multicast:
        raise bad_request("address not allowed")
