"""kubectl's flags, and what they change in a cluster and a user.

Source: tools/clientcmd/overrides.go for the flags, client_config.go (getCluster, getAuthInfo)
for what they override and what they clear.
"""

from __future__ import annotations

from proxyurls.record import Record, field

_CERTIFICATE_FIRST = (
    "--token is sent along with the user's client certificate, as kubectl does, and an apiserver "
    "believes the certificate first; choose another --user or --context to be known by the token"
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.config.kubeconfig import Cluster, User


class Flags(Record):
    """The flags as given; "" is not given."""

    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    server: str = field(default="", repr=False)  # not checked yet: it may hold a password
    token: str = field(default="", repr=False)
    as_user: str = ""
    as_uid: str = ""
    as_groups: tuple[str, ...] = ()
    as_user_extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    insecure_skip_tls_verify: bool | None = None
    tls_server_name: str = ""

    def apply_to_cluster(self, cluster: Cluster) -> Cluster:
        """The cluster as the flags leave it."""
        if self.server or self.tls_server_name:
            # A name in the file belongs to the server in the file.
            cluster = cluster.replaced(tls_server_name=self.tls_server_name)
        if self.server:
            cluster = cluster.replaced(server=self.server)
        if self.insecure_skip_tls_verify or self.certificate_authority:
            cluster = cluster.replaced(
                insecure=bool(self.insecure_skip_tls_verify),
                ca_file=self.certificate_authority,
                ca_data=None,
            )
        elif self.insecure_skip_tls_verify is False:
            # client-go can't tell an explicit false from none; whoever types it means it.
            cluster = cluster.replaced(insecure=False)
        return cluster

    def apply_to_user(self, user: User) -> User:
        """The user as the flags leave them."""
        if self.token:
            # A client certificate is sent along, as kubectl does: `warnings` says what follows.
            user = user.replaced(token=self.token, token_file="", auth_provider="")
        if self.client_certificate:
            user = user.replaced(
                client_certificate=self.client_certificate, client_certificate_data=None
            )
        if self.client_key:
            user = user.replaced(client_key=self.client_key, client_key_data=None)
        return user.replaced(
            as_user=self.as_user or user.as_user,
            as_uid=self.as_uid or user.as_uid,
            as_groups=self.as_groups or user.as_groups,
            as_user_extra=tuple({**dict(user.as_user_extra), **dict(self.as_user_extra)}.items()),
        )

    def warnings(self, user: User) -> list[str]:
        """What the flags will not do, though they look like it."""
        certificate = user.client_certificate or user.client_certificate_data
        if self.token and certificate and not (self.client_certificate or self.client_key):
            return [_CERTIFICATE_FIRST]
        return []

    def tls_source(self) -> str:
        """The flags about TLS that were given, for people; or ""."""
        return _names(
            {
                "--certificate-authority": self.certificate_authority,
                "--insecure-skip-tls-verify": self.insecure_skip_tls_verify is not None,
                "--tls-server-name": self.tls_server_name,
            }
        )

    def credential_source(self) -> str:
        """The flags about credentials that were given, for people; or ""."""
        return _names(
            {
                "--token": self.token,
                "--client-certificate": self.client_certificate,
                "--client-key": self.client_key,
            }
        )


def _names(given: dict[str, str | bool]) -> str:
    return ", ".join(name for name, value in given.items() if value)
