"""AsyncCluster as code without an event loop sees it: for tests that run for both clusters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from proxyurls import AsyncCluster, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from proxyurls import ClusterService, Config, Resolved, ServiceRecord

T = TypeVar("T")


class ByTasks:
    """Does by an `AsyncCluster`, in a loop of its own, what a `Cluster` does."""

    def __init__(self, config: Config, **options: Any) -> None:
        self.config = config
        self._loop = asyncio.new_event_loop()
        self._cluster = AsyncCluster(config, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._cluster.aclose())
        self._run(self._loop.shutdown_asyncgens())
        self._run(self._loop.shutdown_default_executor())
        self._loop.close()

    def services(self, *arguments: Any, **options: Any) -> Iterator[ServiceRecord]:
        found = self._cluster.services(*arguments, **options)
        try:
            while True:
                try:
                    record = self._run(found.asend(None))
                except StopAsyncIteration:
                    return
                yield record
        finally:
            self._run(found.aclose())

    def cluster_services(self, *arguments: Any) -> list[ClusterService]:
        return self._run(self._cluster.cluster_services(*arguments))

    def resolve(self, *arguments: Any, **options: Any) -> Resolved:
        return self._run(self._cluster.resolve(*arguments, **options))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)


AnyCluster = Cluster | ByTasks
KINDS: dict[str, Callable[..., AnyCluster]] = {"threads": Cluster, "tasks": ByTasks}
