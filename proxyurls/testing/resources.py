"""The kinds of object that the fake cluster has, and the documents that tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyurls.testing.refusal import Object

VERSION = {"major": "1", "minor": "20", "gitVersion": "v1.20.2", "platform": "linux/amd64"}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
REVIEWS = ("selfsubjectaccessreviews", "subjectaccessreviews")
RBAC = "rbac.authorization.k8s.io"
REVIEW_GROUP = "authorization.k8s.io"
SLICE_OF = "kubernetes.io/service-name"  # the label of an EndpointSlice that names its service


class Resource(NamedTuple):
    """One kind of object."""

    group: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    version: str = "v1"

    @property
    def api_version(self) -> str:
        """The group and version as objects name them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The plural with its group, as messages have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


RESOURCES = (
    Resource("", "namespaces", "Namespace", namespaced=False, short=("ns",)),
    Resource("", "nodes", "Node", False, ("no",), ("proxy", "status")),
    Resource("", "pods", "Pod", True, ("po",), ("proxy", "status")),
    Resource("", "services", "Service", True, ("svc",), ("proxy", "status")),
    Resource("", "endpoints", "Endpoints", True, ("ep",)),
    Resource("", "serviceaccounts", "ServiceAccount", True, ("sa",), ("token",)),
    Resource("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    Resource(RBAC, "roles", "Role"),
    Resource(RBAC, "rolebindings", "RoleBinding"),
    Resource(RBAC, "clusterroles", "ClusterRole", namespaced=False),
    Resource(RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
)
GROUPS = ("discovery.k8s.io", RBAC, REVIEW_GROUP)


def find(group: str, version: str, plural: str) -> Resource | None:
    """The resource of that name, or None."""
    for one in RESOURCES:
        if (one.group, one.version, one.plural) == (group, version, plural):
            return one
    return None


def of(manifest: Mapping[str, object]) -> Resource:
    """The resource that a manifest's apiVersion and kind name.

    Raises:
        ValueError: there's none.
    """
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    for one in RESOURCES:
        if (one.api_version, one.kind) == (version, kind):
            return one
    known = ", ".join(f"{one.api_version} {one.kind}" for one in RESOURCES)
    raise ValueError(f"the fake cluster has no {version} {kind}; it has {known}")


def core(plural: str, group: str = "") -> Resource:
    """A resource of the core group, or another one, which must be there."""
    found = find(group, "v1", plural)
    if found is None:
        raise LookupError(plural)
    return found


def document(path: str) -> Object | None:
    """The discovery document at a path, or None where there's none."""
    parts = path.removeprefix("/").rstrip("/").split("/")
    if parts == ["version"]:
        return dict(VERSION)
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        groups = [_group(name) for name in GROUPS]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if parts == ["api", "v1"]:
        return _resource_list("")
    if parts[0] == "apis" and parts[1] in GROUPS:
        if len(parts) == 2:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])}
        if parts[2:] == ["v1"]:
            return _resource_list(parts[1])
    return None


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource_list(group: str) -> Object:
    rows: list[Object] = []
    for one in RESOURCES:
        if one.group != group:
            continue
        row = {"name": one.plural, "singularName": one.kind.lower(), "namespaced": one.namespaced}
        row |= {"kind": one.kind, "verbs": VERBS, "shortNames": list(one.short)}
        if one.plural in ("pods", "services"):  # what `kubectl get all` gets
            row["categories"] = ["all"]
        rows.append(row)
        for sub in one.subresources:
            named = {"name": f"{one.plural}/{sub}", "singularName": "", "verbs": ["get"]}
            rows.append({**named, "namespaced": one.namespaced, "kind": one.kind})
    if group == REVIEW_GROUP:
        for plural, kind in zip(
            REVIEWS, ("SelfSubjectAccessReview", "SubjectAccessReview"), strict=True
        ):
            row = {"name": plural, "singularName": "", "namespaced": False}
            rows.append({**row, "kind": kind, "verbs": ["create"]})
    version = f"{group}/v1" if group else "v1"
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": rows,
    }
