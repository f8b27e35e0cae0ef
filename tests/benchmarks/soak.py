"""Many requests and open WebSockets through a gateway, and what it still holds afterwards.

    python tests/benchmarks/soak.py [--requests 50000] [--websockets 500]

It takes some five minutes, and the binaries of an apiserver: KUBEBUILDER_ASSETS. It prints a
table; the exit code is 1 if anything failed or leaked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import aiohttp
from contract import controlplane

from benchmarks.soaked import MIXED, PATIENCE, App

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from contract.cluster import APIServer

CLIENTS = 32
ROUNDS = 5  # after the first, which warms up
GROWTH = 1.1  # of memory and objects since the first round
NAMESPACE = "soak"
WATCHED = Path(__file__).with_name("watched.py")
COLUMNS = ("requests", "websockets", "seconds", "tasks", "threads", "files", "sockets", "memory")


@dataclass
class Report:
    """What happened.

    Attributes:
        idle: what the gateway held before the first request.
        rounds: what it held after each round.
        end: what its process held before the gateway and after it.
        failures: what went wrong, in words.
    """

    idle: dict[str, Any]
    rounds: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def leaks(self) -> list[str]:
        """What is more than it may be."""
        found = []
        first, last = self.rounds[0], self.rounds[-1]
        for at, row in enumerate(self.rounds):
            # Connections to the apiserver stay for a minute, one for each client at most.
            for what, room in (("tasks", 0), ("threads", 0), ("files", CLIENTS)):
                if row[what] > self.idle[what] + room:
                    found.append(f"round {at}: {row[what]} {what}, and {self.idle[what]} before")
        found += [
            f"{what}: {last[what]:.0f}, and {first[what]:.0f} after round 0"
            for what in ("memory", "objects")
            if last[what] > GROWTH * first[what]
        ]
        before, after = self.end["before"], self.end["after"]
        found += [
            f"closed: {after[what]} {what}, and {before[what]} at first"
            for what in ("tasks", "threads", "files")
            if after[what] > before[what]
        ]
        return found

    def table(self) -> str:
        """The rounds as Markdown."""
        rows = [COLUMNS, ["---"] * len(COLUMNS)]
        rows += [[f"{row[name]:,.0f}" for name in COLUMNS] for row in (self.idle, *self.rounds)]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


@dataclass
class Watched:
    """A gateway in a process of its own (``watched.py``)."""

    process: asyncio.subprocess.Process
    link: str

    async def hear(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        if not line:
            raise AssertionError("the gateway has ended")
        content: dict[str, Any] = json.loads(line)
        return content

    async def ask(self) -> dict[str, Any]:
        """What it holds now."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return await self.hear()

    async def settled(self, tasks: int) -> dict[str, Any]:
        """What it holds when it has seen that its clients have gone."""
        end = time.monotonic() + PATIENCE
        while True:
            row = await self.ask()
            if row["tasks"] <= tasks or time.monotonic() > end:
                return row
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def watched(apiserver: APIServer) -> AsyncIterator[Watched]:
    """Start a gateway, and end its process if it has not ended by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WATCHED),
        str(apiserver.kubeconfig),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Watched(process, "")
    try:
        made.link = str(await made.hear())
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def soak(apiserver: APIServer, requests: int, websockets: int, rounds: int) -> Report:
    """Let a gateway work.

    Args:
        apiserver: what it stands in front of.
        requests: how many in each round.
        websockets: how many are open during each round.
        rounds: how many rounds, the first included.
    """
    app = App()
    listening = apiserver.listen()
    apiserver.add_namespace(NAMESPACE)
    address = listening.getsockname()[:2]
    service = f"web-{address[1]}"
    apiserver.add_service(service, NAMESPACE, upstream=address)
    async with app.serving(listening), watched(apiserver) as gateway:
        headers = await let_in(gateway.link, f"{service}--{NAMESPACE}")
        await asyncio.sleep(1)  # in which the index has its first lists
        idle = await gateway.ask()
        report = Report({"requests": 0, "websockets": 0, "seconds": 0, **idle})
        for _ in range(rounds):
            began = time.monotonic()
            failures = await one_round(gateway.link, headers, app, requests, websockets)
            seconds = time.monotonic() - began
            row = await gateway.settled(idle["tasks"])
            figures = {"requests": requests, "websockets": websockets, "seconds": seconds}
            report.rounds.append({**figures, **row})
            report.failures += failures
        assert gateway.process.stdin is not None
        gateway.process.stdin.close()
        report.end = await gateway.hear()
        report.failures += report.end["said"]
    return report


async def let_in(link: str, label: str) -> dict[str, str]:
    """Go to the app from the index, as a browser does: the headers for its host."""
    headers: dict[str, str] = {}

    async def follow(url: str) -> str:
        parts = urlsplit(url)
        headers["Host"] = parts.netloc
        address = f"http://127.0.0.1:{parts.port}{parts.path}?{parts.query}"
        async with session.get(address, headers=headers, allow_redirects=False) as answer:
            if answer.status != 303:
                raise AssertionError(f"{url}: {answer.status}")
            if "Set-Cookie" in answer.headers:
                headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
            return answer.headers["Location"]

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        await follow(link)
        await follow(await follow(f"{origin(link)}/.proxyurls/open/{label}"))
    return headers


def origin(link: str) -> str:
    """The first part of an address."""
    return "/".join(link.split("/", 3)[:3])


async def one_round(
    link: str, headers: dict[str, str], app: App, requests: int, websockets: int
) -> list[str]:
    """Open the WebSockets, send the requests, close everything: what went wrong."""
    failures: list[str] = []
    left = iter(range(requests))
    base = f"http://127.0.0.1:{origin(link).rpartition(':')[2]}"
    host = {**headers, "Origin": f"http://{headers['Host']}"}

    async def client(session: aiohttp.ClientSession) -> None:
        for at in left:
            try:
                await asyncio.wait_for(MIXED[at % len(MIXED)](session, app), PATIENCE)
            except (AssertionError, aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                failures.append(f"request {at}: {type(error).__name__} {error}")

    connector = aiohttp.TCPConnector(limit=0)
    options: dict[str, Any] = {"connector": connector, "cookie_jar": aiohttp.DummyCookieJar()}
    async with aiohttp.ClientSession(base, headers=headers, **options) as session:
        opened = []
        for _ in range(websockets):
            try:
                opened.append(await session.ws_connect("/ws", headers=host))
            except aiohttp.ClientError as error:
                failures.append(f"opening a WebSocket: {error}")
        if app.websockets != websockets:
            failures.append(f"{app.websockets} of {websockets} WebSockets are open")
        done = asyncio.Event()
        talk = asyncio.create_task(talking(opened, failures, done))
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
        done.set()
        await talk
        await talk_once(opened, failures)  # those that have been silent, too
        await asyncio.gather(*(one.close() for one in opened[::2]))
    # The other half is closed without a word.
    await app.alone(PATIENCE)
    if app.websockets:
        failures.append(f"{app.websockets} WebSockets are still open at the app")
    return failures


async def talking(
    opened: Sequence[aiohttp.ClientWebSocketResponse], failures: list[str], done: asyncio.Event
) -> None:
    """Talk on one WebSocket in ten, again and again."""
    while not done.is_set():
        await talk_once(opened[::10], failures)
        await asyncio.sleep(0.2)


async def talk_once(opened: Sequence[aiohttp.ClientWebSocketResponse], failures: list[str]) -> None:
    """Say something on each, and hear it again."""
    for one in opened:
        said = os.urandom(500)
        await one.send_bytes(said)
        heard = await one.receive(PATIENCE)
        if heard.data != said:
            failures.append(f"a WebSocket said {heard.type.name}")


def main(argv: Sequence[str] | None = None) -> int:
    """Soak a gateway in front of a real apiserver."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=50_000, metavar="COUNT")
    parser.add_argument("--websockets", type=int, default=500, metavar="COUNT")
    args = parser.parse_args(argv)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 + 4 * args.websockets
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, wanted)), hard))
    try:
        with controlplane.start() as apiserver:
            each = args.requests // ROUNDS
            report = asyncio.run(soak(apiserver, each, args.websockets, ROUNDS + 1))
    except controlplane.Unavailable as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    print(report.table())
    wrong = [*report.failures[:20], *report.leaks()]
    print("\n".join(wrong) or "no error, and nothing leaked")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
