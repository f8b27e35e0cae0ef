"""The server's address: checked, completed, judged safe or not for credentials."""

from __future__ import annotations

import re

from proxyurls.errors import InvalidConfig, shown

# RFC 3986, appendix B, narrowed to what can name a server.
_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.DOTALL,
)
_AUTHORITY = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%25[^\]]+)?\]|[^\[\]:@\s]+)(?::(?P<port>[0-9]*))?"
)
_LOOPBACK = re.compile(r"127(\.[0-9]{1,3}){3}")
_PORT_DIGITS = 100  # leading zeros are harmless; Python reads no number of thousands of digits
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def check_server(server: str, *, source: str) -> tuple[str, str]:
    """The server as it is kept, and the base URL it stands for.

    Kept verbatim but for query and fragment, which kubectl drops (client_config.go,
    ClientConfig). Without a scheme it is http: rest/url_utils.go would default to https
    where TLS is configured, but clientcmd asks it before it has merged the TLS settings.

    Args:
        server: the text.
        source: where it came from, for the messages.

    Raises:
        InvalidConfig: no host, a password in it, a wrong scheme or port.
    """
    match = _URL.fullmatch(server)
    authority = _AUTHORITY.fullmatch(match["authority"]) if match else None
    if "@" in server and authority is None:
        # Before anything that shows the server: what is before the @ is a secret.
        raise InvalidConfig(
            f"the server from {source} holds a user name or password; "
            "leave out what is before the @ and use a kubeconfig user"
        )
    if match is None or authority is None or _UNSAFE.search(server) or not server.isprintable():
        raise InvalidConfig(
            f"server {shown(server)} from {source} is not a URL; write it like https://HOST:6443"
        )
    port = authority["port"]
    if port and (len(port) > _PORT_DIGITS or int(port) > 65535):
        raise InvalidConfig(
            f"server {shown(server)} from {source}: port {port[:20]} is not between 1 and 65535"
        )
    kept = f"{server[: match.end('path')]}"
    scheme = (match["scheme"] or "").lower()
    if not scheme:
        if match["path"] not in ("", "/"):
            raise InvalidConfig(
                f"server {shown(server)} from {source} has no scheme; write https://{kept[:120]}"
            )
        return kept, f"http://{kept}"
    if scheme not in ("http", "https"):
        raise InvalidConfig(
            f"server {shown(server)} from {source}: scheme {shown(scheme)} must be https or http"
        )
    return kept, f"{scheme}://{kept.split('://', 1)[1]}"


def split_host(base_url: str) -> tuple[str, str, str]:
    """Scheme, host without brackets, and port (the scheme's own where none is given)."""
    scheme, rest = base_url.split("://", 1)
    match = _AUTHORITY.match(rest)
    host = match["host"].strip("[]").lower() if match else ""
    port = (match["port"] if match else "") or {"https": "443"}.get(scheme, "80")
    return scheme, host, port


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, without asking DNS."""
    return host in ("localhost", "::1") or _LOOPBACK.fullmatch(host) is not None


def takes_credentials(base_url: str) -> bool:
    """Whether credentials may be sent: over https, or in the clear to this machine alone.

    kubectl never sends them over http (client_config.go, IsConfigTransportTLS). Loopback is
    our exception, for `kubectl proxy` and the fake cluster.
    """
    scheme, host, _ = split_host(base_url)
    return scheme == "https" or is_loopback(host)


def mask_password(url: str) -> str:
    """A URL that may be shown: whatever may be its password is `***`."""
    return re.sub(r"^((?:[^:/@]*://)?[^:@]*):(?!//).*@", r"\1:***@", url, flags=re.DOTALL)
