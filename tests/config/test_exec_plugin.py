"""Exec plugins, run for real: each is a small Python script."""

from __future__ import annotations

import base64
import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from config.kubeconfigs import one_context
from config.plugins import V1, V1BETA1, answer
from proxyurls.errors import CredentialError

if TYPE_CHECKING:
    from pathlib import Path

    from config.conftest import Load
    from config.plugins import Plugin

SECRET = "s3cret-output"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the plugins are #! scripts")


@pytest.mark.parametrize("api_version", [V1, V1BETA1])
def test_token(plugin: Plugin, api_version: str) -> None:
    plugin.prints(answer(api_version=api_version, token="from-plugin"))
    headers = plugin.headers(apiVersion=api_version)
    assert headers == [("Authorization", "Bearer from-plugin")]


def test_the_load_runs_nothing(plugin: Plugin) -> None:
    config = plugin.prints(answer(token="t")).config()
    credentials = config.credentials()
    assert (config.credential.kind, config.as_dict()["credential"]) == ("exec", "exec")
    assert plugin.runs == 0
    credentials.headers()
    assert plugin.runs == 1


def test_v1beta1_needs_no_interactive_mode(plugin: Plugin) -> None:
    plugin.prints(answer(api_version=V1BETA1, token="t"))
    config = plugin.config(apiVersion=V1BETA1, interactiveMode=None)
    assert config.credential.exec is not None
    assert config.credential.exec.interactive_mode == "IfAvailable"


def test_a_relative_command_counts_from_the_kubeconfig(plugin: Plugin) -> None:
    plugin.prints(answer(token="t"))
    assert plugin.headers(command="./plugin") == [("Authorization", "Bearer t")]


def test_a_bare_command_is_found_in_path(plugin: Plugin, tmp_path: Path) -> None:
    plugin.prints(answer(token="t"))
    environ = {"PATH": str(tmp_path)}
    config = plugin.config(command="plugin", environ=environ)
    assert config.credentials().headers() == [("Authorization", "Bearer t")]


def test_what_the_plugin_is_told(plugin: Plugin, tmp_path: Path) -> None:
    told = tmp_path / "told"
    plugin.script(f"""
        with open({str(told)!r}, "w") as file:
            json.dump([sys.argv[1:], dict(os.environ), sys.stdin.read()], file)
        print({json.dumps(answer(token="t"))!r})
    """)
    plugin.headers(args=["a", "b c"], env=[{"name": "EXTRA", "value": "1"}])
    argv, environ, stdin = json.loads(told.read_text())
    assert argv == ["a", "b c"]
    assert environ["EXTRA"] == "1"
    assert environ["PATH"] == os.environ["PATH"]
    assert stdin == ""
    info = json.loads(environ["KUBERNETES_EXEC_INFO"])
    assert info == {"kind": "ExecCredential", "apiVersion": V1, "spec": {"interactive": False}}


@pytest.mark.parametrize("ca_in_file", [True, False])
def test_cluster_info_where_asked(plugin: Plugin, tmp_path: Path, *, ca_in_file: bool) -> None:
    told = tmp_path / "told"
    plugin.script(f"""
        with open({str(told)!r}, "w") as file:
            file.write(os.environ["KUBERNETES_EXEC_INFO"])
        print({json.dumps(answer(token="t"))!r})
    """)
    ca = tmp_path / "ca.crt"
    ca.write_text("the CA")
    encoded = base64.b64encode(b"the CA").decode()
    authority = (
        {"certificate-authority": str(ca)}
        if ca_in_file
        else {"certificate-authority-data": encoded}
    )
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    config = plugin.config(
        provideClusterInfo=True,
        cluster={
            **authority,
            "tls-server-name": "name",
            "proxy-url": "http://proxy:1",
            "extensions": [{"name": "other", "extension": 1}, extension],
        },
    )
    config.credentials().headers()
    assert json.loads(told.read_text())["spec"]["cluster"] == {
        "server": "https://k8s.test:6443",
        "tls-server-name": "name",
        "certificate-authority-data": encoded,
        "proxy-url": "http://proxy:1",
        "config": {"audience": "x"},
    }


def test_an_extension_that_is_no_json(plugin: Plugin, load: Load) -> None:
    text = one_context(
        user={
            "exec": {
                "command": str(plugin.prints(answer(token="t")).path),
                "apiVersion": V1,
                "interactiveMode": "Never",
                "provideClusterInfo": True,
            }
        },
        cluster={
            "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": "DATE"}]
        },
    ).replace('"DATE"', "2001-01-01")
    with pytest.raises(CredentialError, match="put dates in quotes"):
        load(text, environ=dict(os.environ)).credentials().headers()


def test_its_stderr_reaches_the_user(plugin: Plugin, capfd: pytest.CaptureFixture[str]) -> None:
    plugin.script(
        f"print('open your browser', file=sys.stderr); print('{json.dumps(answer(token='t'))}')"
    )
    plugin.headers()
    assert capfd.readouterr().err == "open your browser\n"


