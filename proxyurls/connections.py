"""Connections of httpx to an apiserver: through its proxy, with request targets to the letter.

httpx would resolve dot segments in a request target, and quote once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from proxyurls.errors import InvalidConfig

if TYPE_CHECKING:
    import ssl

    from proxyurls.config import Config

Pool = TypeVar("Pool", bound=httpx.HTTPTransport | httpx.AsyncHTTPTransport)


class Verbatim(httpx.URL):
    """A URL of which the request target is sent as it was written.

    Args:
        url: the URL, or any other of the same server.
        target: the request target: path and query, encoded.
    """

    def __init__(self, url: httpx.URL | str, target: str) -> None:
        super().__init__(url)
        self._target = target.encode("ascii")

    @property
    def raw_path(self) -> bytes:
        """What transports send."""
        return self._target


def request_target(url: str) -> str:
    """The request target of a full URL, as it is written there."""
    return "/" + url.partition("://")[2].partition("/")[2]


def open_pool(
    kind: type[Pool], config: Config, context: ssl.SSLContext | None, **options: Any
) -> Pool:
    """A pool of connections to a config's apiserver. HTTP/1.1: WebSockets need it, and more.

    Args:
        kind: httpx's own transport, for threads or for tasks.
        config: its proxy is used; the environment's is in it already.
        context: the TLS context; None for plain HTTP.
        options: others of the transport's.

    Raises:
        InvalidConfig: the proxy-url is one for SOCKS, and httpx lacks what that takes.
    """
    try:
        return kind(
            verify=context or False,
            proxy=config.proxy_url,
            trust_env=False,
            **options,
        )
    except ImportError as error:
        raise InvalidConfig(
            "a SOCKS proxy-url needs one more package; type: pip install 'proxyurls[socks]'"
        ) from error
