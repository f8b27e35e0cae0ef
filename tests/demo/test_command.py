"""``proxyurls demo -- PROGRAM`` and what ``proxyurls demo`` says to try, end to end."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from test_startup import command

from proxyurls.cli import main

from .conftest import NOTE, PAGE, SCRIPTS, serving, without_page

if TYPE_CHECKING:
    from .conftest import Demo

FIVE = [
    ("elasticsearch-logging", "elasticsearch-logging"),
    ("kibana-logging", "kibana-logging"),
    ("kube-dns", "kube-dns:dns"),
    ("grafana", "monitoring-grafana"),
    ("heapster", "monitoring-heapster"),
]


def left(environment: dict[str, str]) -> list[str]:
    """What is left in the folder for what is temporary."""
    return [path.name for path in Path(environment["TMPDIR"]).iterdir()]


# with a program


def test_our_own_commands(demo: Demo, environment: dict[str, str]) -> None:
    """`proxyurls` is this very one, though no venv is active; stdout is the program's alone."""
    done = demo("--", "proxyurls", "services", "-A", "-o", "json")
    assert (done.returncode, done.stderr) == (0, NOTE)
    records = json.loads(done.stdout)
    listed = {one["display_name"] for one in records if one["cluster_service"]}
    assert listed == {name for name, _ in FIVE}
    assert [port["port"] for one in records for port in one["ports"]].count(53) == 2
    assert left(environment) == []


@pytest.mark.parametrize("program", ["proxyurls", "kubectl"])
def test_cluster_info(demo: Demo, request: pytest.FixtureRequest, program: str) -> None:
    """Both list the five services of "Accessing Clusters", in its order."""
    if program == "kubectl":
        request.getfixturevalue("kubectl")
    done = demo("--port", str(free_port()), "--", program, "cluster-info")
    assert (done.returncode, done.stderr) == (0, NOTE)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
    server = lines[0].removeprefix("Kubernetes control plane is running at ")
    root = f"{server}/api/v1/namespaces/kube-system/services"
    assert lines[1:6] == [f"{name} is running at {root}/{segment}/proxy" for name, segment in FIVE]


def test_kubectl_reads_and_writes(demo: Demo, environment: dict[str, str], kubectl: Path) -> None:
    """It may do everything without a token, and leaves nothing in the user's home."""
    path = "/api/v1/namespaces/kube-system/services/elasticsearch-logging/proxy/_cluster/health"
    script = f"""
set -e
{kubectl.name} get --raw {path}; echo
{kubectl.name} -n shop label service dashboard tried=yes
{kubectl.name} get services -A -l tried=yes -o name
"""
    done = demo("--", "sh", "-c", script)
    assert (done.returncode, done.stderr) == (0, NOTE)
    health, labelled, listed = done.stdout.splitlines()
    assert json.loads(health)["status"] == "yellow"
    assert (labelled, listed) == ("service/dashboard labeled", "service/dashboard")
    assert list(Path(environment["HOME"]).iterdir()) == []
    assert left(environment) == []


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_a_proxy_does_not_matter(demo: Demo, environment: dict[str, str], proxy: str) -> None:
    """Neither to our commands nor to Python's urllib, nor does a NO_PROXY get lost."""
    environment |= {proxy: "http://127.0.0.1:9", "NO_PROXY": "example.org"}
    target = ("elasticsearch-logging.kube-system", "_search?q=user:kimchy")
    done = demo("--", "proxyurls", "fetch", *target)
    assert (done.returncode, json.loads(done.stdout)["hits"]["total"]) == (0, 3)
    code = (
        "import json, os, urllib.request as r\n"
        "server = json.load(open(os.environ['KUBECONFIG']))['clusters'][0]['cluster']['server']\n"
        "print(r.urlopen(server + '/healthz').read(), os.environ['NO_PROXY'])"
    )
    done = demo("--", sys.executable, "-c", code)
    more = ",127.0.0.1,localhost,::1" if proxy != "HTTPS_PROXY" else ""
    assert done.stdout == f"b'ok' example.org{more}\n"


def test_the_apps_through_the_proxy(demo: Demo) -> None:
    """Kibana's plain HTML gets the prefix; what the dashboard's script asks for is not there."""
    script = """
proxyurls fetch kibana-logging.kube-system '/app/kibana?q=user:kimchy'
echo ====
proxyurls fetch grafana.kube-system /d/home
echo ====
proxyurls fetch grafana.kube-system /static/app.js | grep -c 'get("/api/user")'
proxyurls fetch --raw /api/user
echo ====
proxyurls fetch kube-dns.kube-system
"""
    done = demo("--", "sh", "-c", script)
    kibana, grafana, broken, dns = done.stdout.split("====\n")
    prefix = "/api/v1/namespaces/kube-system/services/kibana-logging:5601/proxy"
    assert f'<form action="{prefix}/app/kibana">' in kibana
    assert "3 hits" in kibana
    assert 'src="/api/v1/namespaces/kube-system/services/monitoring-grafana:80' in grafana
    assert broken.startswith("1\n")
    assert json.loads(broken[2:])["code"] == 404
    assert json.loads(dns)["message"] == "error trying to reach service: EOF"
    assert done.returncode == 1


