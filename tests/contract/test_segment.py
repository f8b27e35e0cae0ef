"""The name segment: what the server takes for scheme, name and port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Site


@pytest.mark.parametrize(
    "segment", ["web", "web:80", "web:", "http:web:", "http:web:80", ":web:", ":web:80"]
)
def test_forms(site: Site, segment: str) -> None:
    """Name, port and scheme may each be there or be left empty, but for the name."""
    assert site.hears(site.plain, segment)


@pytest.mark.parametrize("segment", ["https:multi:tls", "https:multi:443", "https:secure:"])
def test_https(site: Site, segment: str) -> None:
    """The scheme https, in three parts, makes the server speak TLS to the upstream."""
    assert site.hears(site.tls, segment)


def test_scheme_needs_a_second_colon(site: Site) -> None:
    """Two parts are NAME:PORT, so https:web is a service named "https"."""
    answer = site.get(segment="https:web")
    assert (answer.status, answer.message) == (404, 'services "https" not found')


@pytest.mark.parametrize("kind", ["services", "pods", "nodes"])
@pytest.mark.parametrize(
    "segment",
    [
        ":80",
        "http::80",
        "https::",
        ":",
        "::",
        "ftp:web:80",
        "HTTPS:web:",
        "tcp:web:",
        "a:b:c:d",
        "http:web:80:x",
    ],
)
def test_invalid(site: Site, segment: str, kind: str) -> None:
    """No name, another scheme (lower case alone counts) or a fourth part are a 400."""
    answer = site.get(segment=segment, kind=kind)
    assert answer.status == 400
    assert answer.message == f'invalid {kind[:-1]} request "{segment}"'


@pytest.mark.parametrize("kind", ["services", "pods", "nodes"])
def test_empty(site: Site, kind: str) -> None:
    """No segment at all is a 400 of its own."""
    answer = site.get(segment="", kind=kind)
    assert (answer.status, answer.message) == (400, "name must be provided")


def test_encoded_colons_count(site: Site) -> None:
    """A colon that is percent-encoded divides a segment all the same."""
    assert site.hears(site.tls, "https%3Asecure%3A")


@pytest.mark.parametrize("number", ["9223372036854775807", "-9223372036854775807"])
def test_numbers(site: Site, number: str) -> None:
    """What 64 bits hold is a port's number, however wrong, and what they don't is its name."""
    message = f'no service port {number} found for service "web"'
    assert site.get(segment=f"web:{number}").message == message
    message = f'no endpoints available for service "web:{number}0"'
    assert site.get(segment=f"web:{number}0").message == message


def test_encoded_slash_is_a_slash(site: Site) -> None:
    """A %2F in the segment ends it: the path is decoded before it is cut into parts."""
    answer = site.get(segment="web%2Fx")
    assert answer.status == 404
    assert answer.message == "the server could not find the requested resource"


@pytest.mark.parametrize("kind", ["services", "pods", "nodes"])
@pytest.mark.parametrize(
    ("segment", "name", "problem"),
    [
        ("a%25b:80", "a%b", "may not contain '%'"),
        (".:80", ".", "may not be '.'"),
        ("http:..:", "..", "may not be '..'"),
    ],
)
def test_names_that_are_no_key(
    site: Site, segment: str, name: str, problem: str, kind: str
) -> None:
    """A name that would lead elsewhere in the store is a 400 of its own."""
    answer = site.get(segment=segment, kind=kind)
    assert answer.status == 400
    assert answer.message == f'Name parameter invalid: "{name}": {problem}'


@pytest.mark.parametrize("segment", ["wEb", "my_service", "%20web", "we%20b", "%C3%A9"])
def test_impossible_names_are_merely_not_found(site: Site, segment: str) -> None:
    """A name that no service may have is looked up, and not found."""
    assert site.get(segment=segment).status == 404
