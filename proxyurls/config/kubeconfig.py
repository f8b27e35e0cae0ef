"""Kubeconfig files: found, read, merged, as client-go's tools/clientcmd/loader.go does."""

# os.path and open(), since loading pathlib would show at start-up.
# ruff: noqa: PTH100, PTH118, PTH120

from __future__ import annotations

import os

from proxyurls.config.fields import Fields, type_name
from proxyurls.config.model import ExecPlugin
from proxyurls.config.yamlfile import read_yaml
from proxyurls.errors import InvalidConfig
from proxyurls.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_EXEC_EXTENSION = "client.authentication.k8s.io/exec"
_V1BETA1 = "client.authentication.k8s.io/v1beta1"


class Cluster(Record):
    """An entry of `clusters`; `origin` is where it stands."""

    server: str = field(default="", repr=False)  # not checked yet: it may hold a password
    tls_server_name: str = ""
    insecure: bool = False
    ca_file: str = ""
    ca_data: bytes | None = field(default=None, repr=False)
    proxy_url: str = field(default="", repr=False)
    disable_compression: bool = False
    exec_config: Any = field(default=None, repr=False)
    origin: str = ""


class User(Record):
    """An entry of `users`."""

    client_certificate: str = ""
    client_certificate_data: bytes | None = field(default=None, repr=False)
    client_key: str = ""
    client_key_data: bytes | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    auth_provider: str = ""
    exec: ExecPlugin | None = None
    as_user: str = ""
    as_uid: str = ""
    as_groups: tuple[str, ...] = ()
    as_user_extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    origin: str = ""


