"""The core and the server agree: on what arrives, and on what is a name segment."""

from __future__ import annotations

import contextlib
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_to_bytes

import pytest

from proxyurls.errors import InvalidSegment, InvalidSuffix
from proxyurls.segment import NameSegment
from proxyurls.suffix import alterations, received
from proxyurls.target import service

from .test_upgrade import Talk
from .upstream import arrived

if TYPE_CHECKING:
    from .cluster import Response
    from .conftest import Site

SEED = 20261124

NASTY = [
    *("", "/", "?", "#", "x", "x/", "/x", "//", "//x", "///", "x//y", "x//", "/-", ".", "..", "./"),
    *("../", "x/.", "x/..", "x/./y", "x/../y", "x/y/../..", "x/...", ".x", "x.", "x..", "..x/"),
    *("...", "x/.hidden", "%2e", "%2E%2e", "x/%2e", "x/%2e%2e", "x/%2e%2e/y", "x/.%2e/y", "x%2e"),
    *("x/%2e./", "%2ex", "x/%252e%252e/y", "%252e", "x/%25", "%2F", "%2f", "x%2Fy", "x%2F", "%2Fx"),
    *("x%2F%2Fy", "x%2F/y", "x/%2Fy", "x%2F..%2Fy", "x%2F.%2Fy", "x/y%2F..", "%252F", "x%252Fy"),
    *("%25%32%46", "x%5Cy", "x\\y", "x%5C..%5Cy", "%5C", "x;y", "x;a=1/y", ";", ".;/x", "x/..;/y"),
    *("+", "x+y", "x%2By", "'", "(x)", "*", "!", "x'y()*!z", "~", "%7E", "$&,=@:", "a:b", ":80"),
    *("[x]", "%5Bx%5D", "|", "^", "`", "{x}", '"', "<x>", "x y", "x%20y", " ", "%20", "x/ /y"),
    *("é", "%C3%A9", "日本/語", "😀", "%80", "%FF%FE", "x%80y", "%C3", "%C3/%A9", "%e2%82%ac"),
    *("%", "%z", "%zz", "%4", "x%", "x%/y", "%%", "%25zz", "%2", "%u0041", "a%20%zz"),
    *("\t", "%09", "x%09y", "\n", "%0A", "%0D%0A", "x\x01y", "%1F", "%7F", "\x7f", "%00", "x\0y"),
    *("\u0085", "%C2%85", "\u2028", "\ufeff", "\u200b", "%C2%A0", "\u202ex", "x\u0301", "ﬁ"),
    *(
        "x?",
        "x??",
        "x?a",
        "x?a=",
        "x?=a",
        "x?&",
        "x?&=&",
        "?a=b",
        "/?a=b",
        "x?a=1&b=2&a=0",
        "x?a;b",
    ),
    *("x?a=1;b=2", "x?a+b", "x?a%20b", "x?a b", "x?a%2Fb", "x?a/b//c/../d", "x?%2e%2e/", "x?a?b"),
    *(
        "x?%zz",
        "x?%",
        "x?%4",
        "x?a=%80",
        "x?a=é",
        "x?a=%C3%A9",
        "x?a[]=1",
        "x?a[b]=%5B",
        "x?a|b^c`",
    ),
    *("x?{a}", 'x?"a"', "x?<a>", "x?\\", "x?'()*!~", "x?a=b=c", "x?a:b@c,d$e", "x?http://h/y?z"),
    *("x?%00", "x?%0A", "x?\n", "x?\t", "x?\x7f", "x?%7F", "x?a%23b", "x?a#b", "x#f", "#f", "x#"),
    *("x?#", "x?#f", "x#f?q", "x#//", "x#%zz", "x%23y", "x%3Fy", "x%3F", "x?q#f#g", "/#/route/1"),
    *(
        "http://h/x",
        "//h/x",
        "https:x",
        "x:y/z",
        "@h/",
        "user@h",
        "x/http://h",
        "C:\\x",
        "file:///x",
    ),
    *("-/x", "api/v1", "proxy", "proxy/", "../proxy/x", "x/../../y", "%2e%2e/%2e%2e/secrets"),
    *("x" * 2000, "x/" * 300, "x?" + "a=b&" * 500, "%41" * 300, "é" * 200, "x." * 100),
]

