"""Kubernetes apiserver proxy URLs: build, parse, discover and fetch them.

Everything public is here, and nothing deeper is. Names load when they are first used, so
``import proxyurls`` costs next to nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.async_cluster import AsyncCluster as AsyncCluster
    from proxyurls.cluster import Cluster as Cluster
    from proxyurls.config import Config as Config
    from proxyurls.config import load_config as load_config
    from proxyurls.discovery import ClusterService as ClusterService
    from proxyurls.discovery import ServicePort as ServicePort
    from proxyurls.discovery import ServiceRecord as ServiceRecord
    from proxyurls.errors import AmbiguousService as AmbiguousService
    from proxyurls.errors import APIStatusError as APIStatusError
    from proxyurls.errors import ClusterError as ClusterError
    from proxyurls.errors import ConfigError as ConfigError
    from proxyurls.errors import ConfigNotFound as ConfigNotFound
    from proxyurls.errors import ConnectionFailed as ConnectionFailed
    from proxyurls.errors import CredentialError as CredentialError
    from proxyurls.errors import InvalidConfig as InvalidConfig
    from proxyurls.errors import InvalidInput as InvalidInput
    from proxyurls.errors import InvalidRequest as InvalidRequest
    from proxyurls.errors import InvalidSegment as InvalidSegment
    from proxyurls.errors import InvalidSuffix as InvalidSuffix
    from proxyurls.errors import InvalidTarget as InvalidTarget
    from proxyurls.errors import InvalidURL as InvalidURL
    from proxyurls.errors import ListenError as ListenError
    from proxyurls.errors import ProxyURLsError as ProxyURLsError
    from proxyurls.errors import ResolveError as ResolveError
    from proxyurls.errors import ServiceNotFound as ServiceNotFound
    from proxyurls.resolve import Resolved as Resolved
    from proxyurls.segment import NameSegment as NameSegment
    from proxyurls.suffix import Alteration as Alteration
    from proxyurls.suffix import alterations as alterations
    from proxyurls.target import Target as Target
    from proxyurls.target import node as node
    from proxyurls.target import pod as pod
    from proxyurls.target import service as service
    from proxyurls.transport import AsyncClusterTransport as AsyncClusterTransport
    from proxyurls.transport import ClusterTransport as ClusterTransport
    from proxyurls.urls import ProxyURL as ProxyURL
    from proxyurls.urls import from_cluster_url as from_cluster_url
    from proxyurls.urls import parse_url as parse_url
    from proxyurls.urls import to_cluster_url as to_cluster_url

_HOMES = {
    "async_cluster": "AsyncCluster",
    "cluster": "Cluster",
    "config": "Config load_config",
    "discovery": "ClusterService ServicePort ServiceRecord",
    "errors": (
        "AmbiguousService APIStatusError ClusterError ConfigError ConfigNotFound "
        "ConnectionFailed CredentialError InvalidConfig InvalidInput InvalidRequest "
        "InvalidSegment InvalidSuffix InvalidTarget InvalidURL ListenError ProxyURLsError "
        "ResolveError ServiceNotFound"
    ),
    "resolve": "Resolved",
    "segment": "NameSegment",
    "suffix": "Alteration alterations",
    "target": "Target node pod service",
    "transport": "AsyncClusterTransport ClusterTransport",
    "urls": "ProxyURL from_cluster_url parse_url to_cluster_url",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605  (a list of str, made from the table above)


if not TYPE_CHECKING:  # a type checker would take it for a promise of any name

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
