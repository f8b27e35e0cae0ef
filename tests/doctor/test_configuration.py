"""Step 1: which configuration, and what is wrong; on the real apiserver once that is mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from proxyurls.config import load_config
from proxyurls.doctor import configuration
from proxyurls.doctor.case import Case

from .asking import Doctor
from .conftest import NAMESPACE

if TYPE_CHECKING:
    from contract.cluster import APIServer

    from .asking import Report
    from .conftest import Kubectl, Lead

SECRET = "s3cret-t0ken"


def wrong(found: Report, name: str) -> dict[str, str]:
    """The cause, found by this step and named so."""
    assert [step["name"] for step in found.content["steps"]] == ["configuration"], found
    assert found.cause["name"] == name, found
    assert SECRET not in str(found.content)
    return found.cause


def chosen(found: Report) -> str:
    """What the step says where it is content."""
    result, text = found.step("configuration")
    assert result == "ok", found
    assert SECRET not in str(found.content)
    return text


def changed(doctor: Doctor, *path: str | int, value: object) -> None:
    """Put another value into the kubeconfig, or (None) take it out."""
    assert doctor.kubeconfig
    content: Any = json.loads(doctor.kubeconfig.read_text())
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    doctor.kubeconfig.write_text(json.dumps(content))


def test_of_kubeconfig(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead()
    found = doctor(web)
    assert found.healthy
    assert chosen(found) == (
        f'from $KUBECONFIG {doctor.kubeconfig}: server {apiserver.server}, context "here", '
        'namespace "default", a token of user "ann"'
    )
    token = doctor(web, "--token", apiserver.admin_token)
    assert chosen(token).endswith(', namespace "default", a token (--token)')


def test_of_flags(
    apiserver: APIServer, lead: Lead, web: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it by flags; then some of it."""
    flags = ("--server", apiserver.server, "--certificate-authority", str(apiserver.ca_file))
    found = Doctor(None, capsys)(web, *flags, "--token", apiserver.admin_token, "-n", NAMESPACE)
    assert found.healthy
    assert chosen(found) == (
        f'server {apiserver.server} (--server), namespace "{NAMESPACE}", a token (--token)'
    )
    acting = lead()(web, "--as", "bob", "--user", "admin")
    assert chosen(acting).endswith(', a token of user "admin", acting as "bob" (--as)')


def test_of_pod(apiserver: APIServer, tmp_path: Path) -> None:
    """The service account that a pod has."""
    host, port = urlsplit(apiserver.server).netloc.split(":")
    for name, text in (
        ("token", SECRET),
        ("ca.crt", apiserver.ca_pem.decode()),
        ("namespace", "monitoring"),
    ):
        (tmp_path / name).write_text(text)
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    case = Case(
        lambda: load_config(environ=environ, _service_account=str(tmp_path)), "service", "web"
    )
    account = f"service account {tmp_path}"
    assert configuration.check(case) == (
        f'from {account}: server {apiserver.server}, namespace "monitoring", '
        f"the token in {tmp_path}/token"
    )
    assert case.credentials.headers() == [("Authorization", f"Bearer {SECRET}")]


def test_warnings_are_told(lead: Lead, web: str) -> None:
    doctor = lead(cluster={"insecure-skip-tls-verify": True})
    found = doctor(web)
    assert found.healthy
    assert "; TLS verification is off for " in chosen(found)


def test_proxy_is_shown_without_password(lead: Lead, web: str) -> None:
    doctor = lead()
    changed(doctor, "clusters", 0, "cluster", "proxy-url", value=f"http://a:{SECRET}@127.0.0.1:9")
    text = chosen(doctor(web))
    assert text.startswith(f"from $KUBECONFIG {doctor.kubeconfig}: server ")
    assert text.endswith(", through the proxy http://a:***@127.0.0.1:9")
    changed(doctor, "clusters", 0, "cluster", "proxy-url", value=None)
    assert doctor(web).healthy


# Nothing says where the apiserver is.


@pytest.mark.parametrize("named", [True, False])
def test_nothing(
    lead: Lead,
    web: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    named: bool,
) -> None:
    """Neither flags nor files; with the file that $KUBECONFIG names, or none."""
    kubeconfig = lead().kubeconfig
    if named:
        monkeypatch.setenv("KUBECONFIG", f"{kubeconfig}.moved")
    doctor = Doctor(None, capsys)
    cause = wrong(doctor(web), "no-config")
    assert cause["text"].startswith("no apiserver found: none by flag (")
    looked_in = f"{kubeconfig}.moved" if named else str(Path.home() / ".kube/config")
    assert cause["text"].endswith(f" (looked in {looked_in})")
    assert cause["remedy"] == "give --kubeconfig FILE, or type: export KUBECONFIG=FILE"
    assert doctor(web, "--kubeconfig", str(kubeconfig)).healthy
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    assert doctor(web).healthy


