"""Go's proxy rule: golang.org/x/net/http/httpproxy, and its tests."""

from __future__ import annotations

import pytest

from proxyurls.config.proxy import check_proxy_url, proxy_from_environment
from proxyurls.errors import InvalidConfig

P = "http://squid:3128"
K8S = "https://k8s.example.com:6443"

# server, environment, proxy
FROM_ENVIRONMENT: list[tuple[str, dict[str, str], str | None]] = [
    (K8S, {}, None),
    (K8S, {"HTTPS_PROXY": P}, P),
    (K8S, {"https_proxy": P}, P),
    (K8S, {"HTTPS_PROXY": P, "https_proxy": "http://lower"}, P),
    (K8S, {"HTTPS_PROXY": "", "https_proxy": P}, P),
    (K8S, {"HTTP_PROXY": P}, None),
    (K8S, {"ALL_PROXY": P}, None),
    ("http://k8s:80", {"HTTP_PROXY": P}, P),
    ("http://k8s:80", {"HTTPS_PROXY": P}, None),
    ("http://k8s", {"http_proxy": P, "REQUEST_METHOD": "GET"}, P),
    (K8S, {"HTTPS_PROXY": "squid:3128"}, P),
    (K8S, {"HTTPS_PROXY": "socks5://s:1080"}, "socks5://s:1080"),
    (K8S, {"HTTPS_PROXY": "http://u:p@s:1"}, "http://u:p@s:1"),
    ("https://localhost:6443", {"HTTPS_PROXY": P}, None),
    ("https://127.0.0.1:6443", {"HTTPS_PROXY": P}, None),
    ("https://127.9.9.9", {"HTTPS_PROXY": P}, None),
    ("https://[::1]:6443", {"HTTPS_PROXY": P}, None),
    ("https://10.0.0.1", {"HTTPS_PROXY": P}, P),
]
# server, NO_PROXY, is it bypassed
NO_PROXY: list[tuple[str, str, bool]] = [
    (K8S, "*", True),
    (K8S, "other.com, *", True),
    (K8S, "k8s.example.com", True),
    (K8S, "K8S.Example.COM", True),
    (K8S, "example.com", True),
    (K8S, ".example.com", True),
    (K8S, "*.example.com", True),
    ("https://example.com", ".example.com", False),
    ("https://example.com", "*.example.com", False),
    ("https://badexample.com", "example.com", False),
    (K8S, "ample.com", False),
    (K8S, "k8s.example.com:6443", True),
    (K8S, "k8s.example.com:443", False),
    ("https://k8s.example.com", "k8s.example.com:443", True),
    (K8S, "example.com:6443", True),
    (K8S, " , foo , k8s.example.com ", True),
    (K8S, ":6443", False),
    (K8S, "10.0.0.0/8", False),
    ("https://10.1.2.3", "10.0.0.0/8", True),
    ("https://11.1.2.3", "10.0.0.0/8", False),
    ("https://10.1.2.3", "10.1.2.3", True),
    ("https://10.1.2.3:6443", "10.1.2.3:6443", True),
    ("https://10.1.2.3:6443", "10.1.2.3:443", False),
    ("https://10.1.2.33", "10.1.2.3", False),
    ("https://10.1.2.3", "bad/net", False),
    ("https://[fd00::1]:6443", "fd00::/8", True),
    ("https://[fd00::1]:6443", "fd00:0:0::1", True),
    ("https://[fd00::1]:6443", "[fd00::1]:6443", True),
    ("https://[fd00::1]:6443", "[fd00::1]:443", False),
    ("https://[fd00::1]:6443", "[fd00::1]", True),
]


@pytest.mark.parametrize(("server", "environ", "proxy"), FROM_ENVIRONMENT)
def test_from_environment(server: str, environ: dict[str, str], proxy: str | None) -> None:
    found = proxy_from_environment(server, environ)
    assert (found[0] if found else None) == proxy
    assert found is None or environ[found[1]]


@pytest.mark.parametrize(("server", "no_proxy", "bypassed"), NO_PROXY)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy(server: str, no_proxy: str, *, bypassed: bool, name: str) -> None:
    found = proxy_from_environment(server, {"HTTPS_PROXY": P, name: no_proxy})
    assert (found is None) is bypassed


@pytest.mark.parametrize("value", ["ftp://u:s3cret@h", "http://a b", "socks6://u:s3cret@h"])
def test_a_bad_variable_is_named_without_its_password(value: str) -> None:
    with pytest.raises(InvalidConfig, match=r"^\$HTTPS_PROXY is ") as caught:
        proxy_from_environment(K8S, {"HTTPS_PROXY": value})
    assert "s3cret" not in str(caught.value)


def test_http_proxy_of_a_cgi_script_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="CGI"):
        proxy_from_environment("http://k8s", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"})


@pytest.mark.parametrize("url", ["http://h:1", "https://u:p@h", "socks5://h:1", "HTTP://h"])
def test_proxy_url_of_a_kubeconfig(url: str) -> None:
    assert check_proxy_url(url, source="f") == url


@pytest.mark.parametrize(
    "url",
    ["h:3128", "ftp://h", "socks5h://h", "http://", "u:s3cret@h", "x://u:s3cret@h", "http:h"],
)
def test_bad_proxy_url_of_a_kubeconfig(url: str) -> None:
    with pytest.raises(InvalidConfig, match="invalid 'proxy-url'") as caught:
        check_proxy_url(url, source="f")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("rest", ["u:a/s3cret@h", "u:a@s3cret@h", "u:a#s3cret@h", "h:s3cret"])
@pytest.mark.parametrize("variable", [False, True])
def test_a_password_that_breaks_its_url(rest: str, *, variable: bool) -> None:
    """HTTP libraries would take a piece of it for a port, and name it in their errors."""

    def read() -> object:
        if variable:
            return proxy_from_environment(K8S, {"HTTPS_PROXY": rest})
        return check_proxy_url(f"http://{rest}", source="f")

    with pytest.raises(InvalidConfig, match=r"invalid proxy: .* write .* %2F for '/'") as caught:
        read()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("rest", ["[::1]:3128", "u:p%40:q@h", "h:1/a?b", "u@h/", "h:", ":p@h"])
def test_what_a_proxy_may_be(rest: str) -> None:
    assert check_proxy_url(f"http://{rest}", source="f") == f"http://{rest}"
