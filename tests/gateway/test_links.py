"""Links and cookies in an answer's headers."""

from __future__ import annotations

import re

import pytest
from core.strategies import ANY_TEXT, SETTINGS
from hypothesis import given
from hypothesis import strategies as st

from proxyurls.undo.links import location, refresh, set_cookie

from .documents import HOST, LINKS, MOUNT, PREFIX


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"{PREFIX}/x?a#f", "/x?a#f"),
        (f"{PREFIX}/", "/"),
        (PREFIX, "/"),
        (f"{PREFIX}?q", "/?q"),
        (f"{PREFIX}#f", "/#f"),
        (f" {PREFIX}/x ", "/x"),
        (f"http://{HOST}{PREFIX}/x", "/x"),
        (f"https://{HOST}{PREFIX}/x", "/x"),
        (f"HTTPS://{HOST.upper()}{PREFIX}/x", "/x"),
        (f"//{HOST}{PREFIX}/x", "/x"),
        (f"https://{HOST}/x", "/x"),
        (f"https://{HOST}", "/"),
        (f"https://{HOST}?q", "/?q"),
        (f"{PREFIX}//evil.example/", "/.//evil.example/"),
        (f"{PREFIX}/\\evil.example/", "/./\\evil.example/"),
        (f"http://{HOST}//evil.example/", "/.//evil.example/"),
        ("/x", "/x"),
        (f"{PREFIX}x", f"{PREFIX}x"),
        (f"/x{PREFIX}/x", f"/x{PREFIX}/x"),
        ("x", "x"),
        ("../x", "../x"),
        ("?q", "?q"),
        ("", ""),
        ("//other.example/x", "//other.example/x"),
        (f"https://other.example{PREFIX}/x", f"https://other.example{PREFIX}/x"),
        (f"https://user@{HOST}/x", f"https://user@{HOST}/x"),
        (f"https://{HOST}.evil.example/x", f"https://{HOST}.evil.example/x"),
        (f"https://{HOST}\\@evil.example/x", "/./\\@evil.example/x"),
        (f"{PREFIX}/\t/evil.example/", "/./\t/evil.example/"),
        ("https:///x", "https:///x"),
        ("mailto:x@y.example", "mailto:x@y.example"),
    ],
)
def test_location(value: str, wanted: str) -> None:
    """The prefix goes, and so does the app's own host; other hosts stay."""
    assert location(value, MOUNT) == wanted


def test_host_of_the_server() -> None:
    """Where the apiserver's own Host was sent, links to it are the app's own."""
    mount = MOUNT._replace(host="api.example:6443")
    assert location(f"https://api.example:6443{PREFIX}/x", mount) == "/x"
    assert location(f"http://{HOST}/x", mount) == "/x"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"5; url={PREFIX}/x", "5; url=/x"),
        (f"0;URL='{PREFIX}/x'", "0;URL='/x'"),
        (f'0; url="{PREFIX}/x" ;', '0; url="/x" ;'),
        (f"1.5,{PREFIX}/x", "1.5,/x"),
        (f"0; url=https://{HOST}/x", "0; url=/x"),
        ("5", "5"),
        ("5; url=/x", "5; url=/x"),
        ("0; url=https://other.example/", "0; url=https://other.example/"),
        ("", ""),
    ],
)
def test_refresh(value: str, wanted: str) -> None:
    """The link in a Refresh, likewise."""
    assert refresh(value, MOUNT) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("a=b", "a=b"),
        (f"a=b; Path={PREFIX}/", "a=b; Path=/"),
        (f"a=b; Path={PREFIX}", "a=b; Path=/"),
        (f"a=b;path={PREFIX}/x/; Secure", "a=b;path=/x/; Secure"),
        (f"a=b; Path = {PREFIX}/x", "a=b; Path =/x"),
        (f"a=b; Path={PREFIX}x", f"a=b; Path={PREFIX}x"),
        ("a=b; Path=/x; HttpOnly", "a=b; Path=/x; HttpOnly"),
        ("a=b; Domain=example.com; Path=/", "a=b; Path=/"),
        ("a=b; domain=.localhost", "a=b"),
        ("a=b; DOMAIN", "a=b"),
        ("Domain=x; Path=/", "Domain=x; Path=/"),
        (f"Path={PREFIX}/", f"Path={PREFIX}/"),
        (
            "__Host-a=b; Secure; Path=/; SameSite=None; Expires=Wed, 01 Jan 2031 00:00:00 GMT",
            "__Host-a=b; Secure; Path=/; SameSite=None; Expires=Wed, 01 Jan 2031 00:00:00 GMT",
        ),
    ],
)
def test_cookies(value: str, wanted: str) -> None:
    """A cookie loses its Domain, and the prefix in its Path; the rest is the app's own."""
    assert set_cookie(value, MOUNT) == wanted


@given(
    st.sampled_from([*LINKS, f"https://{HOST}", f"//{HOST}"]),
    st.text("/\\\t\n.?#@x") | ANY_TEXT,
)
@SETTINGS
def test_never_elsewhere(link: str, tail: str) -> None:
    """What loses its prefix or host is still a path of the app's, whoever reads it."""
    after = location(link + tail, MOUNT)
    if after != link + tail:
        # Browsers drop these, and read a backslash as a slash.
        read = re.sub(r"[\t\r\n]", "", after).replace("\\", "/")
        assert read.startswith("/")
        assert not read.startswith("//")
