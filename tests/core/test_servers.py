"""Servers: what is one, how it is joined to a path, and secrets that are never shown."""

from __future__ import annotations

import pytest

from proxyurls import (
    InvalidInput,
    InvalidURL,
    from_cluster_url,
    node,
    parse_url,
)
from proxyurls.server import check_server, join

PATH = "/api/v1/nodes/n/proxy/x"


@pytest.mark.parametrize(
    ("server", "base"),
    [
        ("https://host", "https://host"),
        ("https://host/", "https://host"),
        ("http://localhost:8001", "http://localhost:8001"),
        ("https://10.0.0.1:6443/", "https://10.0.0.1:6443"),
        ("https://[::1]:6443", "https://[::1]:6443"),
        ("https://[fe80::1%25eth0]", "https://[fe80::1%25eth0]"),
        ("https://rancher/k8s/clusters/c-1", "https://rancher/k8s/clusters/c-1"),
        ("https://rancher/k8s/clusters/c-1/", "https://rancher/k8s/clusters/c-1"),
        ("https://host:65535/a%20b", "https://host:65535/a%20b"),
        ("HTTPS://Host.Example", "HTTPS://Host.Example"),
        ("https://host/...", "https://host/..."),
        ("https://host/.well-known", "https://host/.well-known"),
    ],
)
def test_join(server: str, base: str) -> None:
    """The server's own path is kept, and one slash stands between."""
    assert join(server, PATH) == base + PATH
    assert check_server(server) == server


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("", ["no scheme", "type https://HOST:PORT"]),
        ("host", ["no scheme", "did you mean 'https://host'?"]),
        ("host:6443", ["no scheme", "did you mean 'https://host:6443'?"]),
        ("//host", ["no scheme", "did you mean 'https://host'?"]),
        ("localhost:8001/x", ["no scheme", "did you mean 'https://localhost:8001/x'?"]),
        ("[::1]:80", ["no scheme", "did you mean 'https://[::1]:80'?"]),
        ("ftp://host", ["http or https, not 'ftp'"]),
        ("unix:///run/x", ["http or https, not 'unix'"]),
        ("https://", ["no URL of a host", "type https://HOST:PORT"]),
        ("https:///x", ["no URL of a host"]),
        ("https:/host", ["no URL of a host"]),
        ("https://ho st", ["no URL of a host"]),
        ("https://host\\x", ["no URL of a host"]),
        ("https://host/\n", ["no URL of a host"]),
        ("https://host:port", ["no URL of a host"]),
        ("https://host:65536", ["from 0 to 65535"]),
        ("https://host:99999/x", ["from 0 to 65535"]),
        ("https://host?x", ["no query or fragment"]),
        ("https://host/#x", ["no query or fragment"]),
        ("https://::1", ["in brackets", "https://[::1]"]),
        ("https://2001:db8::1/x", ["in brackets", "https://[2001:db8::1]"]),
        ("https://host/..", ["dot segment"]),
        ("https://host/a/../b", ["dot segment"]),
        ("https://host/./b", ["dot segment"]),
        ("https://host/%2e%2E/b", ["dot segment"]),
    ],
)
def test_refused_servers(server: str, words: list[str]) -> None:
    """What is no http or https URL of a host, and what to type instead."""
    with pytest.raises(InvalidURL) as caught:
        join(server, PATH)
    assert caught.value.text == server
    for word in (repr(server), *words):
        assert word in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "server",
    [
        "https://a\u2100b",
        "https://[1.2.3.4]",
        "https://\ud800",
        "https://h/\ud800",
        "https://a/b\0",
    ],
)
def test_servers_that_no_library_takes(server: str) -> None:
    """The ValueError that yarl has of its own never comes through."""
    with pytest.raises(InvalidURL):
        node("n").url(server)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host",
        f"https://{SECRET}@host",
        f"https://user:{SECRET}@host/k8s",
        f"https://user:{SECRET}@host:99999",
        f"https://user:{SECRET}@host?x",
        f"https://user:{SECRET}@",
        f"https://user:pa/{SECRET}@host",
        f"https://user:pa#{SECRET}@host",
        f"https://user:pa?{SECRET}@host",
        f"https://user:{SECRET}/x@host",
        f"https://user:{SECRET}#x@host",
        f"https://user:{SECRET}@x@host",
        f"https://us er:{SECRET}@host",
        f"user:{SECRET}@host",
        f"//user:{SECRET}@host",
        f"https:user:{SECRET}@host",
        f"https:/user:{SECRET}@host",
        f"ftp://user:{SECRET}@host",
        f"HTTP://user:{SECRET}@host",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/x",
        "/api/v1/nodes/n/proxy/",
        "/api/v1/nodes/N/proxy/",
        "/api/v1/nodes/n/proxy/..",
        "/api/v1/nodes/n/x",
        "/api/v1/services/n/x",
        "/api/v1/namespaces/a/nodes/n/proxy",
        "/api/v1/proxy/nodes/n/x",
        "/api/v1/namespaces/a/services/ftp:n:/proxy/",
    ],
)
def test_credentials_are_never_echoed(url: str, path: str) -> None:
    """A password in a URL, also one that is not encoded, is in no message and no attribute."""
    for call in (parse_url, check_server, from_cluster_url, node("n").url):
        with pytest.raises(InvalidInput) as caught:
            call(url + path)
        for shown in (str(caught.value), repr(caught.value), str(vars(caught.value))):
            assert SECRET not in shown
        assert SECRET not in str(vars(caught.value.__cause__ or caught.value))


def test_credentials_are_spoken_of() -> None:
    """The message says why nothing is shown, and where credentials belong."""
    url = f"https://user:{SECRET}@host"
    for call in (parse_url, check_server, node("n").url):
        with pytest.raises(InvalidURL, match=r"user name and password.*--token.*not shown"):
            call(url)
    with pytest.raises(InvalidURL, match=r"'@'.*not shown"):
        from_cluster_url(f"http://user:{SECRET}@web.prod.svc/")


@pytest.mark.parametrize("server", [f"https://user:1/{SECRET}@host", f"https://user/{SECRET}@host"])
def test_an_at_sign_in_the_path_of_a_server(server: str) -> None:
    """It may end a password whose slash is not encoded, so it is refused there too."""
    for call in (check_server, node("n").url, lambda s: parse_url(f"{s}/api/v1/nodes/n/proxy/")):
        with pytest.raises(InvalidURL) as caught:
            call(server)
        assert SECRET not in str(caught.value)
        assert caught.value.text is None


def test_an_at_sign_is_no_secret_elsewhere() -> None:
    """In a suffix it is an ordinary character."""
    url = "https://host/api/v1/namespaces/npm/services/registry/proxy/@scope/name?to=a@b"
    assert parse_url(url).suffix == "/@scope/name?to=a@b"
    assert from_cluster_url("http://registry.npm/@scope?to=a@b")[1] == "/@scope?to=a@b"
