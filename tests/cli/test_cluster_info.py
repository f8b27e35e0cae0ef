"""``cluster-info`` beside the real kubectl: the same bytes on stdout, the same exit code."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from contract.cluster import Port
from discovery.commands import Done, environment, kubeconfig, proxyurls, run
from discovery.servers import Answer, Loopback, reverse_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.cluster import APIServer

OTHER = "cluster-info-other"
LISTED = {"kubernetes.io/cluster-service": "true"}
TRAILER = "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n"
V1 = "client.authentication.k8s.io/v1"


@dataclass(frozen=True)
class Pair:
    """Runs both, from a home of their own, and holds them against each other."""

    apiserver: APIServer
    home: Path

    def __call__(self, *words: str, config: Path | None = None, **env: str) -> Done:
        """What ours said, after it was found to be what kubectl says."""
        env.setdefault("KUBECONFIG", str(config or self.apiserver.kubeconfig))
        return self.compare(*words, env={name: value for name, value in env.items() if value})

    def compare(self, *words: str, env: dict[str, str]) -> Done:
        """The same with just this environment."""
        whole = environment(self.home, **env)
        theirs = run(str(self.apiserver.kubectl), "cluster-info", *words, env=whole)
        ours = proxyurls("cluster-info", *words, env=whole)
        assert (ours.out, ours.code) == (theirs.out, theirs.code), (ours.err, theirs.err)
        if ours.code:
            assert ours.error  # one line
        return ours

    def config(self, server: str | None = None, **parts: Any) -> Path:
        """A kubeconfig of one context; for the real apiserver if no other is named."""
        if server is None:
            parts.setdefault("cluster", {"certificate-authority": str(self.apiserver.ca_file)})
        path = self.home / "kubeconfig"
        return kubeconfig(path, server or self.apiserver.server, **parts)


@pytest.fixture
def both(apiserver: APIServer, tmp_path: Path) -> Pair:
    if apiserver.kubectl is None:
        pytest.skip("there's no kubectl beside the apiserver")
    return Pair(apiserver, tmp_path)


def test_nothing_but_the_apiserver(apiserver: APIServer, both: Pair) -> None:
    """Before any service is there: none of ours, at least."""
    running = f"Kubernetes control plane is running at {apiserver.server}\n"
    assert both().text.startswith(running)
    done = both("-n", "no-such-namespace")
    assert (done.text, done.code, done.err) == (running + TRAILER, 0, b"")


@pytest.fixture(scope="module")
def filled(apiserver: APIServer) -> Iterator[None]:
    """The document's five services in kube-system, and odd ones beside them."""
    spaces = ("kube-system", OTHER)
    for space in spaces:
        apiserver.add_namespace(space)

    made: list[str] = []

    def add(name: str, *ports: Port, shown: str = "", space: str = spaces[0], **more: Any) -> None:
        made.append(f"/api/v1/namespaces/{space}/services/{name}")
        labels = LISTED | ({"kubernetes.io/name": shown} if shown else {})
        labels |= more.pop("labels", {})
        apiserver.add_service(name, space, ports=ports, labels=labels, endpoints=False, **more)

    add("elasticsearch-logging", Port(9200), shown="Elasticsearch")
    add("kibana-logging", Port(5601), shown="Kibana")
    add("kube-dns", Port(53, "dns", "UDP"), Port(53, "dns-tcp"), shown="KubeDNS")
    add("monitoring-grafana", Port(80), shown="grafana")
    add("monitoring-heapster", Port(80), shown="Heapster")

    add("a-dashboard", Port(443))
    add("a-https-first", Port(4443, "https"), Port(80, "http"))
    add("a-https-second", Port(80, "http"), Port(443, "https"))
    add("a-443-named", Port(443, "web"))
    add("a-headless")
    add("a-app-protocol", Port(8080, "web", app_protocol="https"))
    balanced = {"type": "LoadBalancer"}
    add("b-ip", Port(80), ingress=[{"ip": "192.0.2.1"}], **balanced)
    add("b-ip-443", Port(443), ingress=[{"ip": "192.0.2.2"}], **balanced)
    add("b-host", Port(8080, "web"), ingress=[{"hostname": "lb.test"}], **balanced)
    add("b-ip6", Port(443, "https"), ingress=[{"ip": "2001:db8::1"}], **balanced)
    add(
        "b-many",
        Port(80, "http"),
        Port(443, "https"),
        Port(9000, "x"),
        ingress=[{"ip": "192.0.2.3"}, {"hostname": "second.test"}],
        **balanced,
    )
    add("b-pending", Port(80), **balanced)
    add("b-node-port", Port(80), type="NodePort")
    add("not-listed", Port(80), labels={"kubernetes.io/cluster-service": "false"})
    add("prometheus", Port(9090, "web"), shown="Prometheus", space=OTHER)
    yield
    for path in made:
        apiserver.request("DELETE", path)


