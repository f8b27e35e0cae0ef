"""A request through the apiserver's proxy and its answer, step by step: for threads and for tasks.

`proxied` has the rules. What is done with them is written once, for tasks; the transport for
threads waits where the other one gives way. `transport` has both.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

from proxyurls import proxied
from proxyurls.connections import Verbatim, open_pool, request_target
from proxyurls.errors import ConnectionFailed, InvalidConfig, InvalidRequest, InvalidTarget, shown
from proxyurls.status import connection_error
from proxyurls.undo.headers import decoded

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection
    from typing import Literal

    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.errors import APIStatusError
    from proxyurls.undo.page import Page

    Material = tuple[list[tuple[str, str]], ssl.SSLContext | None]

REFUSAL = "proxyurls.refusal"
"""The extension of a response that has the `APIStatusError`, where the apiserver refused."""

# Of a request's extensions; "target" would send something else than was checked.
_EXTENSIONS = ("timeout", "trace")
T = TypeVar("T")
Pool = TypeVar("Pool", bound=httpx.HTTPTransport | httpx.AsyncHTTPTransport)
Other = TypeVar("Other", bound=httpx.BaseTransport | httpx.AsyncBaseTransport)


class RefusedRequest(InvalidRequest, httpx.LocalProtocolError):
    """A request that was not sent: an error of ours, and one that users of httpx expect."""

    def __init__(self, message: str, **where: Any) -> None:
        InvalidRequest.__init__(self, message, **where)
        httpx.LocalProtocolError.__init__(self, message)


class Lease(Generic[Pool]):
    """A pool of connections, and how many answers are still being read from it."""

    def __init__(self, pool: Pool, context: ssl.SSLContext | None) -> None:
        self.pool = pool
        self.context = context
        self.users = 0


class Answer(Generic[Pool]):
    """What the apiserver answered, its body unread unless it may be a refusal."""

    def __init__(self, response: httpx.Response, lease: Lease[Pool]) -> None:
        self.response = response
        self.lease = lease
        self.headers = decoded(response.headers.raw)
        self.body: bytes | None = None
        self.error: APIStatusError | None = None


class Exchanges(ABC, Generic[Pool, Other]):
    """What both transports do. The methods that they add do the waiting, and no more."""

    kind: type[Pool]
    fresh_seconds = 0.0

    def __init__(
        self,
        config: Config,
        *,
        others: Other | Literal["direct", "refuse"] = "direct",
        domain: str = "cluster.local",
        namespaces: Collection[str] = (),
        server_host: bool = False,
        drop_authorization: bool = False,
        credentials: Credentials | None = None,
        retries: int = 0,
        limits: httpx.Limits | None = None,
    ) -> None:
        if isinstance(others, str) and others not in ("direct", "refuse"):
            raise InvalidConfig(
                f"invalid others {shown(others)}; type 'direct', 'refuse' or give a transport"
            )
        if isinstance(namespaces, str):  # its letters would be namespaces
            raise InvalidTarget(
                f"namespaces is one text, {shown(namespaces)}; type [{shown(namespaces)}]",
                text=namespaces,
            )
        self._rules = proxied.check_rules(
            proxied.Rules(
                config.base_url, domain, tuple(namespaces), server_host, drop_authorization
            )
        )
        self._config = config
        self._credentials = credentials or config.credentials()
        self._others = others
        self._client: Any = None  # httpx's own, for other hosts
        self._options: dict[str, Any] = {"retries": retries}
        if limits is not None:
            self._options["limits"] = limits
        self._server = httpx.URL(config.base_url)
        self._root = request_target(config.base_url).rstrip("/")
        self._lock = threading.Lock()
        self._leases: list[Lease[Pool]] = []  # the last one takes new requests
        self._material: Material | None = None
        self._looked = 0.0

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        netloc = url.netloc.decode("ascii")
        try:
            target = proxied.app_at(self._rules, url.scheme, url.host, url.port)
            if target is None:
                return await self._elsewhere(request)
            asked = proxied.InCluster(url.scheme, netloc, url.raw_path.decode("ascii"))
            headers = decoded(request.headers.raw)
            sent = proxied.sent(self._rules, target, request.method, asked, headers)
        except InvalidRequest as error:
            raise RefusedRequest(str(error), text=error.text, span=error.span) from error
        given, context = await self._fresh()
        answer = await self._ask(request, sent, given, context)
        if answer.error is not None and answer.error.status == HTTPStatus.UNAUTHORIZED:
            renewed = await self._run(partial(self._credentials.renew, given))
            self._material = None
            if renewed and _is_replayable(request):
                given, context = await self._fresh()
                answer = await self._ask(request, sent, given, context)
        return await self._finished(sent, answer)

    async def _ask(
        self,
        request: httpx.Request,
        sent: proxied.Sent,
        given: list[tuple[str, str]],
        context: ssl.SSLContext | None,
    ) -> Answer[Pool]:
        """Send it. An answer that may be the apiserver's own is read, and its connection free."""
        passed = httpx.Request(
            request.method,
            self._server,
            # As Go sends them: UTF-8, which impersonated names may need.
            headers=[
                (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
                for name, value in (*sent.headers, *given)
            ],
            stream=request.stream,
            extensions={
                name: request.extensions[name] for name in _EXTENSIONS if name in request.extensions
            },
        )
        passed.url = Verbatim(self._server, self._root + sent.path)
        lease = await self._borrow(context)
        try:
            answer = Answer(await self._send(lease.pool, passed), lease)
            if proxied.may_be_refusal(answer.response.status_code, answer.headers):
                answer.body = await self._read(answer.response)
                answer.error = proxied.refusal(
                    self._rules, sent, answer.response.status_code, answer.body
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            await self._give_back(lease)
            failure = connection_error(self._config.server, error, proxy=self._config.proxy_url)
            failure.__cause__ = error
            raise type(error)(str(failure)) from failure
        except BaseException:
            await self._give_back(lease)
            raise
        if answer.body is not None:
            await self._give_back(lease)
        return answer

    async def _finished(self, sent: proxied.Sent, answer: Answer[Pool]) -> httpx.Response:
        """The answer as the app gave it."""
        response, body = answer.response, answer.body
        try:
            headers, page = proxied.answer(sent, response.status_code, answer.headers)
        except ConnectionFailed as error:
            await self._close(response)
            await self._give_back(answer.lease)
            raise httpx.DecodingError(str(error)) from error
        raw = [
            (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
            for name, value in headers
        ]
        if body is None:
            response.headers = httpx.Headers(raw)
            response.stream = self._body(answer, page)
            return response
        extensions = dict(response.extensions)
        if answer.error is not None:
            extensions[REFUSAL] = answer.error
            # So that raise_for_status says who it was that refused, and why.
            phrase = f"{response.reason_phrase} (the apiserver: {answer.error.detail})"
            extensions["reason_phrase"] = phrase.encode("ascii", "replace")
        return httpx.Response(
            response.status_code, headers=raw, stream=httpx.ByteStream(body), extensions=extensions
        )

    async def _elsewhere(self, request: httpx.Request) -> httpx.Response:
        if self._others == "refuse":
            raise InvalidRequest(
                f"no in-cluster host: {request.url.host!r}, and this transport takes no others; "
                "type NAME.NAMESPACE.svc, or leave others='refuse' out"
            )
        if not isinstance(self._others, str):
            return await self._send(self._others, request)
        with self._lock:
            self._client = self._client or self._make_client()
        # What httpx does where no transport is given: the environment's proxies, for instance.
        return await self._send_by(self._client, request)

    async def _fresh(self) -> Material:
        """Headers and TLS context: files may be read for them, and plugins be run."""
        material = self._material
        if material is None or time.monotonic() - self._looked >= self.fresh_seconds:
            material = self._material = await self._run(self._look)
            self._looked = time.monotonic()
        return material

    def _look(self) -> Material:
        return self._credentials.headers(), self._credentials.ssl_context()

    async def _borrow(self, context: ssl.SSLContext | None) -> Lease[Pool]:
        """The pool for a TLS context. One with another certificate ends with its last answer."""
        idle: list[Lease[Pool]] = []
        with self._lock:
            current = self._leases[-1] if self._leases else None
            if current is None or current.context is not context:
                idle = [lease for lease in self._leases if not lease.users]
                pool = open_pool(self.kind, self._config, context, **self._options)
                current = Lease(pool, context)
                self._leases = [*(one for one in self._leases if one.users), current]
            current.users += 1
        for lease in idle:
            await self._close(lease.pool)
        return current

    async def _give_back(self, lease: Lease[Pool]) -> None:
        with self._lock:
            lease.users -= 1
            ended = not lease.users and lease in self._leases[:-1]
            if ended:
                self._leases.remove(lease)
        if ended:
            await self._close(lease.pool)

    async def _close_all(self) -> None:
        with self._lock:
            leases, self._leases = self._leases, []
            client, self._client = self._client, None
        for one in (*(lease.pool for lease in leases), client, self._others):
            if one is not None and not isinstance(one, str):
                await self._close(one)

    # the waiting

    @abstractmethod
    async def _send(self, transport: Any, request: httpx.Request) -> httpx.Response:
        """Let one of httpx's transports send a request."""

    @abstractmethod
    async def _send_by(self, client: Any, request: httpx.Request) -> httpx.Response:
        """Let one of httpx's clients send a request, body unread, redirects not followed."""

    @abstractmethod
    async def _read(self, response: httpx.Response) -> bytes:
        """All of a body as it came; its connection is free then."""

    @abstractmethod
    async def _run(self, function: Callable[[], T]) -> T:
        """What may read files or run a plugin."""

    @abstractmethod
    async def _close(self, what: Any) -> None:
        """Close a pool, a client, a transport or a response."""

    @abstractmethod
    def _make_client(self) -> Any:
        """Httpx's own client."""

    @abstractmethod
    def _body(self, answer: Answer[Pool], page: Page | None) -> Any:
        """A body as it comes, and as the app wrote it; closed, it gives its lease back."""


def _is_replayable(request: httpx.Request) -> bool:
    """Whether a request's body is still there, or there is none."""
    try:
        request.content  # noqa: B018  (a property that raises)
    except httpx.RequestNotRead:
        return False
    return True
