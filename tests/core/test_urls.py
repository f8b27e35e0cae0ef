"""Full URLs: servers, proxy URLs in all their forms, and in-cluster URLs."""

from __future__ import annotations

import time

import pytest

from proxyurls import (
    InvalidInput,
    InvalidSegment,
    InvalidSuffix,
    InvalidTarget,
    InvalidURL,
    ProxyURL,
    Target,
    from_cluster_url,
    node,
    parse_url,
    pod,
    service,
)
from proxyurls.server import check_server
from proxyurls.urls import is_removed_form

SERVERS = [
    "",
    "/prefix",
    "https://host",
    "https://10.0.0.1:6443",
    "http://localhost:8001",
    "http://127.0.0.1:8001",
    "https://[2001:db8::1]:6443",
    "https://rancher.example/k8s/clusters/c-1",
    "https://host/api/v1",
]
PARTS: list[tuple[str, Target, str]] = [
    ("/api/v1/namespaces/a/services/web/proxy/", service("web", "a"), ""),
    ("/api/v1/namespaces/a/services/web:80/proxy/x", service("web", "a", port=80), "/x"),
    ("/api/v1/namespaces/a/services/web:http/proxy/?x", service("web", "a", port="http"), "/?x"),
    (
        "/api/v1/namespaces/a/services/https:web:/proxy/#x",
        service("web", "a", scheme="https"),
        "/#x",
    ),
    (
        "/api/v1/namespaces/a/services/https:web:443/proxy/a%2Fb/",
        service("web", "a", scheme="https", port=443),
        "/a%2Fb/",
    ),
    (
        "/api/v1/namespaces/a/services/https:web/proxy/",
        service("https", "a", port="web"),
        "",
    ),
    ("/api/v1/namespaces/a/services/http:80/proxy/", service("http", "a", port=80), ""),
    ("/api/v1/namespaces/a/pods/web-0.x:8080/proxy/x//y", pod("web-0.x", "a", port=8080), "/x//y"),
    ("/api/v1/namespaces/a/pods/https:web-0:/proxy/", pod("web-0", "a", scheme="https"), ""),
    ("/api/v1/nodes/n1.example/proxy/metrics", node("n1.example"), "/metrics"),
    ("/api/v1/nodes/https:n1:10250/proxy/x", node("n1", port=10250, scheme="https"), "/x"),
]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("path", "target", "suffix"), PARTS)
def test_parse_url(server: str, path: str, target: Target, suffix: str) -> None:
    """A canonical URL has its three parts, and str() gives it back."""
    parsed = parse_url(server + path)
    assert (parsed.server, parsed.target, parsed.suffix) == (server, target, suffix)
    assert str(parsed) == server + path
    assert parsed == ProxyURL(server, target, suffix)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("/api/v1/nodes/n/proxy", "/api/v1/nodes/n/proxy/"),
        ("/api/v1/nodes/n/proxy?x", "/api/v1/nodes/n/proxy/?x"),
        ("/api/v1/nodes/n/proxy#x", "/api/v1/nodes/n/proxy/#x"),
        ("/api/v1/nodes/n:/proxy/", "/api/v1/nodes/n/proxy/"),
        ("/api/v1/nodes/:n:80/proxy/", "/api/v1/nodes/n:80/proxy/"),
        ("/api/v1/nodes/https%3An%3A/proxy/", "/api/v1/nodes/https:n:/proxy/"),
        ("/api/v1/nodes/https%3an%3a443/proxy/", "/api/v1/nodes/https:n:443/proxy/"),
        ("/api/v1/nodes/%6E/proxy/", "/api/v1/nodes/n/proxy/"),
        ("/api/v1/nodes/n/proxy/é f", "/api/v1/nodes/n/proxy/%C3%A9%20f"),
        (
            "/api/v1/namespaces/kube%2Dsystem/services/web/proxy/",
            "/api/v1/namespaces/kube-system/services/web/proxy/",
        ),
        ("https://host//api/v1/nodes/n/proxy/", "https://host/api/v1/nodes/n/proxy/"),
        ("https://host/c-1//api/v1/nodes/n/proxy/", "https://host/c-1/api/v1/nodes/n/proxy/"),
        (
            "https://h/api/v1/namespaces/a/services/w:/proxy",
            "https://h/api/v1/namespaces/a/services/w/proxy/",
        ),
        (
            "https://h/api/v1/namespaces/a/services/w/proxy?x",
            "https://h/api/v1/namespaces/a/services/w/proxy/?x",
        ),
    ],
)
def test_spellings(url: str, canonical: str) -> None:
    """Other spellings of the same are read, and written in one way."""
    assert str(parse_url(url)) == canonical
    assert parse_url(canonical) == parse_url(url)


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        (
            "/api/v1/proxy/namespaces/a/services/web/x?y",
            "/api/v1/namespaces/a/services/web/proxy/x?y",
        ),
        ("/api/v1/proxy/namespaces/a/services/web", "/api/v1/namespaces/a/services/web/proxy/"),
        ("/api/v1/proxy/namespaces/a/pods/p:80/", "/api/v1/namespaces/a/pods/p:80/proxy/"),
        ("/api/v1/proxy/nodes/n/metrics", "/api/v1/nodes/n/proxy/metrics"),
        (
            "/api/v1/proxy/namespaces/a/services/https:web:443/proxy/x",
            "/api/v1/namespaces/a/services/https:web:443/proxy/proxy/x",
        ),
        (
            "/api/v1/proxy/nodes/n/api/v1/nodes/m/proxy/x",
            "/api/v1/nodes/n/proxy/api/v1/nodes/m/proxy/x",
        ),
    ],
)
@pytest.mark.parametrize("server", ["", "https://host", "https://host/k8s/c"])
def test_the_removed_form(server: str, old: str, modern: str) -> None:
    """Kubernetes 1.10 removed it; it is answered with what replaced it."""
    assert is_removed_form(server + old)
    assert str(parse_url(server + old)) == server + modern
    assert not is_removed_form(server + modern)


