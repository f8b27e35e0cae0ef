"""``services`` as people and scripts use it, on the real apiserver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from contract.cluster import Port
from discovery.commands import (
    PROXYURLS,
    TIME_LIMIT,
    Done,
    Seen,
    environment,
    kubeconfig,
    on_terminal,
    proxyurls,
)
from discovery.servers import Answer, Asked, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.fixtures import Serve

HERE, THERE, EMPTY = "services-here", "services-there", "services-empty"
SPACES = (HERE, THERE, EMPTY)
KEYS = [
    *("namespace", "name", "display_name", "cluster_service", "type", "url", "why"),
    *("ports", "addresses"),
]
PORT_KEYS = ["name", "port", "protocol", "scheme", "why", "segment", "url"]
FORMATS = ("table", "wide", "json", "yaml", "name", "url")


@pytest.fixture(scope="module")
def filled(apiserver: APIServer, serve: Serve) -> Iterator[None]:
    """Two namespaces with services, and an empty one."""
    upstream = serve().address
    for space in SPACES:
        apiserver.add_namespace(space)
    add = apiserver.add_service
    web = {"app": "web"}
    add("alias", HERE, ports=[], type="ExternalName", external_name="db.test", endpoints=False)
    add("bare", HERE, ports=[], endpoints=False)
    ports = [Port(53, "dns", "UDP"), Port(53, "dns-tcp")]
    add("dns", HERE, ports=ports, labels={"kubernetes.io/name": "NameServer"}, endpoints=False)
    add("lb", HERE, ports=[Port(443)], type="LoadBalancer", ingress=[{"ip": "2001:db8::7"}])
    add("web", HERE, ports=[Port(80)], upstream=upstream, labels=web)
    add("other", THERE, ports=[Port(8080, "http")], upstream=upstream, labels=web)
    listed = {"kubernetes.io/cluster-service": "true"}
    add("own", THERE, ports=[Port(80)], upstream=upstream, labels=listed)
    yield
    for space in SPACES:
        root = f"/api/v1/namespaces/{space}/services"
        for one in apiserver.get(root).json()["items"]:
            apiserver.request("DELETE", f"{root}/{one['metadata']['name']}")


@pytest.fixture
def env(apiserver: APIServer, filled: None, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, KUBECONFIG=str(apiserver.kubeconfig))


@pytest.fixture
def root(apiserver: APIServer) -> str:
    return f"{apiserver.server}/api/v1/namespaces"


def services(*words: str, env: dict[str, str]) -> Done:
    return proxyurls("services", *words, env=env)


def seen(*words: str, env: dict[str, str], **more: Any) -> Seen:
    return on_terminal(*PROXYURLS, "services", *words, env=env, **more)


class TestFormats:
    def test_table(self, env: dict[str, str], root: str) -> None:
        done = services("-n", HERE, env=env)
        assert (done.code, done.err) == (0, b"")  # piped, it's plain: no footer
        assert [line.split() for line in done.lines] == [
            ["NAMESPACE", "NAME", "PORTS", "URL"],
            [HERE, "alias", "-", "-"],
            [HERE, "bare", "-", "-"],
            [
                *(HERE, "dns", "(NameServer)", "dns:53/UDP,dns-tcp:53"),
                f"{root}/{HERE}/services/dns:dns-tcp/proxy/",
            ],
            [HERE, "lb", "443", f"{root}/{HERE}/services/https:lb:443/proxy/"],
            [HERE, "web", "80", f"{root}/{HERE}/services/web:80/proxy/"],
        ]
        names = ("NAME ", "alias ", "bare ", "dns ", "lb ", "web ")
        at = [line.index(name) for line, name in zip(done.lines, names, strict=True)]
        assert len(set(at)) == 1  # aligned
        assert services("-n", HERE, "-o", "table", env=env).out == done.out

    def test_wide(self, env: dict[str, str]) -> None:
        done = services("-n", HERE, "-o", "wide", env=env)
        assert (done.code, done.err) == (0, b"")
        head, *rows = done.lines
        assert head.split() == ["NAMESPACE", "NAME", "PORTS", "URL", "TYPE", "ADDRESSES", "WHY"]
        at = [head.index(name) for name in ("TYPE", "ADDRESSES", "WHY")]
        cells = {
            row.split()[1]: [row[start:].split("  ")[0].strip() for start in at] for row in rows
        }
        assert cells["lb"] == [
            "LoadBalancer",
            "https://[2001:db8::7]/",
            "port 443 (the only TCP port), https (the port number is 443)",
        ]
        assert cells["alias"][0] == "ExternalName"
        assert cells["bare"] == ["ClusterIP", "-", "the service has no ports"]

    def test_json(self, env: dict[str, str], root: str) -> None:
        done = services("-n", HERE, "-o", "json", env=env)
        assert (done.code, done.err) == (0, b"")
        found = json.loads(done.out)
        assert [one["name"] for one in found] == ["alias", "bare", "dns", "lb", "web"]
        for one in found:
            assert list(one) == KEYS
            for port in one["ports"]:
                assert list(port) == PORT_KEYS
        assert found[4] == {
            "namespace": HERE,
            "name": "web",
            "display_name": "web",
            "cluster_service": False,
            "type": "ClusterIP",
            "url": f"{root}/{HERE}/services/web:80/proxy/",
            "why": "port 80 (the only TCP port), http (nothing says https)",
            "ports": [
                {
                    "name": "",
                    "port": 80,
                    "protocol": "TCP",
                    "scheme": "http",
                    "why": "nothing says https",
                    "segment": "web:80",
                    "url": f"{root}/{HERE}/services/web:80/proxy/",
                }
            ],
            "addresses": [],
        }

    def test_yaml(self, env: dict[str, str]) -> None:
        words = ("-A", "-l", "app")
        done = services(*words, "-o", "yaml", env=env)
        assert (done.code, done.err) == (0, b"")
        same = json.loads(services(*words, "-o", "json", env=env).out)
        assert yaml.safe_load(done.out) == same
        assert len(same) == 2

    def test_name(self, env: dict[str, str], root: str) -> None:
        done = services("-n", HERE, "-o", "name", env=env)
        assert done.lines == [f"service/{name}" for name in ("alias", "bare", "dns", "lb", "web")]
        url = proxyurls("url", done.lines[-1], "-n", HERE, env=env)
        assert url.lines == [f"{root}/{HERE}/services/web/proxy/"]

    def test_names_of_all_namespaces_are_targets(
        self, env: dict[str, str], root: str, apiserver: APIServer
    ) -> None:
        done = services("-A", "-l", "app=web", "-o", "name", env=env)
        assert done.lines == [f"service/web.{HERE}", f"service/other.{THERE}"]
        for line, path in zip(
            done.lines, (f"{HERE}/services/web:80", f"{THERE}/services/other:8080"), strict=True
        ):
            url = proxyurls("url", line, "--resolve", env=env)
            assert url.lines == [f"{root}/{path}/proxy/"]
            assert apiserver.get(url.lines[0].removeprefix(apiserver.server)).status == 200

    def test_url(self, env: dict[str, str], root: str) -> None:
        done = services("-n", HERE, "-o", "url", env=env)
        assert done.code == 0
        assert done.lines == [
            f"{root}/{HERE}/services/{segment}/proxy/"
            for segment in ("dns:dns-tcp", "https:lb:443", "web:80")
        ]
        assert done.note.startswith("note: 2 without a proxy URL (alias.services-here: ")
        assert "bare.services-here: the service has no ports" in done.note

    @pytest.mark.parametrize("output", FORMATS)
    def test_an_empty_list(self, env: dict[str, str], output: str) -> None:
        done = services("-n", EMPTY, "-o", output, env=env)
        assert (done.code, done.text) == (0, "[]\n" if output in ("json", "yaml") else "")
        assert done.note.startswith(f"note: no services in namespace {EMPTY!r}; ")

    def test_no_such_format(self, env: dict[str, str]) -> None:
        done = services("-o", "xml", env=env)
        assert (done.code, done.out) == (2, b"")
        for output in FORMATS:
            assert output in done.error


class TestChoice:
    def test_the_contexts_namespace(
        self, apiserver: APIServer, env: dict[str, str], tmp_path: Path
    ) -> None:
        path = kubeconfig(
            tmp_path / "there",
            apiserver.server,
            cluster={"certificate-authority": str(apiserver.ca_file)},
            user={"token": apiserver.admin_token},
            namespace=THERE,
        )
        words = ("--kubeconfig", str(path), "-o", "name")
        assert services(*words, env=env).lines == ["service/other", "service/own"]
        assert len(services(*words, "-n", HERE, env=env).lines) == 5
        # one that names none is at home in default
        found = json.loads(services("-o", "json", env=env).out)
        assert {one["namespace"] for one in found} == {"default"}
        assert "kubernetes" in {one["name"] for one in found}

    def test_all(self, env: dict[str, str]) -> None:
        found = json.loads(services("-A", "-o", "json", env=env).out)
        pairs = [(one["namespace"], one["name"]) for one in found]
        assert pairs == sorted(set(pairs))
        assert {("default", "kubernetes"), (HERE, "web"), (THERE, "other")} <= set(pairs)

    def test_all_is_more_than_one(self, env: dict[str, str]) -> None:
        words = ("-o", "name", "-l", "app=web")
        assert services("-A", "-n", HERE, *words, env=env).lines == (
            services("-A", *words, env=env).lines
        )

    @pytest.mark.parametrize(
        ("selector", "names"),
        [
            ("app=web", ["web"]),
            ("app", ["web"]),
            ("app in (web, x)", ["web"]),
            ("app!=web", ["alias", "bare", "dns", "lb"]),
            ("!app", ["alias", "bare", "dns", "lb"]),
            ("app=web,app!=web", []),
        ],
    )
    def test_selector(self, env: dict[str, str], selector: str, names: list[str]) -> None:
        done = services("-n", HERE, "-l", selector, "-o", "name", env=env)
        assert done.lines == [f"service/{name}" for name in names]

    def test_cluster_services(self, env: dict[str, str]) -> None:
        done = services("--cluster-services", "-n", THERE, "-o", "name", env=env)
        assert done.lines == ["service/own"]
        done = services("--cluster-services", "-n", THERE, "-l", "app=web", "-o", "name", env=env)
        assert done.lines == []
        everywhere = services("--cluster-services", "-A", "-o", "name", env=env).lines
        assert f"service/own.{THERE}" in everywhere
        assert f"service/web.{HERE}" not in everywhere


class TestNothingThere:
    def test_elsewhere(self, env: dict[str, str]) -> None:
        done = services("-n", EMPTY, env=env)
        assert f"{HERE} (5)" in done.note
        assert f"{THERE} (2)" in done.note
        assert "choose with -n, or -A for all" in done.note

    def test_with_that_selector(self, env: dict[str, str]) -> None:
        done = services("-n", EMPTY, "-l", "app=web", env=env)
        assert done.note == (
            f"note: no services with 'app=web' in namespace {EMPTY!r}; "
            f"there are some in: {HERE} (1), {THERE} (1); choose with -n, or -A for all"
        )

    def test_nowhere(self, env: dict[str, str]) -> None:
        done = services("-n", EMPTY, "-l", "no=such", env=env)
        assert "no services with 'no=such'" in done.note
        assert "elsewhere" in done.note
        done = services("-A", "-l", "no=such", env=env)
        assert done.note == "note: no services with 'no=such' in any namespace"

    def test_cluster_services(self, env: dict[str, str]) -> None:
        done = services("--cluster-services", "-n", EMPTY, env=env)
        assert done.code == 0
        assert "cluster" in done.note  # it's not that there are no services at all
        assert f"{THERE} (1)" in done.note
        assert HERE not in done.note

    def test_who_may_not_look_everywhere(self, apiserver: APIServer, env: dict[str, str]) -> None:
        apiserver.grant("lister", verbs=["list"], resources=["services"], namespace=EMPTY)
        done = services("--as", "lister", "-n", EMPTY, env=env)
        assert (done.code, done.out) == (0, b"")
        assert done.note == (f"note: no services in namespace {EMPTY!r}; -n or -A chooses another")


class TestTerminal:
    def test_footer(self, env: dict[str, str]) -> None:
        shown = seen("-n", HERE, env=env)
        assert shown.code == 0
        *table, blank, footer = plain(shown.text).splitlines()
        assert table == services("-n", HERE, env=env).lines
        assert blank == ""
        assert footer == (
            f"5 services; 2 without a proxy URL (alias.{HERE}: an ExternalName is a DNS alias for "
            f"db.test: there is nothing to proxy to; bare.{HERE}: the service has no ports)"
        )

    def test_one(self, env: dict[str, str]) -> None:
        assert plain(seen("-n", HERE, "-l", "app=web", env=env).text).endswith("\n\n1 service\n")

    def test_narrow(self, env: dict[str, str], root: str) -> None:
        """A URL cut short is of no use: it gets a line of its own."""
        shown = plain(seen("-n", HERE, "-l", "app=web", env=env, columns=60).text)
        assert shown.splitlines() == [
            f"{HERE}/web  80",
            f"  {root}/{HERE}/services/web:80/proxy/",
            "",
            "1 service",
        ]
        shown = plain(seen("-n", HERE, "-o", "wide", "-l", "app=web", env=env, columns=60).text)
        assert "  type: ClusterIP" in shown.splitlines()
        assert "  why: port 80 (the only TCP port), http (nothing says https)" in (
            shown.splitlines()
        )
        assert "addresses" not in shown

    def test_a_pipe_is_as_wide_as_it_needs(self, env: dict[str, str]) -> None:
        narrow = {**env, "COLUMNS": "40"}
        assert services("-n", HERE, env=narrow).out == services("-n", HERE, env=env).out

    def test_many_left_out(self, apiserver: APIServer, env: dict[str, str]) -> None:
        for number in range(7):
            apiserver.add_service(f"none-{number}", EMPTY, ports=[], endpoints=False)
        try:
            last = plain(seen("-n", EMPTY, env=env).text).splitlines()[-1]
        finally:
            for number in range(7):
                path = f"/api/v1/namespaces/{EMPTY}/services/none-{number}"
                apiserver.request("DELETE", path)
        assert last.startswith("7 services; 7 without a proxy URL (none-0.")
        assert "none-4." in last
        assert "none-5." not in last
        assert last.endswith("and 2 more (-o wide shows why))")


def plain(text: str) -> str:
    """What's left on a terminal when the progress line is gone."""
    for line in text.split("\r\x1b[K"):
        text = line
    assert "\x1b" not in text
    return text


