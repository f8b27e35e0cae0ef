"""Headers on their way through the gateway: lists of (name, value) in, lists out.

Each rule was measured in front of a real apiserver; the contract's tests show what it does to
headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proxyurls.undo.headers import HOP_BY_HOP, at_origin, hop_by_hop, takes_gzip, undone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxyurls.undo.headers import Headers
    from proxyurls.undo.unprefix import Mount

COOKIE_PREFIX = "proxyurls-"
"""What the name of a gateway's own cookie begins with, whatever its port: ``proxyurls-8001``.

Browsers send a host's cookies to all its ports, so the cookies of every gateway are kept from apps.
"""

_API_HOP = HOP_BY_HOP | {"host", "expect"}
# The apiserver would take these for the gateway's word, or pass them to the app as its own;
# the handshake of a WebSocket is made anew, and "100 Continue" is the gateway's to say.
_DROPPED = {"authorization", "forwarded", "expect", "accept-encoding"}
_DROPPED_KINDS = ("x-forwarded-", "x-remote-", "impersonate-", "sec-websocket-")


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
    dropped = hop_by_hop(came) | _DROPPED
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
            kept.append((name, at_origin(other, f"http://{host}", value)))
        else:
            kept.append((name, value))
    kept.append(("Accept-Encoding", "gzip" if takes_gzip(came) else "identity"))
    return kept


def response_headers(pairs: Iterable[tuple[str, str]], mount: Mount) -> Headers:
    """The apiserver's response headers as the browser gets them: `undone`, no gateway's cookie.

    Args:
        pairs: the headers as they came.
        mount: where the app stands.
    """
    return undone(
        [(name, value) for name, value in pairs if not _sets_gateways(name, value)], mount
    )


def _sets_gateways(name: str, value: str) -> bool:
    return name.lower() == "set-cookie" and is_gateways(value)


def cookies_of_apps(value: str) -> str:
    """A Cookie header without the gateways' own; "" if nothing is left."""
    pairs = [pair.strip() for pair in value.split(";")]
    return "; ".join(pair for pair in pairs if pair and not is_gateways(pair))


def is_gateways(pair: str) -> bool:
    """Whether a cookie bears a gateway's name."""
    # A cookie without a name, "=NAME=x", comes back as "NAME=x".
    return pair.lstrip("= \t").startswith(COOKIE_PREFIX)


def api_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Headers to or from the API itself: as they are, but for what is of one connection."""
    return [(name, value) for name, value in pairs if name.lower() not in _API_HOP]


def api_answer(pairs: Iterable[tuple[str, str]]) -> Headers:
    """The headers of an answer of the API itself.

    An app's page may come from there, or a page out of an app's log. It must not be able to use
    the API from the API's own origin, so browsers are told to give it none; programs don't care.
    """
    kept = [(name, value) for name, value in api_headers(pairs) if not _sets_gateways(name, value)]
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
