"""A request through our transports beside plain httpx to the same proxy URL, nginx behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import httpx
from contract import controlplane
from contract.cluster import Port
from contract.controlplane import UPSTREAMS

from proxyurls import AsyncClusterTransport, ClusterTransport, from_cluster_url, load_config

from .processes import Failed, program
from .timing import Row, take_turns
from .webserver import nginx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NGINX_PORT = 8080
URL = f"http://web.bench.svc:{NGINX_PORT}/small.txt"
REQUESTS = 200  # a turn


def transport(folder: Path, rounds: int = 15) -> Iterator[Row]:
    """Start a control plane with nginx behind it, and ask it from this process."""
    program("nginx")
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        raise Failed("it takes root and nsenter, to run nginx beside the apiserver")
    try:
        with controlplane.start() as server, ExitStack() as stack:
            prefix = server.inside([])
            # See bench_gateway: the apiserver opens a connection to nginx for nearly each request.
            reuse = "echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse"
            subprocess.run([*prefix, "/bin/sh", "-c", reuse], check=True)
            stack.enter_context(nginx(folder / "nginx-transport", prefix, (UPSTREAMS, NGINX_PORT)))
            server.add_namespace("bench")
            ports, upstream = [Port(NGINX_PORT)], (UPSTREAMS, NGINX_PORT)
            server.add_service("web", "bench", ports=ports, upstream=upstream)
            yield from _figures(server.kubeconfig, rounds)
    except controlplane.Unavailable as reason:
        raise Failed(str(reason)) from reason


def _figures(kubeconfig: Path, rounds: int) -> Iterator[Row]:
    config = load_config(str(kubeconfig), context="token", environ={})
    target, suffix = from_cluster_url(URL)
    proxy_url = str(target.url(config.server, suffix))
    credentials = config.credentials()
    tls = credentials.ssl_context() or False
    headers = dict(credentials.headers())
    with (
        httpx.Client(verify=tls, headers=headers, trust_env=False) as theirs,
        httpx.Client(transport=ClusterTransport(config)) as ours,
    ):
        if theirs.get(proxy_url).content != ours.get(URL).content:
            raise Failed("the two get different files")
        yield from _beside(
            "ClusterTransport", partial(_ask, ours, URL), partial(_ask, theirs, proxy_url), rounds
        )
    loop = asyncio.new_event_loop()
    their_tasks = httpx.AsyncClient(verify=tls, headers=headers, trust_env=False)
    our_tasks = httpx.AsyncClient(transport=AsyncClusterTransport(config))
    try:
        yield from _beside(
            "AsyncClusterTransport",
            lambda: loop.run_until_complete(_ask_in_tasks(our_tasks, URL)),
            lambda: loop.run_until_complete(_ask_in_tasks(their_tasks, proxy_url)),
            rounds,
        )
    finally:
        for client in (our_tasks, their_tasks):
            loop.run_until_complete(client.aclose())
        loop.close()


def _beside(
    name: str, ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> Iterator[Row]:
    """The time of a request, and how much of it this process computes."""
    for clock, work in ((time.perf_counter, "a request"), (time.process_time, "its CPU time")):
        turns = {"ours": partial(_seconds, clock, ours), "theirs": partial(_seconds, clock, theirs)}
        taken = take_turns(turns, rounds)
        says = "10 % more or less"
        yield Row(
            f"{work}, `{name}`", "httpx, proxy URL", 1.1, says, taken["ours"], taken["theirs"]
        )


def _seconds(clock: Callable[[], float], ask: Callable[[], None]) -> float:
    """Seconds of one request, by a clock."""
    started = clock()
    ask()
    return (clock() - started) / REQUESTS


def _ask(client: httpx.Client, url: str) -> None:
    for _ in range(REQUESTS):
        client.get(url).raise_for_status()


async def _ask_in_tasks(client: httpx.AsyncClient, url: str) -> None:
    for _ in range(REQUESTS):
        (await client.get(url)).raise_for_status()
