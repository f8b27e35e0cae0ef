"""Where a target leads: services, pods and nodes, with and without a port."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest

from .cluster import Port

if TYPE_CHECKING:
    from .conftest import Site
    from .fixtures import Serve


def test_service_without_a_port(site: Site) -> None:
    """A service's bare name leads to the endpoint port whose name is empty."""
    assert site.hears(site.plain, "web")


def test_service_without_a_port_and_with_named_ones(site: Site) -> None:
    """A bare name does not lead to a named port, be it the first or the only one."""
    for name in ("multi", "single"):
        if name == "single":
            ports = [Port(80, "only")]
            site.apiserver.add_service(name, "facts", ports=ports, upstream=site.plain.address)
        answer = site.get(segment=name)
        assert answer.status == 503
        assert answer.message == f'no endpoints available for service "{name}"'


def test_scheme_alone_and_named_ports(site: Site) -> None:
    """A scheme without a port does not choose a named port either, and the text names all of it."""
    answer = site.get(segment="https:multi:")
    assert answer.status == 503
    assert answer.message == 'no endpoints available for service "https:multi:"'


@pytest.mark.parametrize("segment", ["multi:8080", "multi:admin", "http:multi:admin"])
def test_service_port_by_number_and_name(site: Site, segment: str) -> None:
    """A number is a port of the service, named or not; a name is that port's name."""
    assert site.hears(site.admin, segment)


def test_target_port_is_no_service_port(site: Site) -> None:
    """The number of the upstream's own port is not one of the service."""
    port = site.plain.address[1]
    answer = site.get(segment=f"web:{port}")
    assert answer.status == 503
    assert answer.message == f'no service port {port} found for service "web"'


@pytest.mark.parametrize("port", ["99", "99999", "0", "-1"])
def test_unknown_number(site: Site, port: str) -> None:
    """A number that the service has not is a 503, even where it can't be a port."""
    answer = site.get(segment=f"multi:{port}")
    assert answer.status == 503
    assert answer.message == f'no service port {port} found for service "multi"'


@pytest.mark.parametrize("port", ["008080", "%2B8080"])
def test_odd_numbers(site: Site, port: str) -> None:
    """A service's port is read as a number, so leading zeros and a plus sign don't matter."""
    assert site.hears(site.admin, f"multi:{port}")


@pytest.mark.parametrize("port", ["nope", "HTTP", "8080x", "0x50"])
def test_unknown_name(site: Site, port: str) -> None:
    """A port name that the service has not is a 503 that names the whole segment."""
    answer = site.get(segment=f"multi:{port}")
    assert answer.status == 503
    assert answer.message == f'no endpoints available for service "multi:{port}"'


@pytest.mark.parametrize("segment", ["idle", "idle:80", "http:idle:"])
def test_no_ready_address(site: Site, segment: str) -> None:
    """A service whose endpoints are empty is a 503, by its name alone."""
    answer = site.get(segment=segment)
    assert answer.status == 503
    assert answer.message == 'no endpoints available for service "idle"'


def test_no_endpoints_object(site: Site) -> None:
    """A service without Endpoints is not found though it exists, or has none available."""
    answer = site.get(segment="bare")
    assert (answer.status, answer.message) in {
        (404, 'services "bare" not found'),
        (503, 'no endpoints available for service "bare"'),  # by EndpointSlices
    }


def test_no_service(site: Site) -> None:
    """A service that isn't there is a 404, by its name alone."""
    answer = site.get(segment="https:nothing:443")
    assert (answer.status, answer.message) == (404, 'services "nothing" not found')


def test_no_namespace(site: Site) -> None:
    """In a namespace that isn't there it's the service that is not found."""
    answer = site.apiserver.get("/api/v1/namespaces/nowhere/services/web/proxy/")
    assert (answer.status, answer.message) == (404, 'services "web" not found')


def test_pod_without_a_port(site: Site) -> None:
    """A pod's default port is the first that a container of it declares, in whichever container."""
    assert site.hears(site.plain, "app", "pods")
    assert site.hears(site.plain, "http:app:", "pods")


def test_pod_with_a_port(site: Site) -> None:
    """A pod's port is used literally, declared or not."""
    assert site.hears(site.admin, f"app:{site.admin.address[1]}", "pods")
    assert site.hears(site.plain, f"mute:{site.plain.address[1]}", "pods")
    assert site.hears(site.tls, f"https:mute:{site.tls.address[1]}", "pods")


def test_pod_that_declares_no_port(site: Site) -> None:
    """A pod that declares no port is reached at the scheme's own port."""
    answer = site.get(segment="mute", kind="pods")
    ip = site.plain.address[0]
    assert answer.status in {500, 503}
    assert f"dial tcp {ip}:80: connect: connection refused" in answer.message