def test_no_current_context(lead: Lead, web: str, kubectl: Kubectl) -> None:
    doctor = lead()
    changed(doctor, "current-context", value=None)
    cause = wrong(doctor(web), "no-config")
    assert cause["text"] == f"no apiserver is chosen: no current-context in {doctor.kubeconfig}"
    assert cause["remedy"] == (
        "choose with --context (here), or for good: "
        f"kubectl config use-context here --kubeconfig {doctor.kubeconfig}"
    )
    assert doctor(web, "--context", "here").healthy
    kubectl(cause["remedy"].partition("for good: ")[2], doctor.kubeconfig)
    assert doctor(web).healthy


# It is wrong.


def test_another_context(lead: Lead, web: str) -> None:
    doctor = lead()
    cause = wrong(doctor(web, "--context", "hear"), "wrong-config")
    assert cause["text"] == "context was not found for specified context: hear (--context)"
    assert cause["remedy"] == f"did you mean here? (looked in {doctor.kubeconfig})"
    assert doctor(web, "--context", "here").healthy


FAULTS: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "user": (
        ("contexts", 0, "context", "user", "an"),
        'user "an" does not exist (named by context "here")',
        "did you mean ann?",
    ),
    "server": (
        ("clusters", 0, "cluster", "server", "https://h:99999"),
        "server 'https://h:99999' from $KUBECONFIG",
        "mend the file that is named",
    ),
    "password in the server": (
        ("clusters", 0, "cluster", "server", f"https://a:{SECRET}@h"),
        "the server from $KUBECONFIG",
        "leave out what is before the @",
    ),
    "non-ASCII server": (
        ("clusters", 0, "cluster", "server", "https://kübernetes:6443"),
        "invalid server 'https://kübernetes:6443': it is no URL of a host",
        "type https://HOST:PORT",
    ),
    "CA": (
        ("clusters", 0, "cluster", "certificate-authority", "/nowhere/ca.crt"),
        "unable to read certificate-authority /nowhere/ca.crt",
        "check the path",
    ),
    "token file": (
        ("users", 0, "user", {"tokenFile": "/nowhere/token"}),
        "unable to read tokenFile /nowhere/token",
        "check the path",
    ),
    "two methods": (
        ("users", 0, "user", {"token": SECRET, "username": "ann"}),
        "more than one authentication method found for ann",
        "found [token basicAuth], only one is allowed",
    ),
    "auth-provider": (
        ("users", 0, "user", {"auth-provider": {"name": "gcp"}}),
        "ann (user in ",
        "use an exec plugin",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_entry(lead: Lead, web: str, fault: str) -> None:
    """An entry is wrong; as it was before, it's right."""
    (*path, value), text, remedy = FAULTS[fault]
    doctor = lead()
    assert doctor.kubeconfig
    right = doctor.kubeconfig.read_text()
    changed(doctor, *path, value=value)
    cause = wrong(doctor(web), "wrong-config")
    assert cause["text"].startswith(text)
    assert cause["remedy"].startswith(remedy)
    doctor.kubeconfig.write_text(right)
    assert doctor(web).healthy


def test_a_file_that_is_no_yaml(lead: Lead, web: str) -> None:
    doctor = lead()
    assert doctor.kubeconfig
    right = doctor.kubeconfig.read_text()
    doctor.kubeconfig.write_text(f"users: [{{token: {SECRET}")
    cause = wrong(doctor(web), "wrong-config")
    assert str(doctor.kubeconfig) in cause["text"]
    doctor.kubeconfig.write_text(right)
    assert doctor(web).healthy


def test_a_ca_that_is_no_certificate(lead: Lead, web: str, apiserver: APIServer) -> None:
    """Whether it is one is seen when it's used: that's the next step."""
    doctor = lead(cluster={"certificate-authority": str(apiserver.kubeconfig)})
    found = doctor(web)
    assert found.content["steps"][-1]["name"] == "connection"
    assert found.cause["name"] == "wrong-config"
    assert found.cause["text"] == (
        f"certificate-authority {apiserver.kubeconfig} holds no usable PEM certificate"
    )
    assert found.cause["remedy"].endswith(": --certificate-authority FILE")
    assert doctor(web, "--certificate-authority", str(apiserver.ca_file)).healthy
