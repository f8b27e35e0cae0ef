"""Kubeconfig files that are odd, wrong or hostile: one clear line each."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.kubeconfigs import one_context
from proxyurls.config import load_kubeconfig, yamlfile
from proxyurls.errors import ConfigNotFound, InvalidConfig

if TYPE_CHECKING:
    from config.conftest import Load

SECRET = "hunter2hunter2"

# content, line (or None), what the message says
BROKEN: list[tuple[bytes, int | None, str]] = [
    (b"bogus value", None, "it is text, but must be a mapping"),
    (b"- a\n- b\n", None, "it is a list, but must be a mapping"),
    (b"42", None, "it is a number"),
    (b"a: [1,\nb: }", 2, "not valid YAML"),
    (b"users:\n- name: u\n\tuser: x\n", 3, "not valid YAML"),
    (b"users: {x: *hunter2hunter2}", 1, "undefined alias"),
    (b"users: !hunter2hunter2 x", 1, "could not determine a constructor"),
    (b"users: 'hunter2hunter2", None, "not valid YAML"),
    (b"? [a]\n: b", 1, "unhashable key"),
    (b"ok: 1\nbad: \xff\xfehunter2hunter2", 2, "not UTF-8 text"),
    (b"ok: 1\nbad: \x01", 2, "control characters are not allowed"),
    (b"a: !!bool hunter2hunter2", None, "holds a YAML value that can't be read"),
    (b"[" * 50_000, None, ""),
    (b"a: 2001-99-99", None, "holds a YAML value that can't be read"),
    (b"kind: Pod\napiVersion: v1", None, "kind 'Pod'"),
    (b"kind: Config\napiVersion: v2", None, "apiVersion 'v2'"),
    (b"clusters: {a: b}", None, "clusters must be a list, not a mapping"),
    (b"clusters: [a]", None, "item 1 of clusters must be a mapping"),
    (b"clusters: [{name: 1}]", None, "item 1 of clusters: name must be text, not a number"),
    (b"clusters: [{name: c, cluster: [x]}]", None, 'cluster "c" must be a mapping'),
    (
        b"clusters: [{name: c, cluster: {server: 1}}]",
        None,
        'cluster "c": server must be text, not a number; put it in quotes',
    ),
    (
        b"clusters: [{name: c, cluster: {insecure-skip-tls-verify: 'yes'}}]",
        None,
        "insecure-skip-tls-verify must be true or false, not text",
    ),
    (
        b"clusters: [{name: c, cluster: {certificate-authority-data: '%hunter2hunter2'}}]",
        None,
        "certificate-authority-data is not base64",
    ),
    (b"users: [{name: u, user: {token: 123456}}]", None, "token must be text, not a number"),
    (b"users: [{name: u, user: {token: true}}]", None, "token must be text, not true/false"),
    (b"users: [{name: u, user: {token: 2001-01-01}}]", None, "token must be text, not a date"),
    (b"users: [{name: u, user: {as-groups: x}}]", None, "as-groups must be a list, not text"),
    (b"users: [{name: u, user: {as-groups: [1]}}]", None, "an item of as-groups must be text"),
    (b"users: [{name: u, user: {as-user-extra: {1: [a]}}}]", None, "a key must be text"),
    (b"users: [{name: u, user: {exec: x}}]", None, "exec must be a mapping"),
    (b"users: [{name: u, user: {exec: {env: [x]}}}]", None, "item 1 of env must be a mapping"),
    (b"contexts: [{name: c, context: {namespace: 7}}]", None, "namespace must be text"),
    (b"users: [{name: u}, {name: u}]", None, 'duplicate name "u" in list users'),
    (b"current-context: 1", None, "current-context must be text"),
]


@pytest.mark.parametrize(("content", "line", "says"), BROKEN, ids=lambda value: str(value)[:40])
def test_broken_file(content: bytes, line: int | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load_kubeconfig(path, environ={})
    message = str(caught.value)
    assert message.startswith(f"--kubeconfig {path}")
    assert says in message
    assert "\n" not in message
    assert SECRET not in message
    if line is not None:
        assert f", line {line}:" in message


@pytest.mark.parametrize(("content", "line", "says"), BROKEN, ids=lambda value: str(value)[:40])
def test_without_the_c_loader_the_secret_stays_out_too(
    content: bytes, line: int | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("yaml.CSafeLoader", raising=False)
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load_kubeconfig(path, environ={})
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing but a comment\n",
        b"---\n",
        b"null",
        b"{}",
        b"clusters: null\nusers: []\nunknown-key: {deep: [1]}\n",
        b"kind: Config\napiVersion: v1\npreferences: {colors: true}",
    ],
)
def test_empty_file_is_an_empty_config(content: bytes, tmp_path: Path, load: Load) -> None:
    path = tmp_path / "empty"
    path.write_bytes(content)
    kube = load_kubeconfig(path, environ={})
    assert (kube.clusters, kube.users, kube.contexts, kube.current_context) == ({}, {}, {}, "")
    with pytest.raises(ConfigNotFound, match="no apiserver found"):
        load(content.decode())


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("utf-8", b""), ("utf-8-sig", b""), ("utf-16", b""), ("utf-16-be", b"\xfe\xff")],
)
def test_encodings(encoding: str, bom: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(bom + "current-context: größe".encode(encoding))
    assert load_kubeconfig(path, environ={}).current_context == "größe"


def test_anchors_and_a_second_document(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        textwrap.dedent("""
            clusters:
            - name: a
              cluster: &it {server: https://a:1}
            - name: b
              cluster: *it
            - name: c
              cluster: {<<: *it, tls-server-name: x}
            ---
            a second document: is not looked at
        """)
    )
    clusters = load_kubeconfig(path, environ={}).clusters
    assert {name: cluster.server for name, cluster in clusters.items()} == dict.fromkeys(
        "abc", "https://a:1"
    )
    assert clusters["c"].tls_server_name == "x"


def test_five_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    padding = "A" * 4000
    entries = "".join(
        f"- name: c{number}\n  cluster: {{certificate-authority-data: {padding}}}\n"
        for number in range(1300)
    )
    path.write_text(f"clusters:\n{entries}")
    assert path.stat().st_size > 5_000_000
    assert len(load_kubeconfig(path, environ={}).clusters) == 1300


def test_billion_laughs_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    path.write_text("\n".join([*lines, "current-context: c"]))
    assert load_kubeconfig(path, environ={}).current_context == "c"


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"is a directory: name the kubeconfig file in it"):
        load_kubeconfig(tmp_path, environ={})


def test_missing_explicit_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"/nope: no such file; check the path"):
        load_kubeconfig(tmp_path / "nope", environ={})


def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{}")
    path.chmod(0)
    code = (
        "import sys; from proxyurls.config import load_kubeconfig\n"
        "from proxyurls.errors import InvalidConfig\n"
        "try: load_kubeconfig(sys.argv[1], environ={})\n"
        "except InvalidConfig as exc: print(exc)"
    )
    command = [sys.executable, "-c", code, str(path)]
    if os.geteuid() == 0:  # root reads what it likes, unless it gives that up
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_child_env())
    assert done.stdout.strip() == f"--kubeconfig {path} can't be read: Permission denied"


def test_a_file_that_fails_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(InvalidConfig, match=r"--kubeconfig /x can't be read: Input/output error"):
        load_kubeconfig("/x", environ={})


def _child_env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(yamlfile.__file__).parents[2])}


def test_precedence_of_the_default_file(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    path.parent.mkdir()
    path.write_text("current-context: home")
    kube = load_kubeconfig(environ={"HOME": str(tmp_path)})
    assert (kube.current_context, kube.paths) == ("home", (str(path),))
    assert kube.current_context_origin == str(path)
    assert load_kubeconfig(environ={"HOME": "", "USERPROFILE": str(tmp_path)}).paths == kube.paths
    # Not the current folder's .kube/config: kubectl would read it, and it can run commands.
    assert load_kubeconfig(environ={}).paths == ()


def test_a_broken_file_in_the_list_is_not_skipped(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("current-context: x")
    bad.write_text("a:\n}")
    listed = os.pathsep.join([str(good), str(bad)])
    with pytest.raises(InvalidConfig, match=rf"^\$KUBECONFIG {bad}, line 2: not valid YAML"):
        load_kubeconfig(environ={"KUBECONFIG": listed})


def test_relative_paths_count_from_their_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    user = {
        "client-certificate": "pki/c.crt",
        "client-key": "../c.key",
        "tokenFile": "/abs/token",
        "exec": {"command": "bin/plugin", "apiVersion": "v1"},
    }
    (folder / "config").write_text(one_context(user=user, cluster={"certificate-authority": "ca"}))
    monkeypatch.chdir(tmp_path)
    kube = load_kubeconfig("sub/config", environ={})
    seen = kube.users["usr"]
    assert kube.clusters["clu"].ca_file == str(folder / "ca")
    assert seen.client_certificate == str(folder / "pki" / "c.crt")
    assert seen.client_key == str(tmp_path / "c.key")
    assert seen.token_file == "/abs/token"
    assert seen.exec is not None
    assert seen.exec.command == str(folder / "bin" / "plugin")


def test_a_bare_plugin_name_is_left_to_path(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(one_context(user={"exec": {"command": "aws"}}))
    plugin = load_kubeconfig(path, environ={}).users["usr"].exec
    assert plugin is not None
    assert plugin.command == "aws"
