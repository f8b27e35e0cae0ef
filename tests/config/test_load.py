"""What load_config chooses, refuses and says."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from config.kubeconfigs import one_context
from proxyurls.config import load_config
from proxyurls.errors import ConfigNotFound, InvalidConfig

if TYPE_CHECKING:
    from pathlib import Path

    from config.conftest import Load

V1 = "client.authentication.k8s.io/v1"
PLUGIN = {"command": "x", "apiVersion": V1, "interactiveMode": "Never"}
BASIC = {"username": "u", "password": "s3cret"}
PEM = "AAA="

# user, what the refusal says
REFUSED_USERS: list[tuple[dict[str, Any], str]] = [
    ({"token": "s3cret", **BASIC}, "found [token basicAuth], only one is allowed"),
    ({"token": "s3cret\nmore"}, "the token of usr"),
    ({"username": "a\tb"}, "the username of usr"),
    ({"client-certificate-data": PEM}, "client-key-data or client-key must be specified"),
    (
        {"client-certificate-data": PEM, "client-certificate": "f", "client-key-data": PEM},
        "client-certificate-data and client-certificate are both specified",
    ),
    (
        {"client-certificate-data": PEM, "client-key": "f", "client-key-data": PEM},
        "client-key-data and client-key are both specified",
    ),
    (
        {"client-certificate": "/no/cert", "client-key-data": PEM},
        "unable to read client-certificate /no/cert for usr",
    ),
    (
        {"client-certificate-data": PEM, "client-key": "/no/key"},
        "unable to read client-key /no/key for usr",
    ),
    ({"tokenFile": "/no/token"}, "unable to read tokenFile /no/token for usr"),
    ({"auth-provider": {"name": "gcp"}}, "auth-provider 'gcp', which kubectl 1.26 removed"),
    ({"auth-provider": {}}, "auth-provider 'unnamed'"),
    ({"exec": {**PLUGIN, "command": ""}}, "command must be specified for usr"),
    ({"exec": {**PLUGIN, "apiVersion": ""}}, "apiVersion must be specified for usr"),
    ({"exec": {**PLUGIN, "apiVersion": f"{V1}alpha1"}}, "exec plugin: invalid apiVersion"),
    ({"exec": {**PLUGIN, "interactiveMode": ""}}, "interactiveMode must be specified for usr"),
    ({"exec": {**PLUGIN, "interactiveMode": "Maybe"}}, "invalid interactiveMode for usr"),
    ({"exec": {**PLUGIN, "env": [{"value": "s3cret"}]}}, "env variable name must be specified"),
    ({"exec": PLUGIN, "auth-provider": {"name": "x"}}, "authProvider cannot be provided"),
    ({"as-groups": ["g"]}, "without impersonating a user"),
    ({"as-uid": "1"}, "without impersonating a user"),
    ({"as-user-extra": {"k": ["v"]}}, "without impersonating a user"),
    ({"as": "a\r\nX-Evil: 1"}, "holds a control character"),
]
REFUSED_CLUSTERS: list[tuple[dict[str, Any], str]] = [
    (
        {"certificate-authority-data": PEM, "insecure-skip-tls-verify": True},
        "specifying a root certificates file with the insecure flag is not allowed",
    ),
    (
        {"certificate-authority-data": PEM, "certificate-authority": "f"},
        "certificate-authority-data and certificate-authority are both specified",
    ),
    ({"certificate-authority": "/no/ca"}, "unable to read certificate-authority /no/ca for clu"),
    ({"server": ""}, 'no server found for cluster "clu"'),
    ({"server": "https://a:s3cret@h"}, "holds a user name or password"),
    ({"proxy-url": "ftp://a:s3cret@h"}, "invalid 'proxy-url'"),
]


def check_message(error: Exception, says: str, tmp_path: Path) -> None:
    message = str(error)
    assert says in message
    assert str(tmp_path / "kubeconfig") in message
    assert "\n" not in message
    assert "s3cret" not in message


@pytest.mark.parametrize(("user", "says"), REFUSED_USERS, ids=lambda value: str(value)[:60])
def test_refused_user(user: dict[str, Any], says: str, load: Load, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(one_context(user=user))
    check_message(caught.value, says, tmp_path)


@pytest.mark.parametrize(("cluster", "says"), REFUSED_CLUSTERS, ids=lambda value: str(value)[:60])
def test_refused_cluster(cluster: dict[str, Any], says: str, load: Load, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(one_context(cluster=cluster))
    check_message(caught.value, says, tmp_path)


def test_both_insecure_and_ca_by_flag(load: Load, tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    ca.write_text("x")
    with pytest.raises(InvalidConfig, match="with the insecure flag is not allowed"):
        load(one_context(), certificate_authority=ca, insecure_skip_tls_verify=True)


def test_missing_names_are_told_with_near_ones(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    with pytest.raises(InvalidConfig, match=r"context: ctz \(--context\); did you mean ctx\?"):
        load(one_context(), context="ctz")
    with pytest.raises(InvalidConfig, match=rf'cluster "klu" .*mean clu\? \(looked in {path}\)'):
        load(one_context(), cluster="klu")
    with pytest.raises(InvalidConfig, match=r'user "bob" .*known users: usr'):
        load(one_context(), user="bob")
    with pytest.raises(InvalidConfig, match=r"there are no contexts in no kubeconfig"):
        load(context="x")


def test_what_a_context_names_must_exist_unless_a_flag_replaces_it(load: Load) -> None:
    text = json.dumps(
        {
            "contexts": [{"name": "ctx", "context": {"cluster": "gone", "user": "lost"}}],
            "current-context": "ctx",
        }
    )
    with pytest.raises(InvalidConfig, match=r'cluster "gone" does not exist .*context "ctx"'):
        load(text)
    with pytest.raises(InvalidConfig, match=r'user "lost" does not exist .*context "ctx"'):
        load(text, server="https://h")
    config = load(text, server="https://h", token="t")
    assert (config.server, config.credential.token) == ("https://h", "t")


def test_a_context_without_cluster(load: Load) -> None:
    text = json.dumps({"contexts": [{"name": "c", "context": {}}], "current-context": "c"})
    with pytest.raises(InvalidConfig, match=r'context "c" in .* names no cluster'):
        load(text)


def test_nothing_at_all_names_all_four(load: Load) -> None:
    with pytest.raises(ConfigNotFound) as caught:
        load(environ={"HOME": "/home/nobody"})
    for name in (
        "--server",
        "--kubeconfig",
        "$KUBECONFIG",
        "~/.kube/config",
        "service account",
        "/home/nobody/.kube/config",
    ):
        assert name in str(caught.value)


def test_no_current_context_says_which_there_are(load: Load) -> None:
    text = one_context().replace('"current-context": "ctx"', '"current-context": ""')
    with pytest.raises(ConfigNotFound, match=r"choose with --context \(ctx\)"):
        load(text)
    assert load(text, context="ctx").server == "https://k8s.test:6443"


def test_flags_alone_are_enough(load: Load) -> None:
    config = load(server="https://h:1", token="t", namespace="n")
    assert config.sources == {
        "server": "--server",
        "namespace": "--namespace",
        "credential": "--token",
    }
    assert config.credentials().headers() == [("Authorization", "Bearer t")]


def test_sources_name_the_file(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    text = one_context(
        namespace="n",
        cluster={"insecure-skip-tls-verify": True, "proxy-url": "http://p:1"},
        user={"token": "t", "as": "bob"},
    )
    names = ["server", "context", "cluster", "user", "namespace", "credential"]
    names += ["impersonate", "tls", "proxy_url"]
    told = dict.fromkeys(names, f"--kubeconfig {path}")
    assert load(text).sources == told
    by_environment = load_config(environ={"KUBECONFIG": str(path)})
    assert set(by_environment.sources.values()) == {f"$KUBECONFIG {path}"}


def test_as_dict(load: Load) -> None:
    config = load(
        one_context(
            cluster={"proxy-url": "http://u:s3cret@p:1", "certificate-authority-data": PEM},
            user={"token": "s3cret", "as": "bob", "as-user-extra": {"k": ["v"]}},
        )
    )
    shown = config.as_dict()
    assert list(shown) == [
        "server",
        "context",
        "cluster",
        "user",
        "namespace",
        "credential",
        "impersonate",
        "tls",
        "proxy_url",
        "sources",
    ]
    assert shown["credential"] == "token"
    assert shown["impersonate"] == {"user": "bob", "uid": "", "groups": [], "extra": {"k": ["v"]}}
    assert shown["tls"] == {
        "ca": "certificate-authority-data",
        "server_name": "",
        "insecure": False,
    }
    assert shown["proxy_url"] == "http://u:***@p:1"
    assert "s3cret" not in json.dumps(shown)
    assert config.proxy_url == "http://u:s3cret@p:1"


def test_a_config_is_a_value(load: Load) -> None:
    config = load(one_context())
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(load(one_context()))
    assert config != load(one_context(server="https://other"))


def test_token_flag_comes_before_other_methods(load: Load) -> None:
    for user in ({"exec": PLUGIN}, {"auth-provider": {"name": "x"}}, {"tokenFile": "/no"}):
        config = load(one_context(user=user), token="flag")
        assert (config.credential.kind, config.credential.token) == ("token", "flag")
        assert config.sources["credential"] == "--token"
        assert config.warnings == ()


def test_token_flag_with_basic_auth_is_refused_as_by_kubectl(load: Load) -> None:
    with pytest.raises(InvalidConfig, match="more than one authentication method"):
        load(one_context(user=BASIC), token="flag")


def test_token_flag_leaves_the_client_certificate_and_says_so(load: Load) -> None:
    """Kubectl 1.33 on a real apiserver: `--token nope` is answered as the certificate's user."""
    user = {"client-certificate-data": PEM, "client-key-data": PEM}
    config = load(one_context(user=user), token="flag")
    assert config.credential.certificate is not None
    (warning,) = config.warnings
    assert "believes the certificate first" in warning
    assert "flag" not in warning.replace("--token", "")


