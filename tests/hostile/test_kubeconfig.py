"""A kubeconfig from somebody else: bombs, names, addresses, credentials."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest
from cli.conftest import ROOT
from config.kubeconfigs import one_context
from discovery.commands import environment as environment_of

from proxyurls.config import load_config, load_kubeconfig
from proxyurls.errors import InvalidConfig

from .payloads import CHOSEN, IDS, check_messages, harmless

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Run

    from .payloads import Payload

SECRET = "s3cret-p4ss"
COMMANDS = [
    ("config",),
    ("config", "-o", "json"),
    ("url", "web"),
    ("url", "web", "--curl"),
    ("services", "--request-timeout", "1"),
    ("cluster-info", "--request-timeout", "1"),
    ("fetch", "web:80", "-v", "6", "--request-timeout", "1"),
]
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


def levels(count: int, line: str) -> str:
    """Lines of which each names the one before it ten times."""
    return "\n".join(
        line.format(n=n, before=", ".join([f"*a{n - 1}"] * 10)) for n in range(1, count)
    )


BOMBS: dict[str, str] = {
    "aliases": "a0: &a0 [x, x]\n" + levels(40, "a{n}: &a{n} [{before}]"),
    "merges": "a0: &a0 {k: v}\n" + levels(40, "a{n}: &a{n} {{<<: [{before}]}}"),
    "itself": "a: &a [*a, {b: *a}]",
    "aliases that are keys": "a: &a x\n" + "*a : 1\n" * 100_000,
    "many anchors": "".join(f"a{n}: &a{n} x\n" for n in range(50_000)),
    "flow": "a: " + "[" * 100_000 + "]" * 100_000,
    "mappings": "{a: " * 100_000 + "}" * 100_000,
    "dashes": "- " * 1_000_000,
    "question marks": "? " * 1_000_000,
    "base 60": "a: 1" + ":1" * 1_000_000,
    "base 60 with a point": "a: 1" + ":1" * 1_000_000 + ".5",
    "digits": "a: " + "9" * 9_000_000,
    "hexadecimal": "a: 0x" + "f" * 9_000_000,
    "dots": "a: " + "1.2" * 3_000_000,
    "underscores": "a: 1" + "_" * 9_000_000,
    "quotes": "a: '" + "''" * 4_000_000,
    "blanks": "a:" + " " * 9_000_000 + "b",
    "comments": "#\n" * 4_000_000,
    "line feeds": "a: |\n" + "\n" * 9_000_000,
    "documents": "---\n" * 2_000_000,
    "tags": "a: " + "!!str " * 1_000_000,
    "more than there may be": "a: " + "b" * 11_000_000,
}
# The run of a command in a process that may have this much memory, and this long.
_MEMORY = 1 << 30
_SECONDS = 40


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, tmp_path: Path) -> None:
    """A line that says what is wrong, or what is right beside it; in bounded time and memory."""
    path = tmp_path / "kubeconfig"
    path.write_text(BOMBS[name])
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "proxyurls", "config"],
        env=environment_of(tmp_path, KUBECONFIG=str(path), PYTHONPATH=str(ROOT)),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY)),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert time.monotonic() - began < _SECONDS
    assert done.returncode in (1, 2), done
    assert done.stdout == ""
    check_messages(done.stderr)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("loader", ["C", "Python"])
def test_a_bomb_for_the_plugin(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a plugin is told of the cluster is written out, so there aliases would count."""
    if loader == "Python":
        monkeypatch.delattr("yaml.CSafeLoader", raising=False)
    path = tmp_path / "kubeconfig"
    path.write_text(
        textwrap.dedent("""
            current-context: c
            contexts: [{name: c, context: {cluster: c, user: u}}]
            users:
            - name: u
              user: {exec: {command: /bin/true, apiVersion: client.authentication.k8s.io/v1,
                            interactiveMode: Never, provideClusterInfo: true}}
            clusters:
            - name: c
              cluster:
                server: https://k8s.test
                extensions:
                - name: client.authentication.k8s.io/exec
                  extension:
                    a0: &a0 [x, x]
            """)
        + levels(40, "        a{n}: &a{n} [{before}]")
    )
    config = load_config(path, environ={"PATH": "/bin"})
    began = time.monotonic()
    with pytest.raises(Exception, match="more than 1048576 characters"):
        config.credentials().headers()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch owned']",
        "!!python/object/new:os.system ['touch owned']",
        "!!python/object:subprocess.Popen {}",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [a]",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch owned']",
        "!ruby/object:Gem {}",
        "!evil x",
    ],
)
@pytest.mark.parametrize("loader", ["C", "Python"])
def test_tags(
    tag: str, loader: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No tag makes an object or runs anything; the line is named."""
    if loader == "Python":
        monkeypatch.delattr("yaml.CSafeLoader", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kubeconfig"
    path.write_text(f"current-context: x\nextra: {tag}\n")
    got = run("config", "--kubeconfig", str(path))
    assert "kubeconfig, line 2: not valid YAML" in got.refusal()
    assert not (tmp_path / "owned").exists()


def test_keys_that_come_twice(tmp_path: Path) -> None:
    """The last one counts, as with kubectl; of names in a list neither does."""
    path = tmp_path / "kubeconfig"
    path.write_text("current-context: a\ncurrent-context: b\n")
    assert load_kubeconfig(path, environ={}).current_context == "b"
    path.write_text("clusters: [{name: c, cluster: {server: 'https://a', server: 'https://b'}}]")
    assert load_kubeconfig(path, environ={}).clusters["c"].server == "https://b"
    path.write_text("clusters: [{name: c}, {name: c}]")
    with pytest.raises(InvalidConfig, match='duplicate name "c"'):
        load_kubeconfig(path, environ={})


def everywhere(text: str) -> dict[str, str]:
    """Kubeconfigs with a text in each place that is shown."""
    found = {
        "namespace": one_context(namespace=text),
        "server": one_context(server=text),
        "server's host": one_context(server=f"https://{text}/"),
        "server's path": one_context(server=f"https://127.0.0.1:1/{text}"),
        "tls-server-name": one_context(cluster={"tls-server-name": text}),
        "proxy-url": one_context(cluster={"proxy-url": text}),
        "proxy's host": one_context(cluster={"proxy-url": f"http://{text}:1"}),
        "certificate-authority": one_context(cluster={"certificate-authority": text}),
        "ca data": one_context(cluster={"certificate-authority-data": text}),
        "tokenFile": one_context(user={"tokenFile": text}),
        "token": one_context(server="https://127.0.0.1:1", user={"token": f"{text}{SECRET}"}),
        "username": one_context(user={"username": text, "password": SECRET}),
        "password": one_context(user={"username": "u", "password": f"{text}{SECRET}"}),
        "as": one_context(server="https://127.0.0.1:1", user={"as": text}),
        "as-groups": one_context(user={"as": "a", "as-groups": [text]}),
        "as-uid": one_context(user={"as": "a", "as-uid": text}),
        "extra key": one_context(user={"as": "a", "as-user-extra": {text: ["x"]}}),
        "extra": one_context(user={"as": "a", "as-user-extra": {"x": [text]}}),
        "auth-provider": one_context(user={"auth-provider": {"name": text}}),
        "certificate": one_context(user={"client-certificate": text, "client-key": text}),
        "command": one_context(user={"exec": {**PLUGIN, "command": text}}),
        "command's path": one_context(user={"exec": {**PLUGIN, "command": f"./{text}"}}),
        "installHint": one_context(
            user={"exec": {**PLUGIN, "command": "no-such", "installHint": text}}
        ),
        "apiVersion": one_context(user={"exec": {**PLUGIN, "command": "x", "apiVersion": text}}),
        "mode": one_context(user={"exec": {**PLUGIN, "command": "x", "interactiveMode": text}}),
    }
    whole: Any = json.loads(one_context())
    for name, place in (("clusters", "clu"), ("users", "usr"), ("contexts", "ctx")):
        found[name] = one_context().replace(json.dumps(place), json.dumps(text))
    found["current-context"] = json.dumps({**whole, "current-context": text})
    found["kind"] = json.dumps({**whole, "kind": text})
    found["an unknown cluster"] = json.dumps(whole).replace(
        '"cluster": "clu"', f'"cluster": {json.dumps(text)}'
    )
    return found


@pytest.mark.parametrize("payload", CHOSEN, ids=IDS)
def test_texts(payload: Payload, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands wherever: nothing raw is shown, nothing runs, no secret, no bug."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kubeconfig"
    short = len(payload.text) < 1000
    for place, content in everywhere(payload.text[:100_000]).items():
        path.write_text(content)
        for argv in (
            COMMANDS if place in ("server's path", "namespace", "contexts") else COMMANDS[:4]
        ):
            got = run(*argv, "--kubeconfig", str(path))
            check_messages(got.err)
            assert harmless(got.out), (place, argv, got.out)
            assert got.code in (0, 1, 2)
            assert SECRET not in got.out + got.err, (place, argv)
            if argv == ("config",) and got.code == 0 and short:
                assert got.out.count("\n") == 9, (place, got.out)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "server",
    [
        f"https://admin:{SECRET}@k8s.test",
        f"https://{SECRET}@k8s.test",
        f"https://a:b@{SECRET}@k8s.test:6443",
        f"admin:{SECRET}@k8s.test",
        f"https://k8s.test\\@{SECRET}",
        f"file:///etc/{SECRET}@x",
    ],
)
def test_a_password_in_the_server(server: str, run: Run, tmp_path: Path) -> None:
    """Refused, and never shown: what is before the @ is a secret."""
    path = tmp_path / "kubeconfig"
    path.write_text(one_context(server=server))
    for argv in COMMANDS:
        got = run(*argv, "--kubeconfig", str(path))
        check_messages(got.err)
        assert got.code in (1, 2)
        assert "what is before the @" in got.err
        assert SECRET not in got.out + got.err


@pytest.mark.parametrize(
    "server",
    [
        *("file:///etc/passwd", "unix:///var/run/docker.sock", "javascript:alert(1)", "data:,x"),
        *("ftp://k8s.test", "gopher://k8s.test", "https:k8s.test", "//k8s.test", "https://"),
        *("https://[::1", "https://::1", "https://k8s.test:99999", "https://k8s.test:x"),
        *("https://k8s.test\r\nHost: evil", "https://k8s.test/a b", "https://k8s.test/\0"),
        *(
            "https://\u202etest.s8k",
            "https://k8s\u200b.test",
            "https://k8s.test/\x9b",
            " https://x",
        ),
    ],
)
def test_other_servers(server: str, run: Run, tmp_path: Path) -> None:
    """Refused before anything is asked."""
    path = tmp_path / "kubeconfig"
    path.write_text(one_context(server=server))
    for argv in COMMANDS:
        got = run(*argv, "--kubeconfig", str(path))
        check_messages(got.err)
        assert got.code == (1 if argv[0] == "cluster-info" else 2)
        assert (got.out, got.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "proxy",
    [
        *("file:///etc/passwd", "unix:///x", "javascript:alert(1)", "127.0.0.1:1", "socks4://h:1"),
        *("http://", "http:///x", "http://h\r\nX: y:1", "http://h:x", "http://[::1", "http://h h"),
        *(f"http://u:{SECRET}@h:x", f"ftp://u:{SECRET}@h", f"http://u:{SECRET}@", f"u:{SECRET}@h"),
        *(
            f"http://u:{SECRET}@h\u202e:1",
            f"http://u:a/b{SECRET}@h:1",
            f"http://u:{SECRET}@h:99999",
        ),
    ],
)
def test_proxies(proxy: str, run: Run, tmp_path: Path) -> None:
    """Refused in one line, without the password."""
    path = tmp_path / "kubeconfig"
    path.write_text(one_context(server="https://127.0.0.1:1", cluster={"proxy-url": proxy}))
    for argv in COMMANDS:
        got = run(*argv, "--kubeconfig", str(path))
        check_messages(got.err)
        assert got.code in (1, 2), got
        assert SECRET not in got.out + got.err


@pytest.mark.parametrize("place", ["token", "username", "password", "as", "as-uid"])
@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\x1bb", "a\x7fb"])
def test_headers_are_not_split(place: str, text: str, run: Run, tmp_path: Path) -> None:
    """What becomes a header has no line end in it."""
    user = {"as": "a", "username": "u"} if place != "token" else {}
    path = tmp_path / "kubeconfig"
    path.write_text(one_context(user={**user, place: text}))
    for argv in COMMANDS:
        got = run(*argv, "--kubeconfig", str(path))
        check_messages(got.err)
        assert got.code == (1 if argv[0] == "cluster-info" else 2)
        assert "control character" in got.err


def test_names_of_a_megabyte(run: Run, tmp_path: Path) -> None:
    """Looking for near ones takes time that grows with the square of their length."""
    path = tmp_path / "kubeconfig"
    names = [f"{'ab' * 500_000}{n}" for n in range(3)]
    content = json.loads(one_context())
    content["contexts"] += [{"name": name, "context": {"cluster": "clu"}} for name in names]
    path.write_text(json.dumps({**content, "current-context": "ba" * 500_000}))
    began = time.monotonic()
    for option in ("--context", "--cluster", "--user"):
        assert run("config", "--kubeconfig", str(path), option, "ctz").code == 2
    assert run("config", "--kubeconfig", str(path)).code == 2
    assert time.monotonic() - began < 10
