"""The gateway beside ``kubectl proxy``: nginx behind a real apiserver, asked by wrk and curl."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from contract import controlplane
from contract.controlplane import UPSTREAMS

from .bench_cluster import beside
from .processes import Failed, kubectl, program
from .proxies import Place, let_in, started
from .timing import Row, take_turns
from .webserver import DOWNLOAD, nginx, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from contract.controlplane import RealAPIServer

    from .processes import Command, Launcher
    from .proxies import Proxy

NAMESPACE = "bench"
NGINX_PORT = 8080
MANY = 32
SECONDS = 3
FEW_REQUESTS, MANY_REQUESTS = 1_000, 50_000
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def gateway(folder: Path, binaries: Path, rounds: int = 5, starts: int = 2) -> Iterator[Row]:
    """Start a control plane with nginx behind it, and both proxies before it."""
    for name in ("nginx", "wrk", "curl"):
        program(name)
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        raise Failed("it takes root and nsenter, to run beside the apiserver")
    try:
        with controlplane.start() as server, beside(folder, server) as run, ExitStack() as stack:
            # The apiserver opens a connection to nginx for nearly every request, and after some
            # 14,000 of them it would look for a free port for milliseconds.
            run.run(["/bin/sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse"])
            prefix = server.inside([])
            stack.enter_context(nginx(folder / "nginx", prefix, (UPSTREAMS, NGINX_PORT)))
            server.add_namespace(NAMESPACE)
            server.add_service("web", NAMESPACE, upstream=(UPSTREAMS, NGINX_PORT))
            with _places(folder, binaries, server, run) as places:
                yield from _figures(run, places, rounds)
            yield _memory(folder, binaries, server, run, starts)
    except controlplane.Unavailable as reason:
        raise Failed(str(reason)) from reason


@contextmanager
def _places(
    folder: Path, binaries: Path, server: RealAPIServer, run: Launcher
) -> Iterator[dict[str, Place]]:
    """What is measured, by name: "theirs", "ours", and "as is", which does not change pages."""
    command: Command = [kubectl()[0], "proxy", "--port", "8001"]
    with (
        started(server, command, run.env, 8001, folder / "kubectl.err") as theirs,
        _gateway(folder, binaries, server, run) as (_, ours),
    ):
        # As the gateway asks: for a port's number, the apiserver reads the service once more each
        # time (ResourceLocation in pkg/registry/core/service/storage/rest.go).
        path = f"/api/v1/namespaces/{NAMESPACE}/services/web:80/proxy"
        places = {
            "theirs": Place(theirs, path),
            "ours": ours["app"],
            "as is": Place(ours["api"].proxy, path, ours["api"].headers),
        }
        same = {name: place.get("small.txt") for name, place in places.items()}
        if len(set(same.values())) != 1:
            raise Failed("the proxies give different files")
        if places["ours"].get("page.html") != page():
            raise Failed("the gateway does not give the page that nginx has")
        if places["as is"].get("page.html") == page():
            raise Failed("the apiserver does not rewrite the page")
        yield places


@contextmanager
def _gateway(
    folder: Path, binaries: Path, server: RealAPIServer, run: Launcher
) -> Iterator[tuple[Proxy, dict[str, Place]]]:
    """A gateway, and where one may go in it."""
    command: Command = [binaries / "proxyurls", "serve", "--api", "--port", "8101"]
    with started(server, command, run.env, 8101, folder / "serve.err") as proxy:
        yield proxy, let_in(proxy, f"web--{NAMESPACE}")


def _figures(run: Launcher, places: dict[str, Place], rounds: int) -> Iterator[Row]:
    def turns(measure: Callable[..., float], *others: object, names: str) -> dict[str, list[float]]:
        first, second = names.split(", ")
        contestants = {
            "ours": partial(measure, run, places[first], *others),
            "theirs": partial(measure, run, places[second], *others),
        }
        return take_turns(contestants, rounds)

    both, kubectl_proxy = "ours, theirs", "`kubectl proxy`"
    taken = turns(per_request, "small.txt", MANY, names=both)
    says = "no slower; aim at 1.3 x the rate (≤ 0.77)"
    yield Row(
        f"a request, {MANY} connections", kubectl_proxy, 1.0, says, taken["ours"], taken["theirs"]
    )
    taken = turns(latency, "small.txt", names=both)
    yield Row(
        "median latency, 1 connection",
        kubectl_proxy,
        1.0,
        "no slower",
        taken["ours"],
        taken["theirs"],
    )
    taken = turns(download, names=both)
    says = "1.5 x the rate (≤ 0.67)"
    yield Row(
        f"download {DOWNLOAD >> 20} MiB",
        kubectl_proxy,
        1 / 1.5,
        says,
        taken["ours"],
        taken["theirs"],
    )
    # The same page of the same apiserver, through the same gateway, which passes on the API's
    # answers as they are.
    says = "0.85 x the rate or more (≤ 1.18)"
    for connections in (MANY, 1):
        taken = turns(per_request, "page.html", connections, names="ours, as is")
        work = f"a page, {connections} connection{'s' * (connections > 1)}"
        yield Row(work, "without un-rewriting", 1 / 0.85, says, taken["ours"], taken["theirs"])


def per_request(run: Launcher, place: Place, file: str, connections: int) -> float:
    """Seconds of one request, of as many at a time as there are connections."""
    text = wrk(run, place, file, connections, f"-d{SECONDS}s")
    return 1 / float(_found(r"Requests/sec:\s+([\d.]+)", text)[1])


def latency(run: Launcher, place: Place, file: str) -> float:
    """The median time of one request at a time, in seconds."""
    match = _found(r"50%\s+([\d.]+)(us|ms|s)\b", wrk(run, place, file, 1, f"-d{SECONDS}s"))
    return float(match[1]) * _UNITS[match[2]]


def download(run: Launcher, place: Place) -> float:
    """Seconds of the big file."""
    written = "%{time_total} %{size_download} %{http_code}"
    options = ["-s", "-o", os.devnull, "-w", written, *place.options()]
    run.run([program("curl"), *options, place.url("big.bin")])
    seconds, size, status = run.output.read_text().split()
    if (int(size), status) != (DOWNLOAD, "200"):
        raise Failed(f"{place.url('big.bin')}: {size} bytes, status {status}")
    return float(seconds)


def wrk(run: Launcher, place: Place, file: str, connections: int, *options: str) -> str:
    """Let wrk ask for a file; every answer must be good."""
    argv = [program("wrk"), f"-c{connections}", "-t1", "--latency", *options]
    run.run([*argv, *place.options(), place.url(file)])
    text = run.output.read_text()
    if "Non-2xx" in text or "Socket errors" in text:
        raise Failed(f"wrk at {place.url(file)}:\n{text}")
    return text


def _found(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    if match is None:
        raise Failed(f"wrk says something else:\n{text}")
    return match


def _memory(folder: Path, binaries: Path, server: RealAPIServer, run: Launcher, starts: int) -> Row:
    """A new gateway's memory after some requests, and after many."""
    early: list[float] = []
    late: list[float] = []
    for _ in range(starts):
        with _gateway(folder, binaries, server, run) as (proxy, places):
            _ask(run, places["app"], FEW_REQUESTS)
            early.append(proxy.memory())
            _ask(run, places["app"], MANY_REQUESTS - FEW_REQUESTS)
            late.append(proxy.memory())
    work = f"memory after {MANY_REQUESTS:,} requests"
    return Row(work, f"after {FEW_REQUESTS:,}", 1.1, "1.1 x or less", late, early, unit="MiB")


def _ask(run: Launcher, place: Place, count: int) -> None:
    """Ask for the small file so often, over many connections; wrk can't count."""
    options = ["-s", "-f", "--fail-early", "-Z", "--parallel-max", str(MANY), "-o", os.devnull]
    url = f"{place.url('small.txt')}?[1-{count}]"
    run.run([program("curl"), *options, "-w", "%{http_code}\n", *place.options(), url])
    done = run.output.read_text().split().count("200")
    if done != count:
        raise Failed(f"only {done} of {count} requests were answered")
