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
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
    *("upgrade", "proxy-authenticate", "proxy-authorization"),
}
_CREDENTIALS = ("authorization", "impersonate-")
_CORS = {f"access-control-allow-{name}" for name in ("origin", "methods", "headers", "credentials")}


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


def request_headers(
    headers: Iterable[tuple[str, str]], client: str, forwarded: str | None
) -> Headers:
    """The request's headers as they go on; those of an upgrade (no ``forwarded``) keep its hop."""
    pairs = list(headers)
    dropped = {"x-forwarded-for"}
    if forwarded is not None:
        dropped |= HOP | {"x-forwarded-uri"}
        for name, value in pairs:
            if name.lower() == "connection":
                dropped |= {part.strip().lower() for part in value.split(",")}
    kept = [
        (name, value)
        for name, value in pairs
        if name.lower() not in dropped and not name.lower().startswith(_CREDENTIALS)
    ]
    if forwarded is not None and any(
        name.lower() == "te" and "trailers" in value for name, value in pairs
    ):
        kept.append(("Te", "trailers"))
    before = [value for name, value in pairs if name.lower() == "x-forwarded-for"]
    kept.append(("X-Forwarded-For", ", ".join([*before, client])))
    if forwarded is not None:
        kept.append(("X-Forwarded-Uri", forwarded.strip(" \t")))
    return kept


def response_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """The answer's headers as they come back."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in HOP and name.lower() not in _CORS
    ]


def is_upgrade(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a request wants another protocol."""
    return any(
        name.lower() == "connection" and "upgrade" in value.lower() for name, value in headers
    )