@pytest.mark.parametrize("name", [".x", "k8s.é", "a b", "a\0", "x" * 254])
def test_tls_server_name_that_no_handshake_takes(load: Load, name: str) -> None:
    with pytest.raises(InvalidConfig, match="invalid tls-server-name"):
        load(one_context(cluster={"tls-server-name": name}))
    with pytest.raises(InvalidConfig, match="invalid tls-server-name"):
        load(one_context(), tls_server_name=name)


@pytest.mark.parametrize("name", ["kubernetes", "k8s_1.example.", "192.0.2.1", "2001:db8::1"])
def test_tls_server_name(load: Load, name: str) -> None:
    assert load(one_context(), tls_server_name=name).tls.server_name == name


def test_token_flag_keeps_impersonation(load: Load) -> None:
    config = load(one_context(user={"as": "bob", "as-groups": ["g"]}), token="flag")
    assert (config.impersonate.user, config.impersonate.groups) == ("bob", ("g",))


def test_impersonation_flags_win_one_by_one(load: Load) -> None:
    user = {"as": "bob", "as-groups": ["g"], "as-user-extra": {"a": ["1"], "b": ["2"]}}
    config = load(one_context(user=user), as_user="eve", as_user_extra={"b": ["3"]}, as_uid="7")
    assert config.impersonate.as_dict() == {
        "user": "eve",
        "uid": "7",
        "groups": ["g"],
        "extra": {"a": ["1"], "b": ["3"]},
    }
    assert config.sources["impersonate"] == "--as"
    assert not load(one_context()).impersonate


