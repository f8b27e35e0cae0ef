"""Who is asking, and what they may: tokens, client certificates, and RBAC.

RBAC sees the whole segment as the resource's name. Source: k8s.io/kubernetes,
plugin/pkg/auth/authorizer/rbac.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from proxyurls.testing import resources
from proxyurls.testing.refusal import Object, Refusal, not_found, quoted, unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxyurls.testing.store import Store

MASTERS, AUTHENTICATED = "system:masters", "system:authenticated"
_FORMAT = re.compile(r"%[-+# 0]*\d*(?:\.\d*)?(?P<verb>.)", re.DOTALL)
_LOCAL = re.compile(r"(?:127\.0\.0\.1|\[::1\]|(?:[^:/]+\.)?localhost)(?::\d+)?", re.IGNORECASE)
_EVERYWHERE = "at the cluster scope"
_PUBLIC = ("/version", "/version/", "/healthz", "/readyz", "/livez")
_DISCOVERY = ("/api/", "/apis/", "/openapi/")  # what is there, and below
_ACCOUNT = re.compile(
    r"system:serviceaccount:(?P<namespace>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)"
    r":(?P<name>[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)"
)


class User(NamedTuple):
    """Somebody who asks."""

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
ADMIN = User("admin", (MASTERS, AUTHENTICATED))


class Act(NamedTuple):
    """What somebody wants to do: with a resource, or (with ``path``) with anything else."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full(self) -> str:
        """The resource as rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def account(namespace: str, name: str) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def authenticate(
    headers: Mapping[str, str],
    certificate: Mapping[str, Any] | None,
    tokens: Mapping[str, User],
    nobody: User,
) -> User:
    """The user of a request: a client certificate counts before a token; ``nobody`` without both.

    Raises:
        Refusal: there's a token that nobody has.
    """
    if certificate:
        subject = [pair for names in certificate.get("subject", ()) for pair in names]
        names = [value for key, value in subject if key == "commonName"]
        groups = [value for key, value in subject if key == "organizationName"]
        if names:
            return User(names[0], (*groups, AUTHENTICATED))
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return nobody
    user = tokens.get(token.strip())
    if user is None:
        raise unauthorized()
    return user


def check_local(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another site sent, where no credential is asked for.

    Its browser is on this machine too, and could be led here by a name that it rebinds.

    Raises:
        Refusal: it did, or may have.
    """
    origin = headers.get("Origin", "null")
    foreign = origin != "null" and not _LOCAL.fullmatch(origin.partition("://")[2])
    if foreign or headers.get("Sec-Fetch-Site") == "cross-site":
        raise Refusal(403, "Forbidden", "no other site's page may use this fake cluster")
    if not _LOCAL.fullmatch(headers.get("Host", "")):
        raise Refusal(403, "Forbidden", "this fake cluster is asked by loopback's names alone")


def impersonate(user: User, headers: Mapping[str, Any], store: Store) -> User:
    """The user that Impersonate-User and Impersonate-Group ask for, else the same.

    Raises:
        Refusal: the one who asks may not, or asks for groups alone.
    """
    name = headers.get("Impersonate-User")
    groups = tuple(headers.getall("Impersonate-Group", ()))  # type: ignore[attr-defined]
    if not name:
        if groups:
            asked = " ".join(f"{{Group  {group}    }}" for group in groups)
            raise Refusal(500, "", f"requested [{asked}] without impersonating a user")
        return user
    acts = [Act("impersonate", resource="users", name=name)]
    if match := _ACCOUNT.fullmatch(name):
        acts = [Act("impersonate", resource="serviceaccounts", **match.groupdict())]
    acts += [Act("impersonate", resource="groups", name=group) for group in groups]
    for act in acts:
        check(user, act, store)
    if match and not groups:
        return account(**match.groupdict())
    return User(name, tuple(dict.fromkeys((*groups, AUTHENTICATED))))