ATOMS = [
    *"abXYZ019-._~!$&'()*+,;=:@/?#[]|^`{}\\\"<> %",
    *("/", "/", "/", "//", "/./", "/../", "..", ".", "%2F", "%2f", "%2e", "%2E%2E", "%252F", "%25"),
    *(
        "%00",
        "%09",
        "%0A",
        "%20",
        "%23",
        "%3F",
        "%5C",
        "%7F",
        "%80",
        "%C3%A9",
        "%zz",
        "%4",
        "é",
        "語",
    ),
    *(
        "?",
        "?a=b",
        "&",
        "&c=d",
        "=",
        "a+b",
        ";",
        "#f",
        "abc",
        "index.html",
        "api",
        "\t",
        "\x01",
        "\0",
    ),
]


def suffixes() -> list[str]:
    """The nasty ones, and some hundreds at random."""
    chance = random.Random(SEED)
    made = ["".join(chance.choices(ATOMS, k=chance.randint(1, 9))) for _ in range(600)]
    return list(dict.fromkeys(NASTY + made))


def meaning(target: str) -> tuple[list[bytes], str | None]:
    """A request target but for its spelling: decoded segments, and the query to the letter."""
    path, mark, query = target.partition("?")
    return [unquote_to_bytes(part) for part in path.split("/")], query if mark else None


def sendable() -> list[tuple[str, str]]:
    """Every suffix that the core does not refuse, with the path it builds."""
    built = []
    for suffix in suffixes():
        with contextlib.suppress(InvalidSuffix):
            built.append((suffix, service("web", "facts").path(suffix)))
    return built


def surprise(suffix: str, path: str, answer: Response) -> str | None:
    """What is otherwise than the core foretold of a suffix; None where nothing is.

    Args:
        suffix: it.
        path: what the core made of it.
        answer: an echoing upstream's answer to that path without its fragment.
    """
    sent, mark, _ = path.partition("#")
    foretold = [alteration.kind for alteration in alterations(suffix)]
    if answer.status != 200:
        return f"{suffix!r}: {answer.status} {answer.message}, foretold {foretold}"
    target = arrived(answer.body).target
    same = meaning(target) == meaning(sent) and not mark
    if same != (foretold == []):
        return f"{suffix!r}: sent {sent!r}, arrived {target!r}, foretold {foretold}"
    if meaning(target) != meaning(received(suffix)):
        return f"{suffix!r}: arrived {target!r}, foretold {received(suffix)!r}"
    return None


def test_suffixes(site: Site) -> None:
    """Of some hundred suffixes those arrive unchanged, and only those, that have no alterations."""
    root = site.root("web")
    built = sendable()
    assert len(built) > 400, "too many are refused to prove anything"

    def ask(pair: tuple[str, str]) -> str | None:
        suffix, path = pair
        assert path.startswith(root + "/")
        sent = path.removeprefix(root)
        return surprise(suffix, sent, site.apiserver.get(root + sent.partition("#")[0]))

    with ThreadPoolExecutor(8) as pool:
        surprises = [text for text in pool.map(ask, built) if text]
    assert not surprises, "\n".join(surprises)


def test_suffixes_of_websockets(site: Site) -> None:
    """The same holds for WebSockets, which lose their query."""
    surprises = []
    for suffix, path in sendable()[: len(NASTY)]:
        sent = path.removeprefix(site.root("web")).partition("#")[0]
        with Talk(site, sent) as talk:
            if talk.status != 101:
                surprises.append(f"{suffix!r}: {talk.status}")
                continue
        target = site.plain.last.target
        foretold = [alteration.kind for alteration in alterations(suffix, websocket=True)]
        same = meaning(target) == meaning(sent) and "#" not in path
        if same != (foretold == []):
            surprises.append(f"{suffix!r}: sent {sent!r}, arrived {target!r}, foretold {foretold}")
        elif meaning(target) != meaning(received(suffix, websocket=True)):
            surprises.append(f"{suffix!r}: arrived {target!r}")
    assert not surprises, "\n".join(surprises)


