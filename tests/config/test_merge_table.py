"""The table of client-go's own cases, `kubeconfig_merge.json`, every one of them.

Where we differ on purpose, `DIFFERENT` says so and why; the case still runs.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxyurls.config import Config, Kubeconfig, load_config, load_kubeconfig
from proxyurls.errors import ConfigError, ConfigNotFound

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("kubeconfig_merge.json").read_text(encoding="utf-8")
)["cases"]

DIFFERENT: dict[str, str] = {
    # kubectl goes on with localhost:8080, which is a riddle to whoever forgot a kubeconfig.
    "no config at all, kubectl defaults, not in a cluster": "ConfigNotFound",
    # kubectl refuses it only when it connects; `proxyurls config` should say it at once.
    "insecure and CA both in the file: load passes, the TLS set-up fails": "refused by the load",
}
GO_TYPES = "error converting *[]Named"  # a Go conversion's name, of no use to people


@dataclass
class Setting:
    """What a case describes, laid out on disk."""

    files: list[Path]
    kubeconfig: Path | None
    environ: dict[str, str]
    flags: dict[str, Any]
    names: dict[str, str]

    def fill(self, value: Any) -> Any:
        """The value with its placeholders filled in."""
        if isinstance(value, str):
            for name, text in self.names.items():
                value = value.replace(name, text)
        return value


def lay_out(case: dict[str, Any], folder: Path) -> Setting:
    existing = folder / "existing.pem"
    existing.write_text("any")
    token_file = folder / "tokenfile"
    token_file.write_text(case.get("token_file_content", "file-token"))
    names = {"{existing-file}": str(existing), "{tokenfile}": str(token_file)}
    files = []
    for number, text in enumerate(case["kubeconfig_files"]):
        path = folder / f"dir{number}" / "config"
        path.parent.mkdir()
        path.write_text(text.replace("{tokenfile}", str(token_file)))
        files.append(path)
        names[f"{{file{number}}}"] = str(path)
        names[f"{{dir{number}}}"] = str(path.parent)
    setting = Setting(files, None, {"HOME": str(folder / "home")}, {}, names)
    if "explicit_file_index" in case:
        setting.kubeconfig = files[case["explicit_file_index"]]
    elif "kubeconfig_env" in case:
        listed = os.pathsep.join(setting.fill(case["kubeconfig_env"]).split(":"))
        setting.environ["KUBECONFIG"] = listed
    elif files:
        setting.environ["KUBECONFIG"] = os.pathsep.join(map(str, files))
    _lay_out_flags(case, folder, setting)
    _lay_out_pod(case, folder, setting)
    return setting


def _lay_out_flags(case: dict[str, Any], folder: Path, setting: Setting) -> None:
    if "context_argument" in case:
        setting.flags["context"] = case["context_argument"]
    for name, value in case.get("overrides", {}).items():
        if name == "tokenFile":
            continue  # kubectl has no such flag either: client-go's own struct alone does
        filled = setting.fill(value)
        if name == "certificate-authority" and not Path(filled).exists():
            # client-go's mock of a pod opens no file; we do, so there must be one.
            replacement = folder / "ca-from-overrides.crt"
            replacement.write_text("any")
            setting.names[filled] = str(replacement)
            filled = str(replacement)
        setting.flags[name.replace("-", "_")] = filled


def _lay_out_pod(case: dict[str, Any], folder: Path, setting: Setting) -> None:
    account = folder / "serviceaccount"
    setting.flags["_service_account"] = str(account)
    if not case.get("in_cluster"):
        return
    account.mkdir()
    values = case.get("in_cluster_values", {})
    (account / "token").write_text(values.get("token", "sa-token"))
    (account / "ca.crt").write_text("any")
    if "namespace_file_content" in case:
        (account / "namespace").write_text(case["namespace_file_content"])
    setting.environ.update(case.get("env", {}))
    if values:
        # The upstream test injects these values; here they come from where a pod has them.
        setting.environ["KUBERNETES_SERVICE_HOST"] = "host-from-cluster.com"
        setting.environ["KUBERNETES_SERVICE_PORT"] = "443"
        setting.names[values["server"]] = "https://host-from-cluster.com:443"
        setting.names[values["token_file"]] = str(account / "token")
        setting.names[values["ca_file"]] = str(account / "ca.crt")


def text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def sent_token(config: Config) -> str:
    headers = dict(config.credentials().headers())
    return headers.get("Authorization", "").removeprefix("Bearer ")


# How each expected key is seen in a Config, and in the merged files.
CONFIG_VIEWS: dict[str, Any] = {
    "server": lambda config: config.server,
    "user": lambda config: config.user,
    "namespace": lambda config: config.namespace,
    "namespace_overridden": lambda config: config.sources["namespace"] == "--namespace",
    "token": sent_token,
    "token_file": lambda config: config.credential.token_file,
    "ca_file": lambda config: config.tls.ca_file,
    "ca_data": lambda config: text(config.tls.ca_data),
    "cert_data": lambda config: text(config.credential.certificate.certificate_data),
    "key_data": lambda config: text(config.credential.certificate.key_data),
    "insecure": lambda config: config.tls.insecure,
    "tls_server_name": lambda config: config.tls.server_name,
    "proxy_url": lambda config: config.proxy_url,
    "impersonate": lambda config: config.impersonate.as_dict(),
}
FILE_VIEWS: dict[str, Any] = {
    "clusters": lambda kube: entries(kube.clusters),
    "users": lambda kube: entries(kube.users),
    "contexts": lambda kube: entries(kube.contexts),
    "cluster_names": lambda kube: sorted(kube.clusters),
    "user_names": lambda kube: sorted(kube.users),
    "context_names": lambda kube: sorted(kube.contexts),
    "current_context": lambda kube: kube.current_context,
    "precedence": lambda kube: list(kube.paths),
    "empty_config": lambda kube: not (kube.clusters or kube.users or kube.contexts),
    "warning": lambda kube: "; ".join(kube.warnings),
    "resolved": lambda kube: {
        f"{name}.tokenFile": user.token_file for name, user in kube.users.items()
    },
}


def entries(named: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What an entry sets, without our own field `origin`."""
    return {
        name: {key: value for key, value in vars(entry).items() if value and key != "origin"}
        for name, entry in named.items()
    }


