"""With a real apiserver: cluster-info, and lists of 10,000 and 20,000 services."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import threading
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import yaml
from contract import controlplane
from contract.cluster import Port, write_kubeconfig

from .processes import HERE, Failed, kubectl, launcher
from .timing import Row, take_turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.controlplane import RealAPIServer

    from .processes import Command, Launcher

MEMORY = 45.0
SAME = 1.03  # "the same": the peak of one run differs from that of the next by as much
THREADS = 8
# Those of Kubernetes' document "Access Services Running on Clusters".
CLUSTER_SERVICES = {
    "elasticsearch-logging": [Port(9200)],
    "kibana-logging": [Port(5601)],
    "kube-dns": [Port(53, "dns", "UDP"), Port(53, "dns-tcp")],
    "monitoring-grafana": [Port(80)],
    "monitoring-heapster": [Port(80)],
}


def cluster(folder: Path, binaries: Path, rounds: int = 25, lists: int = 7) -> Iterator[Row]:
    """Start a control plane, fill it, ask it."""
    try:
        with controlplane.start() as server, beside(folder, server) as run:
            yield from _cluster_info(server, run, binaries, rounds)
            yield from _lists(server, run, binaries, lists)
    except controlplane.Unavailable as reason:
        raise Failed(str(reason)) from reason


@contextmanager
def beside(folder: Path, server: RealAPIServer) -> Iterator[Launcher]:
    """A launcher in the server's namespace; for who is not root, one before its front door."""
    kubeconfig, prefix = server.kubeconfig, server.inside([])
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        prefix = []
    else:
        kubeconfig = folder / "kubeconfig"
        write_kubeconfig(
            kubeconfig,
            server="https://127.0.0.1:6443",
            ca_pem=server.ca_pem,
            certificate=server.client_certificate.read_bytes(),
            key=server.client_key.read_bytes(),
            admin_token=server.admin_token,
            reader_token=server.reader_token,
        )
    # JSON so far; people's are YAML, which is slower to read.
    kubeconfig.write_text(yaml.safe_dump(json.loads(kubeconfig.read_text())))
    with launcher(folder, prefix, KUBECONFIG=str(kubeconfig)) as run:
        yield run


def _cluster_info(
    server: RealAPIServer, run: Launcher, binaries: Path, rounds: int
) -> Iterator[Row]:
    labels = {"kubernetes.io/cluster-service": "true"}
    for name, ports in CLUSTER_SERVICES.items():
        server.add_service(name, "kube-system", ports=ports, endpoints=False, labels=labels)
    commands: dict[str, Command] = {
        "ours": [binaries / "proxyurls", "cluster-info"],
        "theirs": [kubectl()[0], "cluster-info"],
    }
    if len({_output(run, command) for command in commands.values()}) != 1:
        raise Failed("cluster-info and kubectl cluster-info differ")
    taken = take_turns({name: run.turn(command) for name, command in commands.items()}, rounds)
    against = "`kubectl cluster-info`, warm"
    yield Row("`cluster-info`", against, 1.5, "1.5 x or less", taken["ours"], taken["theirs"])


def _output(run: Launcher, command: Command) -> bytes:
    run.run(command)
    return run.output.read_bytes()


def _lists(server: RealAPIServer, run: Launcher, binaries: Path, rounds: int) -> Iterator[Row]:
    rivals = HERE / "rivals"
    ours: Command = [binaries / "proxyurls", "services", "-A", "-o", "name"]
    commands: dict[str, Command] = {
        "ours": ours,
        "kubectl": [kubectl()[0], "get", "services", "-A", "-o", "name"],
        "kubernetes client": [binaries / "python", rivals / "list_kubernetes.py"],
        "lightkube": [binaries / "python", rivals / "list_lightkube.py"],
    }
    create_services(server, 0, 10_000)
    counts = {name: _output(run, command).count(b"\n") for name, command in commands.items()}
    if len(set(counts.values())) != 1 or counts["ours"] < 10_000:
        raise Failed(f"the lists differ in length: {counts}")
    peaks: dict[str, list[float]] = {name: [] for name in commands}

    def turn(name: str) -> float:
        seconds, peak = run.run(commands[name])
        peaks[name].append(peak)
        return seconds

    taken = take_turns({name: partial(turn, name) for name in commands}, rounds)
    work = "list 10,000 services, `-o name`"
    limits = [
        ("kubectl", 0.25, "4 x faster"),
        ("kubernetes client", 1.0, "no slower"),
        ("lightkube", 1.0, "no slower"),
    ]
    for name, limit, says in limits:
        yield Row(work, name, limit, says, taken["ours"], taken[name])
    yield Row("peak memory, 10,000", "", MEMORY, "45 MiB or less", peaks["ours"], unit="MiB")
    create_services(server, 10_000, 20_000)
    if _output(run, ours).count(b"\n") < 20_000:
        raise Failed("there aren't 20,000 services")
    twice = [run.run(ours)[1] for _ in peaks["ours"]]
    yield Row("peak memory, 20,000", "", MEMORY, "45 MiB or less", twice, unit="MiB")
    yield Row("peak, 20,000", "10,000", SAME, "the same", twice, peaks["ours"], unit="MiB")


def create_services(server: RealAPIServer, start: int, end: int) -> None:
    """Create services, by several connections at a time."""
    context = ssl.create_default_context(cadata=server.ca_pem.decode())
    headers = {"Authorization": f"Bearer {server.admin_token}", "Content-Type": "application/json"}
    failures: list[str] = []

    def create(numbers: range) -> None:
        parts = urlsplit(server.server)
        connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=60)
        with closing(connection):
            for number in numbers:
                body = json.dumps(_service(number))
                path = "/api/v1/namespaces/default/services"
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != http.client.CREATED:
                    failures.append(f"{answer.status} {text!r}")
                    return

    threads = [
        threading.Thread(target=create, args=(range(start + first, end, THREADS),))
        for first in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise Failed(f"creating services failed: {failures[0]}")


def _service(number: int) -> dict[str, object]:
    name = f"svc-{number}"
    ports = [{"name": "http", "port": 80}, {"name": "metrics", "port": 9090}]
    meta = {"name": name, "labels": {"app": name}}
    return {
        "metadata": meta,
        "spec": {"clusterIP": "None", "selector": meta["labels"], "ports": ports},
    }