def test_tls_flags(load: Load, tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    ca.write_text("x")
    with_ca = one_context(cluster={"certificate-authority-data": PEM, "tls-server-name": "old"})
    insecure = one_context(cluster={"insecure-skip-tls-verify": True})
    assert load(with_ca).tls.server_name == "old"
    assert load(with_ca, server="https://h").tls.server_name == ""
    assert load(with_ca, server="https://h", tls_server_name="new").tls.server_name == "new"
    assert load(with_ca, insecure_skip_tls_verify=True).tls.ca_data is None
    assert load(insecure).tls.insecure
    # client-go could not tell this from no flag at all.
    assert not load(insecure, insecure_skip_tls_verify=False).tls.insecure
    assert not load(insecure, certificate_authority=ca).tls.insecure
    assert load(insecure, certificate_authority=ca).sources["tls"] == "--certificate-authority"


def test_client_certificate_flags(load: Load, tmp_path: Path) -> None:
    pem = tmp_path / "pem"
    pem.write_text("x")
    user = {"client-certificate-data": PEM, "client-key-data": PEM}
    config = load(one_context(user=user), client_certificate=pem, client_key=pem)
    assert config.credential.kind == "client-certificate"
    assert config.credential.certificate is not None
    assert config.credential.certificate.certificate_file == str(pem)
    assert config.credential.certificate.certificate_data is None
    assert config.credential.certificate.key_data is None
    assert config.sources["credential"] == "--client-certificate, --client-key"


def test_credentials_go_to_https_or_loopback_alone(load: Load) -> None:
    for server in ("http://h", "h:8080"):
        config = load(one_context(server=server, user={"token": "s3cret", "as": "bob"}))
        assert config.credential.kind == "none"
        assert config.credentials().headers() == [("Impersonate-User", "bob")]
        assert config.sources["credential"].startswith("withheld")
        assert len(config.warnings) == 1
        assert config.warnings[0].startswith("credentials withheld: http://h")
        assert "s3cret" not in config.warnings[0]
    # Our exception to kubectl's rule: the clear stays on this machine.
    for server in ("http://localhost:8001", "http://127.0.0.1:8001", "localhost:8001"):
        config = load(one_context(server=server))
        assert config.credentials().headers() == [("Authorization", "Bearer t0ken")]
        assert config.warnings == ()


def test_insecure_warns(load: Load) -> None:
    config = load(one_context(), insecure_skip_tls_verify=True)
    assert config.warnings[0].startswith("TLS verification is off for https://k8s.test:6443")
    assert "--insecure-skip-tls-verify" in config.warnings[0]


def test_proxy_from_environment_and_from_the_file(load: Load) -> None:
    environ = {"HTTPS_PROXY": "http://env:1"}
    config = load(one_context(), environ=environ)
    assert (config.proxy_url, config.sources["proxy_url"]) == ("http://env:1", "$HTTPS_PROXY")
    config = load(one_context(cluster={"proxy-url": "http://file:1"}), environ=environ)
    assert config.proxy_url == "http://file:1"
    assert load(one_context()).proxy_url is None
    assert "proxy_url" not in load(one_context()).sources


POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_in_a_pod(load: Load, service_account: Path) -> None:
    config = load(environ=POD, _service_account=str(service_account))
    assert config.server == "https://10.0.0.1:443"
    assert config.namespace == "sa-ns"
    assert config.credential.kind == "token-file"
    assert config.tls.ca_file == str(service_account / "ca.crt")
    assert config.credentials().headers() == [("Authorization", "Bearer sa-token")]
    assert config.sources == {
        "server": f"service account {service_account}",
        "namespace": str(service_account / "namespace"),
        "credential": f"service account {service_account}",
        "tls": f"service account {service_account}",
    }


def test_in_a_pod_a_kubeconfig_wins_but_for_the_namespace(
    load: Load, service_account: Path
) -> None:
    config = load(one_context(), environ=POD, _service_account=str(service_account))
    assert (config.server, config.namespace) == ("https://k8s.test:6443", "sa-ns")
    assert config.credential.token == "t0ken"
    named = load(
        one_context(namespace="default"), environ=POD, _service_account=str(service_account)
    )
    assert named.namespace == "default"


def test_in_a_pod_the_token_stays_with_its_own_apiserver(load: Load, service_account: Path) -> None:
    config = load(server="https://other", environ=POD, _service_account=str(service_account))
    assert (config.server, config.credential.kind) == ("https://other", "none")


def test_in_a_pod_without_ca(load: Load, service_account: Path) -> None:
    (service_account / "ca.crt").unlink()
    config = load(environ=POD, _service_account=str(service_account))
    assert config.tls.ca_file == ""
    assert "ca.crt is missing" in config.warnings[0]


@pytest.mark.parametrize("missing", [*POD, "token"])
def test_half_a_pod_is_none(load: Load, service_account: Path, missing: str) -> None:
    environ = {**POD, missing: ""}
    if missing == "token":
        (service_account / "token").unlink()
    with pytest.raises(ConfigNotFound):
        load(environ=environ, _service_account=str(service_account))


def test_missing_list_warns_and_the_pod_is_used(load: Load, service_account: Path) -> None:
    config = load(environ={**POD, "KUBECONFIG": "/no/a"}, _service_account=str(service_account))
    assert config.server == "https://10.0.0.1:443"
    assert config.warnings == ("Config not found: /no/a",)
