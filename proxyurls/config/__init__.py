"""Where the apiserver is and who is asking: kubeconfig, service account, exec plugins, TLS.

::

    flags ─┐
    files ─┼─ load_config() ─→ Config (frozen, nothing read or run yet)
    pod  ──┘                     └─ .credentials() ─→ Credentials (headers, TLS context)

`load_kubeconfig` gives the merged files alone. Neither knows an HTTP library. The names
are loaded when they are first used, since not every command needs them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.config.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.config.kubeconfig import Kubeconfig, load_kubeconfig
    from proxyurls.config.load import load_config
    from proxyurls.config.model import TLS, Credential, Impersonate

__all__ = [
    "TLS",
    "Config",
    "Credential",
    "Credentials",
    "Impersonate",
    "Kubeconfig",
    "load_config",
    "load_kubeconfig",
]

_HOMES = {
    "TLS": "model",
    "Config": "config",
    "Credential": "model",
    "Credentials": "credentials",
    "Impersonate": "model",
    "Kubeconfig": "kubeconfig",
    "load_config": "load",
    "load_kubeconfig": "kubeconfig",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
