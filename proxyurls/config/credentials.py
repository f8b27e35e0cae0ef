"""The live credentials of a connection. Knows no HTTP library: two of them use it."""

from __future__ import annotations

from threading import RLock

from proxyurls.config.files import read_regular
from proxyurls.config.model import ClientCertificate
from proxyurls.config.server import takes_credentials
from proxyurls.config.token_file import TokenFile, file_signature
from proxyurls.errors import CredentialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from datetime import datetime

    from proxyurls.config.exec_plugin import ExecCredential
    from proxyurls.config.model import Connection

# The characters of an HTTP token (RFC 9110, 5.6.2) besides letters and digits; "%" escapes.
_HEADER_SAFE = "!#$&'*+-.^_`|~"


class Credentials:
    """Headers and TLS material, kept fresh. Safe to share between threads."""

    def __init__(self, config: Connection, *, plugin_time_limit: float | None = None) -> None:
        """Nothing is read or run yet.

        Args:
            config: what to use. Its credentials are ignored where they must not be sent.
            plugin_time_limit: seconds an exec plugin may take; see `exec_plugin.run_plugin`.
        """
        self._config = config
        self._secure = config.base_url.startswith("https:")
        self._allowed = takes_credentials(config.base_url)
        self._time_limit = plugin_time_limit
        self._lock = RLock()
        credential = config.credential
        self._token_file = (
            TokenFile(credential.token_file, fallback=credential.token)
            if credential.token_file
            else None
        )
        self._exec: ExecCredential | None = None
        self._context: ssl.SSLContext | None = None
        self._seen: object = None
        self._material: object = None

    def __repr__(self) -> str:
        return f"Credentials({self._config.credential.kind!r}, {self._config.base_url!r})"

    def headers(self) -> list[tuple[str, str]]:
        """Authorization and Impersonate-* for the next request.

        May read the token file or run the exec plugin, so call it for each request.

        Raises:
            CredentialError: the token file or the plugin gave nothing usable.
        """
        authorization = self._authorization() if self._allowed else ""
        headers = [("Authorization", authorization)] if authorization else []
        return headers + self._impersonation()

    def ssl_context(self) -> ssl.SSLContext | None:
        """The context for connections to the server; None if it speaks plain HTTP.

        It checks the certificate for tls-server-name where there is one, whatever host the
        HTTP library asks it to check for.

        The same object until a certificate or key changes: open connections may stay then,
        and a client that sees another object should make new ones. Files that were replaced
        by the same bytes, as the kubelet does with ca.crt whenever the token rotates, or that
        can't be read for the moment, change nothing.

        Raises:
            CredentialError: a certificate or key never could be read, or the plugin gave none.
        """
        if not self._secure:
            return None
        from proxyurls.config.tls import make_context

        with self._lock:
            certificate = self._certificate()
            paths = self._paths(certificate)
            seen = (certificate, [file_signature(path) for path in paths])
            if self._context is not None and seen == self._seen:
                return self._context
            material = (certificate, [_read(path) for path in paths])
            if self._context is None or material != self._material:
                try:
                    self._context = make_context(self._config.tls, certificate)
                except CredentialError:
                    if self._context is None:
                        raise
                    return self._context  # perhaps just being replaced: looked at again next time
            self._seen, self._material = seen, material
            return self._context

    @property
    def expires(self) -> datetime | None:
        """Until when an exec plugin's credential is good, if it has run and said so."""
        return self._exec.expires if self._exec else None

    def certificate(self) -> bytes | None:
        """The client certificate as PEM, for whoever wants to look at it; None without one.

        Raises:
            CredentialError: the plugin gave nothing usable.
        """
        with self._lock:
            found = self._certificate()
        if found is None:
            return None
        return found.certificate_data or _read(found.certificate_file)

    def renew(self, used: list[tuple[str, str]] | None = None) -> bool:
        """After a 401: forget what was cached. True if trying again may help.

        Args:
            used: the headers that were refused, if known. When another request has renewed
                the credential since, it is kept, so that a hundred refused requests don't
                run the plugin a hundred times.

        Raises:
            CredentialError: the token file never held a token.
        """
        with self._lock:
            if self._token_file:
                refused = dict(used or ()).get("Authorization")
                renewed = self._token_file.renew()
                return renewed or (
                    refused is not None and refused != f"Bearer {self._token_file.token()}"
                )
            if self._config.credential.kind != "exec" or not self._allowed:
                return False
            if (
                used is None
                or not self._exec
                or dict(used).get("Authorization", "") == _bearer(self._exec.token)
            ):
                self._exec = None
            return True

    def _authorization(self) -> str:
        credential = self._config.credential
        if self._token_file:
            with self._lock:
                return _bearer(self._token_file.token())
        if credential.token:
            return _bearer(credential.token)
        if credential.username or credential.password:
            import base64

            pair = f"{credential.username}:{credential.password}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        exec_credential = self._exec_credential()
        return _bearer(exec_credential.token) if exec_credential else ""

    def _exec_credential(self) -> ExecCredential | None:
        """What the plugin gave, run if need be; None where another method comes first."""
        credential = self._config.credential
        if credential.kind != "exec" or credential.exec is None or not self._allowed:
            return None
        # Also held while it runs: a plugin may ask a person, and must ask once.
        with self._lock:
            if self._exec is None or self._exec.expired:
                from proxyurls.config.exec_plugin import run_plugin

                self._exec = run_plugin(credential.exec, self._config, time_limit=self._time_limit)
            return self._exec

    def _certificate(self) -> ClientCertificate | None:
        if self._config.credential.certificate:
            return self._config.credential.certificate
        given = self._exec_credential()
        if given is None or given.certificate is None:
            return None
        return ClientCertificate(certificate_data=given.certificate, key_data=given.key)

    def _paths(self, certificate: ClientCertificate | None) -> list[str]:
        """The files that the TLS context is made of."""
        paths = [self._config.tls.ca_file]
        if certificate:
            paths += [certificate.certificate_file, certificate.key_file]
        return [path for path in paths if path]

    def _impersonation(self) -> list[tuple[str, str]]:
        """transport/round_trippers.go, impersonatingRoundTripper."""
        who = self._config.impersonate
        if not who:
            return []
        from urllib.parse import quote

        headers = [("Impersonate-User", who.user)]
        if who.uid:
            headers.append(("Impersonate-Uid", who.uid))
        headers += [("Impersonate-Group", group) for group in who.groups]
        headers += [
            (f"Impersonate-Extra-{quote(key, safe=_HEADER_SAFE)}", value)
            for key, values in who.extra
            for value in values
        ]
        return headers


def _read(path: str) -> bytes | None:
    """A file's bytes; None if it can't be read, and `make_context` will say why."""
    try:
        return read_regular(path)
    except OSError:
        return None


def _bearer(token: str) -> str:
    return f"Bearer {token}" if token else ""
