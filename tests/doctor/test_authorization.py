"""Step 4 on the real apiserver: what RBAC allows, and the Role to ask for."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from .asking import Doctor
from .gateway import doctor_through, gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .asking import Report
    from .lab import Lab

# As user names go: what YAML, RBAC, a shell or the apiserver's own messages may trip over.
NAMES = [
    *("jane", "jane@example.com", "oidc:https://issuer#jane", 'the "boss"', "o'neil"),
    *("yes", "- jane", "{jane: 1}", "# jane", "a\\b", "jane, joe: x", "*", "Jürgen", "日本"),
]
MANGLED = ["a&b", "<x>", "a\u202eb"]
UNTOLD = ["100%", "5%d", "a\U000e0001b"]


def let(lab: Lab, user: str, *names: str, verbs: tuple[str, ...] = ("get", "create")) -> str:
    """Let a user read services and pods, and proxy to some segments; give the option to be one."""
    grant = lab.apiserver.grant
    space = lab.namespace
    grant(user, verbs=["get", "list"], resources=["services", "pods"], namespace=space)
    if names:
        grant(user, verbs=verbs, resources=["services/proxy"], names=names, namespace=space)
    return f"--as={user}"


def allowed(lab: Lab, report: Report, doctor: Doctor | None = None) -> Report:
    """Have an admin apply the manifest, and ask again once the authorizer has seen it."""
    lab.run(report, stdin=True)
    end = time.monotonic() + 10
    while True:
        again = (doctor or lab.doctor)(*report.argv)
        if again.step("authorization")[0] == "ok" or time.monotonic() > end:
            return again


def test_allowed(lab: Lab) -> None:
    """Both verbs are allowed."""
    report = lab.doctor(lab.web("open"))
    assert report.healthy
    assert report.step("authorization") == (
        "ok",
        f"get and create are allowed on services/proxy 'open:80' in namespace {lab.namespace!r}",
    )


def test_get_alone(lab: Lab) -> None:
    """Where get is allowed and create is not, GET works and POST does not."""
    target = lab.web("readable")
    report = lab.doctor(target, let(lab, "getter", "readable:80", verbs=("get",)))
    assert report.healthy
    assert report.step("authorization")[1].endswith(", create is not: GET works, POST does not")
    path = f"/api/v1/namespaces/{lab.namespace}/services/readable:80/proxy/"
    answer = lab.apiserver.request("POST", path, headers={"Impersonate-User": "getter"})
    assert (answer.status, 'cannot create resource "services/proxy"' in answer.message) == (
        403,
        True,
    )


def test_denied(lab: Lab) -> None:
    """The apiserver names the user, and doctor the Role that just this takes."""
    lab.web("secret")
    token = lab.apiserver.reader_token
    assert lab.said("secret", token=token) == (
        403,
        (
            'services "secret" is forbidden: User "reader" cannot get resource "services/proxy" '
            f'in API group "" in the namespace "{lab.namespace}"'
        ),
    )
    report = lab.doctor(lab.target("secret"), "--context=reader")
    assert report.cause["name"] == "not-allowed"
    assert report.cause["text"] == (
        f"user 'reader' may not get services/proxy 'secret' in namespace {lab.namespace!r}"
    )
    assert (
        report.cause["remedy"]
        == f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: "proxyurls:service:secret"
  namespace: "{lab.namespace}"
rules:
- apiGroups: [""]
  resources: ["services/proxy"]
  resourceNames: ["secret"]
  verbs: ["get", "create"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: "proxyurls:service:secret:3d0941964aa3ebdc"
  namespace: "{lab.namespace}"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: "proxyurls:service:secret"
subjects:
- kind: User
  apiGroup: rbac.authorization.k8s.io
  name: "reader"
"""
    )
    assert allowed(lab, report).healthy
    assert lab.said("secret", token=token)[0] == 200
    assert lab.said("secret:80", token=token)[0] == 403


@pytest.mark.parametrize("user", NAMES[:2])
def test_names(lab: Lab, user: str) -> None:
    """Whatever a user is called, the manifest lets just that one in."""
    lab.web("named")
    typed = lab.target("http:named:")
    report = lab.doctor(typed, f"--as={user}")
    assert report.cause["text"].startswith(f"user {user!r} may not get ")
    assert allowed(lab, report).healthy
    assert not lab.doctor(typed, f"--as={user}x").healthy


