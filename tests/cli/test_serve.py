"""``serve``: what it prints, how it ends, and what `kubectl proxy` is for."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import stat
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from .gateways import served

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    from .conftest import Run
    from .gateways import Process

NAMESPACE = "serving"
LABEL = f"web--{NAMESPACE}"
PROXY = f"/api/v1/namespaces/{NAMESPACE}/services/web/proxy"


@pytest.fixture(scope="module")
def app(apiserver: APIServer, serve: Serve) -> Upstream:
    """A service ``web``."""
    upstream = serve()
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("web", NAMESPACE, upstream=upstream.address)
    return upstream


def test_it_prints_one_address(apiserver: APIServer) -> None:
    """On stdout, and says on stderr what it does; Ctrl-C ends it with 130."""
    with served("serve", "--port", "0", kubeconfig=apiserver.kubeconfig) as process:
        gateway = process.gateway
        assert process.address.startswith(f"http://localhost:{gateway.port}/?token=")
        assert gateway.request("/").status == 403
        assert gateway.enter(process.address).status == 303
        assert "<h1>Services</h1>" in gateway.request("/").text
        code, seconds, err = process.stop()
    assert code == 130
    assert seconds < 2
    assert f"serving {apiserver.server}" in err
    assert "Ctrl-C ends it" in err
    assert "Traceback" not in err
    assert "Warning" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_within_two_seconds(
    apiserver: APIServer, app: Upstream, number: int, code: int
) -> None:
    """With a download, an event stream, a WebSocket and an idle connection open."""
    with (
        served("serve", "-p", "0", "--no-token", kubeconfig=apiserver.kubeconfig) as process,
        contextlib.ExitStack() as stack,
    ):
        gateway = process.gateway
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            "Sec-WebSocket-Version": "13",
        }
        for path, headers in (
            ("/-/sse/100", {}),
            ("/-/slow/30", {}),
            ("/-/big/1000000000", {}),
            ("/ws", upgrade),
            ("/", {}),
        ):
            connection = stack.enter_context(gateway.connect())
            gateway.send(connection, "GET", path, host=gateway.host(LABEL), headers=headers)
            if "slow" not in path:
                assert connection.recv(10).startswith(b"HTTP/1.1 ")
        got, seconds, err = process.stop(number)
    assert got == code
    assert seconds < 2
    assert "Traceback" not in err


def test_a_port_in_use(apiserver: APIServer, run: Run) -> None:
    """It is named, with who to ask and the next one that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", str(port), "--kubeconfig", str(apiserver.kubeconfig))
    message = result.refusal(1)
    assert f"port {port} of 127.0.0.1 is in use" in message
    assert f"'sport = :{port}'" in message
    assert "--port " in message.rpartition("next free one")[2]


def test_the_other_localhost_in_use(apiserver: APIServer, run: Run) -> None:
    """What listens at ::1 would be asked for localhost first, so that is no free port."""
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    with taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", str(port), "--kubeconfig", str(apiserver.kubeconfig))
    assert f"port {port} of 127.0.0.1 is in use" in result.refusal(1)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--address", "0.0.0.0"), "add --allow-remote"),
        (("--address", "192.0.2.1"), "add --allow-remote"),
        (("--address", "192.0.2.1", "--allow-remote"), "don't lead to --address 192.0.2.1"),
        (("--api", "--address", "192.0.2.1", "--allow-remote"), "no such address"),
        (("--address", "localhost"), "takes an IP address; type 127.0.0.1"),
        (("--port", "x"), "'x' is no port"),
        (("--port", "65536"), "'65536' is no port"),
        (("--port", "1", "--unix-socket", "x"), "leave one of them out"),
        (("--reject-paths", "^/x"), "--reject-paths is about the API"),
        (("--api", "--reject-paths", "("), "'(' is no regular expression"),
        (("--upstream-host", "x"), "--upstream-host"),
        (("web",), "unexpected argument 'web'"),
    ],
)
def test_wrong_usage(run: Run, kubeconfig: Path, argv: tuple[str, ...], message: str) -> None:
    """One line that says what to type instead."""
    assert message in run("serve", *argv).refusal(2)