class Slow:
    """A list of three pages, the last of which is held back until it's let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.target).query)
        page = int(query.get("continue", ["0"])[0])
        if page == 2:
            self.go.wait(TIME_LIMIT)
        token = {} if page == 2 else {"continue": str(page + 1)}
        items = [
            {
                "metadata": {"name": f"s{page}{number:03}", "namespace": "n"},
                "spec": {"ports": [{"port": 80}]},
            }
            for number in range(500)
        ]
        content = {"kind": "ServiceList", "apiVersion": "v1", "metadata": token, "items": items}
        return Answer(json.dumps(content).encode())


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go.set()


@pytest.fixture
def away(slow: Slow, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment for the slow server."""
    with Loopback(slow) as server:
        path = kubeconfig(tmp_path / "slow", server.url, namespace="n")
        yield environment(tmp_path, KUBECONFIG=str(path))
        slow.go.set()


class TestWhileItReads:
    @pytest.mark.parametrize(
        ("output", "first"),
        [
            ("name", "service/s0000\n"),
            ("url", "/api/v1/namespaces/n/services/s0000:80/proxy/\n"),
        ],
    )
    def test_output_comes_before_the_end(
        self, slow: Slow, away: dict[str, str], output: str, first: str
    ) -> None:
        command = [*PROXYURLS, "services", "-o", output]
        with subprocess.Popen(command, env=away, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            lines = [process.stdout.readline() for _ in range(1000)]  # while the third is held
            assert not slow.go.is_set()
            assert lines[0].endswith(first)
            slow.go.set()
            lines += process.stdout.readlines()
        assert (process.returncode, len(set(lines))) == (0, 1500)

    @pytest.mark.parametrize("output", FORMATS)
    def test_a_count_on_the_terminal(self, slow: Slow, away: dict[str, str], output: str) -> None:
        """The data goes to a file, and the count to the terminal, where nothing is left of it."""
        threading.Timer(0.6, slow.go.set).start()
        shown = seen("-o", output, env=away, out_piped=True)
        assert shown.code == 0
        counts = [one for one in shown.text.split("\r\x1b[K") if one]
        assert counts[0] == "500 services read"
        assert set(counts) <= {f"{count} services read" for count in (500, 1000, 1500)}
        assert shown.text.endswith("\r\x1b[K")
        assert "\x1b" not in shown.piped
        assert "s2499" in shown.piped

    def test_a_count_beside_a_table(self, slow: Slow, away: dict[str, str]) -> None:
        slow.go.set()
        shown = seen(env=away)
        assert "\r\x1b[K500 services read" in shown.text
        assert plain(shown.text).endswith("\n\n1500 services\n")
        assert "services read" not in plain(shown.text)

    @pytest.mark.parametrize("output", ["name", "url"])
    def test_lines_on_the_terminal_are_the_progress(
        self, slow: Slow, away: dict[str, str], output: str
    ) -> None:
        slow.go.set()
        shown = seen("-o", output, env=away)
        assert "services read" not in shown.text
        assert len(shown.text.splitlines()) == 1500

    @pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
    def test_no_count_when_unwanted(
        self, slow: Slow, away: dict[str, str], more: dict[str, str]
    ) -> None:
        slow.go.set()
        shown = seen("-o", "json", env={**away, **more}, out_piped=True)
        assert shown.text == ""
        assert len(json.loads(shown.piped)) == 1500

    def test_no_count_when_piped(self, slow: Slow, away: dict[str, str]) -> None:
        slow.go.set()
        assert services("-o", "json", env=away).err == b""

    @pytest.mark.parametrize("output", FORMATS)
    def test_the_reader_goes_away(self, slow: Slow, away: dict[str, str], output: str) -> None:
        slow.go.set()
        command = [*PROXYURLS, "services", "-o", output]
        with subprocess.Popen(
            command, env=away, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode in (0, 141)

    def test_in_a_shell(self, slow: Slow, away: dict[str, str]) -> None:
        slow.go.set()
        words = " ".join([*PROXYURLS, "services", "-o", "name", "|", "head", "-1"])
        done = subprocess.run(words, shell=True, env=away, capture_output=True, check=True)
        assert (done.stdout, done.stderr) == (b"service/s0000\n", b"")

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    def test_interrupted(self, away: dict[str, str]) -> None:
        command = [*PROXYURLS, "services", "-o", "name"]
        with subprocess.Popen(
            command, env=away, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            assert process.stdout.readline() == b"service/s0000\n"
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.stderr.read() in (b"", b"\n")
        assert process.returncode == 130


class TestRefusals:
    def test_forbidden(self, env: dict[str, str]) -> None:
        for words in ((), ("-n", HERE), ("-A", "-o", "name"), ("-o", "json"), ("-o", "url")):
            done = services("--context", "reader", *words, env=env)
            assert (done.code, done.out) == (1, b"")
            assert "403 Forbidden: services is forbidden" in done.error
            assert "(RBAC)" in done.error

    @pytest.mark.parametrize("selector", ["a=b=c", "in (", "Ä=1"])
    def test_selectors(self, env: dict[str, str], selector: str) -> None:
        done = services("-l", selector, env=env)
        assert done.code in (1, 2)
        assert done.out == b""
        assert "400 Bad Request" in done.error

    @pytest.mark.parametrize(
        ("space", "said"),
        [
            ("", "namespace"),
            ("A", "namespace"),
            ("../b", "'../b'"),
            ("x" * 64, "namespace"),
        ],
    )
    def test_namespaces(self, env: dict[str, str], space: str, said: str) -> None:
        done = services("-n", space, env=env)
        assert (done.code, done.out) == (2, b"")
        assert said in done.error

    def test_a_context_s_namespace(
        self, apiserver: APIServer, env: dict[str, str], tmp_path: Path
    ) -> None:
        path = kubeconfig(tmp_path / "odd", apiserver.server, namespace="../../version?")
        for words in ((), ("-o", "name"), ("-o", "url")):
            done = services("--kubeconfig", str(path), *words, env=env)
            assert (done.code, done.out) == (2, b"")
            assert "invalid namespace" in done.error

    def test_unreachable(self, env: dict[str, str]) -> None:
        done = services("-s", "https://127.0.0.1:1", env=env)
        assert (done.code, done.out) == (1, b"")
        assert "connection refused" in done.error

    def test_it_fails_in_mid_list(self, tmp_path: Path) -> None:
        """What was read is printed; that it's not all is told."""

        def answer(asked: Asked) -> Answer:
            if "continue" in asked.target:
                return Answer(b"out of order", 500)
            items = [{"metadata": {"name": "a", "namespace": "n"}, "spec": {}}]
            content = {"kind": "ServiceList", "metadata": {"continue": "x"}, "items": items}
            return Answer(json.dumps(content).encode())

        with Loopback(answer) as server:
            path = kubeconfig(tmp_path / "kubeconfig", server.url, namespace="n")
            here = environment(tmp_path, KUBECONFIG=str(path))
            done = services("-o", "name", env=here)
            assert (done.code, done.lines) == (1, ["service/a"])
            assert "500 Internal Server Error: out of order" in done.error
            done = services("-o", "table", env=here)
            assert (done.code, done.out) == (1, b"")
            assert done.error
