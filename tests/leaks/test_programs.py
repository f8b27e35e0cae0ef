"""The programs that a command starts, and the command as a program itself."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.gateways import ROOT, served
from discovery.servers import Answer, Loopback

from proxyurls.cli.commands import COMMANDS as KNOWN

from .browser import LINK
from .failures import FAILURES, words
from .marks import Search, mark

if TYPE_CHECKING:
    from .bench import Bench

STRICT = ("-X", "dev", "-X", "faulthandler", "-W", "error")


def kubeconfig(bench: Bench, folder: Path, cluster: str, user: str) -> str:
    path = folder / "kubeconfig"
    path.write_text(json.dumps(bench.kubeconfig(cluster, user)))
    return str(path)


def environ(bench: Bench, folder: Path, **more: str) -> dict[str, str]:
    """All that a command gets to see."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BROWSER": f"{bench.folder / 'browser'} %s",
        **more,
    }


def test_a_plugin_gets_what_is_its_own(bench: Bench, tmp_path: Path) -> None:
    """Its arguments and its env, and of the cluster what client-go tells it: no key, no token."""
    path = kubeconfig(bench, tmp_path, "by-no-proxy", "exec-token")
    done = subprocess.run(
        [sys.executable, "-m", "proxyurls", "services", "--kubeconfig", path],
        env=environ(bench, tmp_path),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    called = bench.called("plugin-token")
    assert called["argv"] == [str(bench.folder / "plugin-token"), f"--secret={mark('exec-arg')}"]
    given = called["environ"]
    assert given.pop("PLUGIN_SECRET") == mark("exec-env")
    info = json.loads(given.pop("KUBERNETES_EXEC_INFO"))
    assert info["spec"]["cluster"].pop("proxy-url") == bench.proxies["by-no-proxy"]
    assert bench.search.names(json.dumps([given, info])) == set()


def test_no_netrc(bench: Bench, tmp_path: Path) -> None:
    """What other programs know of a host is no credential for it."""
    (tmp_path / ".netrc").write_text(f"default login ann password {mark('typed')}\n")
    with Loopback(lambda _: Answer()) as server:
        for line in (["cluster-info"], ["services"], ["fetch", "--raw", "/api"]):
            subprocess.run(
                [sys.executable, "-m", "proxyurls", *line, "--server", server.url],
                env=environ(bench, tmp_path, NETRC=str(tmp_path / ".netrc")),
                capture_output=True,
                check=False,
            )
        asked = [one.headers for one in server.requests]
    assert len(asked) >= 3
    assert not [one for one in asked if "authorization" in one]


def test_a_browser_gets_the_address_and_no_more(bench: Bench, tmp_path: Path) -> None:
    """It is good for one browser, once; and whoever sees it on a command line comes too late."""
    path = kubeconfig(bench, tmp_path, "real", "token")
    own = environ(bench, tmp_path)
    with served("open", "web", "--port", "0", kubeconfig=path, **own) as process:
        deadline = time.monotonic() + 20
        while not bench.record("browser").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        called = bench.called("browser")
        assert called["argv"][1:] == [process.address]
        found = LINK.search(process.address)
        assert found
        search = Search({**bench.search.secrets, "run token": found[1]})
        assert search.names(json.dumps(called["environ"])) == set()
        ours = Path(f"/proc/{process.child.pid}")
        if ours.exists():  # Linux
            shown = [(ours / name).read_bytes() for name in ("cmdline", "environ")]
            assert b"open\0web" in shown[0]
            assert [search.names(text) for text in shown] == [set(), set()]


def test_the_demos_own_tokens(bench: Bench, tmp_path: Path) -> None:
    """They are secrets too: in a kubeconfig of mode 0600 that goes with it, and nowhere else."""
    done = subprocess.run(
        [sys.executable, "-m", "proxyurls", "demo", "--", str(bench.folder / "program")],
        env=environ(bench, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    mode, text = json.loads(bench.record("program").read_text().partition("\n")[2])
    assert stat.S_IMODE(mode) == 0o600
    tokens = [one["user"]["token"] for one in json.loads(text)["users"]]
    assert len(tokens) == 1
    search = Search({"the demo's": tokens[0]})
    called = bench.called("program")
    assert search.names(done.stderr + json.dumps(called)) == set()
    assert not Path(called["environ"]["KUBECONFIG"]).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cluster", ["real", "broken", "by-proxy"])
def test_completion(bench: Bench, tmp_path: Path, cluster: str) -> None:
    """What the shell gets when a key is pressed behind a secret."""
    line = f"proxyurls fetch -H 'X-Api-Key: {mark('api-key')}' --token {mark('typed')} we"
    answer = tmp_path / "answer"
    done = subprocess.run(
        [sys.executable, "-m", "proxyurls"],
        env=environ(
            bench,
            tmp_path,
            KUBECONFIG=kubeconfig(bench, tmp_path, cluster, "token"),
            _ARGCOMPLETE="1",
            COMP_LINE=line,
            COMP_POINT=str(len(line)),
            _ARGCOMPLETE_STDOUT_FILENAME=str(answer),
        ),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert bench.search.names(done.stdout + done.stderr + answer.read_bytes()) == set()


@pytest.mark.parametrize("command", KNOWN)
def test_the_strictest_python(bench: Bench, tmp_path: Path, command: str) -> None:
    """With ``-X dev -W error`` and the fault handler on, when the apiserver fails."""
    line = words(bench, command, FAILURES["status 500"])
    child = subprocess.Popen(
        [sys.executable, *STRICT, "-m", "proxyurls", *line],
        env=environ(bench, tmp_path, KUBECONFIG=kubeconfig(bench, tmp_path, "broken", "token")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    address = ""
    if command == "serve":
        address = child.stdout.readline()
        child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode in (0, 1, 130)
    assert "internal error" not in err
    assert "Traceback" not in err
    assert bench.search.names(address + out + err) == set()
