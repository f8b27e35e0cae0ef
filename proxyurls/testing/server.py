"""The fake apiserver's front: reads a request, asks who it is, and finds what answers."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from aiohttp import HttpVersion11, web
from multidict import CIMultiDict

from proxyurls.testing import (
    auth,
    forwarding,
    location,
    proxy,
    refusal,
    resources,
    upgrade,
    watch,
)
from proxyurls.testing.api import API, Wish
from proxyurls.testing.call import Call
from proxyurls.testing.cutting import mend
from proxyurls.testing.protocol import METHODS, Incoming, Nothing, Protocol, plain
from proxyurls.testing.recorded import Headers, Recorded
from proxyurls.testing.refusal import Object, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyurls.testing.faults import Faults
    from proxyurls.testing.requests import Requests

OPENAPI = "/openapi/v2"  # an empty document, with which kubectl validates nothing
BUFFER = 2048  # bytes whose number Go's net/http knows before it sends the head
HEALTH = ("/healthz", "/readyz", "/livez")


def answer(status: int, content: Object, method: str = "GET") -> web.Response:
    """JSON of the apiserver's own."""
    headers = CIMultiDict([proxy.PRIVATE, ("Content-Type", "application/json")])
    body = (json.dumps(content) + "\n").encode("utf-8", "replace")
    made = web.Response(status=status, body=body, headers=headers)
    if method == "HEAD":
        made.headers["Content-Length"] = str(len(body))
    return made


class Front:
    """Answers every request of a fake cluster, unless a fault does, and records it."""

    def __init__(self, api: API, onward: proxy.Proxy, requests: Requests, faults: Faults) -> None:
        self.api = api
        self.onward = onward
        self.requests = requests
        self.faults = faults
        self.routes: dict[tuple[str, int], tuple[str, int]] = {}  # what an address really is
        self.reachable: set[str] = set()  # loopback addresses that may be proxied to

    async def handle(self, request: Incoming) -> web.StreamResponse:
        """Answer one request."""
        protocol = cast("Protocol", request.protocol)
        target, protocol.target = protocol.target or request.raw_path, None
        mend(protocol)
        try:
            return await self._handle(request, target)
        finally:
            protocol.fresh = True

    async def _handle(self, request: Incoming, target: str) -> web.StreamResponse:
        asked = forwarding.Asked.parse(target)
        if asked is None:
            made = plain(400, "400 Bad Request")
            made.force_close()
            return made
        try:
            return await self._answer(request, asked, target)
        except Refusal as refused:
            made = answer(refused.code, refused.status(), request.method)
            if refused.reason == "Forbidden":
                made.headers["X-Content-Type-Options"] = "nosniff"
            if refused.retry_after is not None:
                made.headers["Retry-After"] = str(refused.retry_after)
            return made

    def _user(self, request: Incoming) -> auth.User:
        certificate = request.get_extra_info("peercert")
        user = auth.authenticate(request.headers, certificate, self.api.tokens, self.api.nobody)
        if user is auth.ADMIN:
            auth.check_local(request.headers)
        return auth.impersonate(user, request.headers, self.api.store)

    async def _answer(
        self, request: Incoming, asked: forwarding.Asked, target: str
    ) -> web.StreamResponse:
        call = Call.parse(asked.path)
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        watching = query.get("watch") in ("1", "true")
        act = auth.Act(request.method.lower().replace("head", "get"), path=asked.path)
        path, headers = target.partition("?")[0], Headers(proxy.headers_of(request))
        record = Recorded(request.method, path, asked.query, headers)
        if call is not None:
            act = call.act(request.method, watch=watching)
            record.verb, record.proxied = act.verb, call.is_proxied
        refused: Refusal | None = None
        try:
            user = self._user(request)
            record.user = user.name
        except Refusal as error:  # a fault may come before it
            refused = error
        self.requests.add(record)
        if (made := await self.faults.happen(record, request)) is not None:
            return made
        if refused is not None:
            raise refused
        auth.check(user, act, self.api.store)
        if asked.path in HEALTH:
            return plain(200, "ok")
        if asked.path == OPENAPI:
            return web.Response(content_type="application/com.github.proto-openapi.spec.v2")
        if call is None:
            document = resources.document(asked.path)
            if document is None:
                raise refusal.unknown_path()
            return answer(200, document, request.method)
        if record.proxied:
            return await self._proxy(request, asked, call, record)
        accept = request.headers.get("Accept", "")
        if watching and not call.name and request.method == "GET":
            return await self._watch(request, call, query, accept)
        body = await request.content.read()
        wish = Wish(request.method, query, accept, request.content_type, body)
        status, content = self.api.answer(user, call, wish)
        made = answer(status, content, request.method)
        long = isinstance(made.body, bytes) and len(made.body) > BUFFER
        if long and request.method != "HEAD" and request.version >= HttpVersion11:
            made.enable_chunked_encoding()
        return made

    async def _proxy(
        self, request: Incoming, asked: forwarding.Asked, call: Call, record: Recorded
    ) -> web.StreamResponse:
        if request.method.encode() not in METHODS:
            raise refusal.wrong_method()
        if not call.name:
            raise refusal.bad_request("name must be provided")

        def get(plural: str, name: str) -> Object:
            resource = resources.core(plural)
            namespace = call.namespace if resource.namespaced else ""
            return self.api.store.get(resource, namespace, name)

        found = location.locate(call.plural, call.name, get, reachable=self.reachable)
        way = forwarding.way(asked.path, call.rest)
        upgraded = forwarding.is_upgrade(proxy.headers_of(request))
        if not way.path and not upgraded:
            query = f"?{asked.query}" if asked.query else ""
            headers = CIMultiDict([proxy.PRIVATE])
            headers["Location"] = forwarding.encode(asked.path) + "/" + query
            return web.Response(status=301, headers=headers)
        number = found.dialled
        if number is None:  # the real one panics
            if request.transport is not None:
                request.transport.abort()
            return Nothing()
        address = self.routes.get((found.ip, number))
        if found.ip in self.reachable:
            address = (found.ip, number)
        if upgraded or way.sendable:
            fail = refusal.undialled if upgraded else refusal.unreachable
            if number > 65535:
                raise fail(f"dial tcp: address {found.port}: invalid port")
            if address is None:  # made up, and a real machine's elsewhere, maybe
                raise fail(f"dial tcp {found.host_port}: connect: connection refused")
        errand = proxy.Errand(found, address or ("", 0), way, asked.query)
        if upgraded:
            errand = errand._replace(query="")
        if upgraded or way.sendable:
            record.suffix = errand.target
        if upgraded:
            return await upgrade.pass_on(request, errand)
        return await self.onward.pass_on(request, errand)

    async def _watch(
        self, request: Incoming, call: Call, query: Mapping[str, str], accept: str
    ) -> web.StreamResponse:
        headers = CIMultiDict([proxy.PRIVATE, ("Content-Type", "application/json")])
        made = web.StreamResponse(headers=headers)
        events = watch.events(self.api.store, call, query, accept)  # or refuses, before any answer
        await made.prepare(request)
        async with contextlib.aclosing(events):
            async for event in events:
                await made.write(json.dumps(event).encode() + b"\n")
        await made.write_eof()
        return made
