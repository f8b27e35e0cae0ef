"""What a server may look like, and whether it may see credentials."""

from __future__ import annotations

import pytest

from proxyurls.config.server import check_server, is_loopback, mask_password, takes_credentials
from proxyurls.errors import InvalidConfig

# written, kept, contacted
GOOD = [
    ("https://h", "https://h", "https://h"),
    ("https://h:6443/", "https://h:6443/", "https://h:6443/"),
    ("https://h//", "https://h//", "https://h//"),
    ("https://r/k8s/clusters/c-1", "https://r/k8s/clusters/c-1", "https://r/k8s/clusters/c-1"),
    ("HTTPS://H", "HTTPS://H", "https://H"),
    ("https://[fd00::1]:6443", "https://[fd00::1]:6443", "https://[fd00::1]:6443"),
    (
        "https://[fe80::1%25eth0]:6443",
        "https://[fe80::1%25eth0]:6443",
        "https://[fe80::1%25eth0]:6443",
    ),
    ("h:8080", "h:8080", "http://h:8080"),
    ("h", "h", "http://h"),
    ("h/", "h/", "http://h/"),
    ("localhost:8080", "localhost:8080", "http://localhost:8080"),
    ("https://h/p?q=1#f", "https://h/p", "https://h/p"),
    ("https://h?q=1", "https://h", "https://h"),
    ("https://h/a@b", "https://h/a@b", "https://h/a@b"),
    ("https://h:/", "https://h:/", "https://h:/"),
]
BAD = [
    ("", "is not a URL"),
    ("https://", "is not a URL"),
    ("https:///path", "is not a URL"),
    ("https://a b", "is not a URL"),
    ("https://h\n", "is not a URL"),
    ("https://h:port", "is not a URL"),
    ("https://fd00::1:6443", "is not a URL"),
    ("https://h\\@evil", "user name or password"),
    ("https://h\\evil", "is not a URL"),
    ("https://h:99999", "port 99999 is not between"),
    ("ftp://h", "scheme 'ftp' must be https or http"),
    ("h/path", "has no scheme; write https://h/path"),
    ("https://admin:s3cret@h", "leave out what is before the @"),
    ("admin:s3cret@h:6443", "leave out what is before the @"),
    ("https://admin:s3/cret@h", "leave out what is before the @"),
    ("https://s3cret@h", "leave out what is before the @"),
]


@pytest.mark.parametrize(("written", "kept", "contacted"), GOOD)
def test_good(written: str, kept: str, contacted: str) -> None:
    assert check_server(written, source="f") == (kept, contacted)


@pytest.mark.parametrize(("written", "says"), BAD)
def test_bad(written: str, says: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        check_server(written, source="--server")
    assert says in str(caught.value)
    assert "--server" in str(caught.value)
    assert "s3" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.1.2", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1", "::2", "1127.0.0.1", ""]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("base_url", "taken"),
    [
        ("https://h", True),
        ("http://h", False),
        ("http://localhost:8001", True),
        ("http://LOCALHOST:8001", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:80/p", True),
        ("http://localhost.evil.com", False),
        ("http://127.0.0.1.evil.com/", False),
    ],
)
def test_takes_credentials(base_url: str, *, taken: bool) -> None:
    assert takes_credentials(base_url) is taken


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://u:p@h:1", "http://u:***@h:1"),
        ("http://u:p:q@h", "http://u:***@h"),
        ("http://u@h", "http://u@h"),
        ("http://u:p/q@h", "http://u:***@h"),
        ("u:p@h", "u:***@h"),
        ("http://h:1/a", "http://h:1/a"),
    ],
)
def test_mask_password(url: str, masked: str) -> None:
    assert mask_password(url) == masked
