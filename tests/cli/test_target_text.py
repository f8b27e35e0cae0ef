"""What people type for a TARGET."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxyurls import InvalidInput, InvalidSuffix, InvalidTarget, node, pod, service
from proxyurls.cli.target_text import TargetText, parse_target

PATH = "/api/v1/namespaces/prod/services/https:web:443/proxy/d?x#y"


@pytest.mark.parametrize(
    ("text", "kind", "name", "namespace", "port", "scheme"),
    [
        ("web", "service", "web", None, None, None),
        ("web:", "service", "web", None, None, None),
        ("web:80", "service", "web", None, 80, None),
        ("web:admin", "service", "web", None, "admin", None),
        ("https:web:", "service", "web", None, None, "https"),
        ("http:web:80", "service", "web", None, 80, "http"),
        (":web:80", "service", "web", None, 80, None),
        (":https:web", "service", "https", None, "web", None),
        ("svc/:https:web", "service", "https", None, "web", None),
        ("https:https:443", "service", "https", None, 443, "https"),
        ("svc/web", "service", "web", None, None, None),
        ("service/web:80", "service", "web", None, 80, None),
        ("services/https:web:", "service", "web", None, None, "https"),
        ("web.prod", "service", "web", "prod", None, None),
        ("web.prod:80", "service", "web", "prod", 80, None),
        ("https:web.prod:", "service", "web", "prod", None, "https"),
        ("svc/https:web.prod:tls", "service", "web", "prod", "tls", "https"),
        ("po/web-0", "pod", "web-0", None, None, None),
        ("pod/web.x.y:8080", "pod", "web.x.y", None, 8080, None),
        ("pods/https:web-0:8443", "pod", "web-0", None, 8443, "https"),
        ("no/n1", "node", "n1", None, None, None),
        ("node/ip-10-0-0-1.ec2.internal", "node", "ip-10-0-0-1.ec2.internal", None, None, None),
        ("nodes/http:n1:9100", "node", "n1", None, 9100, "http"),
        ("node/10.0.0.1", "node", "10.0.0.1", None, None, None),
        ("pod", "service", "pod", None, None, None),
        ("http://web", "service", "web", None, 80, None),
        ("http://web:3000/", "service", "web", None, 3000, None),
        ("https://web.prod", "service", "web", "prod", 443, "https"),
        ("http://web.prod.svc:3000", "service", "web", "prod", 3000, None),
        ("https://web.prod.svc.cluster.local/", "service", "web", "prod", 443, "https"),
        ("/api/v1/namespaces/prod/pods/web-0:8080/proxy", "pod", "web-0", "prod", 8080, None),
        ("api/v1/nodes/n1/proxy/", "node", "n1", None, None, None),
    ],
)
def test_parts(  # noqa: PLR0917
    text: str,
    kind: str,
    name: str,
    namespace: str | None,
    port: int | str | None,
    scheme: str | None,
) -> None:
    """Each form of the grammar."""
    assert parse_target(text) == TargetText(kind, name, namespace, port, scheme)


@pytest.mark.parametrize(
    ("text", "server", "suffix", "removed"),
    [
        (PATH, "", "/d?x#y", False),
        (f"https://k8s:6443{PATH}", "https://k8s:6443", "/d?x#y", False),
        (f"https://r/k8s/clusters/c-1{PATH}", "https://r/k8s/clusters/c-1", "/d?x#y", False),
        (
            f"https://kubernetes.default.svc{PATH}",
            "https://kubernetes.default.svc",
            "/d?x#y",
            False,
        ),
        ("http://localhost:8001/api/v1/proxy/nodes/n1/a", "http://localhost:8001", "/a", True),
        ("http://web.prod.svc:3000/api/v1/query?x", "", "/api/v1/query?x", False),
    ],
)
def test_links(text: str, server: str, suffix: str, removed: bool) -> None:  # noqa: FBT001
    """What a URL brings along."""
    found = parse_target(text)
    assert (found.server, found.suffix, found.removed) == (server, suffix, removed)


def test_targets() -> None:
    """A namespace is filled in where none was typed."""
    assert parse_target("web:80").target("shop") == service("web", "shop", port=80)
    assert parse_target("web.prod").target("shop") == service("web", "prod")
    assert parse_target("pod/x.y").target() == pod("x.y")
    assert parse_target("node/n1").target("shop") == node("n1")
    assert parse_target("http://web:80").target("shop") == service("web", "shop", port=80)
    with pytest.raises(InvalidTarget):
        parse_target("web").target("No_Such")


def test_value() -> None:
    """It is a value: equal, hashable, picklable, shown with its parts."""
    found = parse_target(PATH)
    assert pickle.loads(pickle.dumps(found)) == found
    assert len({found, parse_target(PATH)}) == 1
    assert repr(parse_target("web")).startswith(
        "TargetText(kind='service', name='web', namespace=None"
    )


@pytest.mark.parametrize(
    ("text", "given", "namespace"),
    [
        ("web", "shop", "shop"),
        ("web", None, None),
        ("web.shop", "shop", "shop"),
        ("pod/web", "shop", "shop"),
        ("http://web/", "shop", "shop"),
        (PATH, "prod", "prod"),
    ],
)
def test_namespace(text: str, given: str | None, namespace: str | None) -> None:
    """-n fills in what TARGET leaves open."""
    assert parse_target(text, namespace=given).namespace == namespace


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (
            "web.prod",
            "shop",
            "TARGET says namespace 'prod' and -n says 'shop'; leave one of them out",
        ),
        (PATH, "shop", "TARGET says namespace 'prod' and -n says 'shop'"),
        ("http://web.prod.svc/", "shop", "TARGET says namespace 'prod' and -n says 'shop'"),
        (
            "node/n1",
            "shop",
            "a node has no namespace, so node 'n1' can't be in 'shop'; leave -n out",
        ),
        ("/api/v1/nodes/n1/proxy/", "shop", "leave -n out"),
        ("web", "", "leave it out for the default"),
        ("web", "My_NS", "did you mean 'my-ns'?"),
    ],
)
def test_namespace_conflicts(text: str, given: str, message: str) -> None:
    """A contradiction names both."""
    with pytest.raises(InvalidTarget) as caught:
        parse_target(text, namespace=given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "TARGET is empty"),
        (
            "https:web",
            "did you mean 'https:web:'? (for a service really named 'https': ':https:web')",
        ),
        ("http:web", "did you mean 'http:web:'?"),
        (
            "svc/https:web",
            "'svc/https:web:'? (for a service really named 'https': 'svc/:https:web')",
        ),
        ("https:web.prod", "did you mean 'https:web.prod:'?"),
        ("https:443", "did you mean 'https:NAME:443'?"),
        ("https:", "did you mean 'https:NAME:'?"),
        ("pod/https:web", "did you mean 'pod/https:web:'?"),
        ("HTTPS:web:", "did you mean 'https:web:'?"),
        ("a:b:c:d", "4 parts"),
        ("web:99999", "from 1 to 65535"),
        ("web:port name", "did you mean 'port-name'?"),
        ("My_Service", "did you mean 'my-service'?"),
        ("pod/web:http", "or use --resolve"),
        ("node/n1:http", "a node's port is a number"),
        ("web/path", "type the suffix as a word of its own: web '/path'"),
        ("web:80/path", "web:80 '/path'"),
        ("svc/web:80/a/b?c", "svc/web:80 '/a/b?c'"),
        ("web?x=1", "web '?x=1'"),
        ("web:80#x", "web:80 '#x'"),
        ("monitoring/grafana", "if 'monitoring' is the namespace: grafana.monitoring"),
        ("monitoring/grafana:3000", "grafana.monitoring:3000"),
        ("deploy/web", "the apiserver proxies to services, pods and nodes alone"),
        ("SVC/web", "did you mean 'svc/web'?"),
        ("Pod/web", "did you mean 'pod/web'?"),
        ("web.prod.svc", "did you mean 'web.prod', or the in-cluster URL 'http://web.prod.svc/'?"),
        ("https:web.prod.svc:", "did you mean 'https:web.prod:'"),
        ("grafana.example.com:80", "pod/grafana.example.com or node/grafana.example.com"),
        ("10.0.0.1:80", "node/10.0.0.1"),
        ("[::1]:80", "an address can't stand in a proxy URL"),
        ("fe80::1", "an address can't stand in a proxy URL"),
        ("web.", "the namespace name is empty"),
        ("kube-dns:metrics.kube-system", "did you mean 'kube-dns.kube-system:metrics'?"),
        ("svc/web:80.prod", "did you mean 'svc/web.prod:80'?"),
        (".prod", "the service name is empty"),
        ("http://localhost:3000/", "'localhost' is no service"),
        ("http://127.0.0.1:3000/", "is no service"),
        ("http://[::1]:3000/", "is no service"),
        ("https://k8s/api/v1/services/web/proxy/", "the namespace is missing"),
        ("https://k8s/api/v1/namespaces/x/services/web/d", "/proxy is missing"),
        ("https://k8s/api/v1/namespaces/x/nodes/n1/proxy/", "a node has no namespace"),
        ("k8s:6443/api/v1/nodes/n1/proxy/", "did you mean 'https://k8s:6443'?"),
        ("https://grafana.example.com/d", "not an in-cluster URL"),
        ("/d/home", "not a proxy URL"),
        ("pod/", "the name is missing"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    """Each names the value and what to type instead."""
    with pytest.raises(InvalidInput) as caught:
        parse_target(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["https://u:SECRET@k8s/api/v1/nodes/n/proxy/", "https://u:SECRET@web.prod.svc/"]
)
def test_passwords_are_not_repeated(text: str) -> None:
    """A URL with a password is refused without showing it."""
    with pytest.raises(InvalidInput) as caught:
        parse_target(text)
    assert "SECRET" not in str(caught.value)


def test_named_pod_port() -> None:
    """A pod's port may be a name where it is looked up."""
    found = parse_target("pod/web:http", resolves=True)
    assert (found.kind, found.port) == ("pod", "http")
    for text in ("pod/web:No_Name", "pod/We_b:http", "node/n1:http"):
        with pytest.raises(InvalidInput):
            parse_target(text, resolves=True)
    with pytest.raises(InvalidTarget):
        found.target()


def test_suffix() -> None:
    """SUFFIX, or the pasted URL's; not both."""
    assert parse_target("web").with_suffix("/x") == "/x"
    assert parse_target("web").with_suffix(None) == ""
    assert parse_target(PATH).with_suffix(None) == "/d?x#y"
    assert parse_target(PATH).with_suffix("") == "/d?x#y"
    assert parse_target("http://web/").with_suffix("/x") == "/x"
    with pytest.raises(InvalidSuffix, match="drop SUFFIX"):
        parse_target(PATH).with_suffix("/x")


@given(st.text() | st.from_regex(r"[a-z:/.\[\]?#@%0-9A-Z_-]{0,40}", fullmatch=True))
@example("http://[")
@example("\ud800")
def test_any_text(text: str) -> None:
    """Any text gives a TARGET or an InvalidInput, nothing else."""
    try:
        found = parse_target(text)
    except InvalidInput:
        return
    assert found.target("default").path(found.suffix)
