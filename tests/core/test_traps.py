"""Six ways in which yarl and httpx lose a part of a proxy URL, and that ours does not.

Each test shows the library's own behaviour first: where that changes, the reason for a
detour of ours may be gone. (yarl 1.25.1 and httpx 0.28.1 were measured.)
"""

from __future__ import annotations

import httpx
import pytest
import yarl

from proxyurls import parse_url, service
from proxyurls.server import join

RANCHER = "https://rancher.example/k8s/clusters/c-1"
WEB = service("web", "prod", port=443, scheme="https")
ROOT = "/api/v1/namespaces/prod/services/https:web:443/proxy"


def requested(base_url: str, url: str) -> str:
    """The URL that an httpx client with a base URL asks for."""
    with httpx.Client(base_url=base_url) as client:
        return str(client.build_request("GET", url).url)


def test_yarl_takes_a_segment_for_a_scheme() -> None:
    """Trap 1: a relative reference that begins with https: is an absolute URL."""
    assert str(yarl.URL("https:web:443/proxy")) == "https:///web:443/proxy"

    assert WEB.path().startswith("/")
    assert str(WEB.url("https://host")) == f"https://host{ROOT}/"
    # As a suffix it is a path, too.
    assert str(WEB.url("https://host", "https:web:443/x")) == f"https://host{ROOT}/https:web:443/x"


def test_yarl_encodes_once_more() -> None:
    """Trap 2: / and with_path take text for raw, so what is encoded is encoded again."""
    base = yarl.URL("https://host")
    assert str(base / "api/a%2Fb") == "https://host/api/a%252Fb"
    assert str(base.with_path("/api/a%2Fb")) == "https://host/api/a%252Fb"

    built = WEB.url("https://host", "a%2Fb/c%20d?e=%2F&f=%252F")
    assert str(built) == f"https://host{ROOT}/a%2Fb/c%20d?e=%2F&f=%252F"
    assert str(built) == join("https://host", WEB.path("a%2Fb/c%20d?e=%2F&f=%252F"))


@pytest.mark.parametrize("reference", ["api/v1/nodes/n/proxy/", "/api/v1/nodes/n/proxy/"])
def test_yarl_drops_the_path_of_a_server(reference: str) -> None:
    """Trap 3: join, as RFC 3986 has it, replaces the last segment, or the whole path."""
    joined = str(yarl.URL(RANCHER).join(yarl.URL(reference)))
    assert "/c-1" not in joined

    for server in (RANCHER, f"{RANCHER}/"):
        assert str(WEB.url(server, "x")) == f"{RANCHER}{ROOT}/x"
        assert parse_url(str(WEB.url(server, "x"))).server == RANCHER


def test_yarl_resolves_dots() -> None:
    """Trap 4: yarl.URL(text) resolves dot segments; encoded=True leaves them."""
    text = join("https://host", WEB.path("a/b/../c/%2E/d"))
    assert text == f"https://host{ROOT}/a/b/../c/%2E/d"
    assert str(yarl.URL(text)) == f"https://host{ROOT}/a/c/d"
    assert str(yarl.URL(text, encoded=True)) == text

    assert str(WEB.url("https://host", "a/b/../c/%2E/d")) == text


def test_httpx_loses_the_scheme_of_a_segment() -> None:
    """Trap 5: with a base URL, "https:" in front of a segment is silently lost."""
    base = f"https://host{ROOT.partition('https:')[0]}"
    assert requested(base, "https:web:443/proxy") == f"{base}web:443/proxy"

    assert requested("https://host", WEB.path()) == f"https://host{ROOT}/"
    assert requested(RANCHER, str(WEB.url(RANCHER))) == f"{RANCHER}{ROOT}/"
    assert str(httpx.URL(str(WEB.url(RANCHER, "x?y")))) == f"{RANCHER}{ROOT}/x?y"


def test_httpx_resolves_dots() -> None:
    """Trap 6: httpx resolves dot segments before it sends, so they must not climb."""
    sent = requested("https://host", f"{ROOT}/x/a%2Fb/../c")
    assert sent == f"https://host{ROOT}/x/c"
    assert requested("https://host", f"{ROOT}/../../secrets").endswith("/services/secrets")

    assert requested("https://host", WEB.path("x/a%2Fb/../c")) == sent
    for suffix in ("../../secrets", "x/../../secrets", "a%2Fb/../%2e%2e/secrets"):
        with pytest.raises(ValueError, match="can climb above"):
            WEB.path(suffix)
