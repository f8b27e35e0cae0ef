"""Request targets on their way to the apiserver."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from contract.upstream import reply
from core.strategies import PLAIN_SUFFIXES, SETTINGS, SUFFIXES, TARGETS
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from proxyurls import InvalidSuffix, Target, parse_url, service
from proxyurls.gateway.paths import Asked, asked, prefix_of
from proxyurls.suffix import clean, received

if TYPE_CHECKING:
    from contract.cluster import APIServer
    from contract.fixtures import Serve

TARGET = service("web", "paths", port=80, scheme="http")
PREFIX = prefix_of(TARGET)
PIECES = st.sampled_from(
    [
        "a",
        "b",
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%2f",
        "%2F%2F",
        "a%2Fb",
        ";",
        "%20",
        "é",
        "x=1",
        ":",
    ]
)
TARGETS_OF_REQUESTS = st.one_of(
    st.lists(PIECES, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    SUFFIXES.map("/{}".format),
    PLAIN_SUFFIXES.map("/{}".format),
)


def taken(text: str, prefix: str = "") -> Asked:
    """What becomes of a target; those that are refused are none of this test's business."""
    try:
        return asked(text, prefix)
    except InvalidSuffix:
        assume(False)
        raise


@pytest.mark.parametrize(
    ("request_target", "suffix"),
    [
        ("/", "/"),
        ("/d/x?from=now&to=%2F..%2F//", "/d/x?from=now&to=%2F..%2F//"),
        ("/a/?", "/a/?"),
        ("//a", "/a"),
        ("//a///b//", "/a/b/"),
        ("//", "/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/%2e%2E/c", "/a/c"),
        ("/.", "/"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2F%2Fb", "/a/b"),
        ("/a/%2Fb?q", "/a/b?q"),
        ("/...", "/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a\\b", "/a%5Cb"),
        ("/a b", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/%zz", "/%25zz"),
        ("/a;b=c", "/a;b=c"),
        ("/http://x.example/", "/http:/x.example/"),
    ],
)
def test_suffixes(request_target: str, suffix: str) -> None:
    """The app gets what it would get anyway, and the apiserver nothing that it would collapse."""
    assert asked(request_target, PREFIX) == Asked(suffix, prefixed=False)
    assert received(suffix) == received(request_target)


@pytest.mark.parametrize(
    ("request_target", "suffix"),
    [
        (PREFIX, "/"),
        (f"{PREFIX}?q", "/?q"),
        (f"{PREFIX}/", "/"),
        (f"{PREFIX}/x?y", "/x?y"),
        (f"{PREFIX}//x", "/x"),
        (f"{PREFIX}{PREFIX}/x", "/x"),
        (PREFIX.replace(":", "%3A") + "/x", "/x"),
        (PREFIX.replace(":", "%3a", 1) + "/x", "/x"),
    ],
)
def test_own_prefix(request_target: str, suffix: str) -> None:
    """The target's own prefix goes, and that is said."""
    assert asked(request_target, PREFIX) == Asked(suffix, prefixed=True)


@pytest.mark.parametrize(
    "request_target",
    [f"{PREFIX}x", f"/x{PREFIX}/y", f"/x?{PREFIX}/y", "/api/v1/namespaces/paths/secrets"],
)
def test_other_prefixes(request_target: str) -> None:
    """What only looks like it is the app's own."""
    assert asked(request_target, PREFIX) == Asked(request_target, prefixed=False)


@pytest.mark.parametrize(
    "request_target",
    [
        *("", "*", "x", "http://x.example/", "//\udcff", "/a#b", "localhost:80", "?q"),
        *("/..", "/../x", "/a/../../x", "/%2e%2e/x", "/..%2fx", "/%252e%252e/x", "/..%5cx"),
        *(
            "/a%2F../b",
            "/a/..%2f..%2fx",
            "/..;/x",
            "/a/..\\..\\x",
            f"{PREFIX}/../../x",
            f"{PREFIX}/%2e%2e",
        ),
        *("/%00", "/a%0d%0aHost:x", "/\x00", "/a\r\nb", "/%7f"),
    ],
)
def test_refusals(request_target: str) -> None:
    """What would leave the target, or can't be sent, is refused."""
    with pytest.raises(InvalidSuffix) as refusal:
        asked(request_target, PREFIX)
    assert "\n" not in str(refusal.value)


@given(TARGETS_OF_REQUESTS)
@SETTINGS
@example("/a%2f%2e%2e/")
def test_safe(text: str) -> None:
    """What goes on is a clean path of the target, and once clean it stays."""
    suffix = taken(text).suffix
    path = re.sub("%2f", "/", suffix.partition("?")[0], flags=re.IGNORECASE)
    assert re.fullmatch("/[!-~]*", suffix)
    assert "//" not in path
    assert not {".", ".."} & set(re.sub("%2e", ".", path, flags=re.IGNORECASE).split("/"))
    assert asked(suffix) == Asked(suffix, prefixed=False)
    assert parse_url(TARGET.path(suffix)).target == TARGET
    assert received(suffix) == received(clean(text))


@given(TARGETS, TARGETS_OF_REQUESTS)
@SETTINGS
def test_prefix_of_any_target(target: Target, text: str) -> None:
    """A request with any target's prefix is that without it."""
    plain = taken(text, prefix_of(target))
    assert asked(prefix_of(target) + text, prefix_of(target)) == Asked(plain.suffix, prefixed=True)
    assert target.path(plain.suffix).startswith(prefix_of(target) + "/")


@pytest.fixture(scope="module")
def paths(apiserver: APIServer, serve: Serve) -> APIServer:
    """A real apiserver with an app behind the prefix."""
    apiserver.add_namespace("paths")
    apiserver.add_service("web", "paths", upstream=serve().address)
    return apiserver


@given(TARGETS_OF_REQUESTS)
@settings(SETTINGS, suppress_health_check=list(HealthCheck))
@example("//a//b/")
@example("/a%2F%2Fb/%2e/")
def test_prefix_of_links(paths: APIServer, text: str) -> None:
    """Whatever is asked for, the real apiserver puts the prefix before a link and nothing else."""
    suffix = taken(text).suffix
    asking = reply(b'<a href="/x">', headers={"Content-Type": "text/html"})
    answer = paths.request("GET", TARGET.path(suffix), headers=asking)
    assert answer.status == 200, answer
    assert answer.text == f'<a href="{PREFIX}/x">'