def test_interactive_modes(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.script("""
        spec = json.loads(os.environ["KUBERNETES_EXEC_INFO"])["spec"]
        own_session = os.getsid(0) == os.getpid()
        print(json.dumps({"kind": "ExecCredential",
            "apiVersion": "client.authentication.k8s.io/v1",
            "status": {"token": f"{spec['interactive']}-{own_session}"}}))
    """)

    def token(mode: str) -> str:
        return plugin.headers(interactiveMode=mode)[0][1]

    monkeypatch.setattr("os.isatty", lambda _: True)
    assert token("Never") == "Bearer False-True"
    # With a person there, it stays in our session, or it could not use the terminal.
    assert token("IfAvailable") == "Bearer True-False"
    assert token("Always") == "Bearer True-False"
    monkeypatch.setattr("os.isatty", lambda _: False)
    assert token("IfAvailable") == "Bearer False-True"
    runs = plugin.runs
    with pytest.raises(CredentialError, match="needs a terminal"):
        token("Always")
    assert plugin.runs == runs


@pytest.mark.parametrize(("seconds", "runs"), [(3600, 1), (-1, 2)])
def test_cached_until_it_expires(plugin: Plugin, seconds: int, runs: int) -> None:
    expires = (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()
    plugin.prints(answer(token="t", expirationTimestamp=expires))
    credentials = plugin.config().credentials()
    assert credentials.headers() == credentials.headers() == [("Authorization", "Bearer t")]
    assert plugin.runs == runs


def test_cached_for_good_without_a_time_and_run_again_after_renew(plugin: Plugin) -> None:
    credentials = plugin.prints(answer(token="old")).config().credentials()
    used = credentials.headers()
    credentials.headers()
    assert plugin.runs == 1
    plugin.prints(answer(token="new"))
    assert credentials.renew(used)
    assert credentials.headers() == [("Authorization", "Bearer new")]
    assert plugin.runs == 2
    # A second request that was refused with the old token must not cost another run.
    assert credentials.renew(used)
    credentials.headers()
    assert plugin.runs == 2
    assert credentials.renew()
    credentials.headers()
    assert plugin.runs == 3


def test_threads_run_it_once(plugin: Plugin) -> None:
    from concurrent.futures import ThreadPoolExecutor

    plugin.script(f"time.sleep(0.2); print('{json.dumps(answer(token='t'))}')")
    credentials = plugin.config().credentials()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: credentials.headers(), range(16)))
    assert results == [[("Authorization", "Bearer t")]] * 16
    assert plugin.runs == 1


# what it prints, what we say
RUBBISH: list[tuple[str, str]] = [
    ("", r"printed no JSON \(0 bytes\)"),
    (SECRET, r"printed no JSON \(13 bytes\)"),
    (f'{{"kind": "{SECRET}', "printed no JSON"),
    ("[" * 100_000, "printed no JSON"),
    ('["s3cret-output"]', "not of kind ExecCredential"),
    (json.dumps({"kind": "Pod", "metadata": SECRET}), "not of kind ExecCredential"),
    (json.dumps(answer(api_version=V1BETA1, token=SECRET)), f"configured to use apiVersion {V1}"),
    (json.dumps({"kind": "ExecCredential", "apiVersion": V1}), "didn't return a status field"),
    (json.dumps(answer()), "didn't return a token or cert/key pair"),
    (json.dumps(answer(clientKeyData=SECRET)), "only certificate or key, not both"),
    (json.dumps(answer(token=SECRET, clientCertificateData="c")), "only certificate or key"),
    (json.dumps(answer(token=[SECRET])), "returned a token that is not text"),
    (json.dumps(answer(token=f"{SECRET}\r\nX: y")), "control character"),
    (json.dumps(answer(token=SECRET, expirationTimestamp="soon")), "no RFC 3339 time"),
    (json.dumps(answer(token=SECRET, expirationTimestamp=1)), "that is not text"),
]


@pytest.mark.parametrize(("output", "says"), RUBBISH, ids=lambda value: value[:40])
def test_rubbish(plugin: Plugin, output: str, says: str) -> None:
    plugin.script(f"sys.stdout.write({output!r})")
    with pytest.raises(CredentialError, match=says) as caught:
        plugin.headers()
    assert str(plugin.path) in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_endless_output_is_cut_off(plugin: Plugin) -> None:
    plugin.script("while True: sys.stdout.write('x' * 65536)")
    with pytest.raises(CredentialError, match="printed more than 1048576 bytes"):
        plugin.headers()


def test_failure_names_the_exit_code_and_not_the_output(plugin: Plugin) -> None:
    plugin.script(f"print('{SECRET}'); sys.exit(3)")
    with pytest.raises(CredentialError, match="failed with exit code 3") as caught:
        plugin.headers()
    assert SECRET not in str(caught.value)


def test_missing_plugin_shows_the_hint_on_one_line(plugin: Plugin) -> None:
    hint = "Install it:\n  brew install \x1b[1mfoo\x1b[0m"
    with pytest.raises(CredentialError) as caught:
        plugin.headers(command="no-such-plugin", installHint=hint)
    says = "exec plugin no-such-plugin not found; Install it: brew install [1mfoo[0m"
    assert str(caught.value) == says
    with pytest.raises(CredentialError, match="not found; install it, or put it in PATH"):
        plugin.headers(command="no-such-plugin")


def test_a_file_that_can_not_be_run(plugin: Plugin) -> None:
    plugin.path.write_text("#!/no/such/interpreter\n")
    plugin.path.chmod(0o755)
    with pytest.raises(CredentialError, match="can't be run: No such file"):
        plugin.headers()


def test_a_ca_file_that_went_away(plugin: Plugin, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("the CA")
    plugin.prints(answer(token="t"))
    config = plugin.config(provideClusterInfo=True, cluster={"certificate-authority": str(ca)})
    ca.unlink()
    with pytest.raises(CredentialError, match=rf"certificate-authority {ca} can't be read"):
        config.credentials().headers()
    assert plugin.runs == 0
