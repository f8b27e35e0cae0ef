"""Step 3 on the real apiserver: credentials that it does not take, and such as can't be had."""

from __future__ import annotations

import json
import stat
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from discovery.servers import Answer, Loopback

from .front import Authority, Front
from .tokens import account_token

if TYPE_CHECKING:
    from contract.cluster import APIServer

    from .asking import Report
    from .conftest import Lead

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SPACE, ACCOUNT = "doctor-accounts", "robot"
V1BETA1 = "client.authentication.k8s.io/v1beta1"
SECRET = "s3cret-t0ken"


def refused(found: Report, name: str) -> dict[str, str]:
    """The cause, found by this step and named so."""
    assert found.content["steps"][-1]["name"] == "authentication", found
    assert found.cause["name"] == name, found
    assert SECRET not in str(found.content)
    return found.cause


def accepted(found: Report) -> str:
    """What the step says where it is content."""
    result, text = found.step("authentication")
    assert result == "ok", found
    assert SECRET not in str(found.content)
    return text


# Tokens.


def test_token(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead(user={"token": SECRET})
    cause = refused(doctor(web), "credential-refused")
    assert f'{apiserver.server} does not accept a token of user "ann" (' in cause["text"]
    assert "choose another --context or --user" in cause["remedy"]
    healthy = doctor(web, "--user", "admin")
    assert healthy.healthy
    assert 'by a token of user "admin" (' in accepted(healthy)


def test_token_by_flag(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead(user={})
    cause = refused(doctor(web, "--token", SECRET), "credential-refused")
    assert "(--token)" in cause["text"]
    assert doctor(web, "--token", apiserver.admin_token).healthy


def test_token_beside_a_certificate(apiserver: APIServer, lead: Lead, web: str) -> None:
    """An apiserver believes the certificate, whatever the token."""
    user = {
        "client-certificate": str(apiserver.client_certificate),
        "client-key": str(apiserver.client_key),
    }
    text = accepted(lead(user=user)(web, "--token", SECRET))
    assert "a token (--token), beside the client certificate for 'admin', which counts" in text


@pytest.fixture
def account(apiserver: APIServer) -> str:
    """A service account that may do nothing but ask about itself, and its good token."""
    apiserver.add_namespace(SPACE)
    return apiserver.service_account_token(SPACE, ACCOUNT)


def test_token_has_expired(apiserver: APIServer, lead: Lead, web: str, account: str) -> None:
    token = account_token(apiserver, SPACE, ACCOUNT, seconds=-3600)
    cause = refused(lead(user={"token": token})(web), "credential-expired")
    assert f"of the service account '{SPACE}:{ACCOUNT}', has expired on 20" in cause["text"]
    assert cause["remedy"] == (
        "have somebody who may make a new one: kubectl config set-credentials ann "
        f'--token="$(kubectl create token {ACCOUNT} -n {SPACE})"'
    )
    assert token not in str(cause)
    for good in (account, account_token(apiserver, SPACE, ACCOUNT, seconds=3600)):
        text = accepted(lead(user={"token": good})(web))
        assert f"of the service account '{SPACE}:{ACCOUNT}', valid until 20" in text


def test_token_is_early(apiserver: APIServer, lead: Lead, web: str, account: str) -> None:
    """Made by a machine whose clock is ahead."""
    token = account_token(apiserver, SPACE, ACCOUNT, seconds=7200, since=3600)
    cause = refused(lead(user={"token": token})(web), "credential-refused")
    assert f"service account '{SPACE}:{ACCOUNT}', not valid before 20" in cause["text"]
    accepted(lead(user={"token": account})(web))


def test_token_file_has_expired(
    apiserver: APIServer, lead: Lead, web: str, account: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(account_token(apiserver, SPACE, ACCOUNT, seconds=-60))
    doctor = lead(user={"tokenFile": str(path)})
    cause = refused(doctor(web), "credential-expired")
    assert cause["text"].startswith(f'the token in {path} of user "ann" (')
    assert cause["remedy"].endswith(f"kubectl create token {ACCOUNT} -n {SPACE} > {path}")
    path.write_text(account)
    accepted(doctor(web))


def test_token_of_another_issuer(lead: Lead, web: str) -> None:
    """A token of another cluster, or of a login that this one does not know."""
    token = f"e30.eyJpc3MiOiAiaHR0cHM6Ly9zc28udGVzdCIsICJleHAiOiAxZTMwfQ.{SECRET}"
    doctor = lead(user={"token": token})
    cause = refused(doctor(web), "credential-refused")
    assert "issued by 'https://sso.test'" in cause["text"]
    assert doctor(web, "--user", "admin").healthy


def test_empty_token_file(apiserver: APIServer, lead: Lead, web: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch()
    doctor = lead(user={"tokenFile": str(path)})
    cause = refused(doctor(web), "credential-failed")
    assert cause["text"] == f"token file {path} is empty"
    assert cause["remedy"] == "it must hold one token"
    path.write_text(apiserver.admin_token)
    assert doctor(web).healthy


def test_password(lead: Lead, web: str) -> None:
    doctor = lead(user={"username": "ann", "password": SECRET})
    cause = refused(doctor(web), "credential-refused")
    assert "a user name and password of user" in cause["text"]
    assert "since Kubernetes 1.19" in cause["remedy"]
    assert doctor(web, "--user", "admin").healthy


# Client certificates.


def certificate(folder: Path, ca: trustme.CA, until: timedelta) -> dict[str, str]:
    """A user with a certificate of a CA."""
    now = datetime.now(timezone.utc)
    leaf = ca.issue_cert(
        "ann.invalid", common_name="ann", not_before=now - 2 * DAY, not_after=now + until
    )
    leaf.cert_chain_pems[0].write_to_path(str(folder / "ann.crt"))
    leaf.private_key_pem.write_to_path(str(folder / "ann.key"))
    return {
        "client-certificate": str(folder / "ann.crt"),
        "client-key": str(folder / "ann.key"),
    }


@pytest.mark.parametrize("until", [DAY, -HOUR])
def test_client_certificate(
    apiserver: APIServer, lead: Lead, web: str, tmp_path: Path, until: timedelta
) -> None:
    other = trustme.CA(organization_name="other-ca")
    doctor = lead(user=certificate(tmp_path, other, until))
    cause = refused(doctor(web), "credential-refused" if until == DAY else "credential-expired")
    assert "for 'ann' by the CA 'other-ca'" in cause["text"]
    assert "valid until 20" in cause["text"] or "has expired on 20" in cause["text"]
    assert "kubeadm certs renew" in cause["remedy"]
    own = lead(
        user={
            "client-certificate": str(apiserver.client_certificate),
            "client-key": str(apiserver.client_key),
        }
    )(web)
    assert own.healthy
    assert "for 'admin' by the CA 'contract-ca', valid until " in accepted(own)


def test_client_certificate_does_not_arrive(
    apiserver: APIServer, lead: Lead, web: str, authority: Authority
) -> None:
    """What ends TLS in between can't hand it on, so the apiserver sees nobody."""
    user = {
        "client-certificate": str(apiserver.client_certificate),
        "client-key": str(apiserver.client_key),
    }
    with Front(apiserver, authority.context("127.0.0.1", since=-DAY, until=DAY)) as front:
        trusted = {"certificate-authority": str(authority.file)}
        doctor = lead(front.url, cluster=trusted, user=user)
        cause = refused(doctor(web), "credential-refused")
        assert "takes you for system:anonymous: what was sent did not get there" in cause["text"]
        assert "use a token (--token, --user)" in cause["remedy"]
        assert doctor(web, "--user", "admin").healthy


# Exec plugins.


class Plugin:
    """A plugin, and the kubeconfig's user with it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "login-plugin"
        self.user = {
            "exec": {
                "command": str(self.path),
                "apiVersion": V1BETA1,
                "interactiveMode": "Never",
                "installHint": "get it from https://login.test/install",
            }
        }

    def does(self, body: str) -> None:
        self.path.write_text(f"#!{sys.executable}\n{body}\n")
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    def gives(self, **status: Any) -> None:
        answer = {"kind": "ExecCredential", "apiVersion": V1BETA1, "status": status}
        self.does(f"print({json.dumps(answer)!r})")


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


def test_plugin_is_missing(apiserver: APIServer, lead: Lead, web: str, plugin: Plugin) -> None:
    doctor = lead(user=plugin.user)
    cause = refused(doctor(web), "credential-failed")
    assert cause["text"] == f"exec plugin {plugin.path} not found"
    assert cause["remedy"] == "get it from https://login.test/install"
    plugin.gives(token=apiserver.admin_token)
    healthy = doctor(web)
    assert healthy.healthy
    assert f"by the exec plugin {plugin.path} of user" in accepted(healthy)


PLUGINS = {
    "raise SystemExit(3)": ("failed with exit code 3", "run it by hand to see why"),
    "": ("printed no JSON (0 bytes)", "it must print an ExecCredential"),
    "print('{}')": ("printed JSON, but not of kind ExecCredential", "mend the kubeconfig"),
}


@pytest.mark.parametrize("body", PLUGINS)
def test_plugin_fails(
    apiserver: APIServer, lead: Lead, web: str, plugin: Plugin, body: str
) -> None:
    text, remedy = PLUGINS[body]
    plugin.does(body)
    doctor = lead(user=plugin.user)
    cause = refused(doctor(web), "credential-failed")
    assert cause["text"] == f"exec plugin {plugin.path} {text}"
    assert cause["remedy"].startswith(remedy)
    plugin.gives(token=apiserver.admin_token)
    assert doctor(web).healthy


def test_plugin_gives_an_old_token(
    apiserver: APIServer, lead: Lead, web: str, plugin: Plugin
) -> None:
    plugin.gives(token=SECRET, expirationTimestamp="2020-01-01T00:00:00Z")
    doctor = lead(user=plugin.user)
    cause = refused(doctor(web), "credential-expired")
    assert cause["text"].endswith(", has expired on 2020-01-01 00:00:00 UTC")
    assert cause["remedy"] == f"log in again with {plugin.path}, then try again"
    plugin.gives(token=apiserver.admin_token, expirationTimestamp="2100-01-01T00:00:00Z")
    healthy = doctor(web)
    assert healthy.healthy
    assert accepted(healthy).endswith(", valid until 2100-01-01 00:00:00 UTC")


def test_plugin_gives_a_certificate(
    apiserver: APIServer, lead: Lead, web: str, plugin: Plugin, tmp_path: Path
) -> None:
    paths = certificate(tmp_path, trustme.CA(organization_name="other-ca"), -HOUR)
    pem, key = (Path(path).read_text() for path in paths.values())
    plugin.gives(clientCertificateData=pem, clientKeyData=key)
    doctor = lead(user=plugin.user)
    cause = refused(doctor(web), "credential-expired")
    assert "for 'ann' by the CA 'other-ca', has expired on 20" in cause["text"]
    plugin.gives(
        clientCertificateData=apiserver.client_certificate.read_text(),
        clientKeyData=apiserver.client_key.read_text(),
    )
    assert doctor(web).healthy


# Nobody, or somebody else.


def test_no_credential(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead(user={})
    cause = refused(doctor(web), "no-credential")
    assert cause["text"] == (
        f'no credential was sent, and {apiserver.server} wants one: user "ann" has none'
    )
    assert cause["remedy"] == "choose a --context or --user that has one"
    assert doctor(web, "--user", "admin").healthy


def test_withheld(apiserver: APIServer, lead: Lead, web: str) -> None:
    """127.1 leads to this machine, but that is not seen from the name."""
    with Front(apiserver) as front:
        doctor = lead(f"http://127.1:{front.port}")
        cause = refused(doctor(web), "no-credential")
        assert cause["text"] == (
            f"the credential was not sent: http://127.1:{front.port} is plain http, and not this "
            "machine"
        )
    assert cause["remedy"].endswith("--server https://HOST:PORT")
    assert doctor(web, "--server", apiserver.server).healthy


def test_no_impersonation(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead(user={"token": apiserver.reader_token})
    cause = refused(doctor(web, "--as", "bob"), "not-allowed")
    assert cause["text"].startswith('you may not act as "bob": users "bob" is forbidden')
    assert "--verb=impersonate --resource=users --resource-name=bob" in cause["remedy"]
    accepted(doctor(web))
    apiserver.grant("reader", verbs=["impersonate"], resources=["users"], names=["bob"])
    assert accepted(doctor(web, "--as", "bob")).startswith("you may act as bob, by a token of ")


@pytest.mark.parametrize("status", [200, 302, 403])
def test_a_gateway_takes_the_credential(
    apiserver: APIServer, lead: Lead, web: str, status: int
) -> None:
    """Its version is free, all else leads to a login page."""

    def answer(asked: Any) -> Answer:
        if asked.target == "/version":
            return Answer(b'{"gitVersion": "v1.30.0"}')
        return Answer(b"<html>Sign in", status, {"Content-Type": "text/html"})

    with Loopback(answer) as server:
        doctor = lead(server.url)
        cause = refused(doctor(web), "no-apiserver")
        assert f"{server.url} answered {status} " in cause["text"]
    assert cause["remedy"] == "check --server or --context"
    assert doctor(web, "--server", apiserver.server).healthy
