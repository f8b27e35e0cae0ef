"""What becomes of the path on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Site

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize(
    "path",
    ["/", "/a", "/a/", "/a/b.c", "/...", "/.a", "/a..b", "/.;/x", "/a;b=c", "/a+b", "/@:$&,=;"],
)
def test_plain_paths(site: Site, path: str) -> None:
    """An ordinary path arrives as it was sent, its trailing slash too."""
    assert site.echo(path).path == path


@pytest.mark.parametrize(
    "path",
    [
        *("/%25", "/%252F", "/%3F", "/%23", "/a%20b", "/%C3%A9", "/%80", "/%5C", "/%5B%5D"),
        *("/%22%3C%3E", "/%7C%5E%60%7B%7D", "/%252e%252e", "/%2525"),
    ],
)
def test_encoded_paths(site: Site, path: str) -> None:
    """What must be encoded stays encoded, to the letter, and is not decoded twice."""
    assert site.echo(path).path == path


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("/a'()*!b", "/a%27%28%29%2A%21b"),
        ('/[]|^`{}"<>\\', "/%5B%5D%7C%5E%60%7B%7D%22%3C%3E%5C"),
        ("/%41%7E%2D%5F", "/A~-_"),
        ("/%40%3A%24%26%2C%3D%3B%2B", "/@:$&,=;+"),
        ("/%c3%a9", "/%C3%A9"),
        ("/é", "/%C3%A9"),
        ("/%2E%2E%2E", "/..."),
        ("/a%2Eb", "/a.b"),
    ],
)
def test_spelling(site: Site, sent: str, arrives: str) -> None:
    """Spelling may change where the meaning does not."""
    assert site.echo(sent).path == arrives


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("/a%2Fb", "/a/b"),
        ("/a%2fb", "/a/b"),
        ("/a%2F", "/a/"),
        ("/%2Fb", "/b"),
        ("/a%2F%2Fb", "/a/b"),
        ("/a%2F..%2Fb", "/b"),
    ],
)
def test_encoded_slash(site: Site, sent: str, arrives: str) -> None:
    """An encoded slash arrives as a slash, and then counts as one."""
    assert site.echo(sent).path == arrives


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [("//", "/"), ("//b", "/b"), ("/a//b", "/a/b"), ("/a//", "/a/"), ("/a////b", "/a/b")],
)
def test_double_slash(site: Site, sent: str, arrives: str) -> None:
    """Slashes in a row become one."""
    assert site.echo(sent).path == arrives


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/%2e%2e/x", "/x"),
        ("/a/%2E%2e/b", "/b"),
        ("/a/.%2E/b", "/b"),
        ("/%2e", "/"),
        ("/.", "/"),
        ("/a/.", "/a"),
        ("/a/..", "/"),
        ("/a/./", "/a/"),
        ("/a/b/../", "/a/"),
    ],
)
def test_dot_segments(site: Site, sent: str, arrives: str) -> None:
    """Dot segments are resolved, encoded or not; one at the end leaves no slash."""
    assert site.echo(sent).path == arrives


@pytest.mark.parametrize("sent", ["/..", "/../..", "/../../../../x", "/%2e%2e/%2e%2e/x"])
def test_climbing(site: Site, sent: str) -> None:
    """On the server itself, climbing out of a target ends at the upstream's root."""
    assert site.echo(sent).path in {"/", "/x"}


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_control_characters(site: Site, code: int) -> None:
    """An encoded control character, but for a tab, is a 500, as X-Forwarded-Uri can't hold it."""
    answer = site.get(f"/a%{code:02X}b")
    if code == 9:
        assert answer.status == 200
        return
    assert answer.status == 500
    assert answer.message == (
        'error trying to reach service: net/http: invalid header field value for "X-Forwarded-Uri"'
    )


@pytest.mark.parametrize("sent", ["/%zz", "/%", "/%4", "/a%2", "/a b", "/a\tb", "/a\x01b", "/\x7f"])
def test_malformed(site: Site, sent: str) -> None:
    """A broken percent-encoding, or a raw space or control character, is a 400 without a Status."""
    answer = site.get(sent)
    assert (answer.status, answer.status_object) == (400, None)
    assert answer.message == "400 Bad Request"


@pytest.mark.parametrize("method", METHODS)
def test_missing_slash(site: Site, method: str) -> None:
    """The root without its slash is a redirect, at least of GET and HEAD; older servers' of all."""
    answer = site.send("", method=method)
    if answer.status == 301:
        assert answer.headers["Location"] == site.root("web") + "/"
    else:
        assert method not in {"GET", "HEAD"}
        assert answer.status == 200


@pytest.mark.parametrize("query", ["a=b", "a=1&a=0;c", "x=%2F", "next=/a//b"])
def test_missing_slash_keeps_the_query(site: Site, query: str) -> None:
    """The redirect of a root without its slash keeps the query."""
    answer = site.send(f"?{query}")
    assert answer.status == 301
    assert answer.headers["Location"] == f"{site.root('web')}/?{query}"


@pytest.mark.parametrize("kind", ["pods", "nodes"])
def test_missing_slash_of_pods_and_nodes(site: Site, kind: str) -> None:
    """Pods and nodes redirect as services do."""
    segment = {"pods": "app", "nodes": "machine"}[kind]
    answer = site.get("", segment=segment, kind=kind)
    assert answer.status == 301
    assert answer.headers["Location"] == site.root(segment, kind) + "/"


def test_redirect_keeps_the_segment(site: Site) -> None:
    """The redirect names the segment as it was asked for, scheme and port included."""
    answer = site.get("", segment="https:secure:443")
    assert answer.headers["Location"] == site.root("https:secure:443") + "/"


def test_fragment(site: Site) -> None:
    """A fragment is nothing to the server: sent against the rules, it becomes part of the path."""
    assert site.echo("/x#f").path == "/x%23f"


@pytest.mark.parametrize("method", [*METHODS[2:], "GET"])
def test_methods(site: Site, method: str) -> None:
    """Every common method passes, with its body."""
    body = None if method == "GET" else b"x=1"
    seen = site.echo("/form", method=method, body=body)
    assert (seen.method, seen.target, seen.body) == (method, "/form", body or b"")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_other_methods(site: Site, method: str) -> None:
    """Other methods are refused by the server itself."""
    answer = site.send("/", method=method)
    assert answer.status == 405
    assert answer.message == "the server does not allow this method on the requested resource"


def test_old_form(site: Site) -> None:
    """The old form of the path, /api/v1/proxy/…, is gone."""
    answer = site.apiserver.get("/api/v1/proxy/namespaces/facts/services/web/")
    assert answer.status == 404


def test_proxy_is_no_prefix(site: Site) -> None:
    """What stands between segment and path is the word proxy, in lower case, alone."""
    for word in ("Proxy", "proxyx", "prox"):
        target = f"/api/v1/namespaces/facts/services/web/{word}/"
        assert site.apiserver.get(target).status == 404


@pytest.mark.parametrize("path", ["/api/v1/services", "/api/v1", "/version", "{root}/x"])
def test_slashes_at_the_start(site: Site, path: str) -> None:
    """The API is behind one slash: behind two there's nothing. One at the end is no matter."""
    path = path.format(root=site.root("web"))
    assert site.apiserver.get(path).status == 200
    assert site.apiserver.get(f"{path}/").status == 200
    assert site.apiserver.get(f"/{path}").status == 404
