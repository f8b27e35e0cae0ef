"""Who may use the proxy: RBAC looks at the whole segment, and at the HTTP method."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Site


def account(site: Site, name: str) -> tuple[str, str]:
    """A fresh user (a service account), and its token."""
    token = site.apiserver.service_account_token("facts", name)
    return f"system:serviceaccount:facts:{name}", token


def ask(site: Site, attributes: object, *, user: str, kind: str = "resourceAttributes") -> bool:
    """Whether somebody may do something, as the server tells him."""
    answer = site.apiserver.request(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        headers={"Content-Type": "application/json", "Impersonate-User": user},
        body=json.dumps({"spec": {kind: attributes}}).encode(),
    )
    assert answer.status == 201, answer
    return bool(answer.json()["status"]["allowed"])


def bind(site: Site, name: str, subject: dict[str, str], resource: str) -> None:
    """Let a subject get something, everywhere."""
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "verbs": ["get"], "resources": [resource]}
    binding = {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": group, **subject}],
    }
    for plural, content in (("clusterroles", {"rules": [rule]}), ("clusterrolebindings", binding)):
        answer = site.apiserver.request(
            "POST",
            f"/apis/{group}/v1/{plural}",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"metadata": {"name": name}, **content}).encode(),
        )
        assert answer.status == 201, answer


def seen(condition: Callable[[], bool]) -> bool:
    """Whether something holds soon: an authorizer takes a moment to see a binding."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("segment", ["web", "web:80", "web:", "https:web:", ":web:", "a:b:c:d"])
def test_forbidden_names_the_segment(site: Site, segment: str) -> None:
    """The refusal names the whole segment as the resource's name, even one that is invalid."""
    answer = site.apiserver.get(site.root(segment) + "/", token=site.apiserver.reader_token)
    assert answer.status == 403
    assert answer.message == (
        f'services "{segment}" is forbidden: User "reader" cannot get resource "services/proxy" '
        'in API group "" in the namespace "facts"'
    )


def test_forbidden_decodes_the_segment(site: Site) -> None:
    """An encoded segment is decoded before RBAC sees it."""
    answer = site.apiserver.get(site.root("web%3A80") + "/", token=site.apiserver.reader_token)
    assert answer.message.startswith('services "web:80" is forbidden: ')


def test_forbidden_pod(site: Site) -> None:
    """A pod's refusal says pods/proxy."""
    target = site.root("app", "pods") + "/"
    answer = site.apiserver.get(target, token=site.apiserver.reader_token)
    assert answer.message == (
        'pods "app" is forbidden: User "reader" cannot get resource "pods/proxy" '
        'in API group "" in the namespace "facts"'
    )


def test_forbidden_node(site: Site) -> None:
    """A node's refusal says that it's at the cluster scope."""
    target = site.root("machine", "nodes") + "/"
    answer = site.apiserver.get(target, token=site.apiserver.reader_token)
    assert answer.status == 403
    assert answer.message.startswith('nodes "machine" is forbidden: User "reader" cannot get ')
    assert answer.message.endswith('in API group "" at the cluster scope')


@pytest.mark.parametrize(
    ("method", "verb"),
    [("POST", "create"), ("PUT", "update"), ("PATCH", "patch"), ("DELETE", "delete")],
)
def test_verbs(site: Site, method: str, verb: str) -> None:
    """POST needs the verb create, PUT update, PATCH patch, DELETE delete."""
    target, token = site.root("web") + "/", site.apiserver.reader_token
    answer = site.apiserver.request(method, target, token=token)
    assert answer.status == 403
    assert f'cannot {verb} resource "services/proxy"' in answer.message


def test_head_needs_get(site: Site) -> None:
    """HEAD needs what GET needs."""
    user, token = account(site, "header")
    site.apiserver.grant(user, verbs=["get"], resources=["services/proxy"], namespace="facts")
    target = site.root("web") + "/"
    assert site.apiserver.request("HEAD", target, token=token).status == 200
    assert site.apiserver.request("POST", target, token=token).status == 403