def check(user: User, act: Act, store: Store) -> None:
    """Let it pass, or not.

    Raises:
        Refusal: the user may not.
    """
    if may(user, act, store):
        return
    if act.path:
        what = f"path {quoted(act.path)}"
    else:
        what = f"resource {quoted(act.full)} in API group {quoted(act.group)} "
        what += f"in the namespace {quoted(act.namespace)}" if act.namespace else _EVERYWHERE
    message = f"User {quoted(user.name)} cannot {act.verb} {what}"
    for char, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        message = message.replace(char, safe)
    message = _FORMAT.sub(_formatted, message)
    if act.path:
        raise Refusal(403, "Forbidden", f"forbidden: {message}", details={})
    named = f"{act.resource}.{act.group}" if act.group else act.resource
    named += f" {quoted(act.name)}" if act.name else ""
    details = {"kind": act.resource} | ({"name": act.name} if act.name else {})
    raise Refusal(403, "Forbidden", f"{named} is forbidden: {message}", details=details)


def _formatted(match: re.Match[str]) -> str:
    """What becomes of a % in the message, which the server takes for a format of its own."""
    verb = match["verb"]
    return "%" if verb == "%" else f"%!{verb}(MISSING)"


def may(user: User, act: Act, store: Store) -> bool:
    """Whether a user may do something."""
    if MASTERS in user.groups:
        return True
    if act.path:
        known = AUTHENTICATED in user.groups and f"{act.path}/".startswith(_DISCOVERY)
        return act.verb == "get" and (act.path in _PUBLIC or known)
    if act.resource == resources.REVIEWS[0]:
        return AUTHENTICATED in user.groups
    return any(_covers(rule, act) for rule in _rules(user, act.namespace, store))


def _rules(user: User, namespace: str, store: Store) -> Iterable[Object]:
    """The rules that hold for a user, everywhere or in the namespace."""
    bindings = [("clusterrolebindings", "")]
    if namespace:
        bindings.append(("rolebindings", namespace))
    for plural, scope in bindings:
        resource = _rbac(plural)
        for binding in store.at(resource, scope, store.revision):
            if any(_is(user, subject, scope) for subject in binding.get("subjects") or ()):
                ref = binding["roleRef"]
                role = _rbac("roles" if ref["kind"] == "Role" else "clusterroles")
                try:
                    found = store.get(role, scope if role.namespaced else "", ref["name"])
                except Refusal:
                    continue
                yield from found.get("rules") or ()


def _rbac(plural: str) -> resources.Resource:
    found = resources.find(resources.RBAC, "v1", plural)
    if found is None:
        raise not_found(plural, "")
    return found


def _is(user: User, subject: Object, namespace: str) -> bool:
    name = subject["name"]
    if subject["kind"] == "Group":
        return name in user.groups
    if subject["kind"] == "ServiceAccount":
        return user.name == account(subject.get("namespace") or namespace, name).name
    return bool(name == user.name)


def _covers(rule: Object, act: Act) -> bool:
    names = rule.get("resourceNames")
    wanted = {act.full, "*"}
    if act.subresource:
        wanted.add(f"*/{act.subresource}")
    return (
        not {"*", act.verb}.isdisjoint(rule.get("verbs") or ())
        and not {"*", act.group}.isdisjoint(rule.get("apiGroups") or ())
        and not wanted.isdisjoint(rule.get("resources") or ())
        and (not names or act.name in names)
    )


def review(user: User, plural: str, content: Object, store: Store) -> Object:
    """The answer to a (Self)SubjectAccessReview."""
    spec = content.get("spec") or {}
    if plural != resources.REVIEWS[0]:
        user = User(spec.get("user") or "", tuple(spec.get("groups") or ()))
    asked = spec.get("resourceAttributes") or {}
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    act = Act(*(asked.get(field) or "" for field in fields))
    if path := (spec.get("nonResourceAttributes") or {}).get("path"):
        act = Act(spec["nonResourceAttributes"].get("verb") or "", path=path)
    kind = {"kind": content.get("kind") or "SelfSubjectAccessReview"}
    kind["apiVersion"] = f"{resources.REVIEW_GROUP}/v1"
    status = {"allowed": may(user, act, store)}
    return {**kind, "metadata": {}, "spec": spec, "status": status}
