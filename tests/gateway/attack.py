"""What the tests of the threats share: an attacker's requests, and a look at what got through."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from .conftest import NAMESPACE, WEB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Gate, Site
    from .running import Reply

EVIL = "http://evil.example"
OTHER = f"named--{NAMESPACE}"  # another app
REFUSED = (b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")

# What Chromium says of itself; a page can't change it.
CROSS = {"Sec-Fetch-Site": "cross-site"}
DOCUMENT = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
LINK = {**CROSS, **DOCUMENT}
TYPED = {"Sec-Fetch-Site": "none", **DOCUMENT}
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
IMAGE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": "text/html"}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    "Sec-WebSocket-Version": "13",
}


@contextlib.contextmanager
def nothing_arrives(site: Site) -> Iterator[None]:
    """Fails if any app gets a request meanwhile."""
    apps = (site.web, site.admin, site.secure)
    before = [len(app.requests) for app in apps]
    yield
    after = [app.requests[count:] for app, count in zip(apps, before, strict=True)]
    assert after == [[], [], []]


def refused(gate: Gate, target: str | bytes = "/", method: str = "GET", **options: Any) -> Reply:
    """Send a request with the cookie of the host, of which nothing may reach an app."""
    with nothing_arrives(gate.site):
        return gate.send(target, method, **options)


def wire(gate: Gate, rest: str | bytes, method: str = "POST", target: str = "/smuggled") -> bytes:
    """Write a request to ``web`` to the byte, with its cookie, and read all that comes.

    Args:
        gate: the gateway.
        rest: what follows the headers Host and Cookie: more headers, an empty line, a body.
        method: the method.
        target: the request target.
    """
    host = gate.gateway.host(WEB)
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {gate.gateway.cookies[host]}\r\n"
    return gate.gateway.raw(head.encode() + (rest.encode() if isinstance(rest, str) else rest))