def test_redirect_needs_the_right(site: Site) -> None:
    """The missing slash is told to no one who may not use the proxy."""
    assert site.apiserver.get(site.root("web"), token=site.apiserver.reader_token).status == 403


def test_right_to_a_bare_name(site: Site) -> None:
    """A right to the resource name "web" covers no other way to write that service."""
    user, token = account(site, "bare")
    site.apiserver.grant(
        user, verbs=["get"], resources=["services/proxy"], names=["web"], namespace="facts"
    )
    assert site.apiserver.get(site.root("web") + "/", token=token).status == 200
    for segment in ("web:80", "web:", "http:web:", "http:web:80", ":web:"):
        assert site.apiserver.get(site.root(segment) + "/", token=token).status == 403


def test_right_to_a_segment(site: Site) -> None:
    """A right to the resource name "https:secure:" covers that spelling alone."""
    user, token = account(site, "segment")
    names = ["https:secure:"]
    site.apiserver.grant(
        user, verbs=["get"], resources=["services/proxy"], names=names, namespace="facts"
    )
    assert site.apiserver.get(site.root("https:secure:") + "/", token=token).status == 200
    assert site.apiserver.get(site.root("https:secure:443") + "/", token=token).status == 403
    assert site.apiserver.get(site.root("secure") + "/", token=token).status == 403


def test_right_to_services_is_no_right_to_their_proxy(site: Site) -> None:
    """Who may read services may not use their proxy, nor the other way round."""
    user, token = account(site, "looker")
    site.apiserver.grant(user, verbs=["get", "list"], resources=["services"], namespace="facts")
    base = "/api/v1/namespaces/facts/services"
    assert site.apiserver.get(base, token=token).status == 200
    assert site.apiserver.get(f"{base}/web", token=token).status == 200
    assert site.apiserver.get(f"{base}/web/proxy/", token=token).status == 403
    user, token = account(site, "caller")
    site.apiserver.grant(user, verbs=["get"], resources=["services/proxy"], namespace="facts")
    assert site.apiserver.get(f"{base}/web/proxy/", token=token).status == 200
    assert site.apiserver.get(f"{base}/web", token=token).status == 403


def test_right_in_one_namespace(site: Site) -> None:
    """A right in one namespace is none in another, nor in all."""
    user, token = account(site, "local")
    site.apiserver.grant(user, verbs=["list"], resources=["services"], namespace="facts")
    assert site.apiserver.get("/api/v1/namespaces/default/services", token=token).status == 403
    answer = site.apiserver.get("/api/v1/services", token=token)
    assert answer.message == (
        f'services is forbidden: User "{user}" cannot list resource "services" '
        'in API group "" at the cluster scope'
    )


def test_self_review(site: Site) -> None:
    """A user may ask the server whether he may, by the name that the segment is."""
    user, token = account(site, "asker")
    names = ["web:80"]
    site.apiserver.grant(
        user, verbs=["get"], resources=["services/proxy"], names=names, namespace="facts"
    )
    for name, allowed in {"web:80": True, "web": False}.items():
        attributes = {"verb": "get", "resource": "services", "subresource": "proxy"}
        attributes |= {"name": name, "namespace": "facts"}
        answer = site.apiserver.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"spec": {"resourceAttributes": attributes}}).encode(),
            token=token,
        )
        assert answer.json()["status"]["allowed"] is allowed


def test_impersonation(site: Site) -> None:
    """Impersonation headers are obeyed, for one who may, and do not reach the upstream."""
    target = site.root("web") + "/"
    answer = site.apiserver.get(target, impersonate_user="jane")
    assert answer.status == 403
    assert 'User "jane" cannot get' in answer.message
    headers = {"Impersonate-User": "jane", "Impersonate-Group": "system:masters"}
    seen = site.echo("/", headers=headers)
    assert [seen.values(name) for name in headers] == [[], []]


def test_impersonation_needs_a_right(site: Site) -> None:
    """Impersonation without the right to it is a 403 on the user that was meant."""
    target, token = site.root("web") + "/", site.apiserver.reader_token
    answer = site.apiserver.get(target, token=token, impersonate_user="jane")
    assert answer.status == 403
    assert answer.message.startswith('users "jane" is forbidden: User "reader" cannot impersonate')


