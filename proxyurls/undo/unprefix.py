"""What the apiserver did to the links of an HTML page, undone as the page streams by.

The apiserver reads a page with Go's tokenizer, writes each start tag anew, with the prefix before
its rooted links, and copies all else. So in what comes from it a start tag is
``<name key="value" …>``, in lower case and escaped: it ends at the first ``>``. A link is looked
for there alone; a script, a comment or a text that merely mentions the prefix stays byte for byte.

Bytes are not decoded: markup is ASCII, and so is the prefix.

Sources: k8s.io/apimachinery, pkg/util/proxy/transport.go; golang.org/x/net/html, token.go.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

HELD = 1 << 16
"""A start tag that hasn't ended is held back up to this many bytes, then it streams too."""

# atomsToAttrs of transport.go, by attribute.
_TAGS: dict[bytes, frozenset[bytes]] = {
    attribute: frozenset(tags.split())
    for attribute, tags in {
        b"action": b"form",
        b"background": b"body",
        b"cite": b"blockquote del ins q",
        b"classid": b"object",
        b"codebase": b"applet object",
        b"data": b"object",
        b"formaction": b"button input",
        b"href": b"a area base link",
        b"icon": b"command",
        b"longdesc": b"frame iframe img",
        b"manifest": b"html",
        b"poster": b"video",
        b"profile": b"head",
        b"src": b"audio embed frame iframe img input script source video",
        b"usemap": b"img input object",
    }.items()
}

# What a page is made of besides text and start tags: each part ends where its pattern is found, and
# the group that matched names the part that follows. "text" is the page itself, "tag" a start
# tag too long to be held back. (Alternatives that begin with a plain character are looked for
# several times faster than others.)
_SPACE = rb"\t\n\f\r "
_RAW = ("iframe", "noembed", "noframes", "noscript", "style", "textarea", "title", "xmp")
_OPAQUE = ("plaintext", "script", *_RAW)
_NAMED = rb"(?i:%s)(?=[" + _SPACE + rb"/>])"
_SCRIPT = _NAMED % b"script"
_PARTS = {
    name: re.compile(pattern)
    for name, pattern in {
        "comment": rb"--(?P<text>!?>)",
        "bogus": rb">(?P<text>)",  # <!doctype>, <?xml>, </>
        # An end tag may have attributes, and a ">" in their values.
        "endtag": rb">(?P<text>)|=(?P<value>)",
        "value": rb"(?P<double>\")|(?P<single>')|(?P<text>>)|(?P<bare>[^" + _SPACE + rb"\"'>])",
        "double": rb"\"(?P<endtag>)",
        "single": rb"'(?P<endtag>)",
        "bare": rb"(?P<text>>)|(?P<endtag>[" + _SPACE + rb"])",
        **{name: rb"</(?P<endtag>" + _NAMED % name.encode() + rb")" for name in _RAW},
        "plaintext": rb"(?!)",  # for ever
        # A script may hold a comment, and a script within that (HTML, 13.2.5.20 to 31).
        "script": rb"<(?:!(?P<escaped>(?=--))|/(?P<endtag>" + _SCRIPT + rb"))",
        "escaped": rb"--(?P<script>>)|<(?:/(?P<endtag>"
        + _SCRIPT
        + rb")|(?P<doubled>%s))" % _SCRIPT,
        "doubled": rb"--(?P<script>>)|</(?P<escaped>" + _SCRIPT + rb")",
    }.items()
}
# What begins such a part. An end tag does if it isn't a mere </name>.
_OPENS = re.compile(
    rb"<(?:!(?:--)?|\?|/(?:[^A-Za-z]|[A-Za-z0-9-]+[^A-Za-z0-9>-])"
    + b"".join(rb"|%s[" % name.encode() + _SPACE + rb"/>]" for name in _OPAQUE)
    + rb")"
)
_TAG = re.compile(rb"</?[A-Za-z]")
_NAME = re.compile(rb"<[^" + _SPACE + rb"/>]*")
# So many bytes at a chunk's end may be the beginning of what ends a part, or of "<!--".
_TAIL = 16
_MOST_BEGUN = 256