@pytest.mark.parametrize("user", NAMES + MANGLED)
def test_names_behind_a_gateway(
    lab: Lab, user: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same where the apiserver's message alone says what the user is called."""
    lab.web("behind")
    with gateway(lab.apiserver, user) as server:
        doctor = doctor_through(server, tmp_path, capsys)
        report = doctor(lab.target("behind"))
        assert report.cause["text"].startswith(f"user {user!r} may not get ")
        assert allowed(lab, report, doctor).healthy


@pytest.mark.parametrize("user", UNTOLD)
def test_untold_name(
    lab: Lab, user: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The apiserver's message loses a name at a percent sign: then the manifest has a gap."""
    lab.web("percent")
    with gateway(lab.apiserver, user) as server:
        report = doctor_through(server, tmp_path, capsys)(lab.target("percent"))
    if user not in report.cause["text"]:  # there is no SelfSubjectReview before Kubernetes 1.28
        assert report.cause["text"].endswith("; the apiserver does not tell the user's name")
        assert 'name: "NAME-OF-THE-USER"' in report.cause["remedy"]
    lab.run(report, stdin=True)


@pytest.mark.parametrize("user", ["100%", "the&<user>"])
def test_told_name(lab: Lab, user: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newer apiserver tells whom it takes somebody for, to the letter."""
    lab.web("told")
    with gateway(lab.apiserver, user, tells=True) as server:
        doctor = doctor_through(server, tmp_path, capsys)
        report = doctor(lab.target("told"))
        assert report.cause["text"].startswith(f"user {user!r} may not get ")
        assert allowed(lab, report, doctor).healthy


def test_service_account(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A service account is bound as such."""
    token = lab.apiserver.service_account_token(lab.namespace, "robot")
    content = json.loads(lab.apiserver.kubeconfig.read_text())
    content["users"][0] = {"name": "admin", "user": {"token": token}}
    path = tmp_path / "robot.kubeconfig"
    path.write_text(json.dumps(content))
    doctor = Doctor(path, capsys)
    report = doctor(lab.web("robots"))
    user = f"system:serviceaccount:{lab.namespace}:robot"
    assert report.cause["text"].startswith(f"user {user!r} may not get ")
    assert report.cause["remedy"].endswith(
        f'- kind: ServiceAccount\n  namespace: "{lab.namespace}"\n  name: "robot"\n'
    )
    assert allowed(lab, report, doctor).healthy


def test_pod(lab: Lab) -> None:
    """A pod's Role is on pods/proxy."""
    lab.pod("alone", ports=[{"containerPort": lab.port, "name": "web"}])
    who = let(lab, "pods-reader")
    report = lab.doctor("pod/alone:web", f"--namespace={lab.namespace}", who)
    assert report.cause["text"] == (
        f"user 'pods-reader' may not get pods/proxy 'alone:{lab.port}' "
        f"in namespace {lab.namespace!r}"
    )
    assert 'resources: ["pods/proxy"]' in report.cause["remedy"]
    assert allowed(lab, report).healthy


def test_pod_and_unknown_port(lab: Lab) -> None:
    """A pod's port name that leads to no number: what RBAC would see is not known."""
    lab.pod("unnumbered")
    report = lab.doctor("pod/unnumbered:web", f"--namespace={lab.namespace}")
    assert report.step("authorization") == (
        "skipped",
        "RBAC sees the port's number, and the number of 'web' is not known",
    )
    assert report.cause["name"] == "no-such-port"


def test_node(lab: Lab) -> None:
    """A node is in no namespace, so it takes a ClusterRole."""
    lab.apiserver.add_node("guarded", ip=lab.ip, kubelet_port=10250)
    report = lab.doctor(f"node/guarded:{lab.port}", "--as=operator")
    assert report.cause["text"] == (f"user 'operator' may not get nodes/proxy 'guarded:{lab.port}'")
    assert "kind: ClusterRoleBinding" in report.cause["remedy"]
    assert "namespace" not in report.cause["remedy"]
    assert allowed(lab, report).healthy


def test_right_to_the_bare_name(lab: Lab) -> None:
    """A Role for "dashboard" is none for "https:dashboard:443", and no other spelling will do."""
    lab.web("dashboard")
    who = let(lab, "dasher", "dashboard")
    target = lab.target("https:dashboard:80")
    assert lab.said("https:dashboard:80", impersonate_user="dasher")[1].startswith(
        'services "https:dashboard:80" is forbidden: '
    )
    report = lab.doctor(target, who)
    assert report.cause["text"].endswith(
        "; there is a right to 'dashboard', but RBAC compares the whole segment"
    )
    assert 'resourceNames: ["https:dashboard:80"]' in report.cause["remedy"]
    # That it speaks http is another matter, which comes next.
    assert allowed(lab, report).step("authorization")[0] == "ok"


@pytest.mark.parametrize(
    ("typed", "right"),
    [("spelt", "spelt:web"), ("spelt:8080", "http:spelt:8080"), ("http:spelt:web", "spelt:8080")],
)
def test_right_to_another_spelling(lab: Lab, typed: str, right: str) -> None:
    """A right to another spelling of the same: that is what to type."""
    ports = {"port": 8080, "name": "web"}
    lab.pod("spelt-0")
    lab.service("spelt", ports)
    lab.serve("spelt", ports, pod="spelt-0")
    who = let(lab, f"speller-{right.replace(':', '-')}", right)
    report = lab.doctor(lab.target(typed), who)
    assert report.cause["name"] == "not-allowed"
    assert f"; there is a right to {right!r}, but RBAC " in report.cause["text"]
    assert lab.remedy(report).startswith(f"proxyurls fetch {lab.target(right)} --as ")
    lab.run(report)
    assert lab.doctor(lab.target(right), who).healthy


def test_right_to_the_bare_name_of_an_unnamed_port(lab: Lab) -> None:
    """The bare name would do, but `fetch` looks a bare name up; --raw does not."""
    lab.web("simple")
    who = let(lab, "simpleton", "simple")
    report = lab.doctor(lab.target("simple"), "/x", who)
    path = f"/api/v1/namespaces/{lab.namespace}/services/simple/proxy/x"
    assert lab.remedy(report) == f"proxyurls fetch --raw {path} --as simpleton"
    assert '"/x"' in lab.run(report)


def test_right_to_the_bare_name_alone(lab: Lab) -> None:
    """Who may not read services is not looked up, so the bare name is what to type."""
    lab.web("blind")
    lab.apiserver.grant(
        "mole",
        verbs=["get"],
        resources=["services/proxy"],
        names=["blind"],
        namespace=lab.namespace,
    )
    assert lab.doctor(lab.target("blind"), "--as=mole").healthy
    report = lab.doctor(lab.target("blind:80"), "--as=mole")
    assert "; there is a right to 'blind', but RBAC " in report.cause["text"]
    assert allowed(lab, report).healthy


def test_what_is_not_there(lab: Lab) -> None:
    """Nobody is sent to an admin for a right to nothing: that it isn't there is the cause."""
    who = let(lab, "hopeful")
    report = lab.doctor(lab.target("phantom:80"), who)
    assert report.step("authorization") == (
        "skipped",
        (
            "the review says that get is not allowed on services/proxy 'phantom:80' "
            f"in namespace {lab.namespace!r}; it isn't there either"
        ),
    )
    assert report.cause["name"] == "no-such-service"
    lab.web("phantom")
    assert lab.doctor(*report.argv).cause["name"] == "not-allowed"


@pytest.fixture
def no_reviews(lab: Lab) -> Iterator[None]:
    """A cluster in which nobody but admins may ask what they may."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:basic-user"
    kept = lab.apiserver.get(path).json()["subjects"]
    lab.apiserver.create(path, {"subjects": []}, method="PATCH")
    try:
        yield
    finally:
        lab.apiserver.create(path, {"subjects": kept}, method="PATCH")


@pytest.mark.usefixtures("no_reviews")
def test_no_reviews(lab: Lab) -> None:
    """Who may not even ask what they may is told so, and the rest is looked into."""
    target = lab.web("unreviewed")
    who = let(lab, "unasked", "unreviewed:80")
    end = time.monotonic() + 10
    while True:
        report = lab.doctor(target, who)
        result, text = report.step("authorization")
        if result == "skipped" or time.monotonic() > end:
            break
    assert report.healthy
    assert text.startswith("whether get is allowed on services/proxy 'unreviewed:80' in ")
    assert 'User "unasked" cannot create resource "selfsubjectaccessreviews"' in text
    assert text.endswith(", but a request was let through")
    report = lab.doctor(target, let(lab, "unasked-too"))
    assert report.cause["name"] == "not-allowed"
    assert report.cause["text"].startswith("user 'unasked-too' may not get services/proxy ")
    assert lab.doctor(lab.target("nowhere:80"), who).cause["name"] == "no-such-service"


def test_nobody(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No Role is suggested for system:anonymous, even where it may ask what it may."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    group = "rbac.authorization.k8s.io"
    user = "system:anonymous"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "system:basic-user"}
    subject = {"apiGroup": group, "kind": "User", "name": user}
    binding = {"metadata": {"name": "asking"}, "roleRef": role, "subjects": [subject]}
    target = lab.web("public")
    lab.apiserver.create(path, binding)
    try:
        with gateway(lab.apiserver, user) as server:
            doctor = doctor_through(server, tmp_path, capsys)
            end = time.monotonic() + 10
            report = doctor(target)
            while report.content["steps"][-1]["name"] != "authorization" and time.monotonic() < end:
                report = doctor(target)
    finally:
        lab.apiserver.request("DELETE", f"{path}/asking")
    assert report.cause["name"] == "no-credential"
    assert report.cause["text"].startswith("user 'system:anonymous', which is nobody, may not get")
