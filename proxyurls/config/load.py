"""Flags, kubeconfig and pod become one Config."""

from __future__ import annotations

import os

from proxyurls.config.config import Config
from proxyurls.config.flags import Flags
from proxyurls.config.in_cluster import SERVICE_ACCOUNT, find_pod
from proxyurls.config.kubeconfig import load_kubeconfig
from proxyurls.config.model import TLS, ClientCertificate, Credential, Impersonate
from proxyurls.config.proxy import check_proxy_url, proxy_from_environment
from proxyurls.config.selection import select
from proxyurls.config.server import check_server, takes_credentials
from proxyurls.config.validate import check_cluster, check_token_file, check_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxyurls.config.in_cluster import Pod
    from proxyurls.config.kubeconfig import Cluster, Kubeconfig, User
    from proxyurls.config.selection import Selection


def load_config(
    kubeconfig: str | os.PathLike[str] | None = None,
    *,
    context: str | None = None,
    cluster: str | None = None,
    user: str | None = None,
    namespace: str | None = None,
    server: str | None = None,
    token: str | None = None,
    as_user: str | None = None,
    as_uid: str | None = None,
    as_groups: Sequence[str] = (),
    as_user_extra: Mapping[str, Sequence[str]] | None = None,
    certificate_authority: str | os.PathLike[str] | None = None,
    client_certificate: str | os.PathLike[str] | None = None,
    client_key: str | os.PathLike[str] | None = None,
    insecure_skip_tls_verify: bool | None = None,
    tls_server_name: str | None = None,
    environ: Mapping[str, str] | None = None,
    _service_account: str = SERVICE_ACCOUNT,
) -> Config:
    """Where the apiserver is and who is asking, chosen as kubectl chooses.

    The arguments are kubectl's flags, and strongest. Then one source alone: the `kubeconfig`
    file; the merged files of $KUBECONFIG; ~/.kube/config; the service account of the pod.
    The files that are named must be readable, but no network is used and no plugin is run.

    Raises:
        ConfigNotFound: none of these says where the apiserver is.
        InvalidConfig: one of them is wrong or contradicts another.
    """
    environment = os.environ if environ is None else environ
    flags = Flags(
        context=context or "",
        cluster=cluster or "",
        user=user or "",
        namespace=namespace or "",
        server=server or "",
        token=token or "",
        as_user=as_user or "",
        as_uid=as_uid or "",
        as_groups=tuple(as_groups),
        as_user_extra=tuple((key, tuple(values)) for key, values in (as_user_extra or {}).items()),
        certificate_authority=os.fspath(certificate_authority or ""),
        client_certificate=os.fspath(client_certificate or ""),
        client_key=os.fspath(client_key or ""),
        insecure_skip_tls_verify=insecure_skip_tls_verify,
        tls_server_name=tls_server_name or "",
    )
    kube = load_kubeconfig(kubeconfig, environ=environment)
    pod = find_pod(environment, folder=_service_account)
    return _build(kube, flags, pod, environment).replaced(environ=environ)


def _build(kube: Kubeconfig, flags: Flags, pod: Pod | None, environ: Mapping[str, str]) -> Config:
    chosen = select(kube, flags, pod)
    cluster = flags.apply_to_cluster(chosen.cluster)
    user = flags.apply_to_user(chosen.user)
    check_cluster(chosen.cluster_name, cluster)
    check_user(chosen.user_name, user)

    server_source = "--server" if flags.server else cluster.origin
    server, base_url = check_server(cluster.server, source=server_source)
    credential = _credential(user)
    credential_source = flags.credential_source() or user.origin
    warnings = [*kube.warnings, *chosen.warnings, *flags.warnings(user)]
    if credential.kind == "none":
        credential_source = ""
    elif not takes_credentials(base_url):
        credential = Credential()
        credential_source = "withheld: the server is plain http"
        warnings.append(
            f"credentials withheld: {base_url} is plain http and not this machine; "
            "use an https:// server"
        )
    else:
        check_token_file(chosen.user_name, user)
    tls_source = flags.tls_source() or _tls_origin(cluster)
    if cluster.insecure and base_url.startswith("https:"):
        warnings.append(
            f"TLS verification is off for {base_url} (insecure-skip-tls-verify, {tls_source}): "
            "anyone in between can read what you send"
        )
    proxy_url, proxy_source = _proxy(cluster, base_url, environ)
    namespace, namespace_source = _namespace(flags, chosen, pod)
    sources = {
        **chosen.sources,
        "server": server_source,
        "namespace": namespace_source,
        "credential": credential_source,
        "impersonate": "--as" if flags.as_user else user.origin if user.as_user else "",
        "tls": tls_source,
        "proxy_url": proxy_source,
    }
    return Config(
        server=server,
        context=chosen.context_name,
        cluster=chosen.cluster_name,
        user=chosen.user_name,
        namespace=namespace,
        credential=credential,
        impersonate=Impersonate(user.as_user, user.as_uid, user.as_groups, user.as_user_extra),
        tls=TLS(cluster.ca_file, cluster.ca_data, cluster.tls_server_name, cluster.insecure),
        proxy_url=proxy_url,
        disable_compression=cluster.disable_compression,
        sources={key: source for key, source in sources.items() if source},
        warnings=tuple(warnings),
        exec_config=cluster.exec_config,
    )


def _credential(user: User) -> Credential:
    certificate = None
    if user.client_certificate or user.client_certificate_data:
        certificate = ClientCertificate(
            user.client_certificate,
            user.client_certificate_data,
            user.client_key,
            user.client_key_data,
        )
    return Credential(
        token=user.token,
        token_file=user.token_file,
        username=user.username,
        password=user.password,
        certificate=certificate,
        exec=user.exec,
    )


def _tls_origin(cluster: Cluster) -> str:
    given = cluster.ca_file or cluster.ca_data or cluster.insecure or cluster.tls_server_name
    return cluster.origin if given else ""


def _proxy(cluster: Cluster, base_url: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    if cluster.proxy_url:
        return check_proxy_url(cluster.proxy_url, source=cluster.origin), cluster.origin
    found = proxy_from_environment(base_url, environ)
    return (found[0], f"${found[1]}") if found else (None, "")


def _namespace(flags: Flags, chosen: Selection, pod: Pod | None) -> tuple[str, str]:
    """The namespace and its source; in a pod, the pod's before "default"."""
    if flags.namespace:
        return flags.namespace, "--namespace"
    if chosen.context.namespace:
        return chosen.context.namespace, chosen.context.origin
    if pod:
        return pod.namespace, pod.namespace_source
    return "default", "default"
