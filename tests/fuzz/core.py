"""Targets: name segments, suffixes, URLs. Pure text in, values out."""

from __future__ import annotations

import contextlib
import re
from urllib.parse import unquote, unquote_to_bytes

from proxyurls.errors import InvalidInput, InvalidSegment, InvalidSuffix, InvalidURL
from proxyurls.segment import NameSegment, check_port
from proxyurls.suffix import alterations, clean, received, with_query
from proxyurls.target import KINDS, Target
from proxyurls.urls import from_cluster_url, join, parse_url, to_cluster_url

from .registry import must_be_line, target, text

_SAFE = re.compile(r"[!-~]*")
_ASCII_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
SECRET = "hunter2"


@target(
    "segment",
    *(":", "::", ":::", "http", "https", "HTTPS", "ftp", "web", "80", "0080", "+80", "-", "."),
    *("http-alt", "a" * 64, "%3A", "/"),
)
def segment(data: bytes) -> None:
    """Whatever text comes, parse gives a segment whose str() parses to the same, or raises
    InvalidSegment in one printable line, and what a target is made of it is plain ASCII.
    """
    typed = text(data)
    try:
        parsed = NameSegment.parse(typed)
    except InvalidSegment as error:
        must_be_line(error)
        _must_be_within(error.span, typed)
        return
    assert NameSegment.parse(str(parsed)) == parsed
    for kind in KINDS:
        try:
            made = Target(
                *(kind, parsed.name, None if kind == "node" else "default"),
                parsed.port,
                parsed.scheme,
            )
        except InvalidInput as error:
            must_be_line(error)
            continue
        assert _ASCII_NAME.fullmatch(made.name)
        assert str(made.segment) == str(NameSegment(made.name, str(made.port or ""), parsed.scheme))
        assert check_port(kind, made.port or 1) == (made.port or 1)
        assert parse_url(made.path()).target == made


@target(
    "suffix",
    *("/", "//", ".", "..", "/../", "..;", "\\", "%2e", "%2E", "%2f", "%5c", "%252e", "%25252E"),
    *("?", "#", "&", "=", "a=b", ";", "+", "%zz", "%4", "%", "%c0%ae", "api/v1", "proxy/", "é"),
    *("%20", "%09", "%0d%0a", "%7f", "%85", "[x]", "http://h", " "),
)
def suffix(data: bytes) -> None:
    """Whatever text comes as a suffix, clean makes of it printable ASCII that it leaves alone the
    second time and that stays below its target however often anybody decodes it, or raises
    InvalidSuffix in one printable line; no alterations means that it arrives unchanged.
    """
    typed = text(data)
    try:
        made = clean(typed)
    except InvalidSuffix as error:
        must_be_line(error)
        return
    assert _SAFE.fullmatch(made)
    assert made[:1] in ("", "/")
    assert clean(made) == made
    for decoded in _decodings(made.partition("?")[0].partition("#")[0]):
        assert _stays(decoded), decoded
    arrives = received(typed)
    found = alterations(typed)
    assert received(arrives) == arrives
    assert (_meaning(arrives) == _meaning(made or "/")) == (found == [])
    assert {one.kind for one in alterations(arrives)} == set()
    assert received(typed, websocket=True) == arrives.partition("?")[0]
    path, _, rest = typed.partition("?")
    asked = with_query(path.partition("#")[0], {rest: rest}) if _encodable(rest) else ""
    assert _SAFE.fullmatch(asked)


def _must_be_within(span: tuple[int, int] | None, typed: str) -> None:
    assert span is not None
    assert 0 <= span[0] <= span[1] <= len(typed)


def _encodable(raw: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in raw)


def _decodings(path: str) -> list[str]:
    """A path after each round of decoding that somebody may do."""
    found = [path]
    while (decoded := unquote(found[-1], "latin-1")) != found[-1]:
        found.append(decoded)
    return found


def _stays(path: str) -> bool:
    """Whether no "..", as browsers, Go and Java read them, leads above a path's beginning."""
    depth = 0
    kept = "".join(char for char in path if char > " " and char != "\x7f")
    for part in re.split(r"[/\\]", kept.lstrip("/")):
        name = part.partition(";")[0]
        depth += -1 if name == ".." else name not in ("", ".")
        if depth < 0:
            return False
    return True


