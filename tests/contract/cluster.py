"""What a test may know of an apiserver, be it the real one or a fake.

A new kind of apiserver derives from :class:`APIServer`, fills in the attributes and the
abstract methods, and gets one line in ``fixtures.KINDS``.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Address = tuple[str, int]
TIME_LIMIT = 20.0


@dataclass(frozen=True)
class Port:
    """A port of a service. Its upstream may differ from the one of the service."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None
    node_port: int | None = None
    upstream: Address | None = None


@dataclass(frozen=True)
class ContainerPort:
    """A port that a pod's container declares."""

    port: int
    name: str = ""


@dataclass(frozen=True)
class Response:
    """An answer, as it came."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def status_object(self) -> dict[str, Any] | None:
        """The Status object that the apiserver itself answers with, or None if it's no such."""
        if self.headers.get_content_type() != "application/json":
            return None
        try:
            answer = json.loads(self.body)
        except ValueError:
            return None
        return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else None

    @property
    def message(self) -> str:
        """The apiserver's own words: the message of its Status object, else its plain text."""
        status = self.status_object
        return str(status["message"]) if status is not None else self.text.rstrip("\n")


@dataclass
class APIServer(ABC):
    """A running apiserver, with three users and ways to put things behind it."""

    server: str  # https://127.0.0.1:PORT
    server6: str | None  # the same by IPv6, where this machine has it
    ca_file: Path
    client_certificate: Path  # user admin of group system:masters, PEM
    client_key: Path
    kubeconfig: Path  # contexts admin (certificate), token (namespace monitoring), reader (token)
    admin_token: str
    reader_token: str  # user reader, who may do nothing until granted
    kubectl: Path | None = field(default=None, kw_only=True)

    @cached_property
    def ca_pem(self) -> bytes:
        """The certificate that signed the server's."""
        return self.ca_file.read_bytes()

    # what there is behind it

    @abstractmethod
    def listen(self) -> socket.socket:
        """A socket that listens where the server will proxy to: serve an upstream on it.

        A server that allows no loopback address to be proxied to may allow these ones.
        """

    @abstractmethod
    def add_namespace(self, name: str) -> None:
        """Make a namespace, unless it's there."""

    @abstractmethod
    def add_service(
        self,
        name: str,
        namespace: str = "default",
        *,
        ports: Sequence[Port] = (Port(80),),
        upstream: Address | None = None,
        endpoints: bool = True,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        type: str = "ClusterIP",  # noqa: A002  (the field's name)
        external_name: str | None = None,
        ingress: Iterable[Mapping[str, str]] = (),
    ) -> None:
        """Make a service and, unless told otherwise, its endpoints.

        With ``upstream`` or a port's own upstream, the endpoints lead there; a port with
        neither has none. With ``endpoints=False`` there isn't even an Endpoints object.
        """

    @abstractmethod
    def add_pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        ip: str | None,
        ports: Sequence[Sequence[ContainerPort]] = ((),),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Make a pod that has ``ip``, with one container for each row of ports."""

    @abstractmethod
    def add_node(self, name: str, *, ip: str, kubelet_port: int) -> None:
        """Make a node whose kubelet is said to listen at that address."""

    @abstractmethod
    def grant(
        self,
        user: str,
        *,
        verbs: Sequence[str],
        resources: Sequence[str],
        names: Sequence[str] = (),
        namespace: str | None = None,
    ) -> None:
        """Let a user do something, in one namespace or (None) everywhere."""

    @abstractmethod
    def service_account_token(self, namespace: str, name: str) -> str:
        """A token of a service account, which is made if it isn't there."""

    @abstractmethod
    def expire_continue_tokens(self) -> None:
        """Make every continue token that was given out so far too old."""

    # asking it

    def connect(self, *, certificate: bool = False) -> ssl.SSLSocket:
        """Open a TLS connection to it."""
        context = ssl.create_default_context(cadata=self.ca_pem.decode())
        if certificate:
            context.load_cert_chain(self.client_certificate, self.client_key)
        parts = urlsplit(self.server)
        if parts.hostname is None or parts.port is None:
            raise ValueError(self.server)
        plain = socket.create_connection((parts.hostname, parts.port), timeout=TIME_LIMIT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=parts.hostname)

    def send(
        self,
        connection: socket.socket,
        method: str,
        target: str | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        token: str | None = "admin",
    ) -> None:
        """Write one request, with ``target`` to the byte as given."""
        if token == "admin":
            token = self.admin_token
        lines: dict[str, str] = {"Host": urlsplit(self.server).netloc}
        if token is not None:
            lines["Authorization"] = f"Bearer {token}"
        if body is not None:
            lines["Content-Length"] = str(len(body))
        lines.update(headers or {})
        raw = target if isinstance(target, bytes) else target.encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.sendall(
            b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method.encode(), raw, head.encode(), body or b"")
        )

    def request(
        self,
        method: str,
        target: str | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        token: str | None = "admin",
        certificate: bool = False,
    ) -> Response:
        """Send one request and read the answer. Redirects aren't followed, nothing is normalised.

        ``token`` is "admin" for the admin's, None for none, or a token.
        """
        lines = {"Connection": "close", **(headers or {})}
        with self.connect(certificate=certificate) as connection:
            self.send(connection, method, target, headers=lines, body=body, token=token)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            return Response(answer.status, answer.reason, answer.headers, answer.read())

    def get(self, target: str | bytes, *, token: str | None = "admin", **headers: str) -> Response:
        """GET, with headers as keywords (``accept_encoding="gzip"``)."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        return self.request("GET", target, headers=named, token=token)


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    ca_pem: bytes,
    certificate: bytes,
    key: bytes,
    admin_token: str,
    reader_token: str,
) -> None:
    """Write the kubeconfig that every kind of apiserver has (JSON is YAML too)."""

    def data(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    cluster = {"server": server, "certificate-authority-data": data(ca_pem)}
    admin = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "admin",
        "clusters": [{"name": "contract", "cluster": cluster}],
        "users": [
            {"name": "admin", "user": admin},
            {"name": "token", "user": {"token": admin_token}},
            {"name": "reader", "user": {"token": reader_token}},
        ],
        "contexts": [
            {"name": "admin", "context": {"cluster": "contract", "user": "admin"}},
            {
                "name": "token",
                "context": {"cluster": "contract", "user": "token", "namespace": "monitoring"},
            },
            {"name": "reader", "context": {"cluster": "contract", "user": "reader"}},
        ],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1) + "\n")