class Context(Record):
    """An entry of `contexts`: names of a cluster and a user, and a namespace."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""
    origin: str = ""


class Kubeconfig(Record):
    """What the kubeconfig files say together.

    Attributes:
        current_context: "" where none is set.
        current_context_origin: the file that sets it.
        paths: the files that were looked for, strongest first.
        warnings: one line each.
    """

    clusters: dict[str, Cluster] = field(default={})
    users: dict[str, User] = field(default={})
    contexts: dict[str, Context] = field(default={})
    current_context: str = ""
    current_context_origin: str = ""
    paths: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def load_kubeconfig(
    kubeconfig: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Kubeconfig:
    """The merged content of the kubeconfig files, whatever is selected in them.

    Args:
        kubeconfig: the one file to read. Else those of $KUBECONFIG; else ~/.kube/config.
        environ: instead of os.environ.

    Raises:
        InvalidConfig: a file can't be read or understood, or `kubeconfig` does not exist.
    """
    environ = os.environ if environ is None else environ
    paths, via = _precedence(kubeconfig, environ)
    found: list[Kubeconfig] = []
    for path in paths:
        if not path:  # as in KUBECONFIG=/a:
            continue
        origin = f"{via} {path}".strip()
        try:
            found.append(_read(path, origin))
        except FileNotFoundError as exc:
            if kubeconfig:
                raise InvalidConfig(
                    f"{origin}: no such file; check the path, or leave --kubeconfig out"
                ) from exc
    warnings: tuple[str, ...] = ()
    if via == "$KUBECONFIG" and not found and any(paths):
        warnings = (f"Config not found: {', '.join(filter(None, paths))}",)
    return _merge(found, paths, warnings)


def _precedence(
    kubeconfig: str | os.PathLike[str] | None, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], str]:
    """The files to read, strongest first, and how messages say who named them."""
    if kubeconfig:
        return (os.fspath(kubeconfig),), "--kubeconfig"
    if listed := environ.get("KUBECONFIG"):
        return tuple(dict.fromkeys(listed.split(os.pathsep))), "$KUBECONFIG"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    # Without a home client-go would read .kube/config below the current folder, which may
    # be anyone's; a kubeconfig runs commands.
    return ((os.path.join(home, ".kube", "config"),) if home else ()), ""


def _merge(
    found: list[Kubeconfig], paths: tuple[str, ...], warnings: tuple[str, ...]
) -> Kubeconfig:
    """The first file wins, entry by entry: two `red-user` are never mixed."""
    clusters: dict[str, Cluster] = {}
    users: dict[str, User] = {}
    contexts: dict[str, Context] = {}
    for one in reversed(found):
        clusters.update(one.clusters)
        users.update(one.users)
        contexts.update(one.contexts)
    current = next((one for one in found if one.current_context), Kubeconfig())
    return Kubeconfig(
        clusters=clusters,
        users=users,
        contexts=contexts,
        current_context=current.current_context,
        current_context_origin=current.current_context_origin,
        paths=paths,
        warnings=warnings,
    )


def _read(path: str, origin: str) -> Kubeconfig:
    content = read_yaml(path, name=origin)
    if content is not None and not isinstance(content, dict):
        raise InvalidConfig(
            f"{origin} is no kubeconfig: it is {type_name(content)}, "
            "but must be a mapping with clusters, users and contexts"
        )
    top = Fields(content, where=origin)
    kind, version = top.text("kind"), top.text("apiVersion")
    if kind not in ("", "Config") or version not in ("", "v1"):
        raise InvalidConfig(
            f"{origin} is no kubeconfig: it holds apiVersion {version!r}, kind {kind!r}, "
            "but must hold apiVersion 'v1', kind 'Config'"
        )
    dict(top.named_raw("extensions", "extension"))  # for the check of their names alone
    base = os.path.abspath(os.path.dirname(path))
    return Kubeconfig(
        clusters={
            name: _cluster(entry, base, origin) for name, entry in top.named("clusters", "cluster")
        },
        users={name: _user(entry, base, origin) for name, entry in top.named("users", "user")},
        contexts={
            name: Context(
                cluster=entry.text("cluster"),
                user=entry.text("user"),
                namespace=entry.text("namespace"),
                origin=origin,
            )
            for name, entry in top.named("contexts", "context")
        },
        current_context=top.text("current-context"),
        current_context_origin=origin,
    )


def _resolve(path: str, base: str) -> str:
    """A relative path counts from the folder of its kubeconfig (loader.go, ResolvePaths)."""
    return os.path.normpath(os.path.join(base, path)) if path else ""


def _cluster(entry: Fields, base: str, origin: str) -> Cluster:
    extensions = dict(entry.named_raw("extensions", "extension"))
    return Cluster(
        server=entry.text("server"),
        tls_server_name=entry.text("tls-server-name"),
        insecure=entry.flag("insecure-skip-tls-verify"),
        ca_file=_resolve(entry.text("certificate-authority"), base),
        ca_data=entry.base64("certificate-authority-data"),
        proxy_url=entry.text("proxy-url"),
        disable_compression=entry.flag("disable-compression"),
        exec_config=extensions.get(_EXEC_EXTENSION),
        origin=origin,
    )


def _user(entry: Fields, base: str, origin: str) -> User:
    provider = entry.child("auth-provider")
    return User(
        client_certificate=_resolve(entry.text("client-certificate"), base),
        client_certificate_data=entry.base64("client-certificate-data"),
        client_key=_resolve(entry.text("client-key"), base),
        client_key_data=entry.base64("client-key-data"),
        token=entry.text("token"),
        token_file=_resolve(entry.text("tokenFile"), base),
        username=entry.text("username"),
        password=entry.text("password"),
        auth_provider=provider.text("name") or "unnamed" if "auth-provider" in entry else "",
        exec=_exec_plugin(entry.child("exec"), base) if "exec" in entry else None,
        as_user=entry.text("as"),
        as_uid=entry.text("as-uid"),
        as_groups=entry.texts("as-groups"),
        as_user_extra=entry.text_lists("as-user-extra"),
        origin=origin,
    )


def _exec_plugin(entry: Fields, base: str) -> ExecPlugin:
    command = entry.text("command")
    version = entry.text("apiVersion")
    # api/v1/defaults.go: the older version does not ask for a mode.
    default_mode = "IfAvailable" if version == _V1BETA1 else ""
    return ExecPlugin(
        # A bare name is looked for in PATH.
        command=_resolve(command, base) if os.sep in command else command,
        api_version=version,
        interactive_mode=entry.text("interactiveMode") or default_mode,
        args=entry.texts("args"),
        env=tuple((item.text("name"), item.text("value")) for item in entry.items("env")),
        install_hint=entry.text("installHint"),
        provide_cluster_info=entry.flag("provideClusterInfo"),
    )
