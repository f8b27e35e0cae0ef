"""The fake apiserver's front: reads a request, asks who it is, and finds what answers."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from aiohttp import web
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
from proxyurls.testing.protocol import METHODS, Incoming, Nothing, Protocol, plain
from proxyurls.testing.refusal import Object, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENAPI = "/openapi/v2"  # an empty document, with which kubectl validates nothing
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
    """Answers every request of a fake cluster."""

    def __init__(self, api: API, onward: proxy.Proxy) -> None:
        self.api = api
        self.onward = onward
        self.routes: dict[tuple[str, int], tuple[str, int]] = {}  # what an address really is
        self.reachable: set[str] = set()  # loopback addresses that may be proxied to

    async def handle(self, request: Incoming) -> web.StreamResponse:
        """Answer one request."""
        protocol = cast("Protocol", request.protocol)
        target, protocol.target = protocol.target or request.raw_path, None
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
            return await self._answer(request, asked)
        except Refusal as refused:
            made = answer(refused.code, refused.status(), request.method)
            if refused.reason == "Forbidden":
                made.headers["X-Content-Type-Options"] = "nosniff"
            return made

    async def _answer(self, request: Incoming, asked: forwarding.Asked) -> web.StreamResponse:
        certificate = request.get_extra_info("peercert")
        user = auth.authenticate(request.headers, certificate, self.api.tokens, self.api.nobody)
        if user is auth.ADMIN:
            auth.check_local(request.headers)
        user = auth.impersonate(user, request.headers, self.api.store)
        call = Call.parse(asked.path)
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        watching = query.get("watch") in ("1", "true")
        act = auth.Act(request.method.lower().replace("head", "get"), path=asked.path)
        if call is not None:
            act = call.act(request.method, watch=watching)
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
        kinds = ("services", "pods", "nodes")
        if call.subresource == "proxy" and call.plural in kinds and not call.group:
            return await self._proxy(request, asked, call)
        accept = request.headers.get("Accept", "")
        if watching and not call.name and request.method == "GET":
            return await self._watch(request, call, query, accept)
        body = await request.content.read()
        wish = Wish(request.method, query, accept, request.content_type, body)
        status, content = self.api.answer(user, call, wish)
        return answer(status, content, request.method)

    async def _proxy(
        self, request: Incoming, asked: forwarding.Asked, call: Call
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
            return await upgrade.pass_on(request, errand._replace(query=""))
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
