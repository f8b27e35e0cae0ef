"""The frozen result of choosing a server and a user, with the reasons."""

from __future__ import annotations

from proxyurls.config.model import Connection
from proxyurls.record import field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from proxyurls.config.credentials import Credentials


class Config(Connection):
    """One apiserver and one way to talk to it, with the reasons.

    Attributes:
        context: a name in the kubeconfig, or "".
        cluster: likewise.
        user: likewise.
        namespace: never empty.
        sources: for "server", "context", …: where each came from, for people.
        warnings: one line each.
    """

    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = "default"
    sources: Mapping[str, str] = field(default={})
    warnings: tuple[str, ...] = ()

    def credentials(self) -> Credentials:
        """A live object that reads files and runs plugins when it is asked for headers."""
        from proxyurls.config.credentials import Credentials

        return Credentials(self)

    def as_dict(self) -> dict[str, Any]:
        """All of it that is safe to print, as JSON values."""
        from proxyurls.config.server import mask_password

        return {
            "server": self.server,
            "context": self.context,
            "cluster": self.cluster,
            "user": self.user,
            "namespace": self.namespace,
            "credential": self.credential.kind,
            "impersonate": self.impersonate.as_dict() if self.impersonate else None,
            "tls": self.tls.as_dict(),
            "proxy_url": mask_password(self.proxy_url) if self.proxy_url else None,
            "sources": dict(self.sources),
        }
