"""Who may do what at the gateway: every request is decided here before anything else happens.

What it is up against: a page on the web that makes the browser ask (DNS rebinding, cross-site
requests), an app of the cluster that reaches for another app or for the API, and another user of
this machine. Hence an exact Host, a secret that only the terminal's reader has, and no request
that another site made.

Sources: fetch metadata (https://www.w3.org/TR/fetch-metadata/), cookies (RFC 6265bis), and
what Chromium was seen to do: all hosts below ``localhost`` are sites of their own, and a
WebSocket's handshake bears an Origin and no Sec-Fetch-Site.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, quote

from proxyurls.gateway.pages import ASSETS, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

ENTER = f"{RESERVED}enter"  # of every host: a token becomes a cookie here
OPEN = f"{RESERVED}open/"  # of the index's host: from there to an app's own host
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_LABEL_HOST = re.compile(r"([a-z0-9_-]{1,63})\.localhost")
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-~]*")
_SECONDS = 60.0  # that a ticket from one of our hosts to another is good for
_MOST_TICKETS = 1000
_MOST_HOSTS = 1000  # whose cookies are kept, so that not every request computes one


class Facts(NamedTuple):
    """What a request says of itself; None where a header isn't there.

    Attributes:
        method: the HTTP method.
        host: the Host header.
        path: the request target up to its query, as it came.
        query: what follows the question mark.
        cookie: all Cookie headers, joined by ``;``.
        origin: the Origin header.
        site: Sec-Fetch-Site.
        mode: Sec-Fetch-Mode.
        dest: Sec-Fetch-Dest.
        websocket: whether it asks for another protocol.
    """

    method: str
    host: str
    path: str
    query: str = ""
    cookie: str = ""
    origin: str | None = None
    site: str | None = None
    mode: str | None = None
    dest: str | None = None
    websocket: bool = False

    def __repr__(self) -> str:
        """Without cookie and query, which may hold a token."""
        return f"Facts({self.method!r}, {self.host!r}, {self.path!r})"


class Forward(NamedTuple):
    """Pass it on to the app of this host ("" where the gateway has but one)."""

    label: str


class Own(NamedTuple):
    """The gateway's own: the index page and what is below it."""

    path: str


class Asset(NamedTuple):
    """A file of the gateway's own pages, by name. No secret, so it takes no cookie."""

    name: str


class API(NamedTuple):
    """Pass it on to the API itself."""


class Open(NamedTuple):
    """Send the browser to an app's own host; `Access.address` says where."""

    label: str
    path: str


class HandOver(NamedTuple):
    """Send the browser on, with a cookie.

    Attributes:
        location: where to.
        cookie: the Set-Cookie header, or "" for none.
        by_page: not by a redirect but by a page of ours that leads on: what follows a redirect
            is counted as asked for by the site that began it, what a page asks for as its own.
    """

    location: str
    cookie: str = ""
    by_page: bool = False


class Confirm(NamedTuple):
    """Ask first: another site sent the browser here."""

    label: str
    origin: str


class Refuse(NamedTuple):
    """Refuse it.

    Attributes:
        status: the HTTP status.
        reason: "host", "site", "token" (none, or a wrong cookie), "stale" (a token that is used
            up or unknown) or "path" (nothing is there).
        navigation: whether a person waits for a page.
    """

    status: int
    reason: str
    navigation: bool


_Tickets = dict[bytes, tuple[str, str, float]]  # by digest: where, which path, until when
Decision = Forward | Own | Asset | API | Open | HandOver | Confirm | Refuse