def test_impersonation_of_a_service_account(site: Site) -> None:
    """A service account is impersonated by a right to it, in its namespace, and has its groups."""
    name = "system:serviceaccount:facts:robot"
    target, token = site.root("web") + "/", site.apiserver.reader_token
    answer = site.apiserver.get(target, token=token, impersonate_user=name)
    assert answer.status == 403
    assert answer.message == (
        'serviceaccounts "robot" is forbidden: User "reader" cannot impersonate resource '
        '"serviceaccounts" in API group "" in the namespace "facts"'
    )
    assert not ask(site, {"verb": "get", "resource": "secrets"}, user=name)
    bind(site, "robots", {"kind": "Group", "name": "system:serviceaccounts:facts"}, "secrets")
    assert seen(lambda: ask(site, {"verb": "get", "resource": "secrets"}, user=name))


def test_groups_alone(site: Site) -> None:
    """Groups without a user can't be impersonated."""
    answer = site.apiserver.get("/api/v1/services", impersonate_group="g")
    assert answer.status == 500
    assert "requested [{Group  g    }] without impersonating a user" in answer.text


def test_rights_of_a_group(site: Site) -> None:
    """A binding to a group holds for its members, and for nobody else."""
    bind(site, "pack", {"kind": "Group", "name": "wolves"}, "services/proxy")

    def status(group: str) -> int:
        headers = {"Impersonate-User": "jane", "Impersonate-Group": group}
        return site.send(headers=headers).status

    assert seen(lambda: status("wolves") == 200)
    assert status("sheep") == 403


@pytest.mark.parametrize(("rule", "status"), [("*/proxy", 200), ("*", 200), ("services/*", 403)])
def test_wildcards(site: Site, rule: str, status: int) -> None:
    """A rule may name a subresource of all resources, or all; no resource with all below it."""
    user, token = account(site, f"wild-{status}-{len(rule)}")
    site.apiserver.grant(user, verbs=["get"], resources=[rule], namespace="facts")
    assert site.apiserver.get(site.root("web") + "/", token=token).status == status


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("100%d", "100%!d(MISSING)"),
        ("a&b", "a&amp;b"),
        ("<x>", "&lt;x&gt;"),
        ("5%", '5%!"(MISSING)'),
        ("9%%", "9%"),
    ],
)
def test_odd_names_in_a_refusal(site: Site, user: str, shown: str) -> None:
    """A user's name in a 403 is escaped for HTML, and then taken for a format of Go's."""
    answer = site.apiserver.get("/metrics", impersonate_user=user)
    assert answer.status == 403
    assert answer.message.startswith(f'forbidden: User "{shown}')
    answer = site.apiserver.get("/api/v1/services", impersonate_user=user)
    assert answer.message.startswith(f'services is forbidden: User "{shown}')


PUBLIC = ["/version", "/version/", "/healthz", "/readyz", "/livez"]
DISCOVERY = ["/api", "/api/v1", "/apis", "/openapi/v2"]


@pytest.mark.parametrize("path", [*PUBLIC, *DISCOVERY, "/healthz/ping", "/versionx", "/apix", "/x"])
def test_other_paths(site: Site, path: str) -> None:
    """Anyone sees version and health, whoever is known sees what the API has, nobody more."""
    known = site.apiserver.get(path, token=site.apiserver.reader_token).status
    unknown = site.apiserver.get(path, token=None).status
    assert known == (200 if path in PUBLIC + DISCOVERY else 403)
    assert unknown == (200 if path in PUBLIC else 403)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("*", False), ("version", False), ("/version", True), ("/api/*", True), ("/metrics", False)],
)
def test_review_of_a_path(site: Site, path: str, allowed: bool) -> None:  # noqa: FBT001
    """A user may ask about a path too, whatever it looks like."""
    attributes = {"path": path, "verb": "get"}
    assert ask(site, attributes, user="jane", kind="nonResourceAttributes") is allowed
