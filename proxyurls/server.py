"""The server: what is a base URL, and the one place where a path is joined to it."""

from __future__ import annotations

import re
from functools import lru_cache

from proxyurls.errors import InvalidURL, shown
from proxyurls.segment import PORT_LIMIT

_TYPE_SERVER = "type https://HOST:PORT"
# A server's path is kept (Rancher: https://rancher/k8s/clusters/c-1); credentials, query and
# fragment have no place in it. Backslashes and white space are left to no one's guess.
_SERVER = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?P<host>\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%]*)*)",
    re.ASCII,
)
_PATH = re.compile(r"/[!-~]*")


def join(server: str, path: str) -> str:
    """Join a server and an absolute path: the one place in proxyurls where this is done.

    Args:
        server: the apiserver's base URL, or a kubectl proxy's; its own path is kept.
        path: an absolute, encoded path, as `Target.path` gives it.

    Raises:
        InvalidURL: the server is no http or https URL, or holds credentials; or the path is not
            absolute or not encoded.

    >>> join("https://rancher.example/k8s/clusters/c-1/", "/api/v1/nodes/n/proxy/")
    'https://rancher.example/k8s/clusters/c-1/api/v1/nodes/n/proxy/'
    """
    if not _PATH.fullmatch(path):
        raise InvalidURL(f"not an absolute, encoded path: {shown(path)}", text=path)
    return check_server(server).rstrip("/") + path


@lru_cache(maxsize=64)  # programs know few servers and build many URLs
def check_server(server: str) -> str:
    """Refuse a text that is no server's base URL, and give back the one that is.

    Raises:
        InvalidURL: with what is wrong. A password in it is not repeated.
    """
    match = _SERVER.fullmatch(server)
    if match is None or (match["port"] and int(match["port"]) > PORT_LIMIT):
        raise InvalidURL(_server_refusal(server), text=None if "@" in server else server)
    if match["host"][0] == "[" and not _is_ipv6(match["host"]):
        raise InvalidURL(
            f"invalid server {shown(server)}: {match['host'][:60]} is no IPv6 address", text=server
        )
    if "@" in match["path"]:
        raise InvalidURL(credentials_refusal())
    path = match["path"].lower().replace("%2e", ".")
    if "/." in path and re.search(r"/\.\.?(?:/|$)", path):
        raise InvalidURL(
            f"invalid server {shown(server)}: its path holds a dot segment, which clients "
            "resolve; write the path that is meant",
            text=server,
        )
    return server


def _is_ipv6(host: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(host[1:-1].partition("%")[0])
    except ValueError:
        return False
    return True


def _server_refusal(server: str) -> str:
    if "@" in server:
        return credentials_refusal()
    head = f"invalid server {shown(server)}"
    if re.match(r"[Hh][Tt][Tt][Pp][Ss]?:", server) is None:
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)", server)
        if scheme:
            return f"{head}: the scheme is http or https, not {shown(scheme[0])}"
        guess = f"https://{server.lstrip('/')}"
        remedy = "did you mean " + shown(guess) + "?" if _SERVER.fullmatch(guess) else _TYPE_SERVER
        return f"{head}: it has no scheme; {remedy}"
    if re.search(r"[?#]", server):
        return f"{head}: a server has no query or fragment; {_TYPE_SERVER}"
    if _SERVER.fullmatch(re.sub(r":[0-9]+(?=/|$)", "", server)):
        return f"{head}: a port number is from 0 to {PORT_LIMIT}"
    bare = re.match(
        r"[Hh][Tt][Tt][Pp][Ss]?://([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)", server
    )
    if bare:
        address = bare[1] if _is_ipv6(f"[{bare[1]}]") else "::1"
        return f"{head}: an IPv6 address stands in brackets, as in https://[{address}]"
    return f"{head}: it is no URL of a host; {_TYPE_SERVER}"


def credentials_refusal() -> str:
    """What to say of a URL with an ``@``, wherever it stands: a password may hold a "/" or "#"."""
    return (
        "the URL holds an '@', so maybe a user name and password; leave them out and use a "
        "kubeconfig's user or --token (the URL is not shown here)"
    )
