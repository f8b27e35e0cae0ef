"""A fake cluster for tests: `FakeCluster`, and a pytest fixture in `pytest_plugin`.

Names load when they are first used, since aiohttp takes a while.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.testing.cluster import FakeCluster
    from proxyurls.testing.credentials import Credentials
    from proxyurls.testing.faults import Fault, Faults
    from proxyurls.testing.matching import Match
    from proxyurls.testing.recorded import Recorded
    from proxyurls.testing.requests import Requests
    from proxyurls.testing.upstreams import Request, Response

__all__ = [
    "Credentials",
    "FakeCluster",
    "Fault",
    "Faults",
    "Match",
    "Recorded",
    "Request",
    "Requests",
    "Response",
]

_HOMES = {
    "Credentials": "credentials",
    "FakeCluster": "cluster",
    "Fault": "faults",
    "Faults": "faults",
    "Match": "matching",
    "Recorded": "recorded",
    "Request": "upstreams",
    "Requests": "requests",
    "Response": "upstreams",
}

if not TYPE_CHECKING:  # a type checker would take it for a promise of any name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return list(__all__)