class Access:
    """The decisions of one run of the gateway.

    Args:
        secret: random bytes that nobody else has.
        port: the port that browsers name; None for a Unix socket, whose file says who may.
        token: ask for a cookie.
        api: hand out the API itself.
        only: the one label that is served, or None for every one, with an index.
        single: serve that one at the plain host, not at a label's.
        name: the plain host, without port, that addresses have; those of loopback are ours too.
        any_host: says of a host name without its port whether it is ours, whatever the port.
        clock: seconds that never go back.
        random: gives a text that nobody can guess.
    """

    def __init__(
        self,
        secret: bytes,
        port: int | None,
        *,
        random: Callable[[], str],
        token: bool = True,
        api: bool = False,
        only: str | None = None,
        single: bool = False,
        name: str = "localhost",
        any_host: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._port = port
        self.asks = self._token = token and port is not None
        self._api = api
        self._only = only
        self._single = single
        self._any_host = any_host
        self._clock = clock
        self._random = random
        self._name = name
        self._names = (*LOOPBACK, name)
        self._cookies: dict[str, str] = {}
        self._tickets: _Tickets = {}
        self._vias: _Tickets = {}  # anybody may ask for these, so they push out no others
        self.cookie_name = f"proxyurls-{port}"  # cookies don't tell ports apart, so names must

    def decide(self, facts: Facts) -> Decision:
        """What is to be done with a request."""
        host = facts.host.lower()
        label = self._label(host) if facts.host.isascii() else None  # "\u212a".lower() is "k"
        page = facts.mode in (None, "navigate") and facts.dest in (None, "document")
        navigation = facts.method == "GET" and page and not facts.websocket
        if label is None:
            return Refuse(421, "host", navigation)
        token = self._token_of(facts, label)
        if token is not None:
            return self._enter(facts, host, label, token, navigation=navigation)
        if self._foreign(facts, host):
            if not (navigation and facts.mode == "navigate"):
                return Refuse(403, "site", navigation)
            if not self._harmless(facts, label):
                return Confirm(label, f"http://{host}")
        if facts.path.startswith(ASSETS):
            return Asset(facts.path[len(ASSETS) :])
        if self._token and not self._has_cookie(facts.cookie, host):
            if label and self._only is None and navigation and facts.mode == "navigate":
                return self._ask_index(label, facts)
            return Refuse(403, "token", navigation)
        return self._place(facts, label, navigation=navigation)

    def _place(self, facts: Facts, label: str, *, navigation: bool) -> Decision:
        """What is at a place, for one who may go there."""
        reserved = facts.path.startswith(RESERVED)
        if label or self._single:
            if self._single and facts.dest == "serviceworker":
                # It would outlive this run, and rule whatever is at this origin then.
                return Refuse(403, "site", navigation)
            return Refuse(404, "path", navigation) if reserved else Forward(label)
        if self._only is not None:
            return Refuse(404, "host", navigation)
        if facts.path.startswith(OPEN):
            path = _first(facts.query, "path")
            return Open(facts.path[len(OPEN) :], path if _LOCAL_PATH.fullmatch(path) else "/")
        # A browser gets the index, and a script that was written for kubectl proxy the list of the
        # API's paths. (Safari before 16.4 does not tell, and gets that too.)
        wants_index = not self._api or facts.site is not None
        if reserved or (facts.path == "/" and wants_index):
            return Own(facts.path)
        return API() if self._api else Refuse(404, "path", navigation)

    def link(self, label: str = "", path: str = "/") -> str:
        """An address for the terminal, with a token that is good for one browser, once.

        Args:
            label: the host's label, or "" for the index or the single target.
            path: where it leads to.
        """
        host = self.host(label)
        if not self._token:
            return f"http://{host}{path}"
        local = path if _LOCAL_PATH.match(path) else f"/.{path}"  # "//x" would be another host
        token = self._issue(self._tickets, host, local, None)
        place = ENTER if label or self._single else "/"
        return f"http://{host}{place}?token={token}"

    def address(self, label: str, path: str) -> str:
        """Where `Open` sends the browser: the app's own host, with a ticket.

        Args:
            label: the label, which must be one that the gateway serves.
            path: the path there.
        """
        host = self.host(label)
        return f"http://{host}{ENTER}?token={self._issue(self._tickets, host, path, _SECONDS)}"

    def host(self, label: str = "") -> str:
        """The host of a label (of the index for ""), with the port."""
        name = f"{label}.localhost" if label else self._name
        return name if self._port in (80, None) else f"{name}:{self._port}"

    def _label(self, host: str) -> str | None:
        """The label of a Host header; "" for the plain hosts, None for what is not ours."""
        name, port = host, ""
        match = re.fullmatch(r"(.+?):([0-9]{1,5})", host)
        if match and not (host[0] == "[" and host[-1] == "]"):
            name, port = match[1], match[2]
        here = self._port in (None, int(port or 80))
        if here and name in self._names:
            return ""
        labelled = _LABEL_HOST.fullmatch(name)
        if here and labelled and not self._single:
            return labelled[1] if self._only in (None, labelled[1]) else None
        return "" if self._any_host is not None and self._any_host(name) else None

    def _foreign(self, facts: Facts, host: str) -> bool:
        """Whether another origin is behind a request."""
        own = f"http://{host}"
        if facts.origin == own:
            return facts.site not in (None, "same-origin", "none")
        if facts.site in ("same-origin", "none"):
            # Origin is "null" in a form's post where the page's Referrer-Policy is no-referrer.
            return facts.origin is not None and (facts.origin != "null" or facts.websocket)
        return facts.site is not None or facts.origin is not None

    def _token_of(self, facts: Facts, label: str) -> str | None:
        """The token in an address; None where there is none."""
        if facts.path == ENTER or (facts.path == "/" and not label and not self._single):
            return parse_qs(facts.query).get("token", [None])[0]
        return None

    def _enter(
        self, facts: Facts, host: str, label: str, token: str, *, navigation: bool
    ) -> Decision:
        if not navigation:
            return Refuse(403, "site", navigation)
        path = self._redeem(self._tickets, host, token)
        elsewhere = facts.site not in (None, "none", "same-origin")
        if path is not None:
            return HandOver(path, self._set_cookie(host) if self._token else "", elsewhere)
        if not self._token or self._has_cookie(facts.cookie, host):  # an old bookmark
            return Confirm(label, f"http://{host}") if elsewhere else HandOver("/")
        return Refuse(403, "stale", navigation)

    def _ask_index(self, label: str, facts: Facts) -> HandOver:
        """To the index's host, whose cookie says whether this browser was let in."""
        target = f"{facts.path}?{facts.query}" if facts.query else facts.path
        via = self._issue(self._vias, label, target, _SECONDS)
        place = f"http://{self.host()}{OPEN}{label}?via={via}&path={_quoted(target)}"
        return HandOver(place)

    def _harmless(self, facts: Facts, label: str) -> bool:
        """Whether another site may lead the browser to a page: to the index, as nothing is sent
        to an app for it; and to what was asked of an app's own host, by no other site.
        """
        if label or self._single:
            return False
        if facts.path.startswith(OPEN):
            via, path = (_first(facts.query, name) for name in ("via", "path"))
            return self._redeem(self._vias, facts.path[len(OPEN) :], via) == path
        return facts.path == "/"

    def _issue(self, tickets: _Tickets, host: str, path: str, seconds: float | None) -> str:
        """A token that is good once, at one host, and leads to one path."""
        if len(tickets) >= _MOST_TICKETS:
            # The oldest goes (a dict keeps its order), but one from the terminal last.
            ends = ((key, known[2]) for key, known in tickets.items())
            oldest = next((key for key, end in ends if end != float("inf")), None)
            del tickets[oldest or next(iter(tickets))]
        token = self._random()
        end = float("inf") if seconds is None else self._clock() + seconds
        tickets[self._digest("ticket", token)] = (host, path, end)
        return token

    def _redeem(self, tickets: _Tickets, host: str, token: str) -> str | None:
        # Looked up by its digest, so that the time it takes tells nothing about the token.
        digest = self._digest("ticket", token)
        known = tickets.get(digest)
        if known is None or known[0] != host:
            return None
        del tickets[digest]
        return known[1] if self._clock() <= known[2] else None

    def _digest(self, purpose: str, text: str) -> bytes:
        message = f"{purpose} {text}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._secret, message, hashlib.sha256)

    def _cookie(self, host: str) -> str:
        """One host's cookie is worthless on another: it says which it is for."""
        known = self._cookies.get(host)
        if known is None:
            known = urlsafe_b64encode(self._digest("cookie", host)).decode().rstrip("=")
            if len(self._cookies) >= _MOST_HOSTS:
                self._cookies.clear()
            self._cookies[host] = known
        return known

    def _set_cookie(self, host: str) -> str:
        # Lax, since a Strict one isn't sent when the browser comes from the index's host.
        return f"{self.cookie_name}={self._cookie(host)}; Path=/; HttpOnly; SameSite=Lax"

    def _has_cookie(self, cookies: str, host: str) -> bool:
        if self.cookie_name not in cookies:
            return False
        wanted = self._cookie(host).encode()
        return any(
            hmac.compare_digest(value.strip().encode("utf-8", "surrogateescape"), wanted)
            for name, _, value in (pair.partition("=") for pair in cookies.split(";"))
            if name.strip() == self.cookie_name
        )


def _quoted(path: str) -> str:
    """A path as a parameter, whatever bytes came in it."""
    return quote(path, safe="/", errors="surrogateescape")


def _first(query: str, name: str) -> str:
    """The first value of a query's parameter, decoded, or ""."""
    return parse_qs(query).get(name, [""])[0]
