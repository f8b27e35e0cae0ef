"""Faults on demand: what a test wants to go wrong between its client and the apiserver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from aiohttp import web

from proxyurls.testing.cutting import Break, cut, reset
from proxyurls.testing.matching import Match
from proxyurls.testing.protocol import Nothing, Protocol
from proxyurls.testing.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import Self, Unpack

    from proxyurls.testing.matching import Where
    from proxyurls.testing.recorded import Recorded
    from proxyurls.testing.upstreams import Response

    Act = Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]]

# k8s.io/apimachinery, pkg/apis/meta/v1/types.go
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Fault:
    """A fault, from its making to `end`, or to the end of its ``with``.

    Attributes:
        happened: to how many requests it has happened.
    """

    def __init__(self, among: list[Fault], act: Act, match: Match, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError(
                f"a fault happens once or more often (times=None: always), not {times}"
            )
        self.happened = 0
        self._among, self._act, self._match, self._times = among, act, match, times
        among.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Let it happen no more. Twice is no error."""
        if self in self._among:
            self._among.remove(self)

    async def happen(self, one: Recorded, request: web.BaseRequest) -> web.StreamResponse | None:
        """Happen to a request, if it is meant; what is returned is its answer."""
        if self.happened == self._times or not self._match(one):
            return None
        self.happened += 1
        return await self._act(request)


class Faults:
    """The faults of a fake cluster. Each method begins one at once, and returns it.

    Of those that mean the same request all happen, in the order in which they were begun, until
    one answers. What chooses the requests is explained at `Match`: ``method=``, ``path=``,
    ``verb=``, ``query=``, ``target=``, ``proxied=``, ``user=``. ``times=`` is how many requests
    a fault happens to, all with None.
    """

    def __init__(self) -> None:
        self._begun: list[Fault] = []

    def clear(self) -> None:
        """End all of them."""
        self._begun.clear()

    async def happen(self, one: Recorded, request: web.BaseRequest) -> web.StreamResponse | None:
        """Let happen to a request what is to; what is returned is its answer.

        Raises:
            Refusal: that is the answer.
        """
        for fault in tuple(self._begun):
            if (made := await fault.happen(one, request)) is not None:
                return made
        return None

    def _begin(self, act: Act, where: Where, times: int | None) -> Fault:
        return Fault(self._begun, act, Match(**where), times)

    def refuse(
        self,
        status: int = 503,
        message: str = "a fault on demand",
        *,
        retry_after: int | None = None,
        times: int | None = None,
        **where: Unpack[Where],
    ) -> Fault:
        """Answer with a Status object, as the apiserver does, and do nothing else.

        Args:
            status: its code, from 400 to 599, which gives its reason.
            message: its message.
            retry_after: seconds, for the header Retry-After and the Status object's details.
            times: how often.
            **where: which requests.

        Raises:
            ValueError: there is no such refusal, or no such request.
        """
        if not 400 <= status <= 599:
            raise ValueError(f"a refusal's status is a number from 400 to 599, not {status}")

        async def act(_: web.BaseRequest) -> None:
            raise Refusal(status, REASONS.get(status, ""), message, retry_after=retry_after)

        return self._begin(act, where, times)

    def instead(
        self, response: Response, *, times: int | None = None, **where: Unpack[Where]
    ) -> Fault:
        """Answer as something between does: a load balancer, a login page.

        Args:
            response: the answer.
            times: how often.
            **where: which requests.

        Raises:
            ValueError: there is no such request.
        """

        async def act(_: web.BaseRequest) -> web.StreamResponse:
            return web.Response(
                status=response.status,
                headers=response.headers,
                body=response.body.encode() if isinstance(response.body, str) else response.body,
            )

        return self._begin(act, where, times)

    def delay(self, seconds: float, *, times: int | None = None, **where: Unpack[Where]) -> Fault:
        """Answer later.

        Args:
            seconds: how much later.
            times: how often.
            **where: which requests.

        Raises:
            ValueError: that's no such time, or there is no such request.
        """
        if not 0 <= seconds < 1e9:
            raise ValueError(f"a delay is a number of seconds, not {seconds}; stall() is for ever")

        async def act(_: web.BaseRequest) -> None:
            await asyncio.sleep(seconds)

        return self._begin(act, where, times)

    def reset(
        self, *, after: int | None = None, times: int | None = None, **where: Unpack[Where]
    ) -> Fault:
        """Reset the connection (TCP's RST).

        Args:
            after: how many bytes of the answer's body come before; what is shorter comes whole.
                With None the request is not done, and nothing of an answer comes.
            times: how often.
            **where: which requests.

        Raises:
            ValueError: that's no number of bytes, or there is no such request.
        """
        return self._broken(Break.RESET, after, times, where)

    def truncate(
        self, *, after: int | None = None, times: int | None = None, **where: Unpack[Where]
    ) -> Fault:
        """Close the connection too early, but in order.

        Args:
            after: as for `reset`.
            times: how often.
            **where: which requests.

        Raises:
            ValueError: as for `reset`.
        """
        return self._broken(Break.CLOSE, after, times, where)

    def stall(
        self, *, after: int | None = None, times: int | None = None, **where: Unpack[Where]
    ) -> Fault:
        """Say nothing any more, until the client goes or the cluster stops.

        Args:
            after: as for `reset`.
            times: how often.
            **where: which requests.

        Raises:
            ValueError: as for `reset`.
        """
        return self._broken(Break.STALL, after, times, where)

    def _broken(self, how: Break, after: int | None, times: int | None, where: Where) -> Fault:
        if after is not None and after < 0:
            raise ValueError(f"an answer breaks off after 0 bytes or more, not {after}")

        async def act(request: web.BaseRequest) -> web.StreamResponse | None:
            protocol = cast("Protocol", request.protocol)
            if after is not None:
                cut(protocol, after, how)
                return None
            if how is Break.STALL:
                await protocol.lost.wait()
            elif how is Break.RESET:
                reset(request.transport)
            elif request.transport is not None:
                request.transport.close()
            return Nothing()

        return self._begin(act, where, times)
