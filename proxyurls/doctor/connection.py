"""Step 2: name lookup, TCP, TLS, and whether it is an apiserver that answers.

No credential is used: they are the next step's, and are sent only once TLS was verified.
"""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import ExitStack

from proxyurls.client import APIClient
from proxyurls.config.model import Credential, Impersonate
from proxyurls.doctor import trust
from proxyurls.doctor.case import Case, Found
from proxyurls.doctor.certificate import read
from proxyurls.doctor.way import Way
from proxyurls.doctor.wire import Said
from proxyurls.errors import ConnectionFailed, CredentialError, InvalidConfig, shown
from proxyurls.status import connection_error, parse_status, phrase

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from proxyurls.config import Config

# Of Go's net/http (server.go), and of nginx.
_HTTPS_EXPECTED = (b"HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port")
# An apiserver may want credentials even for its version; a gateway before it in its own words.
_LOGIN_NEEDED = (http.client.UNAUTHORIZED, http.client.FORBIDDEN)


def check(case: Case) -> str:
    """Connect as far as that goes without a credential, and ask for the version.

    Args:
        case: gets its ``client``.

    Raises:
        Found: what is in the way.
    """
    config = case.config
    way = Way(config, case.timeout, case.options)
    parts: list[str] = []
    said: Said | None
    with ExitStack() as stack:
        connection = stack.enter_context(way.open())
        if not way.tunnelled:
            said = _ask_by_client(config, case.timeout)
        else:
            if way.secure:
                connection = stack.enter_context(_secured(way, connection))
            parts.append(_tls(config, connection))
            said = _ask(way, connection)
    if said is None:
        parts.append("it says nothing to those without a client certificate")
    else:
        trust.check_clock(config.server, said.headers)
        parts.append(_judged(config, way, said))
    case.client = APIClient(config, timeout=case.timeout, credentials=case.credentials)
    reached = f"{config.server} answers at {way.address}"
    if config.proxy_url:
        reached = f"{config.server} answers through the proxy at {way.address}"
    return "; ".join(filter(None, [reached, way.silent, *parts]))


def _secured(way: Way, connection: socket.socket) -> ssl.SSLSocket:
    try:
        return way.handshake(connection, way.config.tls)
    except CredentialError as error:
        remedy = "give the file of the cluster's CA: --certificate-authority FILE"
        raise Found("wrong-config", str(error), remedy) from error
    except ssl.SSLCertVerificationError as error:
        raise trust.untrusted(way, error) from error
    except OSError as error:
        raise trust.failed(way, error) from error


def _tls(config: Config, connection: socket.socket) -> str:
    if not isinstance(connection, ssl.SSLSocket):
        return "it is asked by http, without TLS"
    if config.tls.insecure:
        return "its certificate was not checked at all (insecure-skip-tls-verify)"
    certificate = read(connection.getpeercert(binary_form=True) or b"")
    if certificate is None:
        return "its certificate is trusted"
    return (
        f"its certificate by {shown(certificate.issuer)} is trusted, and valid until "
        f"{trust.moment(certificate.not_after)}"
    )


def _ask(way: Way, connection: socket.socket) -> Said | None:
    """What the server says; None where it wants a client certificate first."""
    config = way.config
    try:
        return way.ask(connection)
    except (OSError, http.client.HTTPException) as error:
        if "CERTIFICATE_REQUIRED" in str(error):
            return None
        if not way.secure and not isinstance(error, TimeoutError) and trust.speaks_tls(way):
            raise _tls_expected(config) from error
        failure = connection_error(config.server, error, proxy=config.proxy_url, connected=True)
        raise _found(failure) from error


def _tls_expected(config: Config) -> Found:
    url = "https://" + config.base_url.partition("://")[2]
    return Found("tls-expected", f"{config.server} speaks https, not http", f"give --server {url}")


def _ask_by_client(config: Config, seconds: float) -> Said:
    """The same through a proxy that takes TLS or SOCKS."""
    nobody = config.replaced(credential=Credential(), impersonate=Impersonate())
    try:
        with (
            APIClient(nobody, timeout=seconds) as client,
            client.stream("GET", "/version") as response,
        ):
            body = b"".join(client.limited(response.iter_bytes()))
            return Said(response.status_code, response.headers, body)
    except InvalidConfig as error:
        text, _, remedy = str(error).partition("; ")
        raise Found("wrong-config", text, remedy) from error
    except ConnectionFailed as error:
        found = _found(error)
        if "certificate" in found.text:  # the library doesn't say whose it was
            found.text += ", or that of the proxy, for which this machine's CAs count"
        raise found from error


def _found(error: ConnectionFailed) -> Found:
    """The cause that an error names; what it is not known for is said of the connection."""
    text, _, remedy = str(error).rpartition("; ")
    if not error.causes:
        return Found("closed", str(error))
    return Found(error.causes[0], text, remedy)


def _judged(config: Config, way: Way, said: Said) -> str:
    """Who answered.

    Raises:
        Found: "tls-expected" or "no-apiserver".
    """
    answer = f"{config.server} answered {phrase(said.status)} to GET /version"
    if not way.secure and any(words in said.body for words in _HTTPS_EXPECTED):
        raise _tls_expected(config)
    if parse_status(said.body) is not None or said.status in _LOGIN_NEEDED:
        return f"it answers {phrase(said.status)} to those who don't say who they are"
    version = _version(said.body)
    if said.status == http.client.OK and version:
        return f"it is Kubernetes {version}"
    if location := said.headers.get("Location"):
        raise Found(
            "no-apiserver",
            f"{answer}, and leads to {shown(location.partition('?')[0])}: a login page or gateway",
        )
    kind = (said.headers.get("Content-Type") or "no type").partition(";")[0]
    server = said.headers.get("Server")
    by = f" by a server that calls itself {shown(server)}" if server else ""
    raise Found("no-apiserver", f"{answer}, with {shown(kind)}{by}, as no apiserver does")


def _version(body: bytes) -> str:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = content.get("gitVersion") if isinstance(content, dict) else None
    return found if isinstance(found, str) and found.isprintable() else ""
