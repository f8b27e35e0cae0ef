"""Which entries of the kubeconfig, or of the pod, are meant.

Source: client_config.go (getContext, getCluster, getAuthInfo, ConfirmUsable) and
merged_client_builder.go for when the pod's service account is used.
"""

from __future__ import annotations

from proxyurls.config.kubeconfig import Cluster, Context, User
from proxyurls.errors import ConfigNotFound, InvalidConfig
from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxyurls.config.flags import Flags
    from proxyurls.config.in_cluster import Pod
    from proxyurls.config.kubeconfig import Kubeconfig

_LONGEST_NEAR = 253


class Selection(Record):
    """The entries chosen, their names ("" where there is none) and the reasons.

    A name's source is the flag, or the file in which the context names it.
    """

    context_name: str
    context: Context
    cluster_name: str
    cluster: Cluster
    user_name: str
    user: User
    sources: dict[str, str]
    warnings: tuple[str, ...] = ()


def select(kube: Kubeconfig, flags: Flags, pod: Pod | None) -> Selection:
    """Choose context, cluster and user.

    Raises:
        InvalidConfig: a name is not in the kubeconfig.
        ConfigNotFound: nothing says which cluster is meant.
    """
    context_name = flags.context or kube.current_context
    context = _context(kube, context_name, flags)
    cluster_name = flags.cluster or context.cluster
    user_name = flags.user or context.user
    sources = {
        "context": "--context" if flags.context else kube.current_context_origin,
        "cluster": "--cluster" if flags.cluster else context.origin,
        "user": "--user" if flags.user else context.origin,
    }
    cluster = _cluster(kube, cluster_name, context_name, flags)
    user = _user(kube, user_name, context_name, flags)
    warnings: tuple[str, ...] = ()
    if not cluster_name and pod:
        cluster, warnings = pod.cluster, pod.warnings
        if not user_name and not flags.server:  # its token is for its own apiserver alone
            user = pod.user
    elif not cluster_name and not flags.server:
        raise _nowhere(kube, context_name)
    return Selection(
        context_name, context, cluster_name, cluster, user_name, user, sources, warnings
    )


def _context(kube: Kubeconfig, name: str, flags: Flags) -> Context:
    if not name:
        return Context()
    if name not in kube.contexts:
        source = (
            "--context" if flags.context else f"current-context of {kube.current_context_origin}"
        )
        raise InvalidConfig(
            f"context was not found for specified context: {name} ({source}); "
            f"{_near(name, kube.contexts, kube, 'contexts')}"
        )
    return kube.contexts[name]


def _cluster(kube: Kubeconfig, name: str, context_name: str, flags: Flags) -> Cluster:
    if name in kube.clusters:
        cluster = kube.clusters[name]
        if not cluster.server and not flags.server:
            raise InvalidConfig(
                f'no server found for cluster "{name}" in {cluster.origin}; '
                "add `server: https://HOST:6443`, or use --server"
            )
        return cluster
    # With --server an entry that is missing can hardly be missed; kubectl agrees.
    if name and (flags.cluster or not flags.server):
        by = _named_by("--cluster", flags.cluster, context_name)
        raise InvalidConfig(
            f'cluster "{name}" does not exist ({by}); '
            f"{_near(name, kube.clusters, kube, 'clusters')}"
        )
    return Cluster()


def _user(kube: Kubeconfig, name: str, context_name: str, flags: Flags) -> User:
    if name in kube.users:
        return kube.users[name]
    # kubectl would go on as nobody where a context's user is missing, and be told "forbidden".
    if name and (flags.user or not flags.credential_source()):
        by = _named_by("--user", flags.user, context_name)
        raise InvalidConfig(
            f'user "{name}" does not exist ({by}); {_near(name, kube.users, kube, "users")}'
        )
    return User()


def _named_by(flag: str, given: str, context_name: str) -> str:
    return flag if given else f'named by context "{context_name}"'


def _near(name: str, names: Iterable[str], kube: Kubeconfig, what: str) -> str:
    """The names that may have been meant, and where they were looked for."""
    from difflib import get_close_matches

    known = sorted(names)
    looked_in = ", ".join(filter(None, kube.paths)) or "no kubeconfig"
    # Names have no bound in a kubeconfig, and the time this takes grows with their square.
    short = [one for one in known if len(one) <= _LONGEST_NEAR]
    if len(name) <= _LONGEST_NEAR and (near := get_close_matches(name, short)):
        return f"did you mean {' or '.join(near)}? (looked in {looked_in})"
    if not known:
        return f"there are no {what} in {looked_in}"
    shown = ", ".join(known[:5]) + (", …" if len(known) > 5 else "")
    return f"known {what}: {shown} (looked in {looked_in})"


def _nowhere(kube: Kubeconfig, context_name: str) -> ConfigNotFound | InvalidConfig:
    if context_name:
        context = kube.contexts[context_name]
        return InvalidConfig(
            f'context "{context_name}" in {context.origin} names no cluster; '
            "add `cluster: NAME`, or use --cluster or --server"
        )
    if kube.contexts:
        shown = ", ".join(sorted(kube.contexts)[:5])
        hint = f"no current-context in {', '.join(kube.paths)}: choose with --context ({shown})"
    else:
        hint = f"looked in {', '.join(filter(None, kube.paths)) or 'no file'}"
    return ConfigNotFound(
        "no apiserver found: none by flag (--server, --kubeconfig), in $KUBECONFIG, in "
        f"~/.kube/config or from a pod's service account; {hint}"
    )
