"""Thousands of generated segments and suffixes get the verdict from the server that our core gives.

``PROXYURLS_DIFFERENTIAL_SEED`` chooses others than the usual ones.
"""

from __future__ import annotations

import ast
import http.client
import os
import random
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote

from proxyurls.errors import InvalidInput, InvalidSegment, InvalidSuffix, InvalidURL
from proxyurls.segment import NameSegment
from proxyurls.target import service
from proxyurls.urls import parse_url

from .cluster import Response
from .test_builder import ATOMS, NASTY, SEED, surprise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .cluster import APIServer
    from .conftest import Site

CHOSEN = int(os.environ.get("PROXYURLS_DIFFERENTIAL_SEED", SEED))
SEGMENTS, SUFFIXES = 4000, 3000
LINES = 4  # connections side by side

# Names of services that are there, parts of segments that mean something, and some that don't.
NAMES = [*("web", "web", "multi", "multi", "secure", "idle", "bare", "http", "https"), "no", "WEB"]
PORTS = ["", "80", "443", "8080", "http", "admin", "tls", "080", "+80", "-1", "65616", "8", "web"]
SCHEMES = ["", "", "http", "https", "https", "HTTP", "Https", "ftp", "http ", "ws", "tcp"]
RUBBISH = [
    *(" ", ".", "..", "-", "_", "%", "%41", "\\", "?", "#", ";", "@", "&", "=", "+", "'", '"', "<"),
    *("é", "語", "😀", "²", "١", "\u212a", "\u202e", "\u00a0", "\u0130", "ﬁ", "\t", "\n", "\x7f"),
    *("\x00", "x" * 70, "9" * 30, "\udcff", "ht", "tp", "://", "[::1]", "svc", "proxy", "*", "||"),
]
"""A slash isn't among them: encoded or not, it ends the segment (test_segment.py)."""


def segments(seed: int, count: int) -> list[str]:
    """Valid ones, nearly valid ones and rubbish, each once; the same for the same seed."""
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        scheme, name, port = (chance.choice(pool) for pool in (SCHEMES, NAMES, PORTS))
        if chance.random() < 0.3:
            port = str(chance.randint(-2, 1 << chance.choice([8, 16, 33, 65])))
        shape = chance.randrange(8)
        parts = [[name], [name, port], [scheme, name, port]][min(shape, 2)]
        if shape == 7:
            parts = chance.choices([*SCHEMES, *NAMES, *PORTS, *RUBBISH], k=chance.randint(1, 4))
        text = ":".join(parts)
        for _ in range(chance.choice([0, 1, 1, 2]) if shape > 3 else 0):
            at = chance.randint(0, len(text))
            cut = chance.choice([0, 0, 1, 2])
            text = text[:at] + chance.choice([*RUBBISH, ":", ""]) + text[at + cut :]
        if "/" not in text and text not in (".", ".."):
            made[text] = None
    return list(made)


def spelt(text: str, chance: random.Random) -> str:
    """A segment as it stands in a URL; more of it percent-encoded than need be."""

    def encoded(char: str) -> str:
        digits = chance.choice(["02x", "02X"])
        return "".join(f"%{byte:{digits}}" for byte in char.encode(errors="surrogateescape"))

    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in ":-_.~") and chance.random() < 0.9
        else encoded(char)
        for char in text
    )


