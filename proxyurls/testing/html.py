"""What the apiserver does to links: in HTML, and in Location.

Sources: k8s.io/apimachinery, pkg/util/proxy/transport.go; golang.org/x/net/html, token.go.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import NamedTuple

from proxyurls.testing import forwarding

_LINKS: dict[str, set[str]] = {
    tag: set(names.split())
    for tag, names in {
        **dict.fromkeys(("a", "area", "base", "link"), "href"),
        **dict.fromkeys(("audio", "embed", "script", "source"), "src"),
        **dict.fromkeys(("blockquote", "del", "ins", "q"), "cite"),
        **dict.fromkeys(("frame", "iframe"), "longdesc src"),
        "applet": "codebase",
        "body": "background",
        "button": "formaction",
        "command": "icon",
        "form": "action",
        "head": "profile",
        "html": "manifest",
        "img": "longdesc src usemap",
        "input": "src usemap formaction",
        "object": "classid codebase data usemap",
        "video": "poster src",
    }.items()
}
_RAW = {
    *("iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style"),
    *("textarea", "title", "xmp"),
}
_MARKUP = re.compile(r"<(?:!--|[!?/]|[A-Za-z])")
_TAG_NAME = re.compile(r"<([A-Za-z][^\s/>]*)")
_ATTRIBUTE = re.compile(
    r"""[\s/]*(?P<key>[^\s/>][^\s/>=]*)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'"""
    r"""|(?P<bare>[^\s>"'][^\s>]*)|(?=>)))?"""
)
_TAG_END = re.compile(r"[\s/]*>")
_URL = re.compile(r"([A-Za-z][-+.A-Za-z0-9]*:)?(//[^/?#]*)?([^?#]*)(.*)", re.DOTALL)
_ENTITY = re.compile(
    r"&(?:#[xX][0-9A-Fa-f]+;?|#[0-9]+;?|[A-Za-z][A-Za-z0-9]*(?:;|(?![=A-Za-z0-9])))"
)


class Rewriter(NamedTuple):
    """How links change on the way to one client."""

    prefix: str
    upstream: str  # IP:PORT
    host: str  # as the client asked for it

    def link(self, text: str) -> str:
        """A link as the client gets it; the same text where it isn't the upstream's own."""
        match = _URL.fullmatch(text)
        if match is None:
            return text
        scheme, host, path, rest = match.groups(default="")
        mine = (host and host[2:] in (self.upstream, self.host)) or not (host or scheme)
        if not mine or not path.startswith("/") or not forwarding.parses(text, path):
            return text
        if host[2:] == self.upstream != self.host:
            scheme = host = ""
        decoded = forwarding.decode(path)
        if not decoded.startswith(self.prefix):
            slash = "/" if decoded.endswith("/") else ""
            decoded = forwarding.clean(f"{self.prefix}/{decoded}") + slash
        return scheme + host + forwarding.encode(decoded) + rest

    def document(self, text: str) -> str:
        """HTML with its rooted links rewritten; every start tag is spelt anew."""
        out: list[str] = []
        at = 0
        while match := _MARKUP.search(text, at):
            out.append(text[at : match.start()])
            at = match.start()
            name = _TAG_NAME.match(text, at)
            if name is None:
                end = _end_of_other(text, at)
                out.append(text[at:end])
                at = end
                continue
            tag, end = self._tag(text, name)
            if tag is None:  # it never ends, and is dropped
                return "".join(out)
            out.append(tag)
            at = end
            lowered = name[1].lower()
            if lowered in _RAW:
                close = re.compile(rf"</{re.escape(lowered)}(?=[\s/>])", re.IGNORECASE)
                found = close.search(text, at)
                end = found.start() if found and lowered != "plaintext" else len(text)
                out.append(text[at:end])
                at = end
        return "".join(out) + text[at:]

    def _tag(self, text: str, name: re.Match[str]) -> tuple[str | None, int]:
        """A start tag spelt anew, and where it ends."""
        links = _LINKS.get(name[1].lower(), set())
        out = [f"<{name[1].lower()}"]
        at = name.end()
        while (end := _TAG_END.match(text, at)) is None:
            match = _ATTRIBUTE.match(text, at)
            if match is None or match.end() == at or match.end() >= len(text):
                return None, at
            key = match["key"].lower()
            value = unescape(next(filter(None, match.group("double", "single", "bare")), ""))
            if key in links:
                value = self.link(value)
            out.append(f' {key}="{escape(value)}"')
            at = match.end()
        out.append("/>" if end[0].endswith("/>") else ">")
        return "".join(out), end.end()


def _end_of_other(text: str, at: int) -> int:
    """Where a comment, a doctype or an end tag ends."""
    mark = "-->" if text.startswith("<!--", at) else ">"
    found = text.find(mark, at + (4 if len(mark) > 1 else 1))
    return len(text) if found < 0 else found + len(mark)


def escape(text: str) -> str:
    """Go's html.EscapeString."""
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def unescape(text: str) -> str:
    """Entities of an attribute's value, resolved as HTML says for attributes."""

    def resolved(match: re.Match[str]) -> str:
        known = match[0][1] == "#" or match[0][1:] in html5
        return html.unescape(match[0]) if known else match[0]

    return _ENTITY.sub(resolved, text)
