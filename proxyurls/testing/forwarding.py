"""What becomes of a request on its way to the upstream, and of the answer's head.

Sources: k8s.io/apimachinery, pkg/util/proxy/{upgradeaware,transport}.go; Go's net/url.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[str, str]]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
HOP = {
    *("Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding"),
    *("Upgrade", "Proxy-Authenticate", "Proxy-Authorization"),
}
_CREDENTIALS = ("Authorization", "Impersonate-")
_CORS = {f"Access-Control-Allow-{name}" for name in ("Origin", "Methods", "Headers", "Credentials")}
_MEANT_TO_HAVE_A_BODY = ("POST", "PUT", "PATCH")  # they say that they have none


def decode(text: str) -> str:
    """Percent-decode, once, keeping bytes that are no UTF-8."""
    raw = unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def encode(path: str) -> str:
    """Percent-encode a path as Go's net/url does."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="-_.~$&+,/:;=@")


def clean(path: str) -> str:
    """Go's path.Clean of a rooted path."""
    return posixpath.normpath("/" + path.lstrip("/")) if path else "/"


def parses(url: str, path: str) -> bool:
    """Whether Go's url.Parse takes a URL with that path."""
    return not _BAD_ESCAPE.search(path) and not _CONTROL.search(url.replace(" ", ""))


class Asked(NamedTuple):
    """A request's target."""

    path: str  # decoded
    query: str  # to the letter

    @classmethod
    def parse(cls, target: str) -> Asked | None:
        """Read a raw target; None for what Go's net/http answers with a 400 of its own."""
        path, _, query = target.partition("?")
        if _BAD_ESCAPE.search(path) or _CONTROL.search(target):
            return None
        return cls(decode(path), query)


class Way(NamedTuple):
    """What a proxied request becomes."""

    path: str  # decoded; "" for a root without its slash
    prefix: str  # what links in the answer get before them
    forwarded: str  # X-Forwarded-Uri

    @property
    def sendable(self) -> bool:
        """Whether X-Forwarded-Uri can hold its value."""
        return not _UNPRINTABLE.search(self.forwarded)


def way(path: str, rest: str) -> Way:
    """The way of a request.

    Args:
        path: the whole decoded path that was asked.
        rest: what is left behind ``/proxy/``, without slashes at its end.
    """
    suffix = clean(rest) if rest else ""
    if path.endswith("/") and not suffix.endswith("/"):
        suffix += "/"
    prefix = path.removesuffix(suffix) if suffix else path
    forwarded = clean(prefix + "/" + suffix)
    if suffix.endswith("/"):
        forwarded += "/"
    return Way(suffix, prefix, forwarded)


def canonical(name: str) -> str:
    """A header's name as Go spells it."""
    return "-".join(part.capitalize() for part in name.split("-"))


def request_headers(
    method: str, headers: Iterable[tuple[str, str]], client: str, forwarded: str | None
) -> Headers:
    """The request's headers as they go on; those of an upgrade (no ``forwarded``) keep its hop.

    Args:
        method: the request's method.
        headers: its headers as they came.
        client: who sent it.
        forwarded: X-Forwarded-Uri.
    """
    pairs = [(canonical(name), value) for name, value in headers]
    given = dict(reversed(pairs))
    dropped = {"X-Forwarded-For", "Trailer"}
    if forwarded is not None:
        dropped |= HOP | {"X-Forwarded-Uri"}
        for name, value in pairs:
            if name == "Connection":
                dropped |= {canonical(part.strip()) for part in value.split(",")}
    if given.get("Content-Length", "0") == "0":
        dropped.add("Content-Length")
    kept = [
        (name, value)
        for name, value in pairs
        if name not in dropped and not name.startswith(_CREDENTIALS)
    ]
    chunked = given.get("Transfer-Encoding", "").lower() == "chunked"
    if chunked and "Trailer" in given:
        kept.append(("Trailer", given["Trailer"]))
    if method in _MEANT_TO_HAVE_A_BODY and not chunked and "Content-Length" in dropped:
        kept.append(("Content-Length", "0"))
    before = [value for name, value in pairs if name == "X-Forwarded-For"]
    kept.append(("X-Forwarded-For", ", ".join([*before, client])))
    if forwarded is None:
        if "User-Agent" not in given:
            kept.append(("User-Agent", "Go-http-client/1.1"))
        return kept
    if any(name == "Te" and "trailers" in value for name, value in pairs):
        kept.append(("Te", "trailers"))
    return [*kept, ("X-Forwarded-Uri", forwarded.strip(" \t"))]


def response_headers(status: int, headers: Iterable[tuple[str, str]]) -> Headers:
    """The answer's headers as they come back."""
    dropped = HOP | _CORS
    if status == 304:
        dropped.add("Content-Type")
    pairs = [(canonical(name), value) for name, value in headers]
    return [(name, value) for name, value in pairs if name not in dropped]


def is_upgrade(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a request wants another protocol."""
    return any(
        name.lower() == "connection" and "upgrade" in value.lower() for name, value in headers
    )