def _meaning(target: str) -> tuple[list[bytes], str | None]:
    """A request target but for its spelling."""
    path, mark, query = target.partition("?")
    return [unquote_to_bytes(part) for part in path.split("/")], query if mark else None


@target(
    "url",
    *("https://", "http://h:8001", "/api/v1/", "/api/v1/proxy/", "namespaces/", "a/", "services/"),
    *("pods/", "nodes/", "/proxy", "/proxy/", "web:80", "https:web:", "%3A", "%2F", "%", "..", "@"),
    *("/k8s/clusters/c-1", "[::1]", "user:hunter2@", ".svc.cluster.local", ":443", "?", "#", "x"),
    "/api/v1/namespaces/a/services/b/proxy/",
)
def url(data: bytes) -> None:
    """Whatever text comes, parse_url gives a URL whose str() parses to the same, whose yarl form
    is the same text and whose path is below its server's, or raises InvalidInput in one printable
    line that does not repeat what may be a password.
    """
    typed = text(data)
    try:
        parsed = parse_url(typed)
    except InvalidInput as error:
        _without_secret(error, *typed.partition("/api/")[::2])
        return
    again = str(parsed)
    assert parse_url(again) == parsed
    assert again.startswith(parsed.server + "/api/v1/n")
    assert "@" not in parsed.server
    if parsed.server[:1] not in ("", "/"):
        made = str(parsed.target.url(parsed.server, parsed.suffix))
        # yarl has its own spelling of scheme, host and default port, and no empty query.
        whole = re.sub(r"^([^?#]*)\?(?=#|$)", r"\1", again).removesuffix("#")
        assert made.split("/", 3)[3] == whole.split("/", 3)[3]


@target(
    "cluster-url",
    *("http://", "https://", "web", ".", "prod", ".svc", ".cluster.local", ".localhost", ":80"),
    *(":443", ":0", ":65536", "/", "?", "#", "@", "user:hunter2@", "[::1]", "..", "%2e%2e", "xn--"),
)
def cluster_url(data: bytes) -> None:
    """Whatever text comes, from_cluster_url gives a service and a suffix whose in-cluster URL
    means the same again, or raises InvalidInput in one printable line without a password.
    """
    typed = text(data)
    try:
        found, suffix = from_cluster_url(typed)
    except InvalidInput as error:
        _without_secret(error, typed)
        return
    assert from_cluster_url(to_cluster_url(found, suffix)) == (found, suffix)
    assert found.kind == "service"
    assert isinstance(found.port, int)
    assert parse_url(found.path(suffix)).target == found


@target(
    "server",
    *("https://", "HTTP://", "ftp://", "h", ":6443", ":65536", "/k8s", "//", "/..", "/%2e%2E/"),
    *("[::1]", "[fe80::1%25eth0]", "[", "]", "@", "user:hunter2@", "?", "#", "\\", "é", "_", "-"),
)
def server(data: bytes) -> None:
    """Whatever text comes as a server, join gives it back with the path behind and nothing else,
    a URL that yarl keeps as it is; or raises InvalidURL in one printable line without a password.
    """
    import yarl

    typed = text(data)
    try:
        made = join(typed, "/api/v1/nodes/n/proxy/?x")
    except InvalidURL as error:
        _without_secret(error, typed)
    else:
        assert made == typed.rstrip("/") + "/api/v1/nodes/n/proxy/?x"
        assert _SAFE.fullmatch(made)
        assert made[:4].lower() == "http"
        assert "@" not in made
        assert "\\" not in made
        parts = yarl.URL(made, encoded=True)
        assert parts.raw_path.endswith("/api/v1/nodes/n/proxy/")
        assert parts.raw_host
    with contextlib.suppress(InvalidURL):
        assert _SAFE.fullmatch(join("https://h", typed))


def _without_secret(error: InvalidInput, front: str, rest: str = "") -> None:
    """A message is one line, and where a URL may hold a password it says nothing of it."""
    must_be_line(error)
    at = front.rfind("@")
    if SECRET in front[: max(at, 0)] and SECRET not in rest:
        assert SECRET not in str(error)
        assert SECRET not in (error.text or "")
