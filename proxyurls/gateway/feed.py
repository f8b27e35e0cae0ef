"""What the index page shows, kept current: the services, and which of their endpoints are ready."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from proxyurls.discovery import ServiceRecord, record, services_path
from proxyurls.errors import InvalidInput
from proxyurls.gateway import readiness
from proxyurls.gateway.mirror import Mirror, Source
from proxyurls.objects import ENDPOINTS, LISTED_SERVICE, SLICE

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.gateway.readiness import Piece, Readiness

_SLICES = "/apis/discovery.k8s.io/v1{}/endpointslices"
_ENDPOINTS = "/api/v1{}/endpoints"


class Entry(NamedTuple):
    """A service on the page.

    Attributes:
        service: what discovery says of it.
        readiness: how many of its endpoints are ready; None where that is not known.
    """

    service: ServiceRecord
    readiness: Readiness | None


class Snapshot(NamedTuple):
    """All that is known at a time; immutable.

    Attributes:
        version: another one whenever anything shown is another.
        entries: the services by namespace and name; empty as long as none were read.
        loaded: whether the services were ever read.
        namespace: the only namespace that could be listed; None is all of them.
        seen: when the apiserver last answered (seconds since the epoch); 0 for never.
        problem: why the services can't be read now, or "".
        endpoints_problem: why the endpoints can't be read now, or "".
    """

    version: tuple[int, int]
    entries: tuple[Entry, ...]
    loaded: bool
    namespace: str | None
    seen: float
    problem: str
    endpoints_problem: str


class Feed:
    """The services of a cluster, followed in two threads from `start` to `stop`.

    Where the user may not list all namespaces, the services of the context's namespace.

    Args:
        config: which apiserver, and as whom.
        credentials: those of the config, where something else uses them too.
    """

    def __init__(self, config: Config, *, credentials: Credentials | None = None) -> None:
        shared = credentials or config.credentials()
        here = f"/namespaces/{config.namespace}"
        server = config.base_url

        def read(item: dict[str, Any]) -> ServiceRecord:
            return _record(item, server)

        from_slice, from_endpoints = readiness.from_slice, readiness.from_endpoints
        self._services = Mirror(
            config,
            [
                Source(services_path(None), None, LISTED_SERVICE, read),
                Source(services_path(config.namespace), config.namespace, LISTED_SERVICE, read),
            ],
            credentials=shared,
        )
        self._endpoints: Mirror[Piece] = Mirror(
            config,
            [
                Source(_SLICES.format(""), None, SLICE, from_slice),
                Source(_ENDPOINTS.format(""), None, ENDPOINTS, from_endpoints),
                Source(_SLICES.format(here), config.namespace, SLICE, from_slice),
                Source(_ENDPOINTS.format(here), config.namespace, ENDPOINTS, from_endpoints),
            ],
            credentials=shared,
        )
        self._lock = threading.Lock()
        self._latest: Snapshot | None = None

    def start(self) -> Self:
        """Begin to read."""
        self._services.start()
        self._endpoints.start()
        return self

    def stop(self) -> None:
        """Stop reading, within two seconds."""
        for seconds in (0.0, 0.7):  # first tell both, then wait for both
            self._services.stop(seconds)
            self._endpoints.stop(seconds)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def wait(self, seconds: float) -> bool:
        """Wait until both lists, or what stands in their way, are known.

        Args:
            seconds: how long at most, for each.

        Returns:
            False if the time was over before.
        """
        return self._services.wait(seconds) and self._endpoints.wait(seconds)

    def snapshot(self) -> Snapshot:
        """What is known now. Never waits for the apiserver."""
        with self._lock:
            services, endpoints = self._services.state(), self._endpoints.state()
            version = (services.version, endpoints.version)
            latest = self._latest
            if latest is not None and latest.version == version:
                # The time of the latest contact is shown only when there is a problem.
                return latest._replace(seen=services.seen)
            ready = readiness.count((endpoints.items or {}).values())
            covered = endpoints.source.scope if endpoints.source else None
            known = endpoints.items is not None
            none = readiness.Readiness(0, 0)
            entries = tuple(
                Entry(
                    one,
                    ready.get(key, none) if known and covered in (None, key[0]) else None,
                )
                for key, one in sorted((services.items or {}).items())
            )
            self._latest = Snapshot(
                version=version,
                entries=entries,
                loaded=services.items is not None,
                namespace=services.source.scope if services.source else None,
                seen=services.seen,
                problem=services.problem,
                endpoints_problem=endpoints.problem,
            )
            return self._latest


def _record(item: dict[str, Any], server: str) -> ServiceRecord:
    """A service's record, also where its name is one that no URL can have."""
    try:
        return record(item, server)
    except InvalidInput as error:
        meta = item["metadata"]
        return ServiceRecord(
            namespace=str(meta["namespace"]),
            name=str(meta["name"]),
            display_name=str(meta["name"]),
            cluster_service=False,
            type=str((item.get("spec") or {}).get("type") or "ClusterIP"),
            url=None,
            why=str(error),
            ports=(),
            addresses=(),
        )
