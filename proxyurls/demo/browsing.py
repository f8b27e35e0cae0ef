"""The gateway in front of the demo's cluster, so that a browser can use its apps."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from proxyurls.config import load_config
from proxyurls.errors import ListenError
from proxyurls.gateway import server
from proxyurls.gateway.run import Settings, gateway
from proxyurls.testing.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def browsable(kubeconfig: Path, tell: Callable[[str], None]) -> Iterator[str]:
    """Serve the cluster's apps to this machine's browsers as long as the ``with`` lasts.

    Args:
        kubeconfig: the cluster's.
        tell: takes a line for the person at the terminal.

    Returns:
        the index page's address, which lets one browser in.
    """
    config = load_config(str(kubeconfig))
    settings = Settings()
    try:
        sockets = server.listen(settings.address, None)
    except ListenError:  # a hundred ports are taken: any other will do for a demonstration
        sockets = server.listen(settings.address, 0)
    background = Background("proxyurls-gateway")
    try:
        serving = gateway(config, settings, sockets, tell=tell)
        running = background.run(serving.__aenter__())
        try:
            yield running.link()
        finally:
            background.run(serving.__aexit__(None, None, None))
    finally:
        background.stop()
        for one in sockets:
            one.close()