# What may follow the prefix of a link: where nothing does, it's the prefix once more.
_BEHIND = frozenset((b"/", b"?", b"#", b'"', b""))
_OTHER_HOST = (b"//", b"/\\")


class Mount(NamedTuple):
    """Where an app stands: at a prefix for the apiserver, at an origin's root for the browser.

    Attributes:
        prefix: as `paths.prefix_of` gives it.
        host: the Host that was sent to the apiserver.
        origin: the origin that the browser knows: ``http://grafana--monitoring.localhost:8001``.
        absolute: whether a Location at the app's own host stays absolute, with this origin. It
            becomes a path if not: its scheme may be one that the gateway doesn't speak.
    """

    prefix: str
    host: str
    origin: str
    absolute: bool = False


class _Link(NamedTuple):
    """The beginning of a link's attribute, up to where the prefix follows."""

    tags: frozenset[bytes]
    undone: bytes | None  # how it begins for the browser, unless likewise


@lru_cache(maxsize=256)
def _links(host: str, origin: str) -> dict[bytes, _Link]:
    own = origin.encode()
    hosts = {b"": b"", b"//" + host.encode(): own.partition(b":")[2]}
    hosts.update({scheme + b"://" + host.encode(): own for scheme in (b"http", b"https")})
    return {
        attribute + b'="' + before: _Link(
            tags, None if after == before else attribute + b'="' + after
        )
        for attribute, tags in _TAGS.items()
        for before, after in hosts.items()
    }


def _opened(markup: bytes) -> tuple[str, int]:
    """The part that a match of `_OPENS` begins, and how many of its bytes come before it."""
    if markup == b"<!--":
        return "comment", 2  # "<!-->" is a whole one
    if markup[1:2] == b"/" and markup[2:3].isalpha():
        return "endtag", 2
    if markup[1:2] in b"!?/":
        return "bogus", 2
    return markup[1:-1].decode("ascii"), 0


def _tag_from(page: bytes, start: int, end: int) -> int:
    """Where a tag begins between two places with no ">" between them, or -1."""
    at = page.find(b"<", start, end)
    if at < 0:
        return -1
    found = _TAG.match(page, at) or _TAG.search(page, at, end)
    return -1 if found is None else found.start()


