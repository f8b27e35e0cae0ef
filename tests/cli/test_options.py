"""Options stand anywhere, on every Python."""

from __future__ import annotations

import argparse
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from proxyurls.cli.commands import COMMANDS, build
from proxyurls.cli.options import duration

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

SERVER = "https://k8s:6443"
WANTED = f"{SERVER}/api/v1/namespaces/shop/services/web:80/proxy/d/x?a=1\n"


ARGUMENTS = ["url", "web:80", "/d/x"]
OPTIONS = ["-nshop", f"--server={SERVER}", "-qa=1"]


@pytest.mark.parametrize(
    "words",
    [
        words
        for words in permutations(ARGUMENTS + OPTIONS)
        if [word for word in words if word in ARGUMENTS] == ARGUMENTS
    ],
)
def test_any_order(run: Run, words: tuple[str, ...]) -> None:
    """Options stand before the command and before, between and behind TARGET and SUFFIX."""
    result = run(*words)
    assert (result.code, result.out, result.err) == (0, WANTED, "")


@pytest.mark.parametrize(
    "namespace",
    [
        ["-n", "shop"],
        ["-nshop"],
        ["-n=shop"],
        ["--namespace", "shop"],
        ["--namespace=shop"],
        ["-n", "first", "-n", "shop"],
        ["-v6", "-n", "shop"],
        ["--v=6", "-n", "shop"],
        ["--insecure-skip-tls-verify", "-n", "shop"],
        ["--insecure-skip-tls-verify=false", "-n", "shop"],
        ["--token", "-x", "-n", "shop"],
    ],
)
@pytest.mark.parametrize("at", range(5))
def test_every_spelling(run: Run, namespace: list[str], at: int) -> None:
    """Each spelling of an option works at each place."""
    words = ["url", "web:80", "/d/x", f"-s={SERVER}", "-q=a=1"]
    result = run(*words[:at], *namespace, *words[at:])
    assert (result.code, result.out, result.err) == (0, WANTED, "")


def test_option_values_may_be_names_of_commands(run: Run) -> None:
    """``-n services url web``: the command is url."""
    result = run("-n", "services", "--context", "parse", "url", "url", "--path")
    assert result.out == "/api/v1/namespaces/services/services/url/proxy/\n"


def test_command_options_may_precede_the_command(run: Run) -> None:
    """``-o json parse`` is understood, as kubectl understands ``-o json get``."""
    result = run("-o", "json", "parse", "/api/v1/nodes/n1/proxy/")
    assert result.out.startswith("{")


def test_double_dash_ends_options(run: Run) -> None:
    """What follows ``--`` is no option."""
    result = run("url", "--path", "--", "web", "-n")
    assert result.out == "/api/v1/namespaces/default/services/web/proxy/-n\n"
    assert run("url", "--path", "web", "--", "--path").out.endswith("/proxy/--path\n")
    assert run("--", "url", "web").refusal(1)
    assert "'/--'" in run("url", "--path", "--", "web", "--").refusal()
    assert run("url", "--path", "web", "-").out.endswith("/proxy/-\n")


@pytest.mark.parametrize("value", ["--", "--path", "-q", "--server=x"])
def test_option_is_no_value(run: Run, value: str) -> None:
    """A forgotten value does not swallow the next option."""
    message = run("url", "web", "-n", value).refusal()
    assert "option -n needs a value" in message
    if value not in ("--", "-q"):
        assert run("url", "web", f"-n{value}").refusal().startswith("invalid namespace")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["url", "web", "-n"], "option -n needs a value (see `proxyurls url --help`)"),
        (["url", "web", "--bogus"], "unknown option '--bogus'"),
        (["url", "web", "--contxt=x"], "unknown option --contxt; did you mean --context?"),
        (["url", "web", "-context=x"], "unknown option -context; did you mean --context?"),
        (["url", "web", "--name", "x"], "--name; did you mean --namespace?"),
        (["url", "web", "--tknoeyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9"], "unknown option '--tknoey…'"),
        (["url", "web", "--password:s3cr3t"], "unknown option '--password…'"),
        (["url", "web", "-Z"], "unknown option '-Z'"),
        (["--bogus", "url", "web"], "unknown option '--bogus'"),
        (["url", "web", "-vx"], "'x' is no level"),
        (["url", "web", "--request-timeout=x"], "'x' is no time; type 5, 30s"),
        (["url", "web", "--insecure-skip-tls-verify=x"], "'x' is neither true nor false"),
        (["url", "web", "--resolve=x"], "--resolve"),
        (["url"], "TARGET"),
        (["url", "a", "b", "c"], "unexpected argument 'c': the command takes TARGET [SUFFIX]"),
        (["config", "x"], "unexpected argument 'x': the command takes options alone"),
        (["config", "-o", "yaml"], "'yaml'"),
        (["url", "web", "-q", "x"], "invalid query 'x'; type -q KEY=VALUE"),
        (["url", "web", "-q", "=x"], "invalid query '=x'"),
        (["url", "web", "--path", "--via", "http://x"], "--via needs one"),
        (["url", "web", "--path", "--curl"], "--curl needs one"),
    ],
)
def test_wrong_usage(run: Run, words: list[str], text: str) -> None:
    """One line that names the option or the argument, and no usage text."""
    assert text in run(*words).refusal()


