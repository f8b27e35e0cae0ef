"""Service objects to records: scheme, port, reasons and addresses, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyurls.discovery import ServicePort, ServiceRecord, record, scheme_of

SERVER = "https://k8s.test:6443"
ROOT = f"{SERVER}/api/v1/namespaces/shop/services"
Object = dict[str, Any]


def port(
    number: int,
    name: str | None = None,
    protocol: str | None = None,
    app: str | None = None,
    node: int | None = None,
) -> Object:
    fields = {
        "port": number,
        "name": name,
        "protocol": protocol,
        "appProtocol": app,
        "nodePort": node,
    }
    return {key: value for key, value in fields.items() if value is not None}


def service(
    *ports: Object,
    type: str | None = None,  # noqa: A002
    labels: Object | None = None,
    ingress: list[Object] | None = None,
    **spec: Any,
) -> Object:
    meta: Object = {"name": "web", "namespace": "shop"}
    if labels:
        meta["labels"] = labels
    made: Object = {"metadata": meta, "spec": {"ports": list(ports), **spec}}
    if type:
        made["spec"]["type"] = type
    if ingress is not None:
        made["status"] = {"loadBalancer": {"ingress": ingress}}
    return made


def read(*ports: Object, **more: Any) -> ServiceRecord:
    return record(service(*ports, **more), SERVER)


SCHEMES = [
    # appProtocol is strongest, in both directions
    (port(80, "http", app="https"), "https", "appProtocol is https"),
    (port(443, "https", app="http"), "http", "appProtocol is http"),
    (port(443, "https", app="HTTP"), "http", "appProtocol is HTTP"),
    (port(443, app="kubernetes.io/h2c"), "http", "appProtocol is kubernetes.io/h2c"),
    (port(443, app="kubernetes.io/ws"), "http", "appProtocol is kubernetes.io/ws"),
    (port(80, app="kubernetes.io/wss"), "https", "appProtocol is kubernetes.io/wss"),
    # one that says nothing of TLS decides nothing
    (port(443, app="example.com/thing"), "https", "the port number is 443"),
    (port(80, "https", app="grpc"), "https", "the port is named https"),
    (port(80, app=""), "http", "nothing says https"),
    # then the name
    (port(80, "https"), "https", "the port is named https"),
    (port(80, "https-admin"), "https", "the port is named https-admin"),
    (port(80, "httpsx"), "http", "nothing says https"),
    (port(80, "admin-https"), "http", "nothing says https"),
    # then the number, whatever another name says
    (port(443), "https", "the port number is 443"),
    (port(8443), "https", "the port number is 8443"),
    (port(443, "http"), "https", "the port number is 443"),
    (port(8443, "web"), "https", "the port number is 8443"),
    (port(6443), "http", "nothing says https"),
    (port(9443, "metrics"), "http", "nothing says https"),
    (port(80, "http"), "http", "nothing says https"),
]


@pytest.mark.parametrize(("given", "scheme", "why"), SCHEMES)
def test_scheme(given: Object, scheme: str, why: str) -> None:
    assert scheme_of(given) == (scheme, why)
    only = read(given).ports[0]
    assert (only.scheme, only.why) == (scheme, why)
    number = given["port"]
    assert only.segment == (f"https:web:{number}" if scheme == "https" else f"web:{number}")
    assert only.url == f"{ROOT}/{only.segment}/proxy/"


def test_the_only_port() -> None:
    found = read(port(3000, "web"))
    assert found.url == f"{ROOT}/web:3000/proxy/"
    assert found.why == "port 3000 (the only TCP port), http (nothing says https)"
    assert found.ports == (
        ServicePort(
            name="web",
            port=3000,
            protocol="TCP",
            scheme="http",
            why="nothing says https",
            segment="web:3000",
            url=f"{ROOT}/web:3000/proxy/",
        ),
    )


CHOICES = [
    ("appProtocol first", [port(80, "http"), port(9000, "x", app="http")], "web:9000", "appProt"),
    ("then the name", [port(9000, "x"), port(7000, "http")], "web:7000", "named http"),
    ("web is one", [port(9000, "x"), port(7000, "web")], "web:7000", "named web"),
    ("http-… is one", [port(9000, "x"), port(7000, "http-ui")], "web:7000", "named http-ui"),
    ("https-… is one", [port(9000, "x"), port(7000, "https-ui")], "https:web:7000", "named https-"),
    ("httpd is none", [port(9000, "x"), port(7000, "httpd")], "web:9000", "the first TCP port"),
    ("then the number", [port(9000, "x"), port(8080, "y")], "web:8080", "a usual web port"),
    ("name over number", [port(80, "x"), port(7000, "http")], "web:7000", "named http"),
    ("first of equals", [port(80, "http"), port(443, "https")], "web:80", "named http"),
    ("the first", [port(9000, "x"), port(9001, "y")], "web:9000", "the first TCP port"),
    ("not UDP", [port(80, "http", "UDP"), port(9000, "x")], "web:9000", "the only TCP port"),
    (
        "TCP of a pair",
        [port(53, "dns", "UDP"), port(53, "dns-tcp", "TCP"), port(9153, "metrics")],
        "web:dns-tcp",
        "the first TCP port",
    ),
]


@pytest.mark.parametrize(
    ("ports", "segment", "why"), [pytest.param(*case[1:], id=case[0]) for case in CHOICES]
)
def test_choice(ports: list[Object], segment: str, why: str) -> None:
    found = read(*ports)
    assert found.url == f"{ROOT}/{segment}/proxy/"
    assert f"({why}" in found.why
    assert len(found.ports) == len(ports)


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_what_is_not_tcp_has_no_url_and_says_why(protocol: str) -> None:
    found = read(port(443, "https", protocol))
    assert (found.url, found.addresses) == (None, ())
    assert found.why == f"no TCP port: 443/{protocol}"
    only = found.ports[0]
    assert (only.scheme, only.segment, only.url) == (None, None, None)
    assert only.protocol == protocol
    assert f"not spoken over {protocol}" in only.why


@pytest.mark.parametrize("ports", [[], [port(80)], [port(80), port(443)]])
def test_external_name(ports: list[Object]) -> None:
    found = read(*ports, type="ExternalName", externalName="db.example.com")
    assert (found.url, found.type) == (None, "ExternalName")
    assert found.why == (
        "an ExternalName is a DNS alias for db.example.com: there is nothing to proxy to"
    )
    for each in found.ports:
        assert (each.scheme, each.segment, each.url) == (None, None, None)
        assert each.why == "an ExternalName has no endpoints"


@pytest.mark.parametrize(
    "spec", [{"ports": []}, {"ports": None}, {}, {"clusterIP": "None"}], ids=str
)
def test_no_ports(spec: Object) -> None:
    found = record({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}, SERVER)
    assert (found.url, found.ports, found.addresses) == (None, (), ())
    assert found.why == "the service has no ports"
    assert found.type == "ClusterIP"


def test_a_number_twice() -> None:
    """A number means the first port that has it; the other is reached by its name."""
    found = read(port(53, "dns", "UDP"), port(53, "dns-tcp", "TCP"))
    assert [each.segment for each in found.ports] == [None, "web:dns-tcp"]
    found = read(port(53, "dns-tcp", "TCP"), port(53, "dns", "UDP"))
    assert [each.segment for each in found.ports] == ["web:53", None]
    found = read(port(443, "quic", "UDP"), port(443, "https", "TCP"))
    assert [each.segment for each in found.ports] == [None, "https:web:https"]


ADDRESSES: list[tuple[str, list[Object], list[Object], list[str]]] = [
    ("IP", [port(80)], [{"ip": "192.0.2.7"}], ["http://192.0.2.7/"]),
    ("https on 443", [port(443)], [{"ip": "192.0.2.7"}], ["https://192.0.2.7/"]),
    ("https elsewhere", [port(8443)], [{"ip": "192.0.2.7"}], ["https://192.0.2.7:8443/"]),
    ("http on 443", [port(443, app="http")], [{"ip": "192.0.2.7"}], ["http://192.0.2.7:443/"]),
    ("https on 80", [port(80, "https")], [{"ip": "192.0.2.7"}], ["https://192.0.2.7:80/"]),
    ("host name", [port(3000)], [{"hostname": "lb.test"}], ["http://lb.test:3000/"]),
    ("IPv6", [port(3000)], [{"ip": "2001:db8::7"}], ["http://[2001:db8::7]:3000/"]),
    ("IPv6 on 443", [port(443)], [{"ip": "2001:db8::7"}], ["https://[2001:db8::7]/"]),
    ("IP before host", [port(80)], [{"ip": "192.0.2.7", "hostname": "x"}], ["http://192.0.2.7/"]),
    (
        "several of both",
        [port(80, "http"), port(443, "https")],
        [{"ip": "192.0.2.7"}, {"hostname": "lb.test"}],
        ["http://192.0.2.7/", "http://lb.test/", "https://192.0.2.7/", "https://lb.test/"],
    ),
    ("no UDP", [port(53, "d", "UDP"), port(80, "h")], [{"ip": "192.0.2.7"}], ["http://192.0.2.7/"]),
    ("pending", [port(80)], [], []),
    ("neither", [port(80)], [{}], []),
]


@pytest.mark.parametrize(
    ("ports", "ingress", "expected"), [pytest.param(*case[1:], id=case[0]) for case in ADDRESSES]
)
def test_load_balancer(ports: list[Object], ingress: list[Object], expected: list[str]) -> None:
    found = read(*ports, type="LoadBalancer", ingress=ingress)
    assert list(found.addresses) == expected
    assert found.url is not None  # the apiserver reaches it all the same
    assert found.url.startswith(ROOT)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("192.0.2.9", ["http://192.0.2.9:30080/", "https://192.0.2.9:30443/"]),
        ("2001:db8::9", ["http://[2001:db8::9]:30080/", "https://[2001:db8::9]:30443/"]),
        ("node-1.test", ["http://node-1.test:30080/", "https://node-1.test:30443/"]),
        (None, []),
    ],
)
def test_node_port(node: str | None, expected: list[str]) -> None:
    ports = [port(80, "http", node=30080), port(443, "https", node=30443), port(53, "d", "UDP")]
    found = record(service(*ports, type="NodePort"), SERVER, node_address=node)
    assert list(found.addresses) == expected


def test_the_balancer_comes_before_its_node_ports() -> None:
    balanced = service(port(80, node=30080), type="LoadBalancer", ingress=[{"ip": "192.0.2.7"}])
    assert record(balanced, SERVER, node_address="192.0.2.9").addresses == ("http://192.0.2.7/",)
    balanced["status"] = {"loadBalancer": {}}
    found = record(balanced, SERVER, node_address="192.0.2.9")
    assert found.addresses == ("http://192.0.2.9:30080/",)


@pytest.mark.parametrize(
    ("labels", "display_name", "listed"),
    [
        (None, "web", False),
        ({"kubernetes.io/name": "Web Shop".replace(" ", "")}, "WebShop", False),
        ({"kubernetes.io/name": ""}, "web", False),
        ({"kubernetes.io/cluster-service": "true"}, "web", True),
        ({"kubernetes.io/cluster-service": "false"}, "web", False),
        ({"kubernetes.io/cluster-service": ""}, "web", False),
    ],
)
def test_labels(labels: Object | None, display_name: str, listed: bool) -> None:  # noqa: FBT001
    found = read(port(80), labels=labels)
    assert (found.display_name, found.cluster_service) == (display_name, listed)


def test_keys() -> None:
    found = read(port(80, "http"), port(53, "dns", "UDP"), type="LoadBalancer", ingress=[])
    values = found.as_dict()
    assert list(values) == [
        *("namespace", "name", "display_name", "cluster_service", "type", "url", "why"),
        *("ports", "addresses"),
    ]
    for each in values["ports"]:
        assert list(each) == ["name", "port", "protocol", "scheme", "why", "segment", "url"]
    assert json.loads(json.dumps(values)) == values
    assert values["addresses"] == []
    again = read(port(80, "http"), port(53, "dns", "UDP"), type="LoadBalancer", ingress=[])
    assert (found, hash(found)) == (again, hash(again))


def test_the_path_of_the_server_stays() -> None:
    found = record(service(port(80)), "https://rancher.test/k8s/clusters/c-1/")
    assert found.url == (
        "https://rancher.test/k8s/clusters/c-1/api/v1/namespaces/shop/services/web:80/proxy/"
    )
