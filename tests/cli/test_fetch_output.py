"""``fetch``: what is printed of the answer, and how a run ends."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cli.test_fetch import Shop, answering, fetcher, open_shop, start, wait_until

if TYPE_CHECKING:
    from contract.cluster import APIServer
    from contract.fixtures import Serve

    from cli.test_fetch import Fetch


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    return open_shop(apiserver, serve, "till")


@pytest.fixture
def fetch(shop: Shop, capsysbinary: pytest.CaptureFixture[bytes]) -> Fetch:
    return fetcher(shop, capsysbinary)


def test_raw(fetch: Fetch) -> None:
    """--raw asks the API itself; -q goes behind what query there is."""
    assert b'"kind":"APIVersions"' in fetch("--raw", "/api/").out
    path = "/api/v1/namespaces/till/services"
    for query in (
        ["--raw", f"{path}?fieldSelector=metadata.name%3Dweb"],
        ["--raw", path, "-q", "fieldSelector=metadata.name=web"],
        ["--raw", f"{path}?limit=5", "-q", "fieldSelector=metadata.name=web"],
    ):
        out = fetch(*query).out
        assert b'"name":"web"' in out
        assert b'"name":"multi"' not in out
    proxied = fetch("--raw", f"{path}/web:80/proxy/a%2Fb?c", "-q", "d=e")
    assert proxied.echo.target == "/a/b?c&d=e"


def test_raw_writes(fetch: Fetch) -> None:
    """--raw takes a method, headers and a body too."""
    body = '{"metadata": {"name": "raw"}, "data": {"a": "b"}}'
    path, kind = "/api/v1/namespaces/till/configmaps", "Content-Type: application/json"
    assert fetch("--raw", path, "-d", body, "-H", kind).code == 0
    assert b'"data":{"a":"b"}' in fetch("--raw", f"{path}/raw").out
    assert fetch("--raw", f"{path}/raw", "-X", "DELETE").code == 0
    assert fetch("--raw", f"{path}/raw").code == 1


@pytest.mark.parametrize("body", [b"", b"\x00\xff\r\n\x80 \xc3", bytes(range(256)) * 40])
def test_body_to_the_byte(fetch: Fetch, body: bytes) -> None:
    printed = fetch("web.till", *answering(body, headers=[("Content-Type", "image/png")]))
    assert (printed.code, printed.out, printed.err) == (0, body, "")


def test_compressed_if_asked_for(fetch: Fetch) -> None:
    """What an app compresses, since -H asked for it, is printed as it came."""
    body = gzip.compress(b"text")
    kinds = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    asked = ["-H", "Accept-Encoding: gzip"]
    assert fetch("web.till", *answering(body, headers=list(kinds.items())), *asked).out == body
    assert fetch("--raw", "/api/v1/namespaces/till/services", *asked).out[:2] in (
        b"\x1f\x8b",
        b'{"',
    )


def test_include(fetch: Fetch) -> None:
    """-i prints the status and the headers, an empty line, and the body."""
    pairs = [("X-B", "1"), ("X-B", "2"), ("Content-Type", "text/plain")]
    head, empty, body = fetch("web.till", "-i", *answering(b"x\r\n", headers=pairs)).out.partition(
        b"\n\n"
    )
    lines = head.decode().split("\n")
    assert (empty, body) == (b"\n\n", b"x\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert [line for line in lines if line.startswith("X-B")] == ["X-B: 1", "X-B: 2"]
    assert "Content-Length: 3" in lines


@pytest.mark.parametrize("status", [204, 205])
def test_no_content(fetch: Fetch, status: int) -> None:
    printed = fetch("web.till", "-i", *answering(status=status))
    assert printed.code == 0
    assert printed.out.startswith(f"HTTP/1.1 {status} ".encode())
    assert printed.out.endswith(b"\n\n")


def test_head(fetch: Fetch) -> None:
    """HEAD prints no body, whatever length it announces, and doesn't wait for one."""
    printed = fetch("web.till", "-X", "HEAD", "-i", *answering(b"not sent"))
    assert printed.code == 0
    assert b"\nContent-Length: 8\n" in printed.out
    assert printed.out.endswith(b"\n\n")
    assert (fetch("web.till", "-X", "HEAD").out, printed.err) == (b"", "")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(fetch: Fetch, shop: Shop, status: int) -> None:
    """A redirect is an answer like any other, with its Location as the apiserver rewrote it."""
    before = len(shop.plain.requests)
    printed = fetch("web.till", f"/-/redirect/{status}?/x", "-i")
    assert printed.code == 0
    location = b"Location: /api/v1/namespaces/till/services/web:80/proxy/x\n"
    assert location in printed.out
    assert len(shop.plain.requests) == before + 1
    assert printed.err.startswith(f"note: {status} ")
    assert printed.err.endswith(
        ": it redirects to /api/v1/namespaces/till/services/web:80/proxy/x\n"
    )


def test_streams_as_it_comes(shop: Shop) -> None:
    """Each piece is printed when it comes, not when there is enough of it."""
    started = time.monotonic()
    with start(shop, "web.till", "/-/sse/100") as process:  # twenty seconds
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.kill()
    assert lines == [b"data: 0\n", b"\n", b"data: 1\n"]
    assert time.monotonic() - started < 10


def test_reader_goes_away(shop: Shop) -> None:
    """``| head -c 10``: silence, and the exit code that SIGPIPE would give."""
    process = start(shop, "web.till", "/-/big/50000000")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(10) == bytes(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


@pytest.mark.parametrize("suffix", ["/-/slow/30", "/-/sse/100"])
def test_interrupt(shop: Shop, suffix: str) -> None:
    """Ctrl-C while it waits or reads: 130, and no traceback."""
    seen = len(shop.plain.requests)
    process = start(shop, "web.till", suffix)
    wait_until(lambda: len(shop.plain.requests) > seen or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (130, b"")


def test_interrupt_upload(shop: Shop) -> None:
    """Ctrl-C while it waits for the rest of the body."""
    process = start(shop, "web.till:80", "-v6", "-d", "@-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(bytes(1_000_000))  # more than a pipe holds: some of it was sent
    process.stdin.flush()
    time.sleep(0.3)  # now it waits for more
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert b"Traceback" not in process.communicate()[1]


@pytest.mark.parametrize("closed", [0, 1])
def test_closed_streams(shop: Shop, closed: int) -> None:
    """Started with ``<&-`` or ``>&-``: one line, which is no internal error."""
    process = start(shop, "web.till", "-d", "@-", preexec_fn=lambda: os.close(closed))
    _, err = process.communicate(timeout=30)
    assert process.returncode in (1, 2)
    assert err.startswith(b"error: ")
    assert err.count(b"\n") == 1
    assert b"internal" not in err
