"""The frozen results: what was decided, about whom, and why.

None of these values does anything. Secrets are kept out of every repr, because a Config
ends up in tracebacks and debuggers.
"""

from __future__ import annotations

from proxyurls.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    Kind = Literal["none", "token", "token-file", "client-certificate", "basic", "exec"]


class ExecPlugin(Record):
    """A command that prints credentials (client.authentication.k8s.io)."""

    command: str
    api_version: str
    interactive_mode: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    provide_cluster_info: bool = False


class ClientCertificate(Record):
    """A certificate and its key, each from a file or as PEM data."""

    certificate_file: str = ""
    certificate_data: bytes | None = field(default=None, repr=False)
    key_file: str = ""
    key_data: bytes | None = field(default=None, repr=False)


class Credential(Record):
    """Who is asking, as described: nothing has been read or run for it.

    Attributes:
        kind: the strongest method, in client-go's order.
        certificate: may stand beside a token or password, as kubectl allows.
    """

    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    certificate: ClientCertificate | None = None
    exec: ExecPlugin | None = None

    @property
    def kind(self) -> Kind:
        """The method that counts."""
        # A plugin comes last: client-go does not run it where there is anything else
        # (exec.go, UpdateTransportConfig). A token file beats a token once it is read.
        if self.token_file:
            return "token-file"
        if self.token:
            return "token"
        if self.username or self.password:
            return "basic"
        if self.certificate:
            return "client-certificate"
        return "exec" if self.exec else "none"


class Impersonate(Record):
    """Whom to act as. False where it is nobody."""

    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.user)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "user": self.user,
            "uid": self.uid,
            "groups": list(self.groups),
            "extra": {key: list(values) for key, values in self.extra},
        }


class TLS(Record):
    """How the server proves who it is. No CA means the system's."""

    ca_file: str = ""
    ca_data: bytes | None = field(default=None, repr=False)
    server_name: str = ""
    insecure: bool = False

    def as_dict(self) -> dict[str, Any]:
        """`ca` is the file, or the word for data in the kubeconfig itself, or None."""
        inline = "certificate-authority-data" if self.ca_data else None
        return {
            "ca": self.ca_file or inline,
            "server_name": self.server_name,
            "insecure": self.insecure,
        }


class Connection(Record):
    """What it takes to talk to one apiserver. `Config` adds how it was chosen.

    Attributes:
        server: as it was written; `base_url` is what is contacted.
        credential: of kind "none" also where credentials were withheld (see `Config.warnings`).
        impersonate: whom to act as.
        tls: how the server proves who it is.
        proxy_url: may hold a password, so it is shown by `Config.as_dict` alone, and masked.
        disable_compression: ask the server for plain responses.
        exec_config: the cluster's extension for exec plugins, passed on as it is.
        environ: what exec plugins run in, instead of os.environ.
    """

    server: str
    credential: Credential = Credential()
    impersonate: Impersonate = Impersonate()
    tls: TLS = TLS()
    proxy_url: str | None = field(default=None, repr=False)
    disable_compression: bool = False
    exec_config: Any = field(default=None, repr=False, compare=False)
    environ: Mapping[str, str] | None = field(default=None, repr=False, compare=False)

    @property
    def base_url(self) -> str:
        """The server as it is contacted: with a scheme."""
        from proxyurls.config.server import check_server

        return check_server(self.server, source="this Config")[1]