@pytest.mark.parametrize("server", ["", "https://host", "https://host/k8s/c"])
@pytest.mark.parametrize(
    "suffix",
    [
        "/api/v1/proxy/nodes/n/x",
        "/api/v1/proxy/namespaces/a/services/b/x",
        "/api/v1/nodes/n/proxy/x",
        "/api/v1/namespaces/a/services/b/proxy/x",
        "/?next=/api/v1/proxy/nodes/n/",
        "/#/api/v1/nodes/n/proxy/",
    ],
)
@pytest.mark.parametrize("target", [service("web", "p"), node("m"), pod("w.x", "p", port=80)])
def test_a_proxy_behind_a_proxy(server: str, suffix: str, target: Target) -> None:
    """The first proxy of a URL is the one that the apiserver takes; the rest is its suffix."""
    url = server + target.path(suffix)
    assert parse_url(url) == ProxyURL(server, target, suffix)
    assert not is_removed_form(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", ["not a proxy URL: ''", "it has the form SERVER/api/v1/namespaces/NAMESPACE/"]),
        ("grafana", ["it has the form"]),
        ("https://host/", ["it has the form"]),
        ("https://host/api/v1/namespaces", ["it has the form"]),
        (
            "https://host/api/v1/namespaces/a/services/web",
            ["/proxy is missing", "type …/api/v1/namespaces/a/services/web/proxy/"],
        ),
        (
            "https://host/api/v1/namespaces/a/services/web/x/y?z",
            ["/proxy is missing", "type …/api/v1/namespaces/a/services/web/proxy/x/y"],
        ),
        ("/api/v1/nodes/n/metrics", ["/proxy is missing", "…/api/v1/nodes/n/proxy/metrics"]),
        (
            "/api/v1/services/web/proxy/",
            ["namespace is missing", "…/api/v1/namespaces/NAMESPACE/services/web/proxy/"],
        ),
        ("/api/v1/pods/web/proxy/", ["namespace is missing", "/namespaces/NAMESPACE/pods/web/"]),
        (
            "/api/v1/namespaces/a/nodes/n/proxy/",
            ["a node has no namespace", "type …/api/v1/nodes/n/proxy/"],
        ),
        ("http://web.prod.svc:80/x", ["in-cluster URL", "from_cluster_url"]),
        ("https://host/?x=/api/v1/nodes/n/proxy/", ["it has the form"]),
        ("https://host/#/api/v1/nodes/n/proxy/", ["it has the form"]),
        ("x" * 500, ["xxx", "…", "it has the form"]),
    ],
)
def test_near_misses(url: str, words: list[str]) -> None:
    """What is nearly a proxy URL is told from what is none, with the text to type."""
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)
    assert caught.value.text == url
    for word in words:
        assert word in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("url", "kind", "word"),
    [
        ("https://host/api/v1/nodes/::/proxy/", InvalidSegment, "name is missing"),
        ("https://host/api/v1/nodes/a:b:c:d/proxy/", InvalidSegment, "4 parts"),
        ("https://host/api/v1/nodes/ftp:n:/proxy/", InvalidSegment, "http or https"),
        ("https://host/api/v1/nodes/N/proxy/", InvalidTarget, "did you mean 'n'?"),
        ("https://host/api/v1/nodes/n%2Fm/proxy/", InvalidTarget, "'n/m'"),
        ("https://host/api/v1/nodes/../proxy/", InvalidTarget, "'..'"),
        ("https://host/api/v1/nodes/%2e%2e/proxy/", InvalidTarget, "'..'"),
        ("https://host/api/v1/nodes/n%00/proxy/", InvalidTarget, r"'n\x00'"),
        ("https://host/api/v1/nodes/%FF/proxy/", InvalidTarget, "invalid node name"),
        ("https://host/api/v1/nodes/%zz/proxy/", InvalidTarget, "'%zz'"),
        ("https://host/api/v1/nodes/n:http/proxy/", InvalidTarget, "a node's port is a number"),
        ("https://host/api/v1/namespaces/a/pods/p:http/proxy/", InvalidTarget, "a pod's port"),
        ("https://host/api/v1/namespaces/a.b/pods/p/proxy/", InvalidTarget, "namespace name"),
        ("https://host/api/v1/nodes/n/proxy/../x", InvalidSuffix, "climb above"),
        ("https://host/api/v1/nodes/n/proxy/%2e%2E/x", InvalidSuffix, "climb above"),
        ("https://host/api/v1/nodes/n/proxy/\ud800", InvalidSuffix, "half a character"),
        ("ho st/api/v1/nodes/n/proxy/", InvalidURL, "no scheme"),
        ("host/api/v1/nodes/n/proxy/", InvalidURL, "did you mean 'https://host'?"),
        ("ftp://host/api/v1/nodes/n/proxy/", InvalidURL, "not 'ftp'"),
        ("https://host:99999/api/v1/nodes/n/proxy/", InvalidURL, "65535"),
        ("https://host/../api/v1/nodes/n/proxy/", InvalidURL, "dot segment"),
        ("/../api/v1/nodes/n/proxy/", InvalidURL, "dot segment"),
    ],
)
def test_refused_urls(url: str, kind: type[InvalidInput], word: str) -> None:
    """The part that is wrong decides the type of error."""
    with pytest.raises(kind) as caught:
        parse_url(url)
    assert type(caught.value) is kind
    assert word in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_bare_path_names_no_host() -> None:
    """A path that starts with two slashes would be another host's URL, so it is none."""
    try:
        parsed = parse_url("//evil.example/api/v1/nodes/n/proxy/")
    except InvalidURL:
        return
    assert not str(parsed).startswith("//")


