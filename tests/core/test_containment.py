"""No suffix, however it is encoded, yields a URL outside its target's /proxy/."""

from __future__ import annotations

import posixpath
import re
import urllib.parse

import httpx
import yarl
from hypothesis import example, given

from proxyurls import (
    Target,
    node,
    service,
)
from proxyurls.server import join
from proxyurls.suffix import received

from .strategies import (
    HOSTS,
    SETTINGS,
    SUFFIXES,
    TARGETS,
    accepted,
)

CLIMB = "a%2Fb%2Fc%2Fd%2Fe%2Ff/../%2e%2e/%2e%2e/%2e%2e/secrets"


def readings(path: str) -> list[str]:
    """All that programs may take a path for: decoded n times, with and without their habits."""
    found = []
    for _ in range(12):
        for spelled in (path, re.sub(r"[\x00-\x20\x7f]", "", path)):
            for slashed in (spelled, spelled.replace("\\", "/")):
                found += [slashed, re.sub("%2e", ".", slashed, flags=re.IGNORECASE)]
                found.append(slashed.replace("%2F", "/").replace("%2f", "/"))
        # What a client resolves before somebody else decodes.
        path = urllib.parse.unquote(path, "latin-1")
    return found


def inside(path: str, root: str) -> bool:
    """Whether a path is under a target's root for whoever resolves its dots."""
    assert root.endswith("/proxy/")
    return f"{path.rstrip('/')}/".startswith(root)


@SETTINGS
@given(TARGETS, HOSTS, SUFFIXES)
@example(service("w"), "https://host", CLIMB)
@example(node("w"), "https://host", "x%2Fy/../%2e%2e")
@example(node("w"), "https://host", "x%252Fy/../%252e%252e")
@example(node("w"), "https://host", "a/b/..%2F..%2F..")
@example(node("w"), "https://host", "a/b/..%5C..%5C..")
@example(node("w"), "https://host", "..;")
@example(node("w"), "https://host", "a/../..;x")
@example(node("w"), "https://host", "//evil.example/../../..")
@example(node("w"), "https://host", "https://evil.example/")
def test_no_suffix_leaves_its_target(target: Target, server: str, text: str) -> None:
    """However it is encoded, and whoever resolves it: the URL stays under its own /proxy/."""
    accepted(text)
    root = target.path()
    base = urllib.parse.urlsplit(server)
    prefix = base.path.rstrip("/")
    bare = target.path(text)
    url = join(server, bare)

    # 1. The standard library: one level of decoding after the other, then resolved; and
    #    resolved first, then decoded, as a client and a load balancer together would.
    path = re.split(r"[?#]", bare)[0]
    for reading in readings(path):
        assert inside(posixpath.normpath(reading), root), reading
    first = path
    for _ in range(12):
        first = posixpath.normpath(re.sub("%2e", ".", first, flags=re.IGNORECASE))
        assert inside(first, root), first
        first = urllib.parse.unquote(first, "latin-1")
    split = urllib.parse.urlsplit(url)
    assert (split.scheme, split.netloc) == (base.scheme, base.netloc)
    assert inside(split.path, prefix + root)

    # 2. urljoin, which resolves dots as RFC 3986 has it.
    joined = urllib.parse.urlsplit(urllib.parse.urljoin(f"{server}/x", bare))
    assert (joined.scheme, joined.netloc) == (base.scheme, base.netloc)
    assert inside(joined.path, root)

    # 3. yarl, which resolves dots and takes %2e for one.
    for parsed in (yarl.URL(url), yarl.URL(str(yarl.URL(url))), target.url(server, text)):
        assert (parsed.raw_host or "").lower() == base.hostname
        assert inside(parsed.raw_path, prefix + root)
    assert inside(yarl.URL(server).join(yarl.URL(bare)).raw_path, root)

    # 4. httpx, which resolves dots as well.
    for seen in (httpx.URL(url), httpx.URL(str(httpx.URL(url)))):
        assert seen.host == httpx.URL(server).host
        assert inside(seen.raw_path.decode().split("?")[0], prefix + root)
    assert inside(httpx.URL(server).join(bare).raw_path.decode().split("?")[0], root)

    # 5. WHATWG's rules, by which browsers go: backslashes are slashes, %2e is a dot.
    assert inside(whatwg(path), root)


def whatwg(path: str) -> str:
    """The path as a browser sends it (https://url.spec.whatwg.org/#path-state)."""
    parts: list[str] = []
    segments = re.sub(r"[\t\n\r]", "", path).replace("\\", "/").split("/")[1:]
    for at, segment in enumerate(segments):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del parts[-1:]
        elif dots != ".":
            parts.append(segment)
        if dots in (".", "..") and at == len(segments) - 1:
            parts.append("")
    return "/" + "/".join(parts)


@SETTINGS
@given(TARGETS, SUFFIXES)
def test_what_arrives_is_what_was_meant(target: Target, text: str) -> None:
    """What the apiserver makes of a path is what path.Clean makes of it once decoded."""
    cleaned = accepted(text)
    path = re.split(r"[?#]", target.path(text))[0]
    slashes = re.sub("%2f", "/", path, flags=re.IGNORECASE)
    resolved = posixpath.normpath(re.sub("%2e", ".", slashes, flags=re.IGNORECASE))
    arrives = re.split(r"[?]", received(text))[0]
    assert target.path().rstrip("/") + arrives.rstrip("/") == resolved
    assert arrives.startswith("/")
    assert (received(cleaned)) == received(text)