@pytest.mark.parametrize("segment", ["app:web", "app:admin", "app:nope"])
def test_pod_with_a_named_port(site: Site, segment: str) -> None:
    """A named port on a pod makes the server drop the connection or fail: it's never resolved."""
    try:
        answer = site.get(segment=segment, kind="pods")
    except (http.client.HTTPException, ConnectionError):
        return
    assert answer.status >= 400


def test_pod_with_an_impossible_port(site: Site) -> None:
    """A pod's port above 65535 is dialled in vain."""
    answer = site.get(segment="app:99999", kind="pods")
    assert answer.status in {500, 503}
    assert "99999" in answer.message
    assert "invalid port" in answer.message


@pytest.mark.parametrize("segment", ["homeless", "homeless:80"])
def test_pod_without_an_address(site: Site, segment: str) -> None:
    """A pod that has no address yet is a 400."""
    answer = site.get(segment=segment, kind="pods")
    assert (answer.status, answer.message) == (400, "address not allowed")


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.1.1", "::1"])
def test_forbidden_addresses(site: Site, ip: str) -> None:
    """Loopback and link-local addresses are proxied to for no pod."""
    name = "at-" + ip.replace(".", "-").replace(":", "x")
    site.apiserver.add_pod(name, "facts", ip=ip)
    answer = site.get(segment=f"{name}:80", kind="pods")
    assert (answer.status, answer.message) == (400, "address not allowed")


def test_no_pod(site: Site) -> None:
    """A pod that isn't there is a 404."""
    answer = site.get(segment="nothing:80", kind="pods")
    assert (answer.status, answer.message) == (404, 'pods "nothing" not found')


def test_node_without_a_port(site: Site) -> None:
    """A node without a port is its kubelet, whatever scheme is asked for."""
    for segment in ("machine", "http:machine:", "https:machine:"):
        assert site.hears(site.tls, segment, "nodes")


def test_node_with_the_kubelets_port(site: Site) -> None:
    """With the kubelet's port it's the kubelet's own scheme, whatever scheme is asked for."""
    port = site.tls.address[1]
    for segment in (f"machine:{port}", f"http:machine:{port}", f"https:machine:{port}"):
        assert site.hears(site.tls, segment, "nodes")


def test_node_with_another_port(site: Site) -> None:
    """Any other port of a node is spoken to in the scheme asked for, http by default."""
    port = site.plain.address[1]
    assert site.hears(site.plain, f"machine:{port}", "nodes")
    answer = site.get(segment=f"https:machine:{port}", kind="nodes")
    assert "does not look like a TLS handshake" in answer.message


def test_node_with_a_named_port(site: Site) -> None:
    """A named port on a node is never resolved."""
    try:
        answer = site.get(segment="machine:kubelet", kind="nodes")
    except (http.client.HTTPException, ConnectionError):
        return
    assert answer.status >= 400


def test_no_node(site: Site) -> None:
    """A node that isn't there is a 404."""
    answer = site.get(segment="nothing", kind="nodes")
    assert (answer.status, answer.message) == (404, 'nodes "nothing" not found')


def test_https_to_a_plain_upstream(site: Site) -> None:
    """The scheme https to an upstream that speaks http fails in the TLS handshake."""
    answer = site.get(segment="https:web:")
    assert answer.status in {500, 503}
    assert answer.message == (
        "error trying to reach service: tls: first record does not look like a TLS handshake"
    )


def test_http_to_a_tls_upstream(site: Site) -> None:
    """The scheme http to an upstream that speaks TLS is an error to reach it."""
    answer = site.get(segment="secure")
    assert answer.status in {500, 503}
    assert answer.message.startswith("error trying to reach service: ")


def test_port_443_is_no_scheme(site: Site) -> None:
    """Neither the number 443 nor a port's name makes the server speak TLS by itself."""
    for segment in ("secure:443", "multi:tls", "multi:443"):
        assert site.get(segment=segment).message.startswith("error trying to reach service: ")


def test_upstream_certificates_are_not_verified(site: Site) -> None:
    """A certificate of the upstream that nobody signed is taken."""
    assert site.hears(site.tls, "https:secure:443")


def test_refused_connection(site: Site, serve: Serve) -> None:
    """An upstream that does not listen is named, with its address, in the server's own error."""
    listener = site.apiserver.listen()
    address = listener.getsockname()[:2]
    listener.close()
    site.apiserver.add_service("gone", "facts", upstream=address)
    answer = site.get(segment="gone")
    assert answer.status in {500, 503}
    ip, port = address
    text = f"error trying to reach service: dial tcp {ip}:{port}: connect: connection refused"
    assert answer.message == text
