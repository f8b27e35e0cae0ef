"""TLS against a real server on loopback."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import sys
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from config.kubeconfigs import one_context
from proxyurls.config import TLS, Config
from proxyurls.config.tls import make_context
from proxyurls.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.conftest import Load


@dataclass
class Server:
    """Answers each connection with the subject of the client's certificate."""

    port: int
    ca: trustme.CA

    def greet(self, config: Config, *, host: str = "127.0.0.1") -> str:
        credentials = config.credentials()
        context = credentials.ssl_context()
        assert context is not None
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname=host) as connection,
        ):
            return connection.recv(1000).decode()


def encoded(blob: trustme.Blob) -> str:
    return base64.b64encode(blob.bytes()).decode()


def common_names(peer: Any) -> str:
    subject = (peer or {}).get("subject", ())
    return ",".join(value for part in subject for key, value in part if key == "commonName")


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client_ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(ca: trustme.CA, client_ca: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "k8s.test").configure_cert(context)
    client_ca.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return  # closed: the tests are done
            raw.settimeout(5)
            try:
                with raw, context.wrap_socket(raw, server_side=True) as connection:
                    connection.sendall(f"hello {common_names(connection.getpeercert())}".encode())
            except OSError:
                continue  # a client that did not trust us

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield Server(listener.getsockname()[1], ca)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    ca.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def client(client_ca: trustme.CA) -> trustme.LeafCert:
    return client_ca.issue_cert("ann@example.com", common_name="ann")


def test_ca_file(server: Server, load: Load, ca_file: Path) -> None:
    config = load(one_context(cluster={"certificate-authority": str(ca_file)}))
    assert server.greet(config) == "hello "


def test_ca_data_with_words_around_it(server: Server, load: Load) -> None:
    data = base64.b64encode("# Größe\n".encode() + server.ca.cert_pem.bytes()).decode()
    assert server.greet(load(one_context(cluster={"certificate-authority-data": data}))) == "hello "


def test_only_the_given_ca_is_trusted(server: Server, load: Load, client_ca: trustme.CA) -> None:
    cluster = {"certificate-authority-data": encoded(client_ca.cert_pem)}
    config = load(one_context(cluster=cluster))
    with pytest.raises(ssl.SSLCertVerificationError):
        server.greet(config)
    context = config.credentials().ssl_context()
    assert context is not None
    assert len(context.get_ca_certs()) == 1


def test_without_a_ca_the_system_decides(server: Server, load: Load) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        server.greet(load(one_context()))


def test_wrong_host_name_is_refused_and_server_name_mends_it(
    server: Server, load: Load, ca_file: Path
) -> None:
    cluster = {"certificate-authority": str(ca_file)}
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        server.greet(load(one_context(cluster=cluster)), host="other.test")
    named = load(one_context(cluster={**cluster, "tls-server-name": "k8s.test"}))
    assert server.greet(named, host="other.test") == "hello "


def test_insecure(server: Server, load: Load) -> None:
    assert server.greet(load(one_context(), insecure_skip_tls_verify=True)) == "hello "


def test_client_certificate_from_files(
    server: Server, load: Load, ca_file: Path, client: trustme.LeafCert, tmp_path: Path
) -> None:
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    client.private_key_pem.write_to_path(tmp_path / "key")
    config = load(
        one_context(user={"client-certificate": "cert", "client-key": "key"}),
        certificate_authority=ca_file,
    )
    assert config.credential.kind == "client-certificate"
    assert server.greet(config) == "hello ann"


def data_user(client: trustme.LeafCert) -> dict[str, str]:
    return {
        "client-certificate-data": encoded(client.cert_chain_pems[0]),
        "client-key-data": encoded(client.private_key_pem),
    }


@pytest.mark.parametrize("memfd", [True, False])
def test_client_certificate_from_data_leaves_no_file(
    *,
    server: Server,
    load: Load,
    ca_file: Path,
    client: trustme.LeafCert,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    memfd: bool,
) -> None:
    if memfd and not hasattr(os, "memfd_create"):
        pytest.skip("this platform has no memfd_create")
    if not memfd:
        monkeypatch.delattr("os.memfd_create", raising=False)
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    config = load(one_context(user=data_user(client)), certificate_authority=ca_file)
    assert server.greet(config) == "hello ann"
    assert list(folder.iterdir()) == []


