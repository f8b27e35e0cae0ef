"""Why no TLS connection comes about, or the certificate is not trusted.

What is looked at then is looked at without trust: nothing secret is sent.
"""

from __future__ import annotations

import http.client
import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from proxyurls.config.model import TLS
from proxyurls.config.server import is_loopback
from proxyurls.doctor.case import Found
from proxyurls.doctor.certificate import Certificate, read, read_pem
from proxyurls.errors import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from proxyurls.config import Config
    from proxyurls.doctor.way import Way

_DRIFT = timedelta(minutes=5)  # less is usual, and hurts nobody
_NAMES_SHOWN = 6
_ANY = TLS(insecure=True)
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*")  # no wildcard, and nothing to a shell
# For whoever has a kubeconfig that works.
_GET_CA = (
    "kubectl config view --minify --raw --flatten "
    "-o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d > ca.crt"
)


def moment(time: datetime) -> str:
    """A time, for people."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def check_clock(server: str, headers: Mapping[str, str]) -> None:
    """Compare an answer's Date with our own clock.

    Args:
        server: who answered.
        headers: its headers.

    Raises:
        Found: "wrong-clock".
    """
    theirs = server_time(headers)
    if theirs is not None and abs(theirs - _now()) > _DRIFT:
        raise _wrong_clock(server, theirs)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The Date of an answer, or None where it has none that can be read."""
    try:
        found = parsedate_to_datetime(headers.get("Date") or "")
        aware = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError):  # the latter of years beyond 9999
        return None


def untrusted(way: Way, error: ssl.SSLCertVerificationError) -> Found:
    """What is wrong with a certificate.

    Args:
        way: how to get to the server.
        error: what the check said.
    """
    config = way.config
    certificate, theirs = _look(way)
    why = error.verify_message
    if "has expired" in why or "not yet valid" in why:
        return _not_now(config, certificate, theirs, expired="has expired" in why)
    if "mismatch" in why:
        return _wrong_name(config, way, certificate)
    return _unknown_authority(config, way, certificate)


def failed(way: Way, error: OSError) -> Found:
    """Why the handshake failed before there was a certificate.

    Args:
        way: how to get to the server.
        error: what TLS said.
    """
    config = way.config
    server = config.server
    if isinstance(error, TimeoutError):
        return Found(
            "no-answer",
            f"{server} is connected ({way.address}), but did not finish the TLS handshake within "
            f"{way.seconds:g} seconds",
        )
    reason = str(getattr(error, "reason", None) or error.strerror or error)
    try:
        with way.open() as plain:
            said = way.ask(plain)
    except (OSError, http.client.HTTPException):
        return Found("tls-refused", f"no TLS connection to {server} comes about ({reason})")
    # Go's answer to a request without TLS; then the handshake failed for another reason.
    if b"HTTP request to an HTTPS server" in said.body:
        return Found("tls-refused", f"no TLS connection to {server} comes about ({reason})")
    url = "http://" + config.base_url.partition("://")[2]
    remedy = f"give --server {url}"
    if not is_loopback(way.host):
        remedy = "use its https port: credentials are not sent over plain http"
    return Found("not-tls", f"{server} speaks http, and not https", remedy)


def speaks_tls(way: Way) -> bool:
    """Whether a server that does not answer by http speaks TLS.

    Args:
        way: how to get to it.
    """
    try:
        with way.open() as plain, way.handshake(plain, _ANY):
            return True
    except OSError:
        return False


def _look(way: Way) -> tuple[Certificate | None, datetime | None]:
    """The server's certificate and time, as far as they can be had."""
    tls = way.config.tls.replaced(insecure=True, ca_file="", ca_data=None)
    certificate = theirs = None
    try:
        with way.open() as plain, way.handshake(plain, tls) as secured:
            certificate = read(secured.getpeercert(binary_form=True) or b"")
            theirs = server_time(way.ask(secured).headers)
    except (OSError, http.client.HTTPException):
        # What is known by then is said; the check's own words are there in any case.
        return certificate, None
    return certificate, theirs


def _not_now(
    config: Config, certificate: Certificate | None, theirs: datetime | None, *, expired: bool
) -> Found:
    now = _now()
    cause = "certificate-expired" if expired else "certificate-not-yet-valid"
    whose = f"the certificate of {config.server}"
    if certificate is None:
        return Found(cause, f"{whose} {'has expired' if expired else 'is not valid yet'}")
    if (
        theirs is not None
        and abs(theirs - now) > _DRIFT
        and certificate.not_before <= theirs <= certificate.not_after
    ):
        return _wrong_clock(config.server, theirs)
    if certificate.not_before <= now <= certificate.not_after:
        whose = f"the CA certificate {shown(certificate.issuer)} behind that of {config.server}"
        return Found(cause, f"{whose} is not valid now ({moment(now)})")
    when = (
        f"expired on {moment(certificate.not_after)}"
        if expired
        else f"is not valid before {moment(certificate.not_before)}"
    )
    return Found(cause, f"{whose} {when}, and it is {moment(now)}")


def _wrong_name(config: Config, way: Way, certificate: Certificate | None) -> Found:
    asked = config.tls.server_name or way.host
    if config.tls.server_name:
        asked += " (tls-server-name)"
    if certificate is None:
        return Found(
            "wrong-certificate-name", f"the certificate of {config.server} is not for {asked}"
        )
    names = certificate.names
    if not names:
        return Found(
            "wrong-certificate-name",
            f"the certificate of {config.server} is for no name at all, and not for {asked}",
            "have it issued anew with a subjectAltName: a common name does not count",
        )
    listed = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    usable = [name for name in names if _HOST.fullmatch(name)]
    remedy = None
    if usable:
        remedy = f"if it is the right server, give --tls-server-name {usable[0]}"
    return Found(
        "wrong-certificate-name",
        f"the certificate of {config.server} is for {listed}, and not for {asked}",
        remedy,
    )


def _unknown_authority(config: Config, way: Way, certificate: Certificate | None) -> Found:
    issuer = shown(certificate.issuer) if certificate else "an unknown CA"
    by = f"signed by {issuer}"
    if certificate and certificate.issuer == certificate.subject:
        by = f"self-signed ({issuer})"
    own = _own_ca(config)
    remedy = (
        "let the kubeconfig's owner make a file of the cluster's CA "
        f"({_GET_CA}), and give --certificate-authority ca.crt"
    )
    if own is None:
        against = "which this machine does not trust, and no certificate-authority is set"
    else:
        against = f"and certificate-authority is {own}"
        source = config.sources.get("tls")
        against += f" ({source})" if source else ""
        remedy += (
            f"; if something in between looks into TLS under that name, have it leave {way.host} "
            "alone"
        )
    return Found(
        "unknown-authority", f"the certificate of {config.server} is {by}, {against}", remedy
    )


def _own_ca(config: Config) -> str | None:
    """Which CA is trusted, for people; None where the system's are."""
    if not (config.tls.ca_data or config.tls.ca_file):
        return None
    data = config.tls.ca_data
    if not data:
        with open(config.tls.ca_file, "rb") as file:  # noqa: PTH123
            data = file.read()
    count = data.count(b"-----BEGIN CERTIFICATE-----")
    found = read_pem(data)
    return shown(found.subject) if found and count == 1 else f"a list of {count} others"


def _wrong_clock(server: str, theirs: datetime) -> Found:
    return Found(
        "wrong-clock",
        f"it is {moment(_now())} by the clock of this machine, and {moment(theirs)} by that of "
        f"{server}",
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)
