"""Certificates that trustme has no way to make: self-signed ones, old CAs, some without names."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


class Issued:
    """A certificate and its key.

    Args:
        name: its common name.
        by: who signs it; None itself.
        address: the one address that it is for; "" is none, as for a CA.
        until: how long it is valid.
    """

    def __init__(
        self, name: str, *, by: Issued | None = None, address: str = "", until: timedelta = DAY
    ) -> None:
        now = datetime.now(timezone.utc)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        issuer = by or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(issuer._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=not by, path_length=None), critical=True)
        )
        if address:
            names = [x509.IPAddress(ip_address(address))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._certificate = builder.sign(issuer._key, SHA256())

    def write(self, path: Path) -> str:
        """Write the certificate, and give the path."""
        path.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return str(path)

    def put(self, context: ssl.SSLContext, folder: Path) -> ssl.SSLContext:
        """Put it into a server's context."""
        key = folder / "issued.key"
        key.write_bytes(
            self._key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        context.load_cert_chain(self.write(folder / "issued.crt"), str(key))
        return context

    def server(self, folder: Path) -> ssl.SSLContext:
        """A server's context with it."""
        return self.put(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), folder)