@pytest.mark.usefixtures("filled")
class TestServices:
    def test_the_list(self, apiserver: APIServer, both: Pair) -> None:
        done = both()
        assert (done.code, done.err) == (0, b"")
        root = f"{apiserver.server}/api/v1/namespaces/kube-system/services"
        for line in (
            f"Elasticsearch is running at {root}/elasticsearch-logging/proxy",
            f"Kibana is running at {root}/kibana-logging/proxy",
            f"KubeDNS is running at {root}/kube-dns:dns/proxy",
            f"grafana is running at {root}/monitoring-grafana/proxy",
            f"Heapster is running at {root}/monitoring-heapster/proxy",
            f"a-dashboard is running at {root}/https:a-dashboard:/proxy",
            f"a-https-first is running at {root}/https:a-https-first:https/proxy",
            f"a-https-second is running at {root}/a-https-second:http/proxy",
            f"a-443-named is running at {root}/https:a-443-named:web/proxy",
            f"a-headless is running at {root}/a-headless/proxy",
            f"a-app-protocol is running at {root}/a-app-protocol:web/proxy",
            "b-ip is running at http://192.0.2.1:80 ",
            "b-ip-443 is running at http://192.0.2.2:443 ",
            "b-host is running at http://lb.test:8080 ",
            "b-ip6 is running at http://2001:db8::1:443 ",
            "b-many is running at http://192.0.2.3:80 http://192.0.2.3:443 http://192.0.2.3:9000 ",
            f"b-pending is running at {root}/b-pending/proxy",
            f"b-node-port is running at {root}/b-node-port/proxy",
        ):
            assert line in done.lines
        assert done.lines[0] == f"Kubernetes control plane is running at {apiserver.server}"
        assert done.text.endswith("\n" + TRAILER)
        assert "not-listed" not in done.text

    @pytest.mark.parametrize(
        "words",
        [
            ("--context", "token"),  # whose own namespace is another
            ("-n", OTHER),
            (f"--namespace={OTHER}",),
            ("-n", "kube-system"),
            ("-n", ""),
            ("-n", "monitoring"),
            ("--as", "admin", "--as-group", "system:masters"),
            ("--request-timeout", "5s"),
        ],
        ids=" ".join,
    )
    def test_options(self, both: Pair, words: tuple[str, ...]) -> None:
        assert both(*words).code == 0

    def test_another_namespace(self, both: Pair) -> None:
        done = both("-n", OTHER)
        assert f"/namespaces/{OTHER}/services/prometheus:web/proxy" in done.text
        assert "KubeDNS" not in done.text

    def test_a_slash_behind_the_server(self, apiserver: APIServer, both: Pair) -> None:
        for done in (
            both("--server", f"{apiserver.server}/"),
            both(config=both.config(f"{apiserver.server}/", **signed(apiserver))),
        ):
            assert f"is running at {apiserver.server}//api/v1/" in done.text

    @pytest.mark.parametrize("end", ["", "/", "//"])
    def test_a_server_with_a_path(self, apiserver: APIServer, both: Pair, end: str) -> None:
        with reverse_proxy(apiserver, "/k8s/clusters/c-1") as rancher:
            server = f"{rancher.url}/k8s/clusters/c-1{end}"
            done = both(config=both.config(server))
        if end != "//":
            assert done.code == 0
            assert f" {server}/api/v1/namespaces/kube-system/services/kube-dns:dns/proxy\n" in (
                done.text
            )

    def test_the_right_urls_are_elsewhere(self, apiserver: APIServer, tmp_path: Path) -> None:
        """Where kubectl errs, ``services --cluster-services`` does not."""
        env = environment(tmp_path, KUBECONFIG=str(apiserver.kubeconfig))
        done = proxyurls("services", "--cluster-services", "-o", "json", env=env)
        assert (done.code, done.err) == (0, b"")
        found = {one["name"]: one for one in json.loads(done.out)}
        assert "not-listed" not in found
        root = f"{apiserver.server}/api/v1/namespaces/kube-system/services"
        assert found["b-ip-443"]["addresses"] == ["https://192.0.2.2/"]
        assert found["b-ip6"]["addresses"] == ["https://[2001:db8::1]/"]
        assert found["b-many"]["addresses"] == [
            *("http://192.0.2.3/", "http://second.test/"),
            *("https://192.0.2.3/", "https://second.test/"),
            *("http://192.0.2.3:9000/", "http://second.test:9000/"),
        ]
        assert found["b-ip-443"]["url"] == f"{root}/https:b-ip-443:443/proxy/"
        assert found["kube-dns"]["url"] == f"{root}/kube-dns:dns-tcp/proxy/"
        assert found["kube-dns"]["display_name"] == "KubeDNS"
        assert found["a-app-protocol"]["url"] == f"{root}/https:a-app-protocol:8080/proxy/"
        assert found["a-headless"]["url"] is None


