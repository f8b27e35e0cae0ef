"""The service account that Kubernetes puts into every pod.

Source: rest/config.go, InClusterConfig, and client_config.go, inClusterClientConfig.
"""

# os.path and open(), since loading pathlib would show at start-up.
# ruff: noqa: PTH113, PTH118, PTH123

from __future__ import annotations

import os.path

from proxyurls.config.kubeconfig import Cluster, User
from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Pod(Record):
    """What a pod knows of its apiserver, in the terms of a kubeconfig."""

    cluster: Cluster
    user: User
    namespace: str
    namespace_source: str
    warnings: tuple[str, ...] = ()


def find_pod(environ: Mapping[str, str], *, folder: str = SERVICE_ACCOUNT) -> Pod | None:
    """The pod this process runs in, or None outside of a cluster."""
    host = environ.get("KUBERNETES_SERVICE_HOST")
    port = environ.get("KUBERNETES_SERVICE_PORT")
    token = os.path.join(folder, "token")
    if not host or not port or not os.path.isfile(token):
        return None
    ca = os.path.join(folder, "ca.crt")
    warnings: tuple[str, ...] = ()
    if not os.path.isfile(ca):
        warnings = (f"{ca} is missing: the server is checked against the system's CAs",)
        ca = ""
    origin = f"service account {folder}"
    address = f"[{host}]" if ":" in host else host
    namespace, namespace_source = _namespace(environ, folder)
    return Pod(
        cluster=Cluster(server=f"https://{address}:{port}", ca_file=ca, origin=origin),
        user=User(token_file=token, origin=origin),
        namespace=namespace,
        namespace_source=namespace_source,
        warnings=warnings,
    )


def _namespace(environ: Mapping[str, str], folder: str) -> tuple[str, str]:
    if namespace := environ.get("POD_NAMESPACE"):
        return namespace, "$POD_NAMESPACE"
    path = os.path.join(folder, "namespace")
    try:
        with open(path, encoding="utf-8") as file:
            namespace = file.read().strip()
    except (OSError, UnicodeDecodeError):  # as client-go: a pod without one uses "default"
        namespace = ""
    return (namespace, path) if namespace else ("default", "default")
