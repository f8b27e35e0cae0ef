"""What bash, zsh and fish complete, and what people paste: nothing of it runs."""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from cli.conftest import ROOT
from cli.test_completion import complete
from config.kubeconfigs import one_context
from discovery.commands import environment as environment_of

from proxyurls.cli import completion

from .cluster import NAMED, put, service
from .payloads import CHOSEN, IDS, PAYLOADS, check_messages, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.conftest import Run

    from .cluster import Cluster
    from .payloads import Payload

# Everything at once that means something to a shell.
NAME = "ctx $(touch owned)`touch owned`;touch owned|touch owned&'\"\\{a,b}~*?[x]#!:=%>owned<(:)"
_SILENCE = 0.4  # seconds without output, after which a shell is taken to wait
_TIME_LIMIT = 20.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a ``proxyurls`` that completes, but when it's run writes its words down."""
    program = tmp_path / "bin" / "proxyurls"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "if '_ARGCOMPLETE' in os.environ or sys.argv[1] == 'completion':\n"
        f"    sys.path.insert(0, {str(ROOT)!r})\n"
        "    from proxyurls.cli import main\n"
        "    sys.exit(main())\n"
        "json.dump(sys.argv[1:], open('typed', 'w'))\n"
    )
    program.chmod(0o755)
    (tmp_path / "kubeconfig").write_text(one_context().replace('"ctx"', json.dumps(NAME)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Shell:
    """An interactive shell on a terminal."""

    def __init__(self, *command: str, folder: Path) -> None:
        self.name = command[0]
        env = environment_of(folder, KUBECONFIG=str(folder / "kubeconfig"))
        env = {
            **env,
            "PATH": f"{folder / 'bin'}:{env['PATH']}",
            "PS1": "$ ",
            "INPUTRC": "/dev/null",
        }
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, env)

    def type(self, text: str, until: str = "") -> None:
        """Type, and wait until the shell shows a text, or else is silent."""
        os.write(self._terminal, text.encode())
        shown, end = b"", time.monotonic() + _TIME_LIMIT
        while until.encode() not in shown or not until:
            left = end - time.monotonic() if until else _SILENCE
            if not select.select([self._terminal], [], [], max(0.0, left))[0]:
                break
            shown += os.read(self._terminal, 1 << 16)
            if shown.endswith(b"\x1b[c"):  # fish asks what kind of terminal this is
                os.write(self._terminal, b"\x1b[?1;2c")
        assert until.encode() in shown, shown

    def close(self) -> None:
        """End it."""
        os.close(self._terminal)
        os.waitpid(self._pid, 0)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(proxyurls completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -U compinit; compinit -u -D; eval "$(proxyurls completion zsh)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "proxyurls completion fish | source"),
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    """A shell that has learned to complete."""
    command, teach = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    one = Shell(*command, folder=folder)
    one.type("")
    one.type(f"{teach}; echo tau''ght\n", until="taught")
    yield one
    one.close()


def test_a_completed_name_is_one_word(shell: Shell, folder: Path) -> None:
    """A context's name as it stands in the kubeconfig, quoted or not, and nothing has run."""
    typed = folder / "typed"
    for quote in ("", "'", '"'):
        typed.unlink(missing_ok=True)
        shell.type(f"proxyurls config --context {quote}ct\t", until="[x")
        shell.type("\n")
        ends = time.monotonic() + _TIME_LIMIT
        while not (typed.exists() and typed.stat().st_size) and time.monotonic() < ends:
            time.sleep(0.05)
        # In double quotes argcomplete guards "!" with a backslash, which bash then leaves there.
        name = NAME.replace("!", "\\!") if (shell.name, quote) == ("bash", '"') else NAME
        assert json.loads(typed.read_text()) == ["config", "--context", name]
        assert not (folder / "owned").exists()


@pytest.mark.parametrize("payload", PAYLOADS, ids=[one.name for one in PAYLOADS])
def test_names_that_no_shell_gets(payload: Payload, tmp_path: Path) -> None:
    """What a terminal would obey, or a shell read as two candidates, is not completed at all."""
    path = tmp_path / "kubeconfig"
    for kind, name in (("contexts", "ctx"), ("clusters", "clu"), ("users", "usr")):
        path.write_text(one_context().replace(json.dumps(name), json.dumps(payload.text)))
        found = completion._names(kind, argparse.Namespace(kubeconfig=str(path)))
        assert found == ([payload.text] if payload.text.isprintable() else [])


@pytest.mark.parametrize("payload", PAYLOADS, ids=[one.name for one in PAYLOADS])
def test_names_of_the_cluster(payload: Payload, cluster: Cluster) -> None:
    """Of services, pods, nodes and namespaces only names of Kubernetes, or none, without noise."""
    cluster.services = [service(), put(service(), NAMED["name"], payload.text)]
    args = argparse.Namespace(server=cluster.url)
    assert completion._objects("services", args) == []
    cluster.services = [service()]
    assert completion._objects("services", args) == ["web"]


@pytest.mark.parametrize("payload", [None, *CHOSEN], ids=["none", *IDS])
def test_names_for_kubectl(payload: Payload | None, cluster: Cluster, folder: Path) -> None:
    """Of kubectl's own way to complete: the same names or none, and cobra's directive."""
    if payload:
        cluster.services = [put(service(), NAMED["name"], payload.text)]
    code = "from proxyurls.cli.kubectl_completion import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "url", f"--server={cluster.url}", "we"],
        env=environment_of(folder, KUBECONFIG=str(folder / "kubeconfig"), PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert harmless(done.stdout, layout="\n\t")
    *names, directive = done.stdout.splitlines()
    assert [one.partition("\t")[0] for one in names] == ([] if payload else ["web"])
    assert (directive[:1], done.stderr) == (":", "")


@pytest.mark.parametrize("odd", [7, None, [], {}, {"metadata": 7}, {"metadata": {"name": 7}}])
def test_wrong_types(odd: object, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on stderr in the middle of what somebody types."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    cluster.services = [odd]
    assert complete("proxyurls url ") == ["svc/", "pod/", "node/"]


FILE = "ca $(touch owned) '\";`touch owned`\x1b[31m\u202e\n.crt"
PASTED = {
    "namespace": (one_context(), ["-n", "$(touch owned)"]),
    "ca file": (one_context(cluster={"certificate-authority": FILE}), []),
    "token file": (one_context(user={"tokenFile": FILE}), []),
    "certificate": (one_context(user={"client-certificate": FILE, "client-key": FILE}), []),
    "username": (one_context(user={"username": "a';touch owned;'\u202e", "password": "p"}), []),
    "server name": (one_context(cluster={"tls-server-name": "$(touch owned)\x9b"}), []),
    "impersonated": (one_context(user={"as": "';touch owned;'\x9b\u202e`touch owned`"}), []),
    "server's path": (one_context(server="https://127.0.0.1:1/$(touch%20owned);'`x`"), []),
    "proxy": (one_context(cluster={"proxy-url": "http://$(touch$IFS'owned'):1"}), []),
    "plugin": (
        one_context(
            user={
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "interactiveMode": "Never",
                    "command": "`touch owned`\x1b[31m",
                }
            }
        ),
        [],
    ),
}


@pytest.mark.parametrize("place", PASTED)
def test_curl_that_is_pasted(
    place: str, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bash reads each word of ``url --curl`` as it is meant; what the hints say may be pasted."""
    content, options = PASTED[place]
    (folder / FILE).write_text("x")
    path = folder / "kubeconfig"
    path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    got = run("url", "web", "--curl", *options)
    check_messages(got.err)
    assert harmless(got.out), got.out
    if got.code:
        assert (got.code, place) in [
            (2, one) for one in ("namespace", "server name", "server's path")
        ]
        return
    done = subprocess.run(
        ["bash", "-c", f"TOKEN=t PASSWORD=p; curl() {{ printf '%s\\0' \"$@\"; }}; {got.out}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stderr == ""
    assert not (folder / "owned").exists()
    words = done.stdout.split("\0")
    expected = {
        "ca file": str(folder / FILE),
        "token file": "Authorization: Bearer x",
        "certificate": str(folder / FILE),
        "username": "a';touch owned;'\u202e:p",
        "impersonated": "Impersonate-User: ';touch owned;'\x9b\u202e`touch owned`",
    }
    if place in expected:
        assert expected[place] in words
    for note in got.err.splitlines():  # "note: set TOKEN with: COMMAND"
        _, found, command = note.partition(" with: ")
        if found:
            paste = f"kubectl() {{ :; }}; base64() {{ :; }}; {command}"
            subprocess.run(["bash", "-c", paste], cwd=folder, timeout=20, check=True)
    assert not (folder / "owned").exists()


@pytest.mark.parametrize("payload", CHOSEN, ids=IDS)
def test_options_that_are_pasted(payload: Payload, run: Run, folder: Path) -> None:
    """The hints repeat --context and the like, in words that a shell takes for one each."""
    if "\0" in payload.text or "\ud800" in payload.text or len(payload.text) > 1000:
        return  # no process can be started with them
    content = one_context().replace('"ctx"', json.dumps(payload.text))
    (folder / "kubeconfig").write_text(content)
    got = run(
        "url", "web", "--curl", f"--context={payload.text}", f"--kubeconfig={folder}/kubeconfig"
    )
    assert got.code == 0
    check_messages(got.err)
    command = got.err.partition("set TOKEN with: ")[2].rstrip("\n")
    script = f"kubectl() {{ printf '%s\\0' \"$@\" > said; }}; {command}"
    subprocess.run(["bash", "-c", script], cwd=folder, timeout=20, check=True)
    words = (folder / "said").read_bytes().decode().split("\0")
    assert f"--context={payload.text}" in words
    assert not (folder / "owned").exists()
