"""HTML pages for tests, spelt as the apiserver spells them, and what a browser should get of them.

So a page that went through the apiserver and lost the prefix again is the same to the byte, but
for the links that say otherwise in `LINKS`.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from proxyurls.testing.html import escape
from proxyurls.undo.unprefix import Mount

NAMESPACE = "pages"
PREFIX = f"/api/v1/namespaces/{NAMESPACE}/services/http:web:80/proxy"
HOST = "web--pages--http--80.localhost:8001"
MOUNT = Mount(PREFIX, HOST, f"http://{HOST}")

# The apiserver's table (atomsToAttrs), the other way round than the gateway has it.
ATTRIBUTES = {
    **dict.fromkeys(("a", "area", "base", "link"), ("href",)),
    **dict.fromkeys(("audio", "embed", "script", "source"), ("src",)),
    **dict.fromkeys(("blockquote", "del", "ins", "q"), ("cite",)),
    **dict.fromkeys(("frame", "iframe"), ("longdesc", "src")),
    "applet": ("codebase",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "form": ("action",),
    "head": ("profile",),
    "html": ("manifest",),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "object": ("classid", "codebase", "data", "usemap"),
    "video": ("poster", "src"),
}
RAW = (
    *("iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp"),
)
# A link in one of those attributes as the app wrote it, and as the browser gets it.
LINKS = {
    **{
        same: same
        for same in (
            *("/", "/x", "/x/y/", "/d/a?b=1&c='2'#f", "/api/v1/namespaces/pages", "/caf%C3%A9"),
            *("x", "./x", "../x", "?q", "#f", "", "mailto:x@y.example", "data:,/x"),
            *("//other.example/x", "https://other.example/x", f"http://{HOST}", f"http://{HOST}/x"),
            *(f"//{HOST}/x", f"{PREFIX}x", f"http://other.example{PREFIX}/x", f"x{PREFIX}/x"),
        )
    },
    f"https://{HOST}/x?y": f"http://{HOST}/x?y",
    PREFIX: "/",
    f"{PREFIX}/": "/",
    f"{PREFIX}/x": "/x",
    f"{PREFIX}?q": "/?q",
    f"{PREFIX}#f": "/#f",
    f"{PREFIX}//other.example/": "/.//other.example/",
    f"{PREFIX}{PREFIX}/x": f"{PREFIX}/x",
    f"http://{HOST}{PREFIX}/x": f"http://{HOST}/x",
}
# What merely mentions it.
MENTIONS = (
    *("", " ", "\n", "é", "a < b", "x > y", "1 < ", "'", '"', "&amp;", "--", "=", "/x"),
    *(PREFIX, f"{PREFIX}/x", f' href="{PREFIX}/x"', f" src='{PREFIX}/x'", f'="{PREFIX}/"'),
)
# Links for whoever takes them for some: one would get a prefix and keep it, the other lose one.
_MARKUP = f'<a href="/x">x</a><a href="{PREFIX}/x">'
_TAG_NAMES = st.sampled_from(
    sorted({*ATTRIBUTES, "div", "use", "p", "x-y", "track", "meta"} - set(RAW))
)
_KEYS = st.sampled_from(
    sorted({key for keys in ATTRIBUTES.values() for key in keys} | {"alt", "srcset", "data-url"})
)
_VALUES = st.sampled_from([*LINKS, *MENTIONS, _MARKUP])


class Page(NamedTuple):
    """A page as the app wrote it, and as the browser should get it."""

    written: str
    wanted: str

    def __add__(self, other: object) -> Page:
        if not isinstance(other, Page):
            return NotImplemented
        return Page(self.written + other.written, self.wanted + other.wanted)


def same(text: str) -> Page:
    """A piece that stays as it is."""
    return Page(text, text)


@st.composite
def tags(draw: st.DrawFn, names: st.SearchStrategy[str] = _TAG_NAMES) -> Page:
    """A start tag with links and others."""
    name = draw(names)
    own = st.sampled_from(ATTRIBUTES[name]) if name in ATTRIBUTES else _KEYS
    written = wanted = f"<{name}"
    for key in draw(st.lists(own | _KEYS, max_size=4, unique=True)):
        value = draw(_VALUES)
        after = LINKS.get(value, value) if key in ATTRIBUTES.get(name, ()) else value
        written += f' {key}="{escape(value)}"'
        wanted += f' {key}="{escape(after)}"'
    end = draw(st.sampled_from([">", ">", "/>"]))
    return Page(written + end, wanted + end)


@st.composite
def elements(draw: st.DrawFn) -> Page:
    """An element whose content is text, whatever it looks like."""
    name = draw(st.sampled_from(RAW))
    inside = st.sampled_from(
        [*MENTIONS, _MARKUP, "</", "<b>", "</div>", f"</{name}x>", "<!-", "->"]
    )
    content = "".join(draw(st.lists(inside, max_size=4)))
    end = draw(st.sampled_from([f"</{name}>", f"</{name.upper()} >", f"</{name}\n/>"]))
    tag = draw(tags(st.just(name)))
    return tag + same(content + end)


TEXTS = st.lists(st.sampled_from(MENTIONS), min_size=1, max_size=3).map("".join).map(same)
COMMENTS = st.sampled_from([*MENTIONS, _MARKUP, "<script>", "-"]).map(
    lambda text: same(f"<!--{text.replace('--', '')} -->")
)
ENDS = st.sampled_from(["</a>", "</div>", "</x-y>", "</p\n>", "</>", "<!doctype html>", "<?xml?>"])
# What the fake apiserver reads in a simpler way than the real one does.
ODDITIES = st.sampled_from(
    [
        *("<!-->", "<!--->", f"<!-- {_MARKUP} --!>", f"<!{PREFIX}>", f"</3 href={PREFIX}/>"),
        *(f'</a href="><a href="{PREFIX}/x">', f"</a b='{_MARKUP}'>", "</a b=<a>"),
        f"<script><!-- <script>{_MARKUP}</script>{_MARKUP}</script>",
        f"<script><!-- <script>{_MARKUP}--></script>",
        f"<script><!-- {_MARKUP}</script>",
        f"<script><!--> <script> {_MARKUP}</script>",
        f"<textarea><!--</textarea><p></p>{MENTIONS[-1]}",
    ]
)
PLAIN_TAIL = st.sampled_from(["", f"<plaintext>{_MARKUP}</plaintext>{_MARKUP}"])


def joined(pieces: list[Page]) -> Page:
    """One page of many pieces."""
    return sum(pieces, same(""))


PIECES = st.one_of(tags(), tags(), elements(), TEXTS, COMMENTS, ENDS.map(same))
PAGES = st.builds(
    lambda pieces, tail: joined(pieces) + same(tail), st.lists(PIECES, max_size=12), PLAIN_TAIL
)
ODD_PAGES = st.lists(PIECES | ODDITIES.map(same), max_size=12).map(joined)
