"""The real apiserver and the fake one get the same thousand requests, and do the same with them.

``PROXYURLS_DIFFERENTIAL_SEED`` chooses other requests than the usual ones.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import zlib
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from .cluster import ContainerPort, Port
from .fixtures import KINDS, started
from .generated import NAMESPACE, Sent, requests
from .test_builder import SEED
from .upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import APIServer

COUNT = 1000


@dataclass
class Side:
    """A server with two upstreams."""

    apiserver: APIServer
    plain: Upstream
    tls: Upstream

    def __post_init__(self) -> None:
        """Put the upstreams behind every kind of target."""
        add = self.apiserver.add_service
        self.apiserver.add_namespace(NAMESPACE)
        add("web", NAMESPACE, upstream=self.plain.address)
        add("secure", NAMESPACE, ports=[Port(443)], upstream=self.tls.address)
        ports = [Port(80, "a"), Port(81, "b"), Port(82, "tls", upstream=self.tls.address)]
        add("multi", NAMESPACE, ports=ports, upstream=self.plain.address)
        add("idle", NAMESPACE)
        add("bare", NAMESPACE, endpoints=False)
        ip, port = self.plain.address
        declared = [[ContainerPort(port), ContainerPort(self.tls.address[1])]]
        self.apiserver.add_pod("p", NAMESPACE, ip=ip, ports=declared)
        self.apiserver.add_pod("mute", NAMESPACE, ip=ip)
        self.apiserver.add_pod("homeless", NAMESPACE, ip=None)
        self.apiserver.add_node("n", ip=ip, kubelet_port=self.tls.address[1])
        self.places = {
            "upstream": "http://{}:{}".format(*self.plain.address),
            "plain": str(port),
            "tls": str(self.tls.address[1]),
        }

    def neutral(self, text: str) -> str:
        """A text without the addresses that are this side's own."""
        address = urlsplit(self.apiserver.server).netloc
        for own, name in [(address, "SERVER"), (self.plain.address[0], "UPSTREAM")]:
            text = text.replace(own, name)
        for name in ("plain", "tls"):
            text = text.replace(self.places[name], name.upper())
        return text

    def exchange(self, sent: Sent) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request and read the answer to its end."""
        own = {"Host": urlsplit(self.apiserver.server).netloc, "Connection": "close"}
        own["Authorization"] = f"Bearer {self.apiserver.admin_token}"
        if sent.chunked:
            own["Transfer-Encoding"] = "chunked"
        elif sent.body is not None:
            own["Content-Length"] = str(len(sent.body))
        named = {name for name, _ in sent.headers}
        pairs = [pair for pair in own.items() if pair[0] not in named] + sent.headers
        head = "".join(f"{name}: {self.placed(value)}\r\n" for name, value in pairs)
        line = f"{sent.method} {sent.target(self.places)} HTTP/1.1\r\n"
        with self.apiserver.connect() as connection:
            connection.sendall(f"{line}{head}\r\n".encode() + sent.raw_body())
            answer = http.client.HTTPResponse(connection, method=sent.method)
            answer.begin()
            return answer, answer.read()

    def placed(self, value: str) -> str:
        """A header's value with this side's addresses in it."""
        return value.replace("{upstream}", self.places["upstream"])


@pytest.fixture(scope="module")
def sides() -> Iterator[list[Side]]:
    """A server of each kind, with the same things behind."""
    with ExitStack() as stack:
        made = []
        for kind in KINDS:
            server = stack.enter_context(started(kind))
            plain = stack.enter_context(Upstream(server.listen()))
            made.append(
                Side(server, plain, stack.enter_context(Upstream(server.listen(), tls=True)))
            )
        yield made


# What is not compared, and why: Date is a clock. How an answer is framed, and whether a connection
# goes on, is each server's own choice (Go counts a short body, aiohttp sends it in chunks).
FRAMING = {"date", "connection", "transfer-encoding", "content-length"}
# What an upstream's hanging up is called depends on who was quicker, on the real server too.
BROKEN = re.compile(
    r"(?<=error trying to reach service: )"
    r"(EOF|.*(connection reset by peer|broken pipe|use of closed network connection))$"
)


def outcome(side: Side, sent: Sent) -> dict[str, object]:
    """All that came of a request, at both ends."""
    before = [len(side.plain.requests), len(side.tls.requests)]
    found: dict[str, object] = {}
    try:
        answer, body = side.exchange(sent)
    except (http.client.HTTPException, OSError) as error:
        found["error"] = type(error).__name__
    else:
        found["status"] = answer.status
        pairs = [(name, side.neutral(value)) for name, value in answer.getheaders()]
        found["answered"] = sorted(pair for pair in pairs if pair[0].lower() not in FRAMING)
        found["body"] = readable(side, unpacked(answer.headers["Content-Encoding"], body))
    for upstream, count in zip((side.plain, side.tls), before, strict=True):
        for seen in upstream.requests[count:]:
            headers = sorted((name, side.neutral(printable(value))) for name, value in seen.headers)
            found["arrived"] = (seen.method, side.neutral(seen.target), seen.body, headers)
    return found


def printable(value: str) -> str:
    """A header's value without bytes that are no UTF-8: aiohttp can't send those."""
    return value.encode("latin-1").decode("utf-8", "ignore")


def unpacked(encoding: str | None, body: bytes) -> bytes:
    """A body as it was before it was compressed: how well, is each compressor's own business."""
    with suppress(OSError, zlib.error):  # what is no such thing is compared as it is
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "deflate":
            return zlib.decompress(body, -15)
    return body


def readable(side: Side, body: bytes) -> object:
    """A body to compare; the echo of a request, which is compared by itself, is left out."""
    try:
        content = json.loads(body)
    except ValueError:
        return side.neutral(body.decode("latin-1"))
    if isinstance(content, dict) and "target" in content:
        return "echo"
    if isinstance(content, dict) and "message" in content:
        content["message"] = BROKEN.sub("it broke", content["message"])
    return json.loads(side.neutral(json.dumps(content)))


def test_differential(sides: list[Side]) -> None:
    """Status, body, headers, and what arrived: no difference in a thousand requests."""
    seed = int(os.environ.get("PROXYURLS_DIFFERENTIAL_SEED", SEED))
    differences = []
    for sent in requests(seed, COUNT):
        real, fake = (outcome(side, sent) for side in sides)
        if real != fake:
            parts = {key for key in real | fake if real.get(key) != fake.get(key)}
            shown = "".join(
                f"\n    {key}\n      {real.get(key)}\n      {fake.get(key)}"
                for key in sorted(parts)
            )
            differences.append(f"{sent}{shown}")
    assert not differences, f"seed {seed}: {len(differences)} of {COUNT}\n" + "\n".join(
        differences[:40]
    )
