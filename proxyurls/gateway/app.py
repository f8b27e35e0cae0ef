"""The gateway: each request is decided on, and then passed on, or answered with a page of ours."""

from __future__ import annotations

import re
import time
import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from weakref import WeakKeyDictionary

from aiohttp import web

from proxyurls.errors import (
    ClusterError,
    CredentialError,
    InvalidInput,
    InvalidSuffix,
    ProxyURLsError,
    ServiceNotFound,
)
from proxyurls.gateway import answers, forward, pages
from proxyurls.gateway.access import (
    API,
    OPEN,
    Asset,
    Confirm,
    Facts,
    Forward,
    HandOver,
    Open,
    Own,
    Refuse,
)
from proxyurls.gateway.connect import NoAnswer
from proxyurls.gateway.headers import api_request, request_headers
from proxyurls.gateway.index import near
from proxyurls.gateway.lookup import Lookup, NoWebApp
from proxyurls.gateway.paths import asked
from proxyurls.gateway.peers import is_stranger
from proxyurls.gateway.upgrade import is_upgrade, tunnel
from proxyurls.target import Target
from proxyurls.undo.unprefix import Mount
from proxyurls.urls import parse_url

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable

    from proxyurls.gateway.access import Access, Decision
    from proxyurls.gateway.connect import Upstream
    from proxyurls.gateway.feed import Feed
    from proxyurls.gateway.filter import Filter
    from proxyurls.gateway.hosts import Hosts
    from proxyurls.gateway.index import IndexPage

_LINK_SECONDS = 5.0  # between two fresh links on the terminal


