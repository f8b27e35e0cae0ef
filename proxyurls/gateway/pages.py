"""The gateway's own pages, text in and bytes out: errors, "another site sent you here", assets.

Whatever a page shows may come from the cluster or from another site, so all of it is escaped, and
the Content-Security-Policy allows nothing but the assets of the page's own origin.
"""

from __future__ import annotations

import hashlib
import html
import unicodedata
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

RESERVED = "/.proxyurls/"  # of every host of the gateway: never sent to an app
ASSETS = f"{RESERVED}assets/"
_TYPES = {
    "index.css": "text/css; charset=utf-8",
    "index.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_LONGEST = 500  # characters of one text; an apiserver's message may quote a whole object

_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def _policy(*more: str) -> str:
    own = ("default-src 'none'", "style-src 'self'", "img-src 'self'", *more)
    return "; ".join((*own, "base-uri 'none'", "frame-ancestors 'none'"))


# An error page stands on an app's origin, where 'self' means the app's scripts too: it has none.
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _policy("form-action 'none'")),
    ("Cache-Control", "no-store"),
    *_COMMON,
)
# The browser keeps the list so that it can ask with its ETag, but never shows it unasked.
INDEX_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Content-Security-Policy",
        _policy("script-src 'self'", "connect-src 'self'", "form-action 'self'"),
    ),
    ("Cache-Control", "private, no-cache"),
    *_COMMON,
)


class Link(NamedTuple):
    """A link on a page."""

    text: str
    href: str


class Asset(NamedTuple):
    """A file that our pages load: its headers (an ETag among them) and its bytes."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    etag: str


@cache
def asset(name: str) -> Asset | None:
    """A file below `ASSETS`, or None where there is no such.

    They are the same for everybody and hold no secret: the page that asks for the token needs
    them before there is a cookie.

    Args:
        name: what follows `ASSETS` in the path.
    """
    if name not in _TYPES:
        return None
    body = files("proxyurls.gateway").joinpath("assets", name).read_bytes()
    etag = etag_of(body)
    kept = (("Content-Type", _TYPES[name]), ("Cache-Control", "no-cache"), ("ETag", etag))
    return Asset((*kept, *_COMMON), body, etag)


def etag_of(body: bytes) -> str:
    """An entity tag that changes with the body."""
    return f'"{hashlib.sha256(body).hexdigest()[:20]}"'


def escape(text: object, longest: int = _LONGEST) -> str:
    """A text for HTML, attributes included, that shows what it holds and nothing else.

    Control and format characters are shown by their number: a right-to-left mark would turn
    what follows it, a lone surrogate can't be sent.

    Args:
        text: anything.
        longest: cut to so many characters.
    """
    kept = str(text)
    if len(kept) > longest:
        kept = kept[:longest] + "…"
    if not kept.isprintable():
        kept = "".join(_visible(char) for char in kept)
    return html.escape(kept)


def _visible(char: str) -> str:
    if char == "\n":
        return " "
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def error(
    status: int, title: str, text: str, *, remedy: str = "", links: Iterable[Link] = ()
) -> bytes:
    """A page that says what happened and what to do.

    Args:
        status: the HTTP status it comes with.
        title: what happened, in a few words.
        text: the same in a sentence or two.
        remedy: what to do or to type instead.
        links: where to go instead.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [
        f'<p class="status">{status} {escape(phrase)}</p>',
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(text)}</p>",
    ]
    if remedy:
        lines.append(f'<p class="remedy">{escape(remedy)}</p>')
    return _message(title, "\n".join(lines) + _links(links))


def confirm(origin: str, path: str, *, app: str, sender: str = "") -> bytes:
    """The page "another site sent you here", shown before anything is sent to the app.

    The link is followed from our own page, so the browser then says that it is same-origin.

    Args:
        origin: the own origin, ``http://LABEL.localhost:PORT``; what the browser called us.
        path: the path and query that were asked for, as they came; they begin with a slash.
        app: what is there: ``grafana in namespace monitoring``.
        sender: the other site's origin, where the browser tells.

    Raises:
        ValueError: the path does not begin with a slash, so the link might lead elsewhere.
    """
    if not path.startswith("/"):
        raise ValueError(f"a path begins with a slash: {path!r}")
    # The whole address: a bare //evil.example/ would be another host.
    address = origin + path
    who = f"{sender} sent you here" if sender else "Another site sent you here"
    body = (
        f"<h1>{escape(who)}</h1>\n"
        f"<p>The link leads to {escape(app)}, an app of your cluster, and would open it with your "
        "rights. Nothing has been sent to it yet.</p>\n"
        f'<p class="address">{escape(address, 2000)}</p>\n'
        f'<p><a class="go" href="{escape(address, len(address))}">Continue to the app</a></p>\n'
        "<p>If you did not expect this, close the page.</p>\n"
    )
    return _message("Another site sent you here", body)


def unknown_host(host: str, near: Iterable[Link], *, index: str) -> bytes:
    """The page for a host name that means no service.

    It names services, so it is for those alone who have shown the token: a host that means
    nothing has no cookie, and must send its visitors to the index's host for it.

    Args:
        host: what was asked for.
        near: the services with names like it.
        index: the address of the index page.
    """
    near = list(near)
    text = f"The gateway knows no service by the name {host}."
    if near:
        text += " These are near:"
    return error(
        HTTPStatus.NOT_FOUND,
        "No such service",
        text,
        links=[*near, Link("All services", index)],
    )


def _message(title: str, body: str) -> bytes:
    return frame(title, f"<main>\n{body}\n</main>")


def _links(links: Iterable[Link]) -> str:
    items = "\n".join(
        f'<li><a href="{escape(link.href, len(link.href))}">{escape(link.text)}</a></li>'
        for link in links
    )
    return f'\n<ul class="links">\n{items}\n</ul>' if items else ""


def frame(title: str, body: str, *, script: bool = False, kind: str = "page") -> bytes:
    """A whole page around a body that is HTML already.

    Args:
        title: the document's title, as text.
        body: the inside of ``<body>``, escaped.
        script: load the script, too.
        kind: the class of the body.
    """
    load = f'<script src="{ASSETS}index.js" defer></script>\n' if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n"
        f'<link rel="icon" href="{ASSETS}icon.svg">\n'
        f'<link rel="stylesheet" href="{ASSETS}index.css">\n{load}'
        f'</head>\n<body class="{kind}">\n{body}\n</body>\n</html>\n'
    ).encode()