def expect_error(case: dict[str, Any], setting: Setting) -> None:
    phrase = setting.fill(case["expect"]["error_contains"])
    if phrase.startswith(GO_TYPES):
        phrase = phrase.split(": ", 1)[1]
    with pytest.raises(ConfigError) as caught:
        load_config(setting.kubeconfig, environ=setting.environ, **setting.flags)
    message = str(caught.value)
    for part in phrase.split(" for clean"):  # we add the file behind the name
        assert part.strip("; ") in message
    assert "\n" not in message


def views(case: dict[str, Any], table: dict[str, Any], seen: Config | Kubeconfig) -> dict[str, Any]:
    return {key: table[key](seen) for key in case["expect"] if key in table}


def wanted(case: dict[str, Any], setting: Setting, table: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in case["expect"].items():
        if key not in table:
            continue
        filled: Any = setting.fill(value)
        if key == "precedence":
            filled = [item.replace("$HOME", setting.environ["HOME"]) for item in value]
        elif key == "resolved":
            filled = {name: setting.fill(path) for name, path in value.items()}
        elif key == "token_file" and "tokenFile" in case.get("overrides", {}):
            filled = ""  # see _lay_out_flags
        found[key] = filled
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    setting = lay_out(case, tmp_path)
    known = {*CONFIG_VIEWS, *FILE_VIEWS, "error_contains", "load_ok", "tls_error_contains"}
    assert set(case["expect"]) <= known, "a key of the table that this test does not look at"
    if case["name"] in DIFFERENT:
        expect_difference(case, setting)
    elif "error_contains" in case["expect"]:
        expect_error(case, setting)
    elif set(case["expect"]) & set(CONFIG_VIEWS):
        config = load_config(setting.kubeconfig, environ=setting.environ, **setting.flags)
        assert views(case, CONFIG_VIEWS, config) == wanted(case, setting, CONFIG_VIEWS)
    if set(case["expect"]) & set(FILE_VIEWS):
        kube = load_kubeconfig(setting.kubeconfig, environ=setting.environ)
        assert views(case, FILE_VIEWS, kube) == wanted(case, setting, FILE_VIEWS)


def expect_difference(case: dict[str, Any], setting: Setting) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(setting.kubeconfig, environ=setting.environ, **setting.flags)
    if DIFFERENT[case["name"]] == "ConfigNotFound":
        assert isinstance(caught.value, ConfigNotFound)
    else:
        assert case["expect"]["tls_error_contains"] in str(caught.value)


def test_every_difference_is_a_case() -> None:
    assert set(DIFFERENT) <= {case["name"] for case in CASES}