def test_the_program_is_the_program(demo: Demo) -> None:
    """Its stdin, stdout, stderr and exit code are its own, a `--` of its own included."""
    script = 'cat; echo "$@" >&2; exit 7'
    done = demo("-v", "0", "--", "sh", "-c", script, "--", "--", "-x", "--help", input="in\n")
    assert (done.returncode, done.stdout) == (7, "in\n")
    assert done.stderr == f"{NOTE}-- -x --help\n"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["sh", "-c", "kill -9 $$"], 137, ""),
        (["sh", "-c", "kill -TERM $$"], 143, ""),
        (["nosuch"], 127, "can't run 'nosuch': the PATH has no such program; check its name"),
        (["./nosuch"], 127, "can't run './nosuch': there is no such file; check its name"),
        (["/etc/passwd"], 126, "can't run '/etc/passwd': it is no program that may be executed"),
        (["/tmp"], 126, "can't run '/tmp': it is no program that may be executed"),
    ],
)
def test_exit_codes(demo: Demo, argv: list[str], code: int, said: str) -> None:
    """As a shell's."""
    done = demo("--", *argv)
    error = f"error: {said}\n" if said else ""
    assert (done.returncode, done.stdout, done.stderr) == (code, "", NOTE + error)


def test_what_is_no_executable_format(demo: Demo, tmp_path: Path) -> None:
    """An executable file that the kernel can't run."""
    path = tmp_path / "program"
    path.write_bytes(b"\0\1\2")
    path.chmod(0o755)
    done = demo("--", str(path))
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == f"{NOTE}error: can't run '{path}': Exec format error\n"


def test_the_environment(demo: Demo, environment: dict[str, str]) -> None:
    """The kubeconfig is the demo's own; another one is neither read nor written."""
    mine = Path(environment["HOME"], "config")
    mine.write_text("no YAML: [")
    environment["KUBECONFIG"] = str(mine)
    done = demo("--", "sh", "-c", 'proxyurls config -o json; echo "$KUBECONFIG"; echo "$PATH"')
    facts, kubeconfig, path = done.stdout.rpartition("}\n")[0] + "}", *done.stdout.splitlines()[-2:]
    assert re.match(r"http://127\.0\.0\.1:\d+$", json.loads(facts)["server"])
    assert kubeconfig.startswith(environment["TMPDIR"])
    assert path == f"{SCRIPTS}:{environment['PATH']}"
    assert mine.read_text() == "no YAML: ["


def test_the_path_of_an_active_venv_stays(demo: Demo, environment: dict[str, str]) -> None:
    """Where the shell finds this very script, its folder is not put first."""
    environment["PATH"] += f":{SCRIPTS}"
    assert demo("--", "sh", "-c", 'echo "$PATH"').stdout == f"{environment['PATH']}\n"


def test_as_a_plugin_of_kubectl(environment: dict[str, str], kubectl: Path) -> None:
    """``kubectl proxyurls demo -- …``."""
    environment["PATH"] += f":{SCRIPTS}"
    line = [str(kubectl), "proxyurls", "demo", "--", "proxyurls", "services", "-A", "-o", "name"]
    done = subprocess.run(
        line, env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, without_page(done.stderr)) == (0, NOTE)
    assert "service/monitoring-grafana.kube-system\n" in done.stdout


