"""Which port and scheme a service's host name means: what discovery says, kept for a moment."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from proxyurls.discovery import record
from proxyurls.errors import APIStatusError, InvalidInput, ServiceNotFound
from proxyurls.gateway.paths import prefix_of
from proxyurls.objects import SERVICE, check
from proxyurls.segment import NameSegment
from proxyurls.target import Target

if TYPE_CHECKING:
    from typing import Any

    from proxyurls.gateway.connect import Upstream

_SECONDS = 10.0
_MOST = 1000


class NoWebApp(ServiceNotFound):
    """The service is there, and the apiserver can't proxy to it."""


class Lookup:
    """Finds services at the apiserver, and keeps what it found for some seconds.

    Args:
        upstream: the apiserver.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._known: dict[Target, tuple[str, float]] = {}

    async def prefix(self, target: Target) -> str:
        """The path of a target's proxy, once all that was open in the target is known.

        A service without port and scheme is looked up; who may proxy to it but not read it gets
        its unnamed port.

        Raises:
            ServiceNotFound: there is no such service, or none that can be proxied to.
            ClusterError, CredentialError: the apiserver can't be asked.
        """
        known = self._known.get(target)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        end = float("inf")
        found = target
        if target.kind == "service" and target.port is None and target.scheme is None:
            end = time.monotonic() + _SECONDS
            found = await self._look_up(target)
        if len(self._known) >= _MOST:
            self._known.clear()
        prefix = prefix_of(found)
        self._known[target] = (prefix, end)
        return prefix

    def forget(self, target: Target) -> None:
        """Look again the next time."""
        self._known.pop(target, None)

    async def _look_up(self, target: Target) -> Target:
        path = f"/api/v1/namespaces/{target.namespace}/services/{target.name}"
        try:
            item = await self._upstream.get_json(path)
        except APIStatusError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                return target
            if error.status == HTTPStatus.NOT_FOUND:
                raise ServiceNotFound(
                    f"there is no service {target.name!r} in namespace {target.namespace!r}"
                ) from error
            raise
        check(item, SERVICE, self._upstream.server)
        return _best_port(target, item)


def _best_port(target: Target, item: dict[str, Any]) -> Target:
    try:
        service = record(item, "https://apiserver")
    except InvalidInput as error:
        raise NoWebApp(str(error)) from error
    best = next((port for port in service.ports if port.url and port.url == service.url), None)
    if best is None:
        raise NoWebApp(f"service {target.name!r} can't be proxied to: {service.why}")
    segment = NameSegment.parse(best.segment or "")
    return Target(
        "service", target.name, target.namespace, segment.port or None, segment.scheme or None
    )
