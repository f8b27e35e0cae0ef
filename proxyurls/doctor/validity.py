"""Whom a credential is of and until when it is good, as far as it says so itself."""

from __future__ import annotations

import shlex
from datetime import datetime, timezone

from proxyurls.doctor.certificate import read_pem
from proxyurls.doctor.claims import read_claims
from proxyurls.doctor.configuration import credential
from proxyurls.errors import shown
from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials

# Of these a certificate may be all there is; beside another, it is what the apiserver believes.
_BY_CERTIFICATE = ("client-certificate", "exec")


class Validity(Record):
    """A credential, as far as it can be looked into.

    Attributes:
        text: what it is, from where and of whom; no secret of it.
        expires: until when it is good, if it says so.
        not_before: from when on.
        renewal: how to get a new one.
    """

    text: str
    renewal: str
    expires: datetime | None = None
    not_before: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over, by our clock."""
        return self.expires is not None and self.expires <= datetime.now(timezone.utc)

    @property
    def early(self) -> bool:
        """Whether its time has not come yet, by our clock."""
        return self.not_before is not None and self.not_before > datetime.now(timezone.utc)


def look_into(config: Config, credentials: Credentials) -> Validity:
    """Look into the credential of a configuration.

    Args:
        config: which it is.
        credentials: those that were sent, so that nothing is run again that still holds.

    Raises:
        CredentialError: there is none.
    """
    text = credential(config)
    token = dict(credentials.headers()).get("Authorization", "")
    certificate = read_pem(credentials.certificate() or b"")
    if certificate and config.credential.kind not in _BY_CERTIFICATE:
        text += f", beside the client certificate for {shown(certificate.subject)}, which counts"
    expires = credentials.expires
    if token.startswith("Bearer "):
        claims = read_claims(token.removeprefix("Bearer "))
        if claims is None:
            return Validity(text, _renewal(config), expires)
        account = claims.account
        if account:
            text += f", of the service account {shown(':'.join(account))}"
        elif claims.issuer:
            text += f", issued by {shown(claims.issuer)}"
        times = [time for time in (claims.expires, expires) if time]
        end = min(times) if times else None
        return Validity(text, _renewal(config, account), end, claims.not_before)
    if certificate and config.credential.kind in _BY_CERTIFICATE:
        text += f", for {shown(certificate.subject)} by the CA {shown(certificate.issuer)}"
        end = min(filter(None, (certificate.not_after, expires)))
        return Validity(text, _renewal(config), end, certificate.not_before)
    return Validity(text, _renewal(config), expires)


def _renewal(config: Config, account: tuple[str, str] | None = None) -> str:
    kind = config.credential.kind
    source = config.sources.get("credential", "")
    if kind == "basic":
        return (
            "take a token, a client certificate or an exec plugin: no apiserver since "
            "Kubernetes 1.19 takes a user name and password"
        )
    if kind == "exec" and config.credential.exec:
        return f"log in again with {config.credential.exec.command}, then try again"
    if kind == "client-certificate":
        return (
            "have the certificate renewed (`kubeadm certs renew admin.conf`, where kubeadm made "
            "it), or choose another --context or --user"
        )
    if account is None:
        return "log in again to get a new token, or choose another --context or --user"
    make = shlex.join(["kubectl", "create", "token", account[1], "-n", account[0]])
    if kind == "token-file":
        return f"have the file written anew, by somebody who may: {make} > {_file(config)}"
    if config.user and not source.startswith("--"):
        words = ["kubectl", "config", "set-credentials", config.user]
        return f'have somebody who may make a new one: {shlex.join(words)} --token="$({make})"'
    return f'have somebody who may make a new one: --token="$({make})"'


def _file(config: Config) -> str:
    return shlex.quote(config.credential.token_file)