def signed(apiserver: APIServer) -> dict[str, Any]:
    """Parts of a kubeconfig that the real apiserver takes."""
    return {
        "cluster": {"certificate-authority": str(apiserver.ca_file)},
        "user": {"token": apiserver.admin_token},
    }


@pytest.mark.usefixtures("filled")
class TestFailures:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--context", "reader"), "403 Forbidden"),
            (("--context", "reader", "-n", OTHER), "403 Forbidden"),
            (("--context", "token", "--token", "wrong"), "401 Unauthorized"),
            (("--as", "nobody"), "403 Forbidden"),
            (("--server", "https://127.0.0.1:1"), "connection refused"),
            (("--server", "http://127.0.0.1:1"), "connection refused"),
            (("--server", "https://k8s.invalid"), "the host name is not known"),
            (("-n", "a/b"), "invalid namespace 'a/b'"),
            (("-n", ".."), "invalid namespace '..'"),
            (("-n", "a%2Fb"), "invalid namespace"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_at_the_request(self, both: Pair, words: tuple[str, ...], said: str) -> None:
        done = both(*words)
        assert (done.code, done.text) == (1, TRAILER)
        assert said in done.error

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--context", "nope"), "nope"),
            (("--cluster", "nope"), "nope"),
            (("--user", "nope"), "nope"),
            (("--certificate-authority", "/no/such"), "/no/such"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_before_it(self, both: Pair, words: tuple[str, ...], said: str) -> None:
        done = both(*words)
        assert (done.code, done.text) == (1, "")
        assert said in done.error

    @pytest.mark.parametrize("space", ["a b", "Größe", "A", "x" * 300, "a?b", "a&b", "a#b"])
    def test_odd_namespaces(self, both: Pair, space: str) -> None:
        """Kubectl asks for them, and finds nothing."""
        assert (both("-n", space).code, both("-n", space).err) == (0, b"")

    def test_no_kubeconfig(self, both: Pair) -> None:
        done = both.compare(env={})
        assert (done.code, done.text) == (1, TRAILER)
        assert "no apiserver found" in done.error

    @pytest.mark.parametrize("text", ["", "{}", "{", "- a\n- b\n", "kind: Other\n"], ids=repr)
    def test_odd_kubeconfigs(self, both: Pair, text: str) -> None:
        path = both.home / "kubeconfig"
        path.write_text(text)
        assert both(config=path).code == 1

    def test_a_missing_kubeconfig(self, both: Pair) -> None:
        missing = str(both.home / "missing")
        assert both(KUBECONFIG=missing).text == TRAILER
        assert both("--kubeconfig", missing).text == ""

    def test_a_missing_token_file(self, both: Pair) -> None:
        done = both(config=both.config(user={"tokenFile": "/no/such"}))
        assert (done.code, done.text) == (1, "")
        assert "/no/such" in done.error

    @pytest.mark.skipif(os.name != "posix", reason="the plugin is a #! script")
    def test_exec_plugins(self, both: Pair) -> None:
        plugin = both.home / "plugin"
        plugin.write_text("#!/bin/sh\nexit 3\n")
        plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
        for command in (str(plugin), "/no/such"):
            user = {"exec": {"command": command, "apiVersion": V1, "interactiveMode": "Never"}}
            done = both(config=both.config(user=user))
            assert (done.code, done.text) == (1, TRAILER)
            assert command in done.error

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
            Answer(b"boo", 500),
            Answer(b"", 302, {"Location": "/login"}),
            Answer(b"{}"),
            Answer(b"gone", 404),
        ],
        ids=lambda answer: f"{answer.status} {answer.body.decode()}",
    )
    def test_what_is_no_apiserver(self, both: Pair, answer: Answer) -> None:
        with Loopback(lambda _: answer) as server:
            done = both(config=both.config(server.url))
            assert server.url in done.error
        assert (done.code, done.text) == (1, TRAILER)

    def test_it_waits_for_a_busy_server(self, apiserver: APIServer, tmp_path: Path) -> None:
        """As kubectl, which asks for more and so can't be run against this server."""
        found = apiserver.get("/api/v1/namespaces/kube-system/services?labelSelector=x").body
        answers = [Answer(b"busy", 429, {"Retry-After": "1"}), Answer(found)]
        with Loopback(lambda _: answers.pop(0)) as server:
            path = kubeconfig(tmp_path / "kubeconfig", server.url)
            env = environment(tmp_path, KUBECONFIG=str(path))
            done = proxyurls("cluster-info", env=env)
        assert (done.code, done.err, done.lines[0]) == (
            0,
            b"",
            f"Kubernetes control plane is running at {server.url}",
        )


def test_wrong_usage(apiserver: APIServer, tmp_path: Path) -> None:
    """Here we part from kubectl, which ignores what it was given."""
    env = environment(tmp_path, KUBECONFIG=str(apiserver.kubeconfig))
    done = proxyurls("cluster-info", "extra", env=env)
    assert (done.code, done.out) == (2, b"")
    assert "unexpected argument 'extra'" in done.error
