"""What kubectl refuses before it talks to anyone (tools/clientcmd/validation.go).

Its phrases are kept where there are any, since people search for them; the file and what
to do instead are ours.
"""

from __future__ import annotations

import re

from proxyurls.config.files import check_regular
from proxyurls.errors import InvalidConfig, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.config.kubeconfig import Cluster, User
    from proxyurls.config.model import ExecPlugin

_API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES = ("Never", "IfAvailable", "Always")
# What can be asked for in a TLS handshake (RFC 6066, 3), IDNA in its ASCII form.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}")
# What can be asked for in a TLS handshake (RFC 6066, 3), IDNA in its ASCII form.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}")
# Half a character too, which no header can hold.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def check_cluster(name: str, cluster: Cluster) -> None:
    """Refuse contradictions in a cluster, flags already applied."""
    where = _where(name, "cluster", cluster.origin)
    if cluster.ca_file and cluster.ca_data:
        raise InvalidConfig(
            "certificate-authority-data and certificate-authority are both specified "
            f"for {where}; remove one"
        )
    if cluster.insecure and (cluster.ca_file or cluster.ca_data):
        # kubectl says so when it sets up TLS (transport.go, TLSConfigFor).
        raise InvalidConfig(
            "specifying a root certificates file with the insecure flag is not allowed: "
            f"{where} has a certificate-authority and insecure-skip-tls-verify; remove one"
        )
    if cluster.tls_server_name and not _HOST.fullmatch(cluster.tls_server_name):
        raise InvalidConfig(
            f"invalid tls-server-name {cluster.tls_server_name!r} for {where}: write a host name "
            "or an IP address, in ASCII"
        )
    if cluster.tls_server_name and not _HOST.fullmatch(cluster.tls_server_name):
        raise InvalidConfig(
            f"invalid tls-server-name {shown(cluster.tls_server_name)} for {where}: "
            "write a host name or an IP address, in ASCII"
        )
    _check_readable("certificate-authority", cluster.ca_file, where)


def check_user(name: str, user: User) -> None:
    """Refuse contradictions in a user, flags already applied."""
    where = _where(name, "user", user.origin)
    if user.token and (user.username or user.password):
        raise InvalidConfig(
            f"more than one authentication method found for {where}; "
            "found [token basicAuth], only one is allowed"
        )
    _check_certificate(user, where)
    if user.exec:
        _check_exec(user.exec, user, where)
    elif user.auth_provider and not user.token:
        raise InvalidConfig(
            f"{where} uses auth-provider {user.auth_provider!r}, which kubectl 1.26 removed; "
            "use an exec plugin (kubelogin, gke-gcloud-auth-plugin, …) or --token"
        )
    _check_impersonation(user, where)
    for key, value in (
        ("token", user.token),
        ("username", user.username),
        ("password", user.password),
    ):
        if _CONTROL.search(value):
            raise InvalidConfig(
                f"the {key} of {where} holds a line break or another control character; "
                "write it on one line"
            )


def check_token_file(name: str, user: User) -> None:
    """Refuse a token file that can't be opened, where it is the only token.

    It is not read here: client-go does that at once, we when a request is made.
    """
    if not user.token:
        _check_readable("tokenFile", user.token_file, _where(name, "user", user.origin))


def _check_certificate(user: User, where: str) -> None:
    if not user.client_certificate and not user.client_certificate_data:
        return
    if user.client_certificate and user.client_certificate_data:
        raise InvalidConfig(
            "client-certificate-data and client-certificate are both specified "
            f"for {where}; remove one"
        )
    if user.client_key and user.client_key_data:
        raise InvalidConfig(
            f"client-key-data and client-key are both specified for {where}; remove one"
        )
    if not user.client_key and not user.client_key_data:
        raise InvalidConfig(
            f"client-key-data or client-key must be specified for {where} "
            "to use the clientCert authentication method"
        )
    _check_readable("client-certificate", user.client_certificate, where)
    _check_readable("client-key", user.client_key, where)


def _check_exec(plugin: ExecPlugin, user: User, where: str) -> None:
    suffix = f"must be specified for {where} to use exec authentication plugin"
    if user.auth_provider:
        raise InvalidConfig(
            f"authProvider cannot be provided in combination with an exec plugin for {where}; "
            "remove auth-provider"
        )
    if not plugin.command:
        raise InvalidConfig(f"command {suffix}")
    if not plugin.api_version:
        raise InvalidConfig(f"apiVersion {suffix}; write {_API_VERSIONS[0]}")
    if plugin.api_version not in _API_VERSIONS:
        raise InvalidConfig(
            f"exec plugin: invalid apiVersion {plugin.api_version!r} for {where}; "
            f"write {_API_VERSIONS[0]} (does the plugin need an update?)"
        )
    if "\0" in plugin.command or any("\0" in arg for arg in plugin.args):
        raise InvalidConfig(f"command or args of the exec plugin for {where} hold a zero byte")
    if any(not name or "=" in name or "\0" in name + value for name, value in plugin.env):
        raise InvalidConfig(f"env variable name {suffix}, without '='")
    if not plugin.interactive_mode:
        raise InvalidConfig(f"interactiveMode {suffix}; write one of {', '.join(_MODES)}")
    if plugin.interactive_mode not in _MODES:
        raise InvalidConfig(
            f"invalid interactiveMode for {where}: {plugin.interactive_mode!r}; "
            f"write one of {', '.join(_MODES)}"
        )


def _check_impersonation(user: User, where: str) -> None:
    if (user.as_uid or user.as_groups or user.as_user_extra) and not user.as_user:
        raise InvalidConfig(
            f"requesting uid, groups or user-extra for {where} without impersonating a user; "
            "add --as (or `as` in the kubeconfig)"
        )
    extra = [text for key, values in user.as_user_extra for text in (key, *values)]
    for text in (user.as_user, user.as_uid, *user.as_groups, *extra):
        if _CONTROL.search(text):
            raise InvalidConfig(f"impersonation {text!r} for {where} holds a control character")


def _check_readable(key: str, path: str, where: str) -> None:
    if not path:
        return
    try:
        check_regular(path)
    except OSError as exc:
        raise InvalidConfig(
            f"unable to read {key} {path} for {where}: {exc.strerror}; check the path"
        ) from exc


def _where(name: str, what: str, origin: str) -> str:
    if name:
        return f"{name} ({what} in {origin})" if origin else f"{name} ({what})"
    return f"the {what} from {origin or 'the flags'}"