def test_an_address_of_its_own(apiserver: APIServer) -> None:
    """The address that is printed leads to it, and not to what listens at 127.0.0.1."""
    options = ("--address", "127.0.0.5", "--api", "--port", "0")
    with served("serve", *options, kubeconfig=apiserver.kubeconfig) as process:
        assert process.address.startswith("http://127.0.0.5:")


def test_a_warning_for_remote(apiserver: APIServer) -> None:
    """Whoever lets other machines in is told so, and they need the token."""
    options = ("--address", "0.0.0.0", "--allow-remote", "--port", "0")
    with served("serve", *options, kubeconfig=apiserver.kubeconfig) as process:
        gateway = process.gateway
        assert gateway.request("/", host=f"127.0.0.1:{gateway.port}").status == 403
        assert gateway.request("/", host=f"evil.example:{gateway.port}").status == 421
        err = process.stop()[2]
    assert "warning: whoever reaches 0.0.0.0 can try to use your credentials" in err


def test_a_unix_socket(apiserver: APIServer, app: Upstream, tmp_path: Path) -> None:
    """Only its owner may use it; it takes no token, and is gone in the end."""
    path = tmp_path / "gateway.sock"
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(path))
    left_behind.close()
    options = ("serve", "--api", "--unix-socket", str(path))
    with served(*options, kubeconfig=apiserver.kubeconfig) as process:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for host, target, expected in (
            ("localhost", "/version", b"gitVersion"),
            (f"{LABEL}.localhost", "/x", b'"target": "/x"'),
        ):
            assert expected in over_unix(path, host, target)
        assert process.stop()[0] == 130
    assert not path.exists()


def test_a_unix_socket_that_is_something_else(
    apiserver: APIServer, run: Run, tmp_path: Path
) -> None:
    """Nothing is removed that is no socket, or that somebody listens at."""
    path = tmp_path / "x"
    path.write_text("precious")
    options = ("serve", "--kubeconfig", str(apiserver.kubeconfig), "--unix-socket", str(path))
    assert "no socket; type another" in run(*options).refusal(1)
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "another program listens" in run(*options).refusal(1)
    assert path.exists()


def over_unix(path: Path, host: str, target: str) -> bytes:
    connection = http.client.HTTPConnection(host)
    with contextlib.closing(connection):
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", target)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()


@pytest.fixture(scope="module")
def api(apiserver: APIServer, app: Upstream) -> object:
    """A gateway in the place of ``kubectl proxy``."""
    options = ("serve", "--api", "--no-token", "--port", "0")
    with served(*options, kubeconfig=apiserver.kubeconfig) as process:
        yield process