class Gateway:
    """Answers requests.

    Args:
        access: who may do what.
        upstream: the apiserver.
        hosts: the labels of this run.
        tell: takes a line for the person at the terminal.
        only: the one target that is served, or None for all.
        start: where a fresh link leads: a label and a path.
        index: the index page and what it shows; None where there is none.
        api: which requests to the API itself may pass; None for none.
        server_host: send the apiserver's own host, and not the browser's.
    """

    def __init__(
        self,
        access: Access,
        upstream: Upstream,
        hosts: Hosts,
        *,
        tell: Callable[[str], None],
        only: Target | None = None,
        start: tuple[str, str] = ("", "/"),
        index: tuple[IndexPage, Feed] | None = None,
        api: Filter | None = None,
        server_host: bool = False,
    ) -> None:
        self._access = access
        self._upstream = upstream
        self._hosts = hosts
        self._tell = tell
        self._only = only
        self._start = start
        self._index = index
        self._filter = api
        self._server = upstream.origin if server_host else None
        self._lookup = Lookup(upstream)
        self._told = float("-inf")
        self._dropped: set[str] = set()
        self._bugs: set[str] = set()
        # Asked once for each connection, for it takes the kernel's whole table.
        self._strangers: WeakKeyDictionary[Transport, bool] = WeakKeyDictionary()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever happens."""
        try:
            return await self._answer(request)
        except NoAnswer as error:
            return answers.failed(request, 504, "The apiserver does not answer", str(error))
        except (ClusterError, CredentialError) as error:
            return answers.failed(request, 502, "The apiserver can't be asked", str(error))
        except forward.BodyTooSlow:
            made = answers.page(request, 408, "Too slow", "The request's body did not come.")
            made.force_close()
            return made
        except ConnectionResetError:  # the browser has gone, and nobody reads this
            return web.Response(status=499)
        except Exception as error:  # noqa: BLE001  (a bug: no traceback, but its place)
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{PurePath(last.filename).name}:{last.lineno}"
            if place not in self._bugs:
                self._bugs.add(place)
                self._tell(f"internal error: {type(error).__name__} at {place}; please report it")
            return answers.page(
                request, 500, "Internal error", f"A bug, at {place}; please report it."
            )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        hosts = request.headers.getall("Host", ())
        if len(hosts) != 1 or request.raw_path[:1] != "/" or request.method == "CONNECT":
            return answers.page(
                request, 400, "Bad request", "It has no Host, or several, or no path."
            )
        facts = facts_of(request, hosts[0])
        if facts.websocket and (request.content_length or "Transfer-Encoding" in request.headers):
            made = answers.page(request, 400, "Bad request", "An upgrade has no body.")
            made.force_close()
            return made
        decision = self._access.decide(facts)
        if isinstance(decision, (Forward, API, Own, Open)) and self._is_thiefs(request):
            return answers.page(request, 403, *answers.STRANGER)
        if isinstance(decision, Forward):
            return await self._forward(request, facts, decision.label)
        if isinstance(decision, API):
            return await self._api(request, facts)
        return await self._own(request, facts, decision)

    async def _own(
        self, request: web.BaseRequest, facts: Facts, decision: Decision
    ) -> web.StreamResponse:
        """Answer what goes nowhere."""
        if isinstance(decision, Refuse):
            return self._refuse(request, facts, decision)
        if isinstance(decision, HandOver):
            if self._is_thiefs(request):
                if decision.cookie:
                    self._tell(f"another user of this machine used the address; open {self.link()}")
                return answers.page(request, 403, *answers.STRANGER)
            return answers.hand_over(decision)
        if isinstance(decision, Confirm):
            path = request.raw_path
            body = pages.confirm(
                decision.origin, path, app=self._app(facts, decision), sender=_sender(request)
            )
            return answers.response(request, 200, pages.HEADERS, body)
        if isinstance(decision, Open):
            return await self._open(request, decision)
        if isinstance(decision, Asset):
            asset = pages.asset(decision.name)
            if asset is None:
                return answers.page(request, 404, "No such page", "The gateway has no such file.")
            fresh = request.headers.get("If-None-Match") == asset.etag
            return answers.response(request, 304 if fresh else 200, asset.headers, asset.body)
        if isinstance(decision, Own) and decision.path == "/" and self._index is not None:
            query = parse_qs(facts.query).get("q", [""])[0]
            known = request.headers.get("If-None-Match", "")
            status, headers, body = self._index[0].answer(query, known)
            return answers.response(request, status, headers, body)
        return answers.page(request, 404, "No such page", "The gateway has no such page.")

    def _is_thiefs(self, request: web.BaseRequest) -> bool:
        """Whether another user of this machine came, with a good cookie or token or for a ticket.

        Browsers send a host's cookies to all its ports, so also to that user's server.
        """
        transport = request.transport
        if not self._access.asks or transport is None:
            return False
        known = self._strangers.get(transport)
        if known is None:
            known = self._strangers[transport] = _is_strangers(request)
        return known

    def _refuse(
        self, request: web.BaseRequest, facts: Facts, refused: Refuse
    ) -> web.StreamResponse:
        title, text, remedy = answers.REFUSALS[refused.reason]
        if refused.reason in ("token", "stale") and refused.navigation:
            now = time.monotonic()
            if now - self._told > _LINK_SECONDS:
                self._told = now
                self._tell(f"a browser came without a good token; open {self.link()}")
        if refused.reason == "host":
            text = text.format(facts.host, self._access.host(self._start[0]))
        return answers.page(request, refused.status, title, text, remedy)

    def link(self) -> str:
        """An address that lets a browser in, once."""
        return self._access.link(*self._start)

    def _app(self, facts: Facts, decision: Confirm) -> str:
        label = decision.label
        if facts.path.startswith(OPEN):
            label = facts.path[len(OPEN) :]
        target = self._target(label)
        if target is None:
            return "something"
        where = f" in namespace {target.namespace}" if target.namespace else ""
        return f"{target.kind} {target.name}{where}"

    def _target(self, label: str) -> Target | None:
        return self._only if self._only is not None else self._hosts.target(label)

    async def _open(self, request: web.BaseRequest, wanted: Open) -> web.StreamResponse:
        """From the index to an app, if there is one."""
        target = self._target(wanted.label)
        if target is None:
            return self._unknown(request, wanted.label, answers.NO_SERVICE)
        try:
            await self._lookup.prefix(target)
        except NoWebApp as error:
            return answers.page(request, 404, "No web app", str(error))
        except ServiceNotFound as error:
            return self._unknown(request, wanted.label, str(error))
        return answers.redirect(303, self._access.address(wanted.label, wanted.path))

    def _unknown(
        self, request: web.BaseRequest, label: str, text: str, origin: str = ""
    ) -> web.StreamResponse:
        """There is no such service; a person gets those with names like it.

        Args:
            request: the request.
            label: what was asked for.
            text: what to tell a program, or where there is no index.
            origin: the index's, where the page stands on another.
        """
        if self._index is None or not answers.is_for_people(request):
            return answers.page(request, 404, "No such service", text)
        entries = self._index[1].snapshot().entries
        links = [
            pages.Link(
                f"{one.name} in {one.namespace}",
                origin + href(self._hosts, Target("service", one.name, one.namespace)),
            )
            for one in near(entries, label)
        ]
        body = pages.unknown_host(f"{label}.localhost", links, index=f"{origin}/")
        return answers.response(request, 404, pages.HEADERS, body)

    async def _forward(
        self, request: web.BaseRequest, facts: Facts, label: str
    ) -> web.StreamResponse:
        """Pass a request on to an app."""
        target = self._target(label)
        index = f"http://{self._access.host()}"
        if target is None:
            return self._unknown(request, label, answers.NO_SERVICE, index)
        try:
            prefix = await self._lookup.prefix(target)
        except ServiceNotFound as error:
            return self._unknown(request, label, str(error), index)
        try:
            suffix, prefixed = asked(request.raw_path, prefix)
        except InvalidSuffix as error:
            return answers.page(request, 400, "Bad request", str(error))
        page = facts.method in ("GET", "HEAD") and facts.mode in (None, "navigate")
        if prefixed and page and not facts.websocket:
            return answers.redirect(302, suffix)
        headers = request_headers(request.headers.items(), server=self._server)
        mount = Mount(prefix, headers[0][1].lower(), f"http://{facts.host.lower()}")
        if facts.websocket:
            path, _, query = suffix.partition("?")
            if query:
                self._say_dropped(target, path)
            return await tunnel(request, self._upstream, prefix + path, headers, mount)
        person = facts.mode == "navigate"

        def refusal(error: ProxyURLsError, status: int) -> web.StreamResponse:
            self._lookup.forget(target)
            did = "could not reach the app" if status >= 500 else "did not let it through"
            return answers.page(request, status, f"The apiserver {did}", str(error))

        return await forward.exchange(
            request,
            self._upstream,
            prefix + suffix,
            headers,
            mount,
            target=target,
            refusal=refusal if person else None,
        )

    def _say_dropped(self, target: Target, path: str) -> None:
        """Once for each app: a page may open thousands."""
        name = f"{target.kind} {target.name!r}"
        if name not in self._dropped and len(self._dropped) < 100:
            self._dropped.add(name)
            self._tell(
                f"the apiserver drops the query of a WebSocket (kubernetes#77142), so {name} did "
                f"not get that of {path!r}"
            )

    async def _api(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """Pass a request on to the API itself, as kubectl proxy does."""
        try:
            path = asked(request.raw_path).suffix
        except InvalidSuffix as error:
            return answers.page(request, 400, "Bad request", str(error))
        if self._filter is None or not self._filter.accepts(request.method, path, facts.host):
            return web.Response(status=403, text="Forbidden\n")
        if facts.dest is not None and _PROXY.match(unquote(path.partition("?")[0])):
            # An app's page would stand on the API's own origin, and could ask it anything.
            found = _app_of(path)
            page = facts.mode == "navigate" and facts.method == "GET" and facts.dest == "document"
            if found is not None and page:
                target, suffix = found
                return answers.redirect(
                    303, self._access.address(self._hosts.label(target), suffix)
                )
            return answers.page(request, 403, *answers.OF_THE_API)
        host = urlsplit(self._upstream.origin).netloc
        headers = api_request(request.headers.items(), host)
        if facts.websocket:
            return await tunnel(request, self._upstream, path, headers, None)
        return await forward.exchange(request, self._upstream, path, headers, None)


def href(hosts: Hosts, target: Target) -> str:
    """The link from the index to a target's app."""
    return f"{OPEN}{hosts.label(target)}"


