"""``proxyurls config``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Child, Run


def test_text(run: Run, kubeconfig: Path) -> None:
    """Aligned, each line with where it came from; the token is not shown."""
    result = run("config", "-n", "x")
    source = f"($KUBECONFIG {kubeconfig})"
    assert (result.code, result.err) == (0, "")
    assert (
        result.out
        == f"""\
server:      https://k8s.example:6443  {source}
context:     prod                      {source}
cluster:     one                       {source}
user:        admin                     {source}
namespace:   x                         (--namespace)
credential:  token                     {source}
impersonate: none
tls:         none
proxy_url:   none
"""
    )


def test_json(run: Run, kubeconfig: Path) -> None:
    """The keys of the contract."""
    result = run("config", "-o", "json", "--as=joe", "--as-group=a", "--tls-server-name=x")
    facts = json.loads(result.out)
    assert list(facts) == (
        [
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
    )
    assert facts["credential"] == "token"
    assert facts["impersonate"] == {"user": "joe", "uid": "", "groups": ["a"], "extra": {}}
    assert facts["tls"] == {"ca": None, "server_name": "x", "insecure": False}
    assert "s3cr3t" not in result.out + result.err


def test_groups_of_values(run: Run, kubeconfig: Path) -> None:
    """Impersonation and TLS on one line each."""
    words = ["--as=joe", "--as-group=a", "--as-group=b", "--as-uid=1", "--insecure-skip-tls-verify"]
    out = run("config", *words).out
    assert "impersonate: user=joe, uid=1, groups=a, groups=b " in out
    assert "tls:         insecure " in out


def test_extra(run: Run, tmp_path: Path) -> None:
    """as-user-extra has its keys."""
    path = tmp_path / "extra"
    path.write_text(
        "clusters: [{name: c, cluster: {server: 'https://x'}}]\n"
        "users: [{name: u, user: {as: joe, as-user-extra: {team: [red, blue]}}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\n"
    )
    out = run("config", "--kubeconfig", str(path)).out
    assert "user=joe, extra.team=red, extra.team=blue" in out


def test_warnings_go_to_stderr(run: Run, kubeconfig: Path) -> None:
    """Data stays alone on stdout."""
    result = run("config", "-s", "http://k8s", "-o", "json")
    assert json.loads(result.out)["credential"] == "none"
    assert result.err.startswith("warning: credentials withheld")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--context", "prd"], 2, "did you mean prod?"),
        (["--user", "admn"], 2, "did you mean admin?"),
        (["--cluster", "three"], 2, 'cluster "three" does not exist'),
        (["--kubeconfig", "/nowhere/at/all"], 2, "no such file"),
        (["--certificate-authority=/dev/null", "--insecure-skip-tls-verify"], 2, "remove one"),
        (["--client-certificate=/dev/null"], 2, "client-key"),
        (["--as-group", "x"], 2, "--as"),
    ],
)
def test_refusals(run: Run, kubeconfig: Path, words: list[str], code: int, text: str) -> None:
    """What kubectl refuses is refused, with the reason."""
    assert text in run("config", *words).refusal(code)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "no apiserver found"),
        ("a: [\n", "line 2"),
        ("- a\n- b\n", "a list"),
        ("users: [{name: u, user: {token: 1}}]", "token must be text"),
        ("\x00", "YAML"),
    ],
)
def test_broken_kubeconfigs(run: Run, tmp_path: Path, content: str, text: str) -> None:
    """One line that names the file."""
    path = tmp_path / "broken"
    path.write_text(content)
    message = run("config", "--kubeconfig", str(path)).refusal(2 if content else 1)
    assert text in message
    assert str(path) in message
    assert str(tmp_path) in run("config", "--kubeconfig", str(tmp_path)).refusal()


def test_needs_no_network_and_runs_no_plugin(child: Child, tmp_path: Path) -> None:
    """The exec plugin leaves no trace, and there is nobody at the server's address."""
    trace = tmp_path / "ran"
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\ntouch {trace}\n")
    plugin.chmod(0o755)
    path = tmp_path / "config"
    path.write_text(
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        f"users: [{{name: u, user: {{exec: {{command: {plugin}, interactiveMode: Never, "
        "apiVersion: client.authentication.k8s.io/v1}}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\n"
    )
    done = child("config", "--kubeconfig", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "credential:  exec" in done.stdout
    assert not trace.exists()
