"""The fake cluster's certificates and its kubeconfig."""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from proxyurls.testing.refusal import Object

NAMES = ("127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default.svc")


class Credentials(NamedTuple):
    """What a user of a fake cluster shows: a token, or a client certificate with its key."""

    user: str
    token: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        kind = "token" if self.token else "certificate"
        return f"Credentials({self.user!r}, {kind}=…)"


class Authority:
    """The certificate authority of one cluster (needs the extra ``testing``)."""

    def __init__(self) -> None:
        import trustme

        self._authority = trustme.CA(organization_name="proxyurls-fake-cluster")
        self.pem: bytes = self._authority.cert_pem.bytes()

    def server(self) -> ssl.SSLContext:
        """The server's side of TLS, which asks for a client certificate and needs none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*NAMES).configure_cert(context)
        self._authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def issue(self, user: str, group: str) -> Credentials:
        """A client certificate."""
        leaf = self._authority.issue_cert(
            "client.invalid", common_name=user, organization_name=group or "nobody"
        )
        chain, key = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
        return Credentials(user, certificate=chain, key=key)


def kubeconfig(
    server: str, ca_pem: bytes, users: list[tuple[Credentials, str]], folder: Path
) -> Path:
    """Write a kubeconfig with a context for each user, the first one's being current."""

    def data(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    cluster = {"server": server}
    if ca_pem:
        cluster["certificate-authority-data"] = data(ca_pem)
    entries: list[Object] = []
    contexts: list[Object] = []
    for user, namespace in users:
        entry: Object = {"token": user.token}
        if user.certificate:
            entry = {"client-certificate-data": data(user.certificate)}
            entry["client-key-data"] = data(user.key)
        entries.append({"name": user.user, "user": entry})
        context = {"cluster": "fake", "user": user.user}
        if namespace:
            context["namespace"] = namespace
        contexts.append({"name": user.user, "context": context})
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": users[0][0].user,
        "clusters": [{"name": "fake", "cluster": cluster}],
        "users": entries,
        "contexts": contexts,
    }
    path = folder / "kubeconfig"
    descriptor, new = tempfile.mkstemp(dir=folder)  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    Path(new).replace(path)
    return path