@pytest.mark.parametrize(
    "url",
    [
        "/api/v1/namespaces/x/nodes/a\x1b\nb/proxy/",
        "/api/v1/services/a\x1b\nb/proxy/",
        "/api/v1/nodes/a\ud800/b",
        "https://1:2:3\x1b\n/api/v1/nodes/n/proxy/",
    ],
)
def test_messages_are_one_printable_line(url: str) -> None:
    """A remedy repeats no control characters, which would write to somebody's terminal."""
    with pytest.raises(InvalidInput) as caught:
        parse_url(url)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "/api/v1/namespaces/" * 20_000,
        "/api/v1/nodes/n/" * 20_000,
        "/api/v1/proxy/" * 20_000,
        "https://h" + "/.." * 50_000 + "/api/v1/nodes/n/proxy/",
        "https://h/api/v1/namespaces/" + "a-" * 50_000 + "/services/w/proxy/",
        "https://h/api/v1/namespaces/a/services/" + ":" * 100_000 + "/proxy/",
        "https://h/api/v1/namespaces/a/services/w/proxy/" + "a/../" * 50_000,
        "https://" + "a:" * 50_000,
        "https://" + "." * 100_000,
        "http://" + "a." * 50_000,
    ],
    ids=lambda url: repr(url[:40]),
)
def test_long_texts_take_no_time(url: str) -> None:
    """No text makes a pattern go back and forth: the time grows with its length alone."""
    for call in (parse_url, check_server, from_cluster_url):
        start = time.process_time()
        try:
            result: object = call(url)
        except InvalidInput as error:
            result = error
        assert result is not None
        assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "server", ["host", "https://user:pw@host", "https://host?x", "https://h/.."]
)
def test_an_invalid_proxy_url_cannot_be_built(server: str) -> None:
    """The constructor refuses what could not be read back."""
    with pytest.raises(InvalidURL):
        ProxyURL(server, node("n"))
    with pytest.raises(InvalidSuffix):
        ProxyURL("https://host", node("n"), "..")


@pytest.mark.parametrize(
    "server",
    [
        "https://host/api/v1/nodes/n/proxy",
        "https://host/api/v1/namespaces/a/services/web/proxy/",
        "https://host/api/v1/proxy/nodes/n",
        "/api/v1/nodes/n/proxy",
    ],
)
def test_a_proxy_url_is_no_server(server: str) -> None:
    """One built on another would be read as the other, with a suffix."""
    with pytest.raises(InvalidURL, match="a proxy URL itself") as caught:
        ProxyURL(server, node("m"))
    assert str(caught.value).isprintable()
