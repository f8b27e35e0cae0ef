"""What a request is for, read from its path."""

from __future__ import annotations

from typing import NamedTuple

from proxyurls.testing import auth


class Call(NamedTuple):
    """A request for a resource, read from its path."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    rest: str

    @classmethod
    def parse(cls, path: str) -> Call | None:
        """Read a decoded path; None where it's for no resource."""
        parts = path.removeprefix("/").rstrip("/").split("/")
        if parts[0] == "api" and len(parts) > 2:
            group, version, parts = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, parts = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 1:
            namespace = parts[1]
            if len(parts) > 2 and parts[2] not in ("status", "finalize"):
                parts = parts[2:]
        name, sub, *rest = [*parts[1:], "", ""]
        return cls(group, version, parts[0], namespace, name, sub, "/".join(rest[:-2]))

    @property
    def is_proxied(self) -> bool:
        """Whether it's for what stands behind an object."""
        kinds = ("services", "pods", "nodes")
        return self.subresource == "proxy" and self.plural in kinds and not self.group

    def act(self, method: str, *, watch: bool) -> auth.Act:
        """What RBAC is asked."""
        verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        verb = "get" if method in ("GET", "HEAD") else verbs.get(method, "")
        if not self.name:
            verb = {"get": "watch" if watch else "list", "delete": "deletecollection"}.get(
                verb, verb
            )
        return auth.Act(verb, self.group, self.plural, self.subresource, self.namespace, self.name)
