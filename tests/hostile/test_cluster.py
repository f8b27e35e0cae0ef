"""Every command and format, asked of a cluster that says anything anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cli.conftest import ROOT
from discovery.commands import PROXYURLS, kubeconfig, on_terminal
from discovery.commands import environment as environment_of
from discovery.servers import Answer, Blurter

from .cluster import NAMED, SHOWN, put, service, status
from .payloads import CHOSEN, IDS, PAYLOADS, check_messages, harmless

if TYPE_CHECKING:
    from cli.conftest import Run

    from .cluster import Cluster, Place
    from .payloads import Payload

LISTS = [("services", "-o", form) for form in ("table", "wide", "json", "yaml", "name", "url")]
COMMANDS = [
    *LISTS,
    ("services", "-A", "-o", "wide"),
    ("services", "--cluster-services"),
    ("services", "-o", "table", "-v", "6"),
    ("cluster-info",),
    ("url", "web", "--resolve", "-v", "6"),
    ("url", "web", "--resolve", "--curl"),
    ("url", "web:http", "--resolve"),
    ("url", "zzz", "--resolve"),
    ("fetch", "web", "-v", "6", "-i"),
    ("fetch", "we", "-v", "6"),
    ("fetch", "--raw", "/api/v1/namespaces/shop/services/web", "-v", "6"),
]
# Where each payload comes by itself.
FEW = [LISTS[0], LISTS[4], *COMMANDS[9:11], *COMMANDS[13:15], COMMANDS[16]]
# At a place where nothing can listen: it would serve for ever where it may not look the service up.
FEW += [("open", "web", "--no-browser", "--address", "192.0.2.1", "--allow-remote")]


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("place", SHOWN)
def test_what_is_shown(cluster: Cluster, run: Run, argv: tuple[str, ...], place: str) -> None:
    """All payloads at once, each in a service of its own: nothing raw, no line of its own."""
    texts = [one.text for one in PAYLOADS if len(one.text) < 1000]
    cluster.services = [
        put(service("web" if n == 0 else f"web-{n}"), SHOWN[place], text)
        for n, text in enumerate(texts)
    ]
    got = run(*argv)
    check_messages(got.err)
    if argv[:2] == ("fetch", "--raw"):  # the body is the apiserver's own JSON, printed as it is
        return
    assert harmless(got.out), got.out
    if argv in LISTS[2:4]:
        read = json.loads if "json" in argv else yaml.safe_load
        shown = read(got.out)
        assert [one["name"] for one in shown] == [
            one["metadata"]["name"] for one in cluster.services
        ]
        if place == "label" and "json" in argv:  # escaped, and not lost
            assert [one["display_name"] for one in shown] == texts
    elif argv[0] in ("services", "cluster-info") and "url" not in argv:
        extra = 3 if argv[0] == "cluster-info" else 0 if "name" in argv else 1
        assert got.out.count("\n") == len(texts) + extra


@pytest.mark.parametrize("payload", CHOSEN, ids=IDS)
@pytest.mark.parametrize("place", NAMED)
def test_what_is_no_name(cluster: Cluster, run: Run, place: str, payload: Payload) -> None:
    """It is refused, and is in no command that is suggested."""
    cluster.services = [put(service(), NAMED[place], payload.text)]
    for argv in FEW:
        got = run(*argv)
        check_messages(got.err)
        if argv[:2] == ("fetch", "--raw"):
            continue
        assert harmless(got.out), got.out
        if place == "port name" and argv[:3] == ("services", "-o", "name"):
            continue
        assert got.code == 1, (argv, got)
        assert "which no apiserver does" in got.err
        assert "touch owned" not in got.err.partition("which no apiserver does")[2]
        assert got.out in (
            "",
            "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n",
        )


WRONG: list[object] = [None, 7, -1, 1.5, True, "x", [], [None], [[]], {}, {"x": None}]
PLACES: list[Place] = [
    (),
    ("metadata",),
    *SHOWN.values(),
    *NAMED.values(),
    ("metadata", "labels"),
    ("spec",),
    ("spec", "ports"),
    ("spec", "ports", 0),
    ("spec", "ports", 0, "port"),
    ("spec", "ports", 0, "nodePort"),
    ("status",),
    ("status", "loadBalancer"),
    ("status", "loadBalancer", "ingress"),
    ("status", "loadBalancer", "ingress", 0),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "all")
def test_wrong_types(cluster: Cluster, run: Run, place: Place) -> None:
    """A value of any type in any place: it works or is refused in one line, and is no bug."""
    for value in WRONG:
        cluster.services = [put(service(), place, value) if place else value]
        for argv in (
            *LISTS,
            ("cluster-info",),
            ("url", "web", "--resolve"),
            ("url", "we", "--resolve"),
        ):
            got = run(*argv)
            check_messages(got.err)
            assert harmless(got.out), got.out
            assert got.code in (0, 1), (argv, value, got)


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "List"},
        {"kind": "List", "items": 7},
        {"kind": "List", "items": {"a": 1}},
        {"kind": "List", "items": "abc"},
        {"kind": "List", "items": [], "metadata": []},
        {"kind": "List", "items": [], "metadata": {"continue": ["x"]}},
        {"kind": ["List"], "items": []},
        {"kind": 7},
        {"kind": "List", "items": [[[]]]},
        ["List"],
        "List",
        7,
    ],
    ids=json.dumps,
)
def test_wrong_lists(cluster: Cluster, run: Run, answer: object) -> None:
    """The same of whole answers."""
    cluster.always = Answer(json.dumps(answer).encode())
    for argv in COMMANDS:
        got = run(*argv)
        check_messages(got.err)
        assert got.code in (0, 1), got


@pytest.mark.parametrize("payload", CHOSEN, ids=IDS)
def test_refusals(cluster: Cluster, run: Run, payload: Payload) -> None:
    """A Status message, and what redirects: one line, and nobody else is asked."""
    for answer in (
        status(403, payload.text),
        status(404, payload.text, reason=payload.text),
        status(410, payload.text),
        status(500, f"error trying to reach service: {payload.text}"),
        Answer(payload.text.encode(errors="surrogatepass"), 502, {"Content-Type": "text/plain"}),
    ):
        cluster.always = answer
        for argv in FEW:
            before = len(cluster.asked)
            got = run(*argv)
            check_messages(got.err)
            assert len(cluster.asked) < before + 20
            if argv[0] != "fetch":  # the body is printed as it came
                assert harmless(got.out), got.out


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_elsewhere(cluster: Cluster, run: Run, code: int) -> None:
    """They are told, or refused, but not followed: the credentials stay here."""
    with Blurter(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as other:
        where = f"http://127.0.0.1:{other.port}/\x9b31m"
        cluster.always = Answer(b"", code, {"Location": where})
        for argv in COMMANDS:
            before = len(cluster.asked)
            got = run(*argv)
            check_messages(got.err)
            assert harmless(got.out)
            assert len(cluster.asked) < before + 4
            if argv[0] != "fetch":
                assert got.code == 1


def test_a_list_without_end(cluster: Cluster, run: Run) -> None:
    """A continue token that leads to itself ends the list, after a second page at most."""
    cluster.metadata = {"resourceVersion": "1", "continue": "/../x?a&b#c"}
    got = run("services")
    check_messages(got.err)
    assert got.code == 1
    assert "goes on where it was, without end" in got.err
    assert len(cluster.asked) == 2
    assert cluster.asked[1].target.endswith("&continue=%2F..%2Fx%3Fa%26b%23c")


def test_expiring_for_ever(cluster: Cluster, run: Run) -> None:
    """A list that is always too old to go on is given up."""
    cluster.always = status(410, "expired")
    assert run("services").code == 1
    assert len(cluster.asked) < 20


def test_a_port_that_no_url_can_name(cluster: Cluster, run: Run) -> None:
    """A real apiserver keeps port names of 63 characters; one such does not end the list."""
    ports = [
        {"name": "udp", "port": 53, "protocol": "UDP"},
        {"name": "a-name-that-is-longer-than-rfc-6335-allows", "port": 53, "protocol": "TCP"},
    ]
    cluster.services = [put(service("dns"), ("spec", "ports"), ports), service()]
    got = run("services", "-o", "json")
    assert (got.code, got.err) == (0, "")
    dns, web = json.loads(got.out)
    assert (dns["url"], web["name"]) == (None, "web")
    assert dns["ports"][1]["why"] == (
        "another port has the number 53, and a URL has no place for its name"
    )


HEADS = [
    b"HTTP/1.1 200 \x1b]52;c;eA==\x07\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 \x9b31mOK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 500 \xe2\x80\xaeKO\tx\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 999 x\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX-\x1b[31m: a\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: \x1b[31ma\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: \x9b31m \xc2\x9b31m \xe2\x80\xae\xff\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: a\rSet: b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 302 Found\r\nLocation: \xe2\x80\xae\x9b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\x1b\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[31m\r\nok",
    b"HTTP/1.1 429 x\r\nRetry-After: \xc2\xb2\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 x\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n",
    b"\x1b[31m\r\n\r\n",
    b"HTTP/1.1 \x1b\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x1b[31m",
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: repr(head)[:50])
def test_heads(head: bytes, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reason phrases and headers, to every command, with -i and -v 6 too."""
    with Blurter(head) as server:
        url = f"http://127.0.0.1:{server.port}"
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", url, namespace="shop")))
        for argv in (
            *COMMANDS,
            ("fetch", "--raw", "/x", "-i", "-v", "6", "--save", str(tmp_path / "f")),
        ):
            got = run(*argv, "--request-timeout", "5")
            check_messages(got.err)
            assert harmless(got.out), got.out


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_ten_megabytes_of_annotation(cluster: Cluster, tmp_path: Path) -> None:
    """Read, and thrown away: no more memory than the answer takes a few times over, no minute."""
    cluster.services = [
        put(service(), ("metadata", "annotations", "x"), "\x1b[31mHIDDEN" + "a" * 10_000_000)
    ]
    # Not getrusage's ru_maxrss, which begins with that of whoever started the process.
    code = (
        "import os, sys; from proxyurls.cli import main; code = main(sys.argv[1:]);"
        "(peak,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(peak.split()[1], os.times().user, file=sys.stderr); sys.exit(code)"
    )
    env = environment_of(tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig"), PYTHONPATH=str(ROOT))
    for argv in (*LISTS, ("cluster-info",), ("url", "web", "--resolve")):
        done = subprocess.run(
            [sys.executable, "-c", code, *argv],
            env=env,
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert b"HIDDEN" not in done.stdout + done.stderr
        assert len(done.stdout) < 5_000
        kib, seconds = map(float, done.stderr.split()[-2:])
        assert kib < 200_000, (argv, kib)
        assert seconds < 5, (argv, seconds)


@pytest.mark.parametrize("columns", [40, 400])
def test_on_a_terminal(cluster: Cluster, tmp_path: Path, columns: int) -> None:
    """The layout and the summary that only terminals get; no control but those for layout."""
    texts = [one.text for one in PAYLOADS if len(one.text) < 1000]
    made: list[Any] = []
    for place in SHOWN.values():
        made += [put(service(f"s{len(made) + n}"), place, text) for n, text in enumerate(texts)]
    cluster.services = made
    env = environment_of(tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig"), NO_COLOR="1")
    for argv in (
        ("services",),
        ("services", "-o", "wide"),
        ("services", "-o", "url"),
        ("cluster-info",),
    ):
        seen = on_terminal(*PROXYURLS, *argv, env=env, columns=columns)
        assert seen.code == 0, seen.text
        assert harmless(seen.text), [c for c in seen.text if not harmless(c)]