@pytest.mark.parametrize(
    "words",
    [
        ["--token=SECRET", "--tokn=x"],
        ["--tokn=SECRET"],
        ["--tokenSECRET"],
        ["-token=SECRET"],
        ["-tokenSECRET"],
        ["--token", "SECRET", "-o"],
        ["--token=SECRET", "--kubeconfig=/nowhere/at/all"],
        ["--token=SECRET", "--user=x"],
        ["--token=SECRET", "-s", "ftp://x"],
        ["--token=a\nSECRET", "-s", "https://x", "--curl"],
        ["-s", "https://user:SECRET@k8s"],
        ["--via", "https://user:SECRET@k8s"],
    ],
)
def test_tokens_are_not_repeated(run: Run, words: list[str]) -> None:
    """No error repeats what may be a secret."""
    assert "SECRET" not in run("url", "web", *words).refusal()


def test_shared_options_work_with_every_command(run: Run) -> None:
    """An alias with --context works for commands that look at no cluster, too."""
    result = run("--context", "x", "parse", "/api/v1/nodes/n1/proxy/")
    assert result.code == 0
    assert run("--context", "x", "completion", "bash").code == 0


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help(run: Run, command: str) -> None:
    """Every command's help describes it and shows two examples, at any width."""
    for words in ([command, "--help"], ["-h", command], ["help", command]):
        result = run(*words)
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"usage: proxyurls {command} ")
        assert "%" not in result.out.replace("%2F", "")
        shown = result.out.partition("examples:\n")[2]
        assert shown.count(f"proxyurls {command}") >= 2
    parser, _ = build("proxyurls", command)
    assert parser.description


@pytest.mark.parametrize("words", [[], ["--help"], ["help"], ["help", "--help"], ["-h", "-n", "x"]])
def test_overview(run: Run, words: list[str]) -> None:
    """The overview lists every command."""
    result = run(*words)
    assert result.code == 0
    for name, text in COMMANDS.items():
        assert f"  {name} " in result.out
        assert text in result.out


def test_version(run: Run) -> None:
    """--version, with a command or not."""
    assert run("--version").out == run("url", "--version").out == "proxyurls 0.1.0\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ulr", "web"], "unknown command 'ulr'; did you mean 'url'?"),
        (["service"], "did you mean 'services'?"),
        (["grafana"], "type `proxyurls url grafana`"),
        (["help", "ulr"], "unknown command 'ulr'"),
        (["-n", "x"], "no command given"),
        (["-n"], "option -n needs a value"),
    ],
)
def test_unknown_command(run: Run, words: list[str], text: str) -> None:
    """The near command, or the one that was left out."""
    assert text in run(*words).refusal()


def test_as_a_kubectl_plugin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called by kubectl, the help says what to type there."""
    monkeypatch.setattr("sys.argv", ["/usr/local/bin/kubectl-proxyurls"])
    assert "usage: kubectl proxyurls url TARGET [SUFFIX]" in run("url", "-h").out
    assert "`kubectl proxyurls url --help`" in run("url").refusal()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("5", 5.0),
        ("30s", 30.0),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("1µs", 1e-6),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    """As time.ParseDuration reads it, and a number alone is seconds."""
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-5", "5 s", "1d", "1h 2m", "٣", "5sx", "1.s2"])
def test_no_duration(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


def test_insecure_with_a_value(run: Run, kubeconfig: Path) -> None:
    """--insecure-skip-tls-verify=false is what it says."""
    on = run("config", "-o", "json", "--insecure-skip-tls-verify")
    assert '"insecure": true' in on.out
    assert "warning: TLS verification is off" in on.err
    off = run("config", "-o", "json", "--insecure-skip-tls-verify=0")
    assert '"insecure": false' in off.out
    assert off.err == ""
