"""The live credentials of a connection. Knows no HTTP library: two of them use it."""

from __future__ import annotations

from threading import RLock

from proxyurls.config.model import ClientCertificate
from proxyurls.config.server import takes_credentials
from proxyurls.config.token_file import TokenFile, file_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from proxyurls.config.exec_plugin import ExecCredential
    from proxyurls.config.model import Connection
    from proxyurls.config.token_file import Signature

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
        self._context_key: object = None

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
        and a client that sees another object should make new ones.

        Raises:
            CredentialError: a certificate or key can't be read, or the plugin gave none.
        """
        if not self._secure:
            return None
        from proxyurls.config.tls import make_context

        with self._lock:
            certificate = self._certificate()
            key = (certificate, self._signatures(certificate))
            if self._context is None or key != self._context_key:
                self._context = make_context(self._config.tls, certificate)
                self._context_key = key
            return self._context

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

    def _signatures(self, certificate: ClientCertificate | None) -> list[Signature | None]:
        """What tells that one of the files was replaced."""
        paths = [self._config.tls.ca_file]
        if certificate:
            paths += [certificate.certificate_file, certificate.key_file]
        return [file_signature(path) for path in paths if path]

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


def _bearer(token: str) -> str:
    return f"Bearer {token}" if token else ""
