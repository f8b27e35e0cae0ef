"""Headers of a proxied request and its answer, whoever passes them on: the rules for all.

Each rule was measured in front of a real apiserver; the contract's tests show what it does to
headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proxyurls.undo.links import location, refresh, set_cookie

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxyurls.undo.unprefix import Mount

Headers = list[tuple[str, str]]

# RFC 9110, 7.6.1, and what it has replaced.
HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
    *("upgrade", "http2-settings", "proxy-authenticate", "proxy-authorization"),
}
# What Connection may not name: without them a request means something else.
_NEVER_HOP = {"host", "content-length", "content-type", "origin", "cookie"}
# What says something of a body's bytes.
_OF_THE_BODY = {
    *("content-length", "content-encoding", "accept-ranges"),
    *("content-md5", "digest", "content-digest", "repr-digest"),
}
_CODING = re.compile(r"\s*([^;\s]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?", re.IGNORECASE)


def undone(pairs: Iterable[tuple[str, str]], mount: Mount) -> Headers:
    """The apiserver's response headers as the client gets them.

    Args:
        pairs: the headers as they came.
        mount: where the app stands.

    Returns:
        links and cookies at the app's own root. Where the body `is_rewritten`, its length,
        coding and digests are left out, and its ETag is weak.
    """
    came = list(pairs)
    dropped = hop_by_hop(came)
    rewritten = is_rewritten(came)
    if rewritten:
        dropped |= _OF_THE_BODY
    # The apiserver's own "no-cache, private" comes first, then the app's.
    caching = sum(name.lower() == "cache-control" for name, _ in came)
    kept: Headers = []
    for name, value in came:
        key = name.lower()
        if key in dropped:
            continue
        if key == "cache-control" and caching > 1:
            caching = 0
            continue
        change = _CHANGES.get(key)
        if change is not None:
            kept.append((name, change(value, mount)))
        elif key == "etag" and rewritten and not value.startswith("W/"):
            kept.append((name, f"W/{value}"))
        else:
            kept.append((name, value))
    return kept


_CHANGES: dict[str, Callable[[str, Mount], str]] = {
    "location": location,
    "content-location": location,
    "refresh": refresh,
    "set-cookie": set_cookie,
}


def is_rewritten(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether the apiserver rewrites the body of a response with these headers.

    Source: k8s.io/apimachinery, pkg/util/proxy/transport.go. It takes ``text/html`` in lower case
    alone, and leaves the body of an answer with a Location as it is.
    """
    kind: str | None = None
    for name, value in pairs:
        key = name.lower()
        if key == "location" and value:
            return False
        if key == "content-type" and kind is None:
            kind = value
    return (kind or "").split(";")[0].strip() == "text/html"


def hop_by_hop(pairs: Iterable[tuple[str, str]]) -> set[str]:
    """The headers that are for this connection alone, in lower case."""
    named = {
        part.strip().lower()
        for name, value in pairs
        if name.lower() == "connection"
        for part in value.split(",")
    }
    return HOP_BY_HOP | (named - _NEVER_HOP)


def at_origin(other: str, origin: str, value: str) -> str:
    """An Origin or Referer of ours, with another origin in place of it."""
    rest = value.removeprefix(origin)
    return other + rest if rest != value and rest[:1] in ("", "/") else value


def takes_gzip(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether gzip may be sent; all else the apiserver answers with an error or hangs up."""
    weights = {}
    for name, value in pairs:
        if name.lower() == "accept-encoding":
            for part in value.split(","):
                match = _CODING.fullmatch(part)
                if match:
                    weights[match[1].lower()] = float(match[2] or 1)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0))) > 0


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers as they came, their bytes kept."""
    return [
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in raw
    ]