class HTMLUnprefixer:
    """Removes the prefix from a page's links, holding no more than `HELD` bytes and a chunk.

    Links to the app's own host keep it, with the gateway's scheme. Feed it in chunks of any size:
    what comes out does not depend on where they end.

    Args:
        mount: where the app stands.
    """

    def __init__(self, mount: Mount) -> None:
        self._prefix = mount.prefix.encode()
        self._links = _links(mount.host, mount.origin)
        self._held = b""
        self._part = "text"
        self._tag = b""  # the name of the start tag that "tag" is part of
        # A page's tags are often alike: what they are, by their bytes before a prefix.
        self._begun: dict[bytes, tuple[bytes, _Link | None]] = {}

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the page, and give back what is certain by now."""
        return self._read(self._held + data if self._held else data, last=False)

    def close(self) -> bytes:
        """The rest, when the page has ended."""
        return self._read(self._held, last=True)

    def _read(self, page: bytes, *, last: bool) -> bytes:
        links = self._prefix in page
        out: list[bytes] = []
        at = 0
        while True:
            part, start = self._part, at
            if part == "text":
                at = self._read_text(page, at, last=last)
            elif part == "tag":
                at = self._read_tag(page, at, last=last)
            else:
                at = self._read_other(page, at, last=last)
            if links:
                piece = page[start:at]
                if part in ("text", "tag") and self._prefix in piece:
                    piece = self._undone(piece, self._tag if part == "tag" else b"")
                out.append(piece)
            if self._part == part:
                break
        self._held = page[at:]
        return b"".join(out) if links else page[:at]

    def _read_text(self, page: bytes, at: int, *, last: bool) -> int:
        """Read text and start tags, up to where another part begins, or certainty ends."""
        while True:
            found = _OPENS.search(page, at)
            end = len(page) if found is None else found.start()
            # The last ">" ended the last tag; has another begun since?
            since = page.rfind(b">", at, end) + 1 or at
            tag = _tag_from(page, since, end)
            if tag < 0 and found is None:
                hidden = -1 if last else page.find(b"<", max(since, end - _TAIL))
                return end if hidden < 0 else hidden
            raw = ""
            if tag < 0 and found is not None:
                if end > len(page) - _TAIL and not last:
                    return end
                part, length = _opened(found[0])
                if part == "comment":  # a page may hold thousands, and few hold links
                    ended = _PARTS[part].search(page, end + length)
                    if ended and page.find(self._prefix, end, ended.end()) < 0:
                        at = ended.end()
                        continue
                if part not in _OPAQUE:
                    self._part = part
                    return end + length
                raw = part
            # A start tag ends at the first ">"; so does an end tag that is in here.
            close = page.find(b">", end)
            if close < 0:
                return self._unfinished(page, end if tag < 0 else tag, last=last)
            at = close + 1
            if raw:
                self._part = raw
                return at

    def _unfinished(self, page: bytes, start: int, *, last: bool) -> int:
        """Hold a tag back that has no end yet, unless it's too long for that."""
        if last:
            return len(page)
        if len(page) - start <= HELD:
            return start
        name = _NAME.match(page, start)
        self._part, self._tag = "tag", name[0][1:] if name else b""
        return name.end() if name else start

    def _read_tag(self, page: bytes, at: int, *, last: bool) -> int:
        """Read a start tag that's too long to be held back."""
        close = page.find(b">", at)
        if close >= 0:
            name = self._tag.decode("latin-1")
            self._part = name if name in _OPAQUE else "text"
            return close + 1
        if last:
            return len(page)
        # No link may be cut in two. What may become one stays behind; one that is whole goes.
        longest = max(map(len, self._links)) + 1
        size = len(self._prefix) + 1
        cut = max(at, len(page) - longest - size)
        whole = page.find(self._prefix, max(at, cut - size + 1), cut + longest + size - 1)
        return cut if whole < 0 else max(cut, whole + size)

    def _read_other(self, page: bytes, at: int, *, last: bool) -> int:
        """Read what holds no links, up to its end."""
        found = _PARTS[self._part].search(page, at)
        if found is None:
            return len(page) if last else max(at, len(page) - _TAIL)
        self._part = found.lastgroup or "text"
        return found.end()

    def _undone(self, piece: bytes, tag: bytes) -> bytes:
        """A piece of text and start tags without the prefix.

        Args:
            piece: it.
            tag: the name of the start tag that it begins in, or b"".
        """
        before, *others = piece.split(self._prefix)
        out = [before]
        for after in others:
            opened = before.find(b"<", before.rfind(b">") + 1)
            begun = before[opened:] if opened >= 0 else b""
            found = self._begun.get(begun)
            if found is None:
                found = self._begin(before, tag)
                if begun[1:2].isalpha():  # all depends on these bytes
                    if len(self._begun) >= _MOST_BEGUN:
                        self._begun.clear()
                    self._begun[begun] = found
            tag, link = found
            first = after[:1]
            if link is None or first not in _BEHIND:
                out += self._prefix, after
            else:
                if link.undone is not None:
                    out[-1] = before[: before.rfind(b" ") + 1] + link.undone
                if after[:2] in _OTHER_HOST:
                    out.append(b"/.")
                elif first not in (b"/", b""):
                    out.append(b"/")
                out.append(after)
            before = after
        return b"".join(out)

    def _begin(self, before: bytes, tag: bytes) -> tuple[bytes, _Link | None]:
        """What the prefix stands in: the tag's name, or b"", and the link, if it is one.

        Args:
            before: the bytes before it, since the last one.
            tag: the name of the start tag that these began in, or b"".
        """
        ended = before.rfind(b">") + 1
        opened = before.find(b"<", ended) + 1
        if opened and not before[opened : opened + 1].isalpha():  # "a < b", or an end tag
            opened = _tag_from(before, ended, len(before)) + 1
        if opened:
            tag = before[opened : before.find(b" ", opened)]
        elif ended:
            tag = b""
        link = self._links.get(before[before.rfind(b" ") + 1 :])
        return tag, None if link is None or tag not in link.tags else link
