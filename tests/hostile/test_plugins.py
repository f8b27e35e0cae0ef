"""Exec plugins as somebody else's kubeconfig would have them."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from config.conftest import load, plugin
from config.plugins import V1

from proxyurls.errors import ConfigError, CredentialError, InvalidConfig

if TYPE_CHECKING:
    from pathlib import Path

    from config.plugins import Plugin

__all__ = ["load", "plugin"]

ARGS = [
    "two words",
    "$(touch owned)",
    "`touch owned`",
    "; touch owned",
    "| touch owned",
    "&& touch owned",
    "> owned",
    "'",
    '"',
    "\\",
    "*",
    "~",
    "{a,b}",
    "$HOME",
    "a\nb",
    "",
    "-c",
    "\x1b[31m",
    "\u202e",
    "größe",
]


def test_no_shell(plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments and environment arrive as they were written, and nothing else runs."""
    monkeypatch.chdir(tmp_path)
    answer = {"kind": "ExecCredential", "apiVersion": V1, "status": {"token": "t"}}
    plugin.script(f"""
        with open({str(tmp_path / "told")!r}, "w") as told:
            json.dump([sys.argv[1:], os.environ["ODD"]], told)
        print({json.dumps(answer)!r})
    """)
    for value in ARGS:
        found = plugin.headers(args=ARGS, env=[{"name": "ODD", "value": value}])
        assert found == [("Authorization", "Bearer t")]
        assert json.loads((tmp_path / "told").read_text()) == [ARGS, value]
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "command",
    [
        "{path} --flag",
        "{path}; touch owned",
        "sh -c 'touch owned'",
        "$(touch owned)",
        "{path}\n",
        '"{path}"',
    ],
)
def test_a_command_is_one_file(
    command: str, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command with arguments in it is looked for by all of that name, and is not there."""
    monkeypatch.chdir(tmp_path)
    plugin.prints({})
    with pytest.raises(CredentialError, match="not found"):
        plugin.headers(command=command.format(path=plugin.path))
    assert not (tmp_path / "owned").exists()
    assert plugin.runs == 0


def test_a_command_with_odd_characters(plugin: Plugin, tmp_path: Path) -> None:
    """A file may be called anything, and is then run by that name."""
    answer = {"kind": "ExecCredential", "apiVersion": V1, "status": {"token": "t"}}
    plugin.prints(answer)
    for name in ("my plugin", "a;b", "$(x)", "quo'te"):
        odd = tmp_path / name
        odd.write_bytes(plugin.path.read_bytes())
        odd.chmod(0o755)
        assert plugin.headers(command=f"./{name}") == [("Authorization", "Bearer t")]


@pytest.mark.parametrize("path", [".", "", ":", "/nowhere:", ".:/nowhere", "bin"])
def test_nothing_out_of_the_current_folder(
    path: str, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare name is looked for in PATH, but not here, whatever PATH says; as os/exec of Go."""
    plugin.prints({})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "plugin").write_bytes(plugin.path.read_bytes())
    (tmp_path / "bin" / "plugin").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CredentialError, match="plugin not found"):
        plugin.config(command="plugin", environ={"PATH": path}).credentials().headers()
    assert plugin.runs == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"args": ["a\0b"]},
        {"command": "/bin/true\0"},
        {"env": [{"name": "A=B", "value": "x"}]},
        {"env": [{"name": "", "value": "x"}]},
        {"env": [{"name": "A\0", "value": "x"}]},
        {"env": [{"name": "A", "value": "x\0"}]},
        {"args": "a b"},
        {"args": [{"a": "b"}]},
        {"env": {"A": "B"}},
        {"command": ["/bin/true"]},
    ],
    ids=str,
)
def test_what_no_process_can_be_given(fields: dict[str, Any], plugin: Plugin) -> None:
    """It is refused when the kubeconfig is read."""
    with pytest.raises(InvalidConfig) as caught:
        plugin.config(**fields)
    assert str(caught.value).isprintable()


def test_arguments_without_end(plugin: Plugin) -> None:
    """More than a process can be given: one line."""
    with pytest.raises(CredentialError, match="can't be run: Argument list too long"):
        plugin.prints({}).headers(args=["a" * 3_000_000])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("while True: sys.stdout.write('x' * 65536)", "printed more than 1048576 bytes"),
        ("sys.stdout.write('x' * (1 << 26))", "printed more than 1048576 bytes"),
        ("print('{' * 500_000)", "printed no JSON"),
        ("print('[' * 500_000 + ']' * 500_000)", "printed no JSON"),
        ("print('9' * 1_000_000)", "printed "),
        ("sys.stdout.buffer.write(b'\\xff\\xfe\\x00')", "printed no JSON"),
        ("sys.stderr.write('\\x1b[31m' * 1000); sys.exit(1)", "failed with exit code 1"),
        ("os.kill(os.getpid(), 9)", "failed with exit code -9"),
        ("print('\\x1b]52;c;eA==\\x07')", "printed no JSON"),
    ],
)
def test_output(body: str, says: str, plugin: Plugin, capfd: pytest.CaptureFixture[str]) -> None:
    """Bounded, never shown; its stderr goes to the user's, as it is."""
    began = time.monotonic()
    with pytest.raises(CredentialError) as caught:
        plugin.script(body).headers()
    assert time.monotonic() - began < 20
    message = str(caught.value)
    assert says in message
    assert message.isprintable()
    assert len(message) < 1000
    out, err = capfd.readouterr()
    assert out == ""
    if "stderr" in body:
        assert err == "\x1b[31m" * 1000


@pytest.mark.parametrize(
    "status",
    [
        {"token": "a\r\nX-Evil: 1"},
        {"token": "a\0"},
        {"token": "\ud800"},
        {"clientCertificateData": "\ud800", "clientKeyData": "x"},
        {"token": "t", "expirationTimestamp": "\x1b[31m" * 100},
        {"token": "t", "expirationTimestamp": "9999-99-99T99:99:99Z"},
        {"token": ["t"]},
        {"clientCertificateData": "\x1b[31m", "clientKeyData": "x"},
        {"clientCertificateData": "../../etc/passwd", "clientKeyData": "/etc/passwd"},
    ],
    ids=str,
)
def test_status(status: dict[str, object], plugin: Plugin) -> None:
    """What would split a header or is no credential is refused in one printable line."""
    answer = {"kind": "ExecCredential", "apiVersion": V1, "status": status}
    credentials = plugin.prints(answer).config().credentials()
    with pytest.raises(ConfigError) as caught:
        [credentials.headers(), credentials.ssl_context()]
    assert str(caught.value).isprintable()
    assert os.listdir(plugin.path.parent)  # noqa: PTH208  (nothing of it was taken for a path)
