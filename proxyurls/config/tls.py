"""SSL contexts from files and data, leaving no key on disk.

Source of the rules: transport/transport.go, TLSConfigFor.
"""

from __future__ import annotations

import os
import ssl
from contextlib import ExitStack, contextmanager

from proxyurls.config.files import check_regular
from proxyurls.errors import CredentialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from proxyurls.config.model import TLS, ClientCertificate


class _Socket(ssl.SSLSocket):
    """Closes itself when it is reset: Python leaves it open where that happens before TLS.

    (It asks for a byte then, to see whether somebody spoke before the handshake.)
    """

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As in the base class."""
        try:
            return super().recv(buflen, flags)
        except ConnectionResetError:
            self.close()
            raise


class _Context(ssl.SSLContext):
    """Checks the server's certificate for ``tls-server-name`` where there is one.

    Here, and not where connections are made, because HTTP libraries have no option for it that
    also works through a proxy.
    """

    sslsocket_class = _Socket
    server_name: bytes | None = None

    def wrap_socket(self, sock: Any, *args: Any, **options: Any) -> ssl.SSLSocket:
        """As in the base class, for that name."""
        if self.server_name:
            options["server_hostname"] = self.server_name
        return super().wrap_socket(sock, *args, **options)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  (anyio passes them by place)
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As in the base class, for that name."""
        name = self.server_name or server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def make_context(tls: TLS, certificate: ClientCertificate | None) -> ssl.SSLContext:
    """A client context that trusts the CA given and nothing else, or else the system's.

    Raises:
        CredentialError: a file can't be read, or is no certificate or no key for it.
    """
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = tls.server_name.encode() or None
    # Python 3.13's create_default_context sets it, some distributions everywhere: it refuses
    # CAs without key usage or key identifiers, as kubeadm, k3s and many hand-made ones are.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # As Go: a certificate in the CA file is trusted, be it a root or not.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file or tls.ca_data:
        _load_ca(context, tls)
    else:
        context.load_default_certs()
    if certificate is not None:
        _load_certificate(context, certificate)
    return context


def _load_ca(context: ssl.SSLContext, tls: TLS) -> None:
    name = f"certificate-authority {tls.ca_file}" if tls.ca_file else "certificate-authority-data"
    try:
        if tls.ca_data:
            # Only PEM blocks count; what people write between them need not be ASCII.
            context.load_verify_locations(cadata=tls.ca_data.decode("ascii", "ignore"))
        else:
            check_regular(tls.ca_file)  # OpenSSL would read a device or a pipe for ever
            context.load_verify_locations(cafile=tls.ca_file)
    except (ssl.SSLError, ValueError) as exc:
        raise CredentialError(f"{name} holds no usable PEM certificate") from exc
    except OSError as exc:
        raise CredentialError(f"{name} can't be read: {exc.strerror}") from exc


def _load_certificate(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    name = certificate.certificate_file or "client-certificate-data"
    key_name = certificate.key_file or "client-key-data"

    def refuse_passphrase() -> str:
        # Without this OpenSSL would ask on the terminal; kubectl knows no passphrase either.
        raise CredentialError(
            f"{key_name} is encrypted; decrypt it with `openssl pkey -in KEY -out NEW`"
        )

    with ExitStack() as stack:
        cert_path, key_path = (
            stack.enter_context(_as_path(data)) if data else path
            for data, path in (
                (certificate.certificate_data, certificate.certificate_file),
                (certificate.key_data, certificate.key_file),
            )
        )
        try:
            for path in (certificate.certificate_file, certificate.key_file):
                if path:
                    check_regular(path)
            context.load_cert_chain(cert_path, key_path, password=refuse_passphrase)
        except ssl.SSLError as exc:
            raise CredentialError(
                f"client certificate {name} and key {key_name} are not a PEM pair: "
                f"{exc.reason or 'unreadable'}"
            ) from exc
        except OSError as exc:
            raise CredentialError(
                f"client certificate {name} or key {key_name} can't be read: {exc.strerror}"
            ) from exc


@contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    """A path that holds the data while OpenSSL reads it: it takes keys from files alone."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        fd = os.memfd_create("proxyurls", os.MFD_CLOEXEC)
        with open(fd, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{fd}"
        return
    from tempfile import mkstemp

    fd, path = mkstemp(prefix="proxyurls-")  # mode 0600
    try:
        with open(fd, "wb") as file:  # noqa: PTH123
            file.write(data)
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108
