"""Start-up: what a command loads, looked at in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import proxyurls

ROOT = Path(proxyurls.__file__).parent.parent
# Each of these costs milliseconds; none is needed to put a URL together.
SLOW = {
    *("asyncio", "dataclasses", "http.client", "importlib.metadata", "inspect", "logging"),
    *("socket", "ssl", "subprocess", "tempfile", "typing", "urllib.request"),
}
REPORT = """
import json, os, sys
before = set(sys.modules)
sys.path.insert(0, {root!r})
sys.stdout, out = open(os.devnull, "w"), sys.stdout
{code}
sys.stdout = out
loaded = {{n: getattr(m, "__file__", None) for n, m in sys.modules.items() if n not in before}}
print(json.dumps([code, loaded]))
"""


class Run(NamedTuple):
    """What one process ended with and had loaded."""

    code: int
    modules: set[str]
    third_party: set[str]


def run(code: str, *, env: dict[str, str] | None = None) -> Run:
    """Run code in a fresh, isolated interpreter, and see what it loaded."""
    answer = subprocess.run(
        [sys.executable, "-I", "-c", REPORT.format(root=str(ROOT), code=code)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/nonexistent", "HOME": "/nonexistent", **(env or {})},
    )
    assert answer.returncode == 0, answer.stderr
    exit_code, loaded = json.loads(answer.stdout)
    stdlib = sys.stdlib_module_names
    third = {
        name.split(".")[0]
        for name, file in loaded.items()
        if name.split(".")[0] not in stdlib
        and name.split(".")[0] != "proxyurls"
        and file is not None  # what a C extension registers, such as cython_runtime
    }
    # Of builds like yaml's, what is loaded is _yaml too.
    return Run(exit_code, set(loaded), {name.lstrip("_") for name in third})


def command(*argv: str, env: dict[str, str] | None = None) -> Run:
    """Run one command line."""
    return run(f"from proxyurls.cli import main\ncode = main({list(argv)!r})", env=env)


URL = "/api/v1/namespaces/prod/services/https:web:443/proxy/a%2Fb?c=d#e"


@pytest.mark.parametrize(
    "argv",
    [
        ["parse", f"https://10.0.0.1:6443{URL}"],
        ["parse", f"https://rancher.example/k8s/clusters/c-1{URL}"],
        ["parse", f"http://localhost:8001{URL}"],
        ["parse", URL],
        ["parse", "http://web.prod.svc.cluster.local:3000/x"],
        ["parse", "/api/v1/proxy/namespaces/prod/services/web/x"],
        ["url", "web", "--server", "https://10.0.0.1:6443"],
        ["url", "-s", "https://10.0.0.1:6443", "svc/web:80", "d/x?y", "-n", "prod"],
        ["url", "web.prod:80", "--via", "http://localhost:8001"],
        ["url", "https:web.prod:", "d", "--via", "http://localhost:8001", "-q", "a=b c"],
        ["url", "pod/web-0", "--path", "-n", "prod"],
        ["url", "node/n1", "metrics", "--path"],
        ["url", "http://web.prod.svc:80/x", "--path"],
    ],
    ids=" ".join,
)
def test_pure_commands_load_nothing(argv: list[str]) -> None:
    """Neither parse nor url with a server or --path loads a third-party package, or a slow one."""
    done = command(*argv)
    assert done.code == 0
    assert done.third_party == set()
    assert done.modules & SLOW == set()
    assert "proxyurls.cli" in done.modules


@pytest.mark.parametrize(
    "argv", [["parse", "https://a.b.c/x"], ["url", "My_Service", "--path"], ["url"], ["prase"]]
)
def test_refusals_load_nothing(argv: list[str]) -> None:
    """A wrong word is answered as quickly."""
    done = command(*argv)
    assert done.code == 2
    assert done.third_party == set()
    assert done.modules & (SLOW - {"typing", "inspect"}) == set()


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "https://10.0.0.1:6443"}}]
contexts: [{name: here, context: {cluster: here, user: me, namespace: prod}}]
users: [{name: me, user: {token: secret}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """A kubeconfig with a token."""
    path = tmp_path / "config"
    path.write_text(KUBECONFIG, encoding="utf-8")
    return str(path)


def test_url_with_a_kubeconfig_loads_yaml_alone(kubeconfig: str) -> None:
    """Neither a client nor TLS is needed to know where the apiserver is."""
    slow = {"asyncio", "http.client", "importlib.metadata", "socket", "ssl", "subprocess", "httpx"}
    for done in (
        command("url", "web", "--kubeconfig", kubeconfig),
        command("url", "web", env={"KUBECONFIG": kubeconfig}),
        command("url", "svc/web", "d/x", env={"KUBECONFIG": kubeconfig}),
    ):
        assert done.code == 0
        assert done.third_party == {"yaml"}
        assert done.modules & slow == set()


def test_importing_loads_nothing() -> None:
    """``import proxyurls`` costs next to nothing."""
    done = run("import proxyurls\ncode = 0")
    assert {name for name in done.modules if name.startswith("proxyurls")} == {"proxyurls"}
    assert done.third_party == set()
    assert done.modules & SLOW == set()


@pytest.mark.parametrize(
    "line",
    [
        "proxyurls.service('web', port=80).path('d/x?y')",
        "proxyurls.parse_url('https://host/api/v1/nodes/n:80/proxy/x')",
        "proxyurls.from_cluster_url('http://web.prod.svc/x')",
        "proxyurls.alterations('a%2Fb//c')",
        "proxyurls.NameSegment.parse('https:web:')",
        "dir(proxyurls), repr(proxyurls.node('n'))",
    ],
)
def test_the_core_loads_nothing(line: str) -> None:
    """Paths are built and URLs taken apart by the standard library's re, and no more."""
    done = run(f"import proxyurls\n{line}\ncode = 0")
    assert done.third_party == set()
    assert done.modules & SLOW == set()
    levels = {name.removeprefix("proxyurls.") for name in done.modules if "proxyurls." in name}
    assert levels <= {"errors", "value", "segment", "suffix", "server", "target", "urls"}


def test_yarl_is_loaded_by_the_call_that_gives_it() -> None:
    """Target.url loads yarl and what yarl needs; importing and Target.path do not."""
    code = "import proxyurls\nt = proxyurls.node('n')\n{}\ncode = 0"
    assert "yarl" not in run(code.format("t.path()")).modules
    done = run(code.format("t.url('https://host')"))
    assert "yarl" in done.modules
    assert "httpx" not in done.modules


def test_the_check_sees_third_parties() -> None:
    """The test itself can fail: what is loaded is seen."""
    done = run("import yaml, dataclasses\ncode = 0")
    assert "yaml" in done.third_party
    assert "dataclasses" in done.modules
