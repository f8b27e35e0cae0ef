"""Headers on their way through the gateway: lists of (name, value) in, lists out.

Each rule was measured in front of a real apiserver; the contract's tests show what it does to
headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proxyurls.gateway.links import location, refresh, set_cookie

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxyurls.gateway.unprefix import Mount

Headers = list[tuple[str, str]]

COOKIE_PREFIX = "proxyurls-"
"""What the name of a gateway's own cookie begins with, whatever its port: ``proxyurls-8001``.

Browsers send a host's cookies to all its ports, so the cookies of every gateway are kept from apps.
"""

# RFC 9110, 7.6.1, and what it has replaced.
_HOP = {
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
    *("upgrade", "http2-settings", "proxy-authenticate", "proxy-authorization"),
}
_API_HOP = _HOP | {"host", "expect"}
# What Connection may not name: without them a request means something else.
_NEVER_HOP = {"host", "content-length", "content-type", "origin", "cookie"}
# The apiserver would take these for the gateway's word, or pass them to the app as its own;
# the handshake of a WebSocket is made anew, and "100 Continue" is the gateway's to say.
_DROPPED = {"authorization", "forwarded", "expect", "accept-encoding"}
_DROPPED_KINDS = ("x-forwarded-", "x-remote-", "impersonate-", "sec-websocket-")
# What says something of a body's bytes.
_OF_THE_BODY = {
    *("content-length", "content-encoding", "accept-ranges"),
    *("content-md5", "digest", "content-digest", "repr-digest"),
}
_CODING = re.compile(r"\s*([^;\s]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?", re.IGNORECASE)


def request_headers(pairs: Iterable[tuple[str, str]], *, server: str | None = None) -> Headers:
    """A browser's request headers as the apiserver gets them.

    Args:
        pairs: the headers as they came.
        server: the apiserver's URL, where Host, Origin and Referer shall name it
            (``--upstream-host server``); None to leave the three as the browser sent them, which
            is what apps compare.

    Returns:
        Host first. The gateway's credentials are not among them; whoever sends adds them.
    """
    came = list(pairs)
    dropped = _hop_by_hop(came) | _DROPPED
    host = next((value for name, value in came if name.lower() == "host"), "")
    other = "://".join(urlsplit(server)[:2]) if server else ""
    kept: Headers = [("Host", other.partition("://")[2] or host)]
    for name, value in came:
        key = name.lower().replace("_", "-")  # as CGI, and all that came after it, reads them
        if key in dropped or key == "host" or key.startswith(_DROPPED_KINDS):
            continue
        if key == "cookie":
            others = cookies_of_apps(value)
            if others:
                kept.append((name, others))
        elif other and key in ("origin", "referer"):
            kept.append((name, _at(other, f"http://{host}", value)))
        else:
            kept.append((name, value))
    kept.append(("Accept-Encoding", "gzip" if _takes_gzip(came) else "identity"))
    return kept


def response_headers(pairs: Iterable[tuple[str, str]], mount: Mount) -> Headers:
    """The apiserver's response headers as the browser gets them.

    Args:
        pairs: the headers as they came.
        mount: where the app stands.

    Returns:
        links and cookies at the app's own root. Where the body `is_rewritten`, its length,
        coding and digests are left out, and its ETag is weak.
    """
    came = list(pairs)
    dropped = _hop_by_hop(came)
    rewritten = is_rewritten(came)
    if rewritten:
        dropped |= _OF_THE_BODY
    # The apiserver's own "no-cache, private" comes first, then the app's.
    caching = sum(name.lower() == "cache-control" for name, _ in came)
    kept: Headers = []
    for name, value in came:
        key = name.lower()
        if key in dropped or (key == "set-cookie" and is_gateways(value)):
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
    first: dict[str, str] = {}
    for name, value in pairs:
        first.setdefault(name.lower(), value)
    return first.get("content-type", "").split(";")[0].strip() == "text/html" and not first.get(
        "location"
    )


def _hop_by_hop(pairs: Headers) -> set[str]:
    named = {
        part.strip().lower()
        for name, value in pairs
        if name.lower() == "connection"
        for part in value.split(",")
    }
    return _HOP | (named - _NEVER_HOP)


def cookies_of_apps(value: str) -> str:
    """A Cookie header without the gateways' own; "" if nothing is left."""
    pairs = [pair.strip() for pair in value.split(";")]
    return "; ".join(pair for pair in pairs if pair and not is_gateways(pair))


def is_gateways(pair: str) -> bool:
    """Whether a cookie bears a gateway's name."""
    # A cookie without a name, "=NAME=x", comes back as "NAME=x".
    return pair.lstrip("= \t").startswith(COOKIE_PREFIX)


def _at(other: str, origin: str, value: str) -> str:
    """An Origin or Referer of ours, with another origin in place of it."""
    rest = value.removeprefix(origin)
    return other + rest if rest != value and rest[:1] in ("", "/") else value


def _takes_gzip(pairs: Headers) -> bool:
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


def api_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Headers to or from the API itself: as they are, but for what is of one connection."""
    return [(name, value) for name, value in pairs if name.lower() not in _API_HOP]


def api_answer(pairs: Iterable[tuple[str, str]]) -> Headers:
    """The headers of an answer of the API itself.

    An app's page may come from there, or a page out of an app's log. It must not be able to use
    the API from the API's own origin, so browsers are told to give it none; programs don't care.
    """
    kept = [
        (name, value)
        for name, value in api_headers(pairs)
        if not (name.lower() == "set-cookie" and is_gateways(value))
    ]
    return [*kept, ("Content-Security-Policy", "sandbox"), ("X-Content-Type-Options", "nosniff")]


def api_request(pairs: Iterable[tuple[str, str]], host: str) -> Headers:
    """The headers that the API gets: kubectl's own, but for credentials.

    Args:
        pairs: those of kubectl, or of whatever asks.
        host: the apiserver's.
    """
    came = list(pairs)
    secret = ["authorization", "origin", "referer"]
    if any(name.lower() == "sec-fetch-site" for name, _ in came):
        secret.append("cookie")  # a browser's, of whatever else there is at localhost
    kept = [("Host", host)]
    for name, value in api_headers(came):
        passed = cookies_of_apps(value) if name.lower() == "cookie" else value
        if name.lower() not in secret and (passed or not value):
            kept.append((name, passed))
    return kept
