"""In-cluster URLs, from what code in a cluster calls to a target and back."""

from __future__ import annotations

import pytest

from proxyurls import (
    InvalidInput,
    InvalidSuffix,
    InvalidTarget,
    InvalidURL,
    Target,
    from_cluster_url,
    node,
    pod,
    service,
    to_cluster_url,
)


@pytest.mark.parametrize(
    ("url", "target", "suffix"),
    [
        ("http://web", service("web", port=80), ""),
        ("http://web/", service("web", port=80), ""),
        ("https://web/x", service("web", port=443, scheme="https"), "/x"),
        ("http://web:3000/x?y#z", service("web", port=3000), "/x?y#z"),
        ("http://web:/x", service("web", port=80), "/x"),
        ("http://web.prod", service("web", "prod", port=80), ""),
        ("http://web.prod:8080?x", service("web", "prod", port=8080), "/?x"),
        ("http://web.prod.svc:80/", service("web", "prod", port=80), ""),
        ("http://web.prod.svc.cluster.local:80/a b", service("web", "prod", port=80), "/a%20b"),
        ("https://web.prod.svc.example.org/", service("web", "prod", port=443, scheme="https"), ""),
        ("http://web.prod.svc.cluster.local./x", service("web", "prod", port=80), "/x"),
        ("https://web.prod:80/", service("web", "prod", port=80, scheme="https"), ""),
        ("http://web.prod:443/", service("web", "prod", port=443), ""),
        ("http://svc.svc.svc/", service("svc", "svc", port=80), ""),
    ],
)
def test_from_cluster_url(url: str, target: Target, suffix: str) -> None:
    """Shorter and longer forms of a service's DNS name; the port comes from the scheme."""
    assert from_cluster_url(url) == (target, suffix)


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("", InvalidURL, ["not an in-cluster URL", "type http://NAME.NAMESPACE.svc:PORT/…"]),
        ("web.prod:80", InvalidURL, ["type http://NAME.NAMESPACE.svc:PORT/…"]),
        ("ftp://web.prod", InvalidURL, ["type http://NAME.NAMESPACE.svc:PORT/…"]),
        ("http://[::1]/", InvalidURL, ["not an in-cluster URL"]),
        ("http:///x", InvalidTarget, ["name is empty"]),
        ("http://web./x.", None, []),
        ("http://web..svc/", InvalidTarget, ["namespace name is empty"]),
        ("http://Web.prod/", InvalidTarget, ["did you mean 'web'?"]),
        ("http://web_app.prod/", InvalidTarget, ["did you mean 'web-app'?"]),
        ("http://web:http/", InvalidTarget, ["a URL's port is a number"]),
        ("http://web:0/", InvalidTarget, ["from 1 to 65535"]),
        ("http://web:99999/", InvalidTarget, ["from 1 to 65535"]),
        ("http://web:080/", InvalidTarget, ["did you mean '80'?"]),
        ("http://10.0.0.1:80/", InvalidURL, ["NAME.NAMESPACE.svc"]),
        ("http://a--b.localhost:8001/", InvalidURL, ["this machine's", "type NAME.NAMESPACE"]),
        ("http://web.prod.example.org/", InvalidURL, ["NAME.NAMESPACE.svc and a domain"]),
        ("http://web-0.web.prod.svc/", InvalidURL, ["names a pod", "pod/NAME"]),
        ("http://web.prod/../x", InvalidSuffix, ["climb above"]),
        ("http://web.prod/%2e%2e", InvalidSuffix, ["climb above"]),
        ("http://web.prod/\ud800", InvalidSuffix, ["half a character"]),
    ],
)
def test_refused_cluster_urls(url: str, kind: type[InvalidInput] | None, words: list[str]) -> None:
    """What names no service, each with its reason."""
    if kind is None:
        assert from_cluster_url(url)[0].name == "web"
        return
    with pytest.raises(kind) as caught:
        from_cluster_url(url)
    for word in words:
        assert word in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (service("web", port=80), "http://web.default.svc.cluster.local/"),
        (service("web", "prod", port=3000), "http://web.prod.svc.cluster.local:3000/"),
        (
            service("web", "prod", port=443, scheme="https"),
            "https://web.prod.svc.cluster.local/",
        ),
        (
            service("web", "prod", port=8443, scheme="https"),
            "https://web.prod.svc.cluster.local:8443/",
        ),
        (service("web", "prod", port=443), "http://web.prod.svc.cluster.local:443/"),
    ],
)
def test_to_cluster_url_and_back(target: Target, url: str) -> None:
    """The URL that code inside the cluster types for a target."""
    assert to_cluster_url(target) == url
    assert from_cluster_url(url) == (target, "")
    assert from_cluster_url(to_cluster_url(target, "a%2Fb?c#d")) == (target, "/a%2Fb?c#d")
    short = to_cluster_url(target, domain="example.org")
    assert short == url.replace("cluster.local", "example.org")


def test_no_cluster_url() -> None:
    """DNS knows no nodes, no ports' names, and no default port."""
    for target in (node("n", port=80), pod("p", port=80), service("s"), service("s", port="http")):
        with pytest.raises(InvalidTarget, match="a service and a port number"):
            to_cluster_url(target)
    with pytest.raises(InvalidSuffix):
        to_cluster_url(service("s", port=80), "..")
    for domain in ("", "a..b", "a/b", "x@y", "é"):
        with pytest.raises(InvalidInput):
            to_cluster_url(service("s", port=80), domain=domain)
