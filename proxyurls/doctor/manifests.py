"""Manifests that a remedy consists of, as YAML to pipe into ``kubectl apply -f -``.

Every value is quoted as YAML 1.2 (7.3.1, double-quoted) has it, so that none is taken for
anything but text.
"""

from __future__ import annotations

import hashlib
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxyurls.target import Target

_RBAC = "rbac.authorization.k8s.io"
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


def quoted(text: str) -> str:
    r"""A text as a double-quoted YAML scalar, of printable characters alone.

    >>> print(quoted('a: "b"'))
    "a: \"b\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def proxy_role(target: Target, user: str) -> str:
    """The least that lets a user use the proxy to one target, and nothing else.

    Args:
        target: the target.
        user: the user's name as the apiserver knows it.
    """
    return role(
        f"proxyurls:{target.kind}:{target.segment}",
        target.namespace,
        f"{target.kind}s/proxy",
        str(target.segment),
        verbs=("get", "create"),
        user=user,
    )


def role(
    name: str,
    namespace: str | None,
    resource: str,
    resource_name: str,
    *,
    verbs: Sequence[str],
    user: str,
) -> str:
    """A Role of one rule for one object, and its binding to one user.

    The binding's name has a hash of the user's, so that no other user's binding is replaced.

    Args:
        name: the role's name.
        namespace: None makes them a ClusterRole and ClusterRoleBinding.
        resource: the resource of the core group.
        resource_name: the object's name as RBAC sees it.
        verbs: the verbs.
        user: the user's name as the apiserver knows it.
    """
    kind = "Role" if namespace else "ClusterRole"
    digest = hashlib.sha256(user.encode(errors="surrogatepass")).hexdigest()
    bound = f"{name}:{digest[:16]}"
    place = f"\n  namespace: {quoted(namespace)}" if namespace else ""
    account = _ACCOUNT.fullmatch(user)
    if account:
        subject = (
            f"- kind: ServiceAccount\n  namespace: {quoted(account[1])}\n"
            f"  name: {quoted(account[2])}"
        )
    else:
        subject = f"- kind: User\n  apiGroup: {_RBAC}\n  name: {quoted(user)}"
    return f"""\
apiVersion: {_RBAC}/v1
kind: {kind}
metadata:
  name: {quoted(name)}{place}
rules:
- apiGroups: [""]
  resources: [{quoted(resource)}]
  resourceNames: [{quoted(resource_name)}]
  verbs: [{", ".join(map(quoted, verbs))}]
---
apiVersion: {_RBAC}/v1
kind: {kind}Binding
metadata:
  name: {quoted(bound)}{place}
roleRef:
  apiGroup: {_RBAC}
  kind: {kind}
  name: {quoted(name)}
subjects:
{subject}
"""


def endpoints(
    name: str, namespace: str, addresses: Sequence[tuple[str, str]], port: int, port_name: str
) -> str:
    """An Endpoints object.

    Args:
        name: the service's name.
        namespace: its namespace.
        addresses: the address of each pod, and the pod's name.
        port: the port that the pods listen on.
        port_name: its name in the service, "" where it has none.
    """
    rows = "".join(
        f"""
  - ip: {quoted(ip)}
    targetRef:
      kind: Pod
      namespace: {quoted(namespace)}
      name: {quoted(pod)}"""
        for ip, pod in addresses
    )
    named = f"\n    name: {quoted(port_name)}" if port_name else ""
    return f"""\
apiVersion: v1
kind: Endpoints
metadata:
  name: {quoted(name)}
  namespace: {quoted(namespace)}
subsets:
- addresses:{rows}
  ports:
  - port: {port}{named}
"""