def test_a_browser_finds_the_apps(environment: dict[str, str]) -> None:
    """As long as the program runs."""
    line = [str(SCRIPTS / "proxyurls"), "demo", "--", "cat"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(line, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stderr.readline() == NOTE
        match = PAGE.fullmatch(process.stderr.readline())
        assert match
        assert shows_the_apps(match[1])
        process.stdin.close()
        assert process.wait(20) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(match[1], trust_env=False)


def shows_the_apps(page: str) -> bool:
    """Whether the address lets one in, and leads to the list of the services, once it is read."""
    end = time.monotonic() + 20
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        answer = browser.get(page, headers={"Accept": "text/html"})
        while "elasticsearch-logging" not in answer.text and time.monotonic() < end:
            answer = browser.get(answer.url, headers={"Accept": "text/html"})
    return "elasticsearch-logging" in answer.text


def test_open(environment: dict[str, str], tmp_path: Path) -> None:
    """--open gives the page's address to the browser."""
    environment["BROWSER"] = f"sh -c 'echo \"$0\" > {tmp_path}/opened' %s"
    with serving(environment, "--open") as (_, lines):
        page = next(line.strip() for line in lines if line.startswith("  http"))
        end = time.monotonic() + 20
        while not (tmp_path / "opened").exists() or not (tmp_path / "opened").read_text():
            assert time.monotonic() < end
            time.sleep(0.05)
    assert (tmp_path / "opened").read_text() == f"{page}\n"


# by itself


SHOWN = (
    "kibana-logging is running at http://127.0.0.1:",
    "monitoring-grafana (grafana)",
    '"status" : "yellow"',
    '"trying out Elasticsearch"',
    "/services/monitoring-grafana:80/proxy/",
    "is running at",
)


@pytest.mark.parametrize("tools", ["kubectl", "proxyurls", ""])
def test_all_that_it_prints_works(
    environment: dict[str, str], request: pytest.FixtureRequest, tools: str
) -> None:
    """Each line, pasted into a shell; what isn't on the PATH has its full path, or no line."""
    if tools == "kubectl":
        request.getfixturevalue("kubectl")
    if tools:
        environment["PATH"] += f":{SCRIPTS}"
    with serving(environment) as (_, lines):
        assert "a demonstration and no Kubernetes" in lines[0]
        assert re.search(r"at http://127\.0\.0\.1:\d+, for this machine alone", lines[1])
        page, export, *commands = [line.strip() for line in lines if line.startswith("  ")]
        assert shows_the_apps(page)
        word = "proxyurls" if tools else f"{SCRIPTS}/proxyurls"
        assert [line.partition(" ")[0] for line in commands] == (
            [word] * 5 + ["kubectl"] * (tools == "kubectl")
        )
        for command, shown in zip(commands, SHOWN, strict=False):
            done = subprocess.run(
                ["sh", "-c", f"{export}\n{command}"],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, "error" in done.stderr) == (0, False), (command, done)
            assert shown in done.stdout


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_port(environment: dict[str, str]) -> None:
    """It listens where it was told to."""
    port = free_port()
    with serving(environment, "--port", str(port)) as (_, lines):
        assert f"http://127.0.0.1:{port}," in lines[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_port_in_use(demo: Demo, environment: dict[str, str]) -> None:
    """The error names the port and the remedy, and nothing is left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = demo(f"--port={port}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: can't listen at port {port}: something listens there already; "
        "choose another --port, or none for a free one\n"
    )
    assert left(environment) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--port", "x"], "'x' is no port; type a number from 1 to 65535"),
        (["--port", "0"], "'0' is no port"),
        (["--port", "65536"], "'65536' is no port"),
        (["--port", "²"], "'²' is no port"),
        (["--port"], "option --port needs a value"),
        (["--prot", "80"], "did you mean --port?"),
        (["--"], "nothing follows '--'"),
        (["--", ""], "nothing follows '--'"),
        (["kubectl", "get", "-A"], "type `--` before it: `proxyurls demo -- kubectl …`"),
        (["services", "-o", "name"], "type `--` before it: `proxyurls demo -- services …`"),
        (["x", "--", "y"], "type `--` before it: `proxyurls demo -- x …`"),
    ],
)
def test_wrong_usage(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    said: str,
) -> None:
    """One line that says what to type; nothing is started."""
    monkeypatch.setattr(sys, "argv", ["proxyurls"])
    assert main(["demo", *argv]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert said in err


@pytest.mark.parametrize(
    "argv",
    [
        ["demo", "--", "true"],
        ["--context", "x", "-n", "y", "demo", "-n", "demo", "--", "true"],
        ["--", "demo", "--", "true"],
    ],
)
def test_options_before_and_between(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    """What all commands take is taken, wherever it stands."""
    monkeypatch.setattr(sys, "argv", ["proxyurls"])
    assert main(argv) == 0
    out, err = capfd.readouterr()
    assert (out, without_page(err)) == ("", NOTE)


@pytest.mark.parametrize(
    "argv", [["demo", "--help"], ["demo", "--port", "x"], ["demo", "kubectl"], ["demo", "--"]]
)
def test_aiohttp_is_loaded_by_the_cluster_alone(argv: list[str]) -> None:
    """Help and refusals don't wait for it."""
    assert "aiohttp" not in command(*argv).modules


def test_completion(environment: dict[str, str]) -> None:
    """The shell completes the command and its option."""
    for line, wanted in (("proxyurls dem", "demo "), ("proxyurls demo --por", "--port ")):
        asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        asked |= {"_ARGCOMPLETE_SUPPRESS_SPACE": "0", "_ARGCOMPLETE_IFS": "|"}
        asked["_ARGCOMPLETE_STDOUT_FILENAME"] = f"{environment['TMPDIR']}/answer"
        subprocess.run(
            [f"{SCRIPTS}/proxyurls"],
            env=environment | asked,
            check=True,
            timeout=60,
        )
        assert Path(asked["_ARGCOMPLETE_STDOUT_FILENAME"]).read_text() == wanted