def facts_of(request: web.BaseRequest, host: str) -> Facts:
    """What a request says of itself."""
    get = request.headers.get
    path, _, query = request.raw_path.partition("?")
    return Facts(
        request.method,
        host,
        path,
        query,
        ";".join(request.headers.getall("Cookie", ())),
        get("Origin"),
        get("Sec-Fetch-Site"),
        get("Sec-Fetch-Mode"),
        get("Sec-Fetch-Dest"),
        is_upgrade(request),
    )


# As the apiserver reads a path: decoded.
_PROXY = re.compile(r"/api/v1/(?:namespaces/[^/]*/(?:services|pods)|nodes)/[^/]*/proxy(?:/|$)")


def _app_of(path: str) -> tuple[Target, str] | None:
    """The app behind a proxy's path, if it is spelt as usual."""
    try:
        url = parse_url(path)
    except InvalidInput:
        return None
    return url.target, url.suffix or "/"


def _is_strangers(request: web.BaseRequest) -> bool:
    if request.transport is None:
        return False
    peer, own = (request.transport.get_extra_info(name) for name in ("peername", "sockname"))
    return isinstance(peer, tuple) and is_stranger(peer[:2], own[:2])


def _sender(request: web.BaseRequest) -> str:
    """The origin of the page that sent the browser here, if it says so."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # "http://["
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