class Line:
    """A connection that is kept as long as the server keeps it."""

    def __init__(self, apiserver: APIServer) -> None:
        self._apiserver = apiserver
        self._connection = apiserver.connect()

    def get(self, target: str) -> Response:
        """GET, with the target to the byte."""
        self._apiserver.send(self._connection, "GET", target)
        answer = http.client.HTTPResponse(self._connection, method="GET")
        answer.begin()
        found = Response(answer.status, answer.reason, answer.headers, answer.read())
        if answer.will_close:
            self.close()
            self._connection = self._apiserver.connect()
        return found

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def answers(apiserver: APIServer, targets: Sequence[str]) -> list[Response]:
    """What the server answers to each of many requests."""

    def ask(some: Iterable[str]) -> list[Response]:
        with closing(Line(apiserver)) as line:
            return [line.get(target) for target in some]

    with ThreadPoolExecutor(LINES) as pool:
        parts = list(pool.map(ask, [targets[start::LINES] for start in range(LINES)]))
    return [parts[number % LINES][number // LINES] for number in range(len(targets))]


# The namespace "facts" (conftest.py): each service's ports, and who is behind them.
SERVICES: dict[str, dict[tuple[int, str], str]] = {
    "web": {(80, ""): "plain"},
    "secure": {(443, ""): "tls"},
    "multi": {(80, "http"): "plain", (8080, "admin"): "admin", (443, "tls"): "tls"},
    "idle": {(80, ""): ""},
    "bare": {(80, ""): ""},
}
_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")
_NUMBER = re.compile(r"[+-]?[0-9]+")


def foretold(text: str) -> tuple[object, ...]:
    """What comes of a segment, if our core reads it as the server does."""
    try:
        segment = NameSegment.parse(text)
    except InvalidSegment:
        return ("no segment",)
    name, port = segment.name, segment.port
    if "%" in name or name in (".", ".."):  # names that no object's key may have
        return ("no name", name)
    if name not in SERVICES:
        return ("no service", name)
    if _NUMBER.fullmatch(port) and abs(int(port)) < 1 << 63:  # Go's ParseInt
        names = dict(SERVICES[name].keys())
        if int(port) not in names:
            return ("no port", name, int(port))
        port = names[int(port)]
    if name == "bare":
        return ("no service", name)
    if name == "idle":
        return ("no endpoints", name)
    behind = {key: who for (_, key), who in SERVICES[name].items()}.get(port)
    if not behind:
        return ("no endpoints", text)
    if (behind == "tls") != (segment.scheme == "https"):
        return ("other scheme",)
    return ("heard", behind)


def seen(answer: Response, heard: str | None) -> tuple[object, ...]:
    """What came of a segment.

    Args:
        answer: the server's.
        heard: the upstream that got the request, if one did.
    """
    if answer.status == 200:
        return ("heard", heard)
    message = answer.message
    if answer.status == 400 and message.startswith(("invalid service request ", "name must be")):
        return ("no segment",)
    if answer.status == 500 and message.startswith("error trying to reach service: "):
        return ("other scheme",)
    quoted = re.search(r'".*"', message)
    # Go's escapes are Python's too, but for bytes that are no UTF-8.
    named = ast.literal_eval(_BYTE.sub("\ufffd", quoted[0])) if quoted else ""
    if answer.status == 400 and message.startswith("Name parameter invalid: "):
        return ("no name", named)
    if answer.status == 404 and message.endswith(" not found"):
        return ("no service", named)
    port = re.match(r"no service port (-?[0-9]+) found", message)
    if answer.status == 503 and port:
        return ("no port", named, int(port[1]))
    if answer.status == 503 and message.startswith("no endpoints available "):
        return ("no endpoints", named)
    return (answer.status, message)


def test_segments(site: Site) -> None:
    """Thousands of segments are refused by both or neither, and mean the same service and port."""
    chance = random.Random(CHOSEN)
    sent = [spelt(text, chance) for text in segments(CHOSEN, SEGMENTS)]
    paths = [f"{site.root(segment)}/segment/{number}" for number, segment in enumerate(sent)]
    got = answers(site.apiserver, paths)
    heard = {
        arrived.target: name
        for name in ("plain", "admin", "tls")
        for arrived in getattr(site, name).requests
    }
    differences, kinds = [], set()
    for number, (segment, answer) in enumerate(zip(sent, got, strict=True)):
        text = unquote(segment, errors="replace")
        came = seen(answer, heard.get(f"/segment/{number}"))
        kinds.add(came[0])
        if came != foretold(text):
            differences.append(f"{text!r}: foretold {foretold(text)}, it answered {came}")
    assert not differences, f"seed {CHOSEN}: {len(differences)}\n" + "\n".join(differences[:40])
    every = {"no segment", "no name", "no service", "no port", "no endpoints", "other scheme"}
    assert kinds == every | {"heard"}


def test_urls_of_segments() -> None:
    """parse_url takes from a URL what NameSegment.parse takes from the segment in it."""
    chance = random.Random(CHOSEN)
    taken = 0
    for text in segments(CHOSEN, SEGMENTS):
        path = f"/api/v1/namespaces/facts/services/{spelt(text, chance)}/proxy/"
        refused = foretold(text) == ("no segment",)
        try:
            found: NameSegment | None = parse_url(path).target.segment
        except (InvalidSegment, InvalidURL):  # without a segment it is no proxy URL
            found = None
        except InvalidInput:  # what parses need not be able to exist
            continue
        taken += 1
        assert (found is None) == refused, text
        assert found is None or found == NameSegment.parse(text)
    assert taken > SEGMENTS // 20


def suffixes(seed: int, count: int) -> list[tuple[str, str]]:
    """Suffixes that the core does not refuse, each once, and the path that it makes of each."""
    chance = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < count:
        atoms = chance.choices(ATOMS, k=chance.randint(1, 12))
        suffix = "".join(atoms if chance.random() < 0.9 else [chance.choice(NASTY), *atoms[:3]])
        with suppress(InvalidSuffix):
            made[suffix] = service("web", "facts").path(suffix)
    return list(made.items())


def test_suffixes(site: Site) -> None:
    """Thousands of suffixes arrive as foretold, altered where alterations are, and only there."""
    root = site.root("web")
    made = suffixes(CHOSEN, SUFFIXES)
    got = answers(site.apiserver, [path.partition("#")[0] for _, path in made])
    found = [
        surprise(suffix, path.removeprefix(root), answer)
        for (suffix, path), answer in zip(made, got, strict=True)
    ]
    surprises = [text for text in found if text]
    assert not surprises, f"seed {CHOSEN}: {len(surprises)}\n" + "\n".join(surprises[:40])