class TestInPlaceOfKubectlProxy:
    def kubectl(
        self, apiserver: APIServer, api: Process, *argv: str, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        if apiserver.kubectl is None:
            pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
        server = f"http://localhost:{api.gateway.port}"
        return subprocess.run(
            [str(apiserver.kubectl), "--server", server, "--kubeconfig", "/dev/null", *argv],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_get(self, apiserver: APIServer, api: Process) -> None:
        done = self.kubectl(apiserver, api, "get", "services", "-n", NAMESPACE, "-o", "name")
        assert (done.returncode, done.stdout) == (0, "service/web\n"), done

    def test_apply_and_delete(self, apiserver: APIServer, api: Process) -> None:
        made = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "made", "namespace": NAMESPACE},
            "data": {"a": "1"},
        }
        for data in ("1", "2"):
            made["data"] = {"a": data}
            done = self.kubectl(apiserver, api, "apply", "-f", "-", given=json.dumps(made))
            assert done.returncode == 0, done
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/made"
        assert apiserver.get(path).json()["data"] == {"a": "2"}
        done = self.kubectl(apiserver, api, "delete", "configmap", "made", "-n", NAMESPACE)
        assert done.returncode == 0, done
        assert apiserver.get(path).status == 404

    def test_watch(self, apiserver: APIServer, api: Process) -> None:
        """An event comes while the watch is open."""
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps?watch=1&timeoutSeconds=10"
        with api.gateway.connect() as connection:
            api.gateway.send(connection, "GET", path, host=api.gateway.host())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "watched"}}
            make = threading.Timer(
                0.3,
                apiserver.request,
                ("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps"),
                {
                    "body": json.dumps(content).encode(),
                    "headers": {"Content-Type": "application/json"},
                },
            )
            make.start()
            names = []
            for line in answer:
                names.append(json.loads(line)["object"]["metadata"]["name"])
                if names[-1] == "watched":
                    break
            make.join()
        assert names[-1] == "watched"

    def test_logs_stream(self, apiserver: APIServer, api: Process) -> None:
        """What comes piece by piece is printed piece by piece."""
        done = self.kubectl(apiserver, api, "get", "--raw", f"{PROXY}/-/sse/3")
        assert done.stdout == "data: 0\n\ndata: 1\n\ndata: 2\n\n"

    def test_an_upgrade(self, api: Process) -> None:
        """Of the API itself, as exec and port-forward are."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            "Sec-WebSocket-Version": "13",
        }
        with api.gateway.connect() as connection:
            host = api.gateway.host()
            api.gateway.send(connection, "GET", f"{PROXY}/ws", host=host, headers=headers)
            assert connection.recv(100).startswith(b"HTTP/1.1 101 ")

    def test_what_kubectl_proxy_rejects(self, api: Process) -> None:
        got = api.gateway.request("/api/v1/namespaces/x/pods/y/exec?command=sh")
        assert (got.status, got.text) == (403, "Forbidden\n")

    def test_paths_do_not_slip_past_the_rules(self, api: Process) -> None:
        for path in (
            "/api/v1/namespaces/x/pods/y/./exec",
            "//api/v1/namespaces/x/pods/y/exec",
            "/api/v1/namespaces/x/pods/y/z/../exec",
            "/api/v1/namespaces/x/pods/y/ex%65c",
            "/x/../api/v1/namespaces/x/pods/y/exec",
        ):
            got = api.gateway.request(path)
            assert got.status in (400, 403), path

    def test_a_script_lists_the_paths(self, api: Process) -> None:
        """As with kubectl proxy; a browser gets the index there."""
        assert "/api/v1" in json.loads(api.gateway.request("/").body)["paths"]
        page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
        assert "<h1>Services</h1>" in api.gateway.request("/", headers=page).text

    def test_an_apps_page_does_not_stand_on_the_apis_origin(self, api: Process) -> None:
        """It could ask the API anything there, so a browser is led to the app's own host."""
        page = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        page["Sec-Fetch-Site"] = "none"
        led = api.gateway.request(f"{PROXY}/d/x", headers=page)
        assert led.status == 303
        assert led.headers["Location"].startswith(f"http://{api.gateway.host(LABEL)}/")
        script = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
        script["Sec-Fetch-Site"] = "same-origin"
        assert api.gateway.request(f"{PROXY}/x.js", headers=script).status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
            {"Host": "evil.example"},
            {"Host": "localhost"},
        ],
    )
    def test_no_other_site_asks_the_api(self, api: Process, headers: dict[str, str]) -> None:
        assert api.gateway.request("/api/v1/secrets", headers=headers).status in (403, 421)

    def test_accept_hosts(self, apiserver: APIServer) -> None:
        """As kubectl proxy has them: other names, whatever the port, and no others."""
        options = ("--accept-hosts", r"^localhost$,^dev\.example$", "--port", "0")
        with served(
            "serve", "--api", "--no-token", *options, kubeconfig=apiserver.kubeconfig
        ) as process:
            statuses = {
                host: process.gateway.request("/version", host=host).status
                for host in ("dev.example", "dev.example:99", "localhost", "evil.example")
            }
        assert statuses == {
            "dev.example": 200,
            "dev.example:99": 200,
            "localhost": 200,
            "evil.example": 421,
        }
