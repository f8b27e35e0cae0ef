"""A cluster, as programs with an event loop use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyurls.async_client import AsyncAPIClient, each, run
from proxyurls.discovery import cluster_services_of, services_of
from proxyurls.resolve import resolve_pod, resolve_service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType

    from typing_extensions import Self

    from proxyurls.config import Config
    from proxyurls.discovery import ClusterService, ServiceRecord
    from proxyurls.resolve import Resolved
    from proxyurls.transport import AsyncClusterTransport


class AsyncCluster:
    """`Cluster` for tasks: the same, by the same code. Close it, or use it in an ``async with``.

    Tasks may share it. Token files are read and plugins run in threads.

    Args:
        config: where and as whom; see `load_config`.
        timeout: seconds that a request may take; None waits forever, as kubectl does.
        trace: called with a line for each request.

    >>> async with AsyncCluster(load_config()) as cluster:  # doctest: +SKIP
    ...     print((await cluster.resolve("grafana")).target.url(cluster.config.server, "/d/home"))
    """

    def __init__(
        self,
        config: Config,
        *,
        timeout: float | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self._credentials = config.credentials()
        self._client = AsyncAPIClient(
            config, timeout=timeout, trace=trace, credentials=self._credentials
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def transport(self) -> AsyncClusterTransport:
        """An httpx transport by which in-cluster URLs work, with the same credentials.

        It has connections of its own, and whoever uses it closes it: an ``httpx.AsyncClient``
        does. For its options, make an `AsyncClusterTransport`.
        """
        from proxyurls.transport import AsyncClusterTransport

        return AsyncClusterTransport(self.config, credentials=self._credentials)

    def services(
        self,
        namespace: str | None = None,
        *,
        all_namespaces: bool = False,
        label_selector: str | None = None,
        node_ports: bool = False,
        on_read: Callable[[int], None] | None = None,
    ) -> AsyncGenerator[ServiceRecord, None]:
        """The services of a namespace or of all, as they are read: for ``async for``.

        A page of the list is asked for when its first service is wanted, and no sooner.

        Args:
            namespace: where; None is the context's namespace.
            all_namespaces: everywhere; `namespace` is ignored.
            label_selector: as for ``kubectl -l``.
            node_ports: also ask for a node's address, so that NodePort URLs are given.
            on_read: called after each page with the number of services so far.

        Raises:
            ClusterError: the apiserver could not or would not answer.
            CredentialError: there is no usable credential.
        """
        where = None if all_namespaces else namespace or self.config.namespace
        asked = services_of(
            self.config,
            where,
            label_selector=label_selector,
            node_ports=node_ports,
            on_read=on_read,
        )
        return each(self._client, asked)

    async def cluster_services(self, namespace: str | None = None) -> list[ClusterService]:
        """What ``kubectl cluster-info`` lists, with kubectl's own URLs.

        Args:
            namespace: where; None is kube-system, whatever the context says, as with kubectl.

        Raises:
            ClusterError, CredentialError: as for `services`.
        """
        return await run(self._client, cluster_services_of(self.config, namespace))

    async def resolve(
        self,
        name: str,
        namespace: str | None = None,
        *,
        kind: str = "service",
        port: int | str | None = None,
        scheme: str | None = None,
    ) -> Resolved:
        """Find the one service meant by a name, or the number of a pod's named port.

        Args:
            name: a service's name, display name or part of its name; or a pod's name.
            namespace: where; None is everywhere for a service, the context's for a pod.
            kind: "service" or "pod".
            port: a port number or name; None to choose.
            scheme: "http" or "https"; None to tell by the port.

        Raises:
            ResolveError: none, or several fit.
            ClusterError, CredentialError: as for `services`.
        """
        find = resolve_pod if kind == "pod" else resolve_service
        return await run(self._client, find(self.config, name, namespace, port=port, scheme=scheme))