def test_refused_suffixes(site: Site) -> None:
    """What the core refuses is what leaves its target, or what the server can't pass on."""
    built = dict(sendable())
    refused = [suffix for suffix in suffixes() if suffix not in built]
    assert refused
    for suffix in refused:
        assert ".." in unquoted(suffix) or unprintable(suffix), suffix


def unquoted(text: str) -> str:
    """A text after all the decoding that anybody may do."""
    while (decoded := unquote(text, "latin-1")) != text:
        text = decoded
    return "".join(char for char in text if char > " " and char != "\x7f")


def unprintable(text: str) -> bool:
    """Whether a control character is in the path."""
    path = text.partition("?")[0].partition("#")[0]
    return any(byte < 0x20 or byte == 0x7F for byte in unquote_to_bytes(path))


def segments() -> list[str]:
    """Several hundred texts that look like name segments, and some that don't."""
    chance = random.Random(SEED)
    parts = [*("", "", "http", "https", "HTTP", "Https", "ftp", "tcp", " http", "https ", "ws")]
    parts += [*("web", "multi", "nothing", "My_Service", "-", "a.b", " ", "é", "語", "%", "x" * 70)]
    parts += [*("80", "443", "0", "-1", "99999", "+80", "08", "http-alt", "admin", "port name")]
    parts += [*("\\", "?", "#", ";", "@", "&", "=", "+", "'", '"', "<", "[", "{", "|", "\t", "~")]
    made = [part for part in parts if part]
    for count in (2, 2, 3, 3, 3, 3, 4, 5):
        made += [":".join(chance.choices(parts, k=count)) for _ in range(90)]
    return list(dict.fromkeys(made))


def test_segments(site: Site) -> None:
    """Several hundred texts get the same verdict from the core and from the server."""
    texts = segments()
    assert len(texts) > 500

    def surprise(text: str) -> str | None:
        answer = site.get(segment=quote(text, safe=""))
        if answer.status == 400 and answer.status_object is None:
            return f"{text!r}: never got as far as that: {answer.message}"
        refusal = f"invalid service request {json.dumps(text, ensure_ascii=False)}"
        refused = answer.status == 400 and answer.message == refusal
        if answer.status == 400 and not refused:
            refused = answer.message.startswith("invalid service request ")
        try:
            NameSegment.parse(text)
        except InvalidSegment:
            return None if refused else f"{text!r}: refused by us, not by it: {answer.message}"
        return f"{text!r}: refused by it, not by us" if refused else None

    with ThreadPoolExecutor(8) as pool:
        surprises = [found for found in pool.map(surprise, texts) if found]
    assert not surprises, "\n".join(surprises)


@pytest.mark.parametrize(
    "text", ["web", "web:", ":web:", ":web:80", "web:80", "http:web:", "https:secure:443"]
)
def test_canonical_segments(site: Site, text: str) -> None:
    """The canonical text of a segment leads where the text itself leads."""
    upstream = site.tls if "secure" in text else site.plain
    for segment in (text, str(NameSegment.parse(text))):
        assert site.hears(upstream, segment)


def test_built_paths_reach_their_targets(site: Site) -> None:
    """What the builder makes for a service, by number, by name and with https, gets there."""
    for target, upstream in [
        (service("web", "facts"), site.plain),
        (service("web", "facts", port=80), site.plain),
        (service("multi", "facts", port="admin"), site.admin),
        (service("multi", "facts", port=8080, scheme="http"), site.admin),
        (service("multi", "facts", port="tls", scheme="https"), site.tls),
        (service("secure", "facts", scheme="https"), site.tls),
    ]:
        assert site.apiserver.get(target.path("there?q")).status == 200
        assert upstream.last.target == "/there?q"
