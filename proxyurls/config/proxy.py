"""Which proxy leads to a server: Go's rule, not Python's.

Source: golang.org/x/net/http/httpproxy, which http.ProxyFromEnvironment uses, and
clientcmd/helpers.go for what a kubeconfig's `proxy-url` may be. urllib's own rule differs:
it knows no CIDR, and would proxy loopback.
"""

from __future__ import annotations

import re

from proxyurls.config.server import is_loopback, mask_password, split_host
from proxyurls.errors import InvalidConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES = ("http", "https", "socks5")
# What may follow the scheme; what else stands there may be a password that was not encoded.
_REST = re.compile(r"(?:[^/?#@]*@)?(?:\[[^\]/?#@]+\]|[^/?#@:\[\]]+)(?::(\d*))?(?:[/?#][^@]*)?")


def check_proxy_url(url: str, *, source: str) -> str:
    """A kubeconfig's `proxy-url`, which must have a scheme of its own."""
    scheme, separator, rest = url.partition("://")
    if (
        not separator
        or scheme.lower() not in _SCHEMES
        or not rest.strip("/")
        or not url.isprintable()
        or " " in url
    ):
        raise InvalidConfig(
            f"invalid 'proxy-url' {mask_password(url)!r} from {source}: "
            "it must be http://HOST:PORT, https://… or socks5://…"
        )
    _check_rest(rest, f"the 'proxy-url' from {source}")
    return url


def _check_rest(rest: str, what: str) -> None:
    """Refuse what HTTP libraries would take apart in another way, and name in their errors."""
    match = _REST.fullmatch(rest)
    if match is None or int((match[1] or "0")[:6]) > 65535:
        raise InvalidConfig(
            f"invalid proxy: {what} is no URL; write http://HOST:PORT, and in a user name or "
            "password %2F for '/', %40 for '@', %3A for ':', %23 for '#', %3F for '?'"
        )


def proxy_from_environment(base_url: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The proxy for a server and the variable that names it, or None to go there directly.

    >>> proxy_from_environment("https://k8s:6443", {"HTTPS_PROXY": "squid:3128"})
    ('http://squid:3128', 'HTTPS_PROXY')
    """
    scheme, host, port = split_host(base_url)
    name = f"{scheme.upper()}_PROXY"
    variable = next((key for key in (name, name.lower()) if environ.get(key)), None)
    if variable is None:
        return None
    no_proxy = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if is_loopback(host) or _bypassed(host, port, no_proxy):
        return None
    if variable == "HTTP_PROXY" and environ.get("REQUEST_METHOD"):
        # In a CGI script this variable is a request header of a stranger (CVE-2016-5386).
        raise InvalidConfig("$HTTP_PROXY is not to be trusted in a CGI script: use $http_proxy")
    return _proxy_url(environ[variable], variable), variable


def _proxy_url(value: str, variable: str) -> str:
    """A proxy variable's value; unlike in a kubeconfig, HOST:PORT means http."""
    scheme, separator, _ = value.partition("://")
    url = value if separator else f"http://{value}"
    if (separator and scheme.lower() not in (*_SCHEMES, "socks5h")) or any(
        char.isspace() for char in value
    ):
        raise InvalidConfig(
            f"${variable} is {mask_password(url)!r}, no proxy URL: "
            "it must be http://HOST:PORT, https://… or socks5://…"
        )
    _check_rest(url.partition("://")[2], f"${variable}")
    return url


def _bypassed(host: str, port: str, no_proxy: str) -> bool:
    return any(
        _matches(entry, host, port) for item in no_proxy.split(",") if (entry := item.strip())
    )


def _matches(entry: str, host: str, port: str) -> bool:
    """One item of NO_PROXY: `*`, a CIDR, or a host, IP or .domain, each with :port or not."""
    entry = entry.lower()
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(host, entry)
    entry_host, entry_port = _split_port(entry)
    if not entry_host or (entry_port and entry_port != port):
        return False
    address = _address(entry_host)
    if address is not None:
        return address == _address(host)
    # "*.x" and ".x" mean the hosts below x; "x" means x itself as well.
    domain = entry_host[1:] if entry_host.startswith("*.") else entry_host
    if domain.startswith("."):
        return host.endswith(domain)
    return host == domain or host.endswith(f".{domain}")


def _split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""


def _address(host: str) -> object | None:
    from ipaddress import ip_address

    try:
        return ip_address(host)
    except ValueError:
        return None


def _in_network(host: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # the host is a name, or the entry no network: Go ignores both
        return False