def test_temporary_key_is_private_while_it_lives(
    client: trustme.LeafCert, monkeypatch: pytest.MonkeyPatch, load: Load, tmp_path: Path
) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    modes: list[int] = []
    real = ssl.SSLContext.load_cert_chain

    def spy(self: ssl.SSLContext, certfile: str, keyfile: str, **rest: Any) -> None:
        modes.extend(Path(name).stat().st_mode & 0o777 for name in (certfile, keyfile))
        real(self, certfile, keyfile, **rest)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    load(one_context(user=data_user(client))).credentials().ssl_context()
    assert modes == [0o600, 0o600]


def test_temporary_key_is_removed_when_it_is_no_key(
    monkeypatch: pytest.MonkeyPatch, load: Load, tmp_path: Path
) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    user = {"client-certificate-data": "AAA=", "client-key-data": "AAA="}
    with pytest.raises(CredentialError, match="client-certificate-data and key client-key-data"):
        load(one_context(user=user)).credentials().ssl_context()
    assert list(folder.iterdir()) == []


def test_key_of_another_certificate(
    load: Load, client_ca: trustme.CA, client: trustme.LeafCert
) -> None:
    other = client_ca.issue_cert("other@example.com")
    user = {**data_user(client), "client-key-data": encoded(other.private_key_pem)}
    with pytest.raises(CredentialError, match="are not a PEM pair: KEY_VALUES_MISMATCH"):
        load(one_context(user=user)).credentials().ssl_context()


def test_encrypted_key_does_not_ask_on_the_terminal(load: Load, client: trustme.LeafCert) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"s3cret"),
    )
    user = {**data_user(client), "client-key-data": base64.b64encode(pem).decode()}
    with pytest.raises(CredentialError, match="client-key-data is encrypted; decrypt it with"):
        load(one_context(user=user)).credentials().ssl_context()


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        (TLS(ca_data=b"nothing"), "certificate-authority-data holds no usable PEM"),
        (TLS(ca_file="/no/ca"), "certificate-authority /no/ca can't be read: No such file"),
        (TLS(ca_file=__file__), "holds no usable PEM"),
    ],
)
def test_bad_ca(tls: TLS, says: str) -> None:
    with pytest.raises(CredentialError, match=says):
        make_context(tls, None)


def test_the_strict_flag_of_python_3_13_is_off() -> None:
    flags = make_context(TLS(), None).verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


def test_context_is_kept_until_a_file_changes(
    load: Load, client: trustme.LeafCert, client_ca: trustme.CA, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert", tmp_path / "key"
    client.cert_chain_pems[0].write_to_path(cert)
    client.private_key_pem.write_to_path(key)
    user = {"client-certificate": str(cert), "client-key": str(key)}
    credentials = load(one_context(user=user)).credentials()
    first = credentials.ssl_context()
    assert credentials.ssl_context() is first
    renewed = client_ca.issue_cert("ann@example.com")
    renewed.cert_chain_pems[0].write_to_path(cert)
    renewed.private_key_pem.write_to_path(key)
    assert credentials.ssl_context() is not first


def test_http_has_no_context(load: Load) -> None:
    assert load(one_context(server="http://localhost:1")).credentials().ssl_context() is None


@pytest.mark.skipif(os.name != "posix", reason="the plugin is a #! script")
def test_certificate_of_an_exec_plugin(
    server: Server, load: Load, ca_file: Path, client: trustme.LeafCert, tmp_path: Path
) -> None:
    script = tmp_path / "plugin"
    status = {
        "clientCertificateData": client.cert_chain_pems[0].bytes().decode(),
        "clientKeyData": client.private_key_pem.bytes().decode(),
    }
    version = "client.authentication.k8s.io/v1"
    script.write_text(
        textwrap.dedent(f"""\
            #!{sys.executable}
            import json
            print(json.dumps({{"kind": "ExecCredential", "apiVersion": "{version}",
                              "status": {status!r}}}))
        """)
    )
    script.chmod(0o755)
    user = {"exec": {"command": "./plugin", "apiVersion": version, "interactiveMode": "Never"}}
    config = load(one_context(user=user), certificate_authority=ca_file, environ=dict(os.environ))
    credentials = config.credentials()
    assert server.greet(config) == "hello ann"
    assert credentials.headers() == []
    context = credentials.ssl_context()
    assert credentials.renew()
    assert credentials.ssl_context() is context  # the plugin gave the same certificate again


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_no_descriptor_is_left_open(load: Load, client: trustme.LeafCert) -> None:
    config = load(one_context(user=data_user(client)))
    folder = Path("/proc/self/fd")
    before = len(list(folder.iterdir()))
    for _ in range(5):
        config.credentials().ssl_context()
    assert len(list(folder.iterdir())) == before
