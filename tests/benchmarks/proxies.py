"""``kubectl proxy`` and ``proxyurls serve``, each as a process in the apiserver's network."""

from __future__ import annotations

import http.client
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contract.warden import end_with_parent

from .processes import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contract.controlplane import RealAPIServer

    from .processes import Command


@dataclass(frozen=True)
class Proxy:
    """A proxy that listens at a port of 127.0.0.1 in the apiserver's network."""

    apiserver: RealAPIServer
    pid: int
    port: int
    first_line: str

    def memory(self) -> float:
        """What it holds now (resident), in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise Failed(f"process {self.pid} tells no VmRSS")

    def get(self, target: str, **headers: str) -> http.client.HTTPResponse:
        """GET something from it, and read it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.apiserver.warden.socket("connect", ("127.0.0.1", self.port))
        connection.request("GET", target, headers=headers)
        return connection.getresponse()


@dataclass(frozen=True)
class Place:
    """What to ask one of the proxies for: an address, and headers."""

    proxy: Proxy
    path: str  # before that of a file
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self, file: str) -> str:
        """A file's address."""
        return f"http://127.0.0.1:{self.proxy.port}{self.path}/{file}"

    def options(self) -> list[str]:
        """The headers, for curl and wrk."""
        return [word for name, value in self.headers.items() for word in ("-H", f"{name}: {value}")]

    def get(self, file: str) -> bytes:
        """What is there."""
        answer = self.proxy.get(f"{self.path}/{file}", **self.headers)
        if answer.status != 200:
            raise Failed(f"{self.url(file)}: {answer.status} {answer.reason}")
        return answer.read()


@contextmanager
def started(
    apiserver: RealAPIServer, command: Command, env: Mapping[str, str], port: int, errors: Path
) -> Iterator[Proxy]:
    """Start a proxy that prints a line on stdout when it is ready."""
    with errors.open("wb") as output:
        process = subprocess.Popen(
            apiserver.inside([*map(str, command)]),
            env={**env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  (no thread runs)
        )
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            raise Failed(f"{' '.join(map(str, command))}: {errors.read_text(errors='replace')}")
        yield Proxy(apiserver, process.pid, port, line.strip())
    finally:
        process.kill()
        process.communicate()


def let_in(proxy: Proxy, label: str) -> dict[str, Place]:
    """Enter the gateway as a browser does.

    Returns:
        the places "app", at its own host, and "api", which is what ``kubectl proxy`` serves.
    """
    api = _entered(proxy, proxy.first_line)
    opened = proxy.get(f"/.proxyurls/open/{label}", **api)
    link = opened.headers["Location"]
    if opened.status != 303 or not link:
        raise Failed(f"the gateway does not open {label}: {opened.status} {opened.reason}")
    return {"app": Place(proxy, "", _entered(proxy, link)), "api": Place(proxy, "", api)}


def _entered(proxy: Proxy, link: str) -> dict[str, str]:
    """Follow a link with a token: the headers for that host."""
    parts = urlsplit(link)
    answer = proxy.get(f"{parts.path}?{parts.query}", Host=parts.netloc)
    cookie = answer.headers["Set-Cookie"]
    if not cookie:
        raise Failed(f"the gateway lets nobody in: {answer.status} {answer.reason}")
    return {"Host": parts.netloc, "Cookie": cookie.partition(";")[0]}
