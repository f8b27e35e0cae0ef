"""Links and cookies in an answer's headers, as the browser is to see them.

The apiserver puts the prefix before a rooted Location alone, but some apps know their prefix
(X-Forwarded-Uri tells them) and put it into other headers themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxyurls.undo.unprefix import Mount

_SCHEME_AND_HOST = re.compile(r"(?:https?:)?//([^/?#\\]*)", re.IGNORECASE)
# "//x" would be another host; "/.//x" is the path that it was. Browsers drop tabs and newlines.
_OTHER_HOST = re.compile(r"/[\t\r\n]*[/\\]")
# Not \s*[\d.]*\s*, which tries every way to share a run of spaces out: its length squared.
_REFRESH = re.compile(r"""(?is)([\s\d.]*[;,]\s*(?:url\s*=\s*)?(["']?))(.*)""")


def location(value: str, mount: Mount) -> str:
    """A Location or Content-Location without the prefix.

    Links to the app's own host become paths, or stay absolute (`Mount.absolute`). Other hosts'
    links stay.
    """
    link = value.strip(" \t")
    match = _SCHEME_AND_HOST.match(link)
    if match is not None:
        own = (mount.host, mount.origin.partition("//")[2])
        if match[1].lower() not in own:
            return value
        link = link[match.end() :]
        if link[:1] != "/":
            link = "/" + link
    elif link[:1] != "/":
        return value
    rest = link.removeprefix(mount.prefix)
    if rest != link and rest[:1] in ("", "/", "?", "#"):
        link = rest if rest[:1] == "/" else "/" + rest
    if match is not None and mount.absolute:
        return mount.origin + link
    return "/." + link if _OTHER_HOST.match(link) else link


def refresh(value: str, mount: Mount) -> str:
    """A Refresh header (``5; url=/x``) without the prefix."""
    match = _REFRESH.fullmatch(value)
    if match is None:
        return value
    head, quote, link = match.groups()
    link, end, rest = link.partition(quote) if quote else (link, "", "")
    return head + location(link, mount) + end + rest


def set_cookie(value: str, mount: Mount) -> str:
    """A Set-Cookie without Domain, and with its Path as the browser knows it.

    A Domain is dropped because browsers refuse it for ``localhost``, and no app may set cookies
    for others.
    """
    pair, *attributes = value.split(";")
    kept = [pair]
    for attribute in attributes:
        name, equals, text = attribute.partition("=")
        kind = name.strip().lower()
        if kind == "domain":
            continue
        rest = text.strip().removeprefix(mount.prefix)
        if kind == "path" and rest != text.strip() and rest[:1] in ("", "/"):
            kept.append(f"{name}{equals}{rest or '/'}")
        else:
            kept.append(attribute)
    return ";".join(kept)
