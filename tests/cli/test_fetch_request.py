"""``fetch``: what is sent, and which wrong usage is refused before anything is."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from contract.upstream import arrived

from cli.test_fetch import Shop, fetcher, open_shop, start

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.fixtures import Serve

    from cli.test_fetch import Fetch


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    return open_shop(apiserver, serve, "mill")


@pytest.fixture
def fetch(shop: Shop, capsysbinary: pytest.CaptureFixture[bytes]) -> Fetch:
    return fetcher(shop, capsysbinary)


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ([], "GET"),
        (["-d", "x"], "POST"),
        (["-X", "PUT", "-d", "x"], "PUT"),
        (["-X", "delete"], "DELETE"),
        (["--request=PATCH"], "PATCH"),
        (["-XOPTIONS"], "OPTIONS"),
    ],
)
def test_method(fetch: Fetch, options: list[str], method: str) -> None:
    """GET, POST with a body, or what -X says, in upper case."""
    assert fetch("web.mill", *options).echo.method == method


def test_headers(fetch: Fetch) -> None:
    """-H may be repeated, replaces what we would send, and may be empty."""
    given = ["X-A: 1", "x-a:2", "X-Empty:", "accept: a/b", "User-Agent:  me ", "Host: shop.example"]
    echo = fetch("web.mill", *(word for text in given for word in ("-H", text))).echo
    assert echo.values("X-A") == ["1", "2"]
    assert echo.values("X-Empty") == [""]
    assert echo.values("Accept") == ["a/b"]
    assert echo.values("User-Agent") == ["me"]
    assert echo.values("Host") == ["shop.example"]


def test_headers_of_its_own(fetch: Fetch) -> None:
    """Without -H: our name, anything accepted, nothing compressed, no credentials for the app."""
    echo = fetch("web.mill", user="token").echo
    assert echo.values("User-Agent")[0].startswith("proxyurls/")
    assert echo.values("Accept") == ["*/*"]
    assert echo.values("Accept-Encoding") == ["identity"]
    assert echo.values("Authorization") == []


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("X-A", "-H 'X-A' is no header; type 'NAME: VALUE'"),
        ("X A: b", "-H 'X…' is no header; type 'NAME: VALUE'"),
        ("Authorization Bearer s3cr3t", "-H 'Authorization…' is no header; type 'NAME: VALUE'"),
        ("eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9", "-H '…' is no header; type 'NAME: VALUE'"),
        (": b", "-H has no name before the colon; type 'NAME: VALUE'"),
        ("X-A: ü", "the value of -H 'X-A' is not plain ASCII text; encode it"),
        ("X-A: a\r\nX-B: c", "the value of -H 'X-A' is not plain ASCII text; encode it"),
    ],
)
def test_wrong_header(fetch: Fetch, header: str, reason: str) -> None:
    assert fetch("web.mill", "-H", header).refusal() == reason


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_authorization_is_refused(fetch: Fetch, name: str) -> None:
    """It would never reach the app; its value is not repeated."""
    refusal = fetch("web.mill", "-H", f"{name}: Bearer s3cr3t").refusal()
    assert refusal == (
        "-H 'Authorization' would never reach the app: the apiserver reads it and removes it; "
        "for the apiserver itself, use --token or a kubeconfig's user"
    )


@pytest.mark.parametrize("header", ["Content-Length: 3", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("data", [[], ["-d", "hello"]])
def test_length_is_ours(fetch: Fetch, header: str, data: list[str]) -> None:
    """How the body's end is told is not for -H to say: refused, and no internal error."""
    name = header.partition(":")[0]
    assert fetch("web.mill", "-H", header, *data).refusal().startswith(f"-H {name!r} ")


def test_data(fetch: Fetch, tmp_path: Path) -> None:
    """Text, a file as it is, or nothing at all; typed as curl does, unless -H says."""
    echo = fetch("web.mill", "-d", "a=b&c=ü").echo
    assert echo.body == "a=b&c=ü".encode()
    assert echo.values("Content-Type") == ["application/x-www-form-urlencoded"]
    assert echo.values("Content-Length") == ["8"]
    file = tmp_path / "body"
    file.write_bytes(bytes(range(256)) * 100 + b"\r\n")
    echo = fetch("web.mill", "-d", f"@{file}", "-H", "Content-Type: a/b").echo
    assert echo.body == file.read_bytes()
    assert echo.values("Content-Type") == ["a/b"]
    assert echo.values("Content-Length") == ["25602"]
    echo = fetch("web.mill", "-d", "").echo
    assert (echo.method, echo.body, echo.values("Content-Length")) == ("POST", b"", ["0"])


def test_data_from_stdin(shop: Shop) -> None:
    """-d @- sends what comes through a pipe, of a length that nobody knows before."""
    body = os.urandom(300_000)
    process = start(shop, "web.mill", "-d", "@-", stdin=subprocess.PIPE)
    out, err = process.communicate(body, timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert arrived(out).body == body
    assert arrived(out).values("Transfer-Encoding") == ["chunked"]


def test_data_is_sent_as_it_comes(shop: Shop) -> None:
    """The app gets the beginning of a pipe while its end is yet to be written."""
    listener = shop.apiserver.listen()
    listener.settimeout(8)
    ip, port = listener.getsockname()[:2]
    shop.apiserver.add_pod("sink", "mill", ip=ip)
    target = f"/api/v1/namespaces/mill/pods/sink:{port}/proxy/"
    with listener, start(shop, target, "-d", "@-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"beginning")
        process.stdin.flush()
        seen = b""
        try:
            with listener.accept()[0] as connection:
                connection.settimeout(8)
                while b"beginning" not in seen:
                    seen += connection.recv(65536)
                process.stdin.write(b"end")
                process.stdin.close()
                while not seen.endswith(b"\r\n0\r\n\r\n"):
                    seen += connection.recv(65536)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_data_from_a_file_as_stdin(shop: Shop, tmp_path: Path) -> None:
    """`-d @- < file` has a length: what is left of the file."""
    (tmp_path / "body").write_bytes(b"read already, not sent")
    with (tmp_path / "body").open("rb", buffering=0) as file:
        file.read(14)
        process = start(shop, "web.mill", "-d", "@-", stdin=file)
        out, _ = process.communicate(timeout=60)
    assert arrived(out).body == b"not sent"
    assert arrived(out).values("Content-Length") == ["8"]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([], "TARGET is missing; type a service's name, pod/NAME, node/NAME or --raw PATH"),
        (["web", "-d", "@/nowhere"], "-d '@/nowhere': can't read the file (No such file "),
        (["web", "-d", "@/"], "-d '@/': can't read the file (Is a directory)"),
        (["web", "-X", "GE T"], "-X 'GE T' is no HTTP method; type GET, POST, "),
        (["web", "-q", "a"], "invalid query 'a'; type -q KEY=VALUE"),
        (["web", "/", "more"], "unexpected argument 'more'"),
        (["https:web"], "invalid TARGET 'https:web': two parts are NAME:PORT"),
        (["web/x"], "invalid TARGET 'web/x': 'web' is no kind"),
        (["node/rack", "-n", "mill"], "a node has no namespace"),
        (["web.mill", "-n", "x"], "TARGET says namespace 'mill' and -n says 'x'"),
        (["web", "--save"], "option --save needs a value"),
        (["web", "--save", ""], "--save "),
        (["web", "--save", "."], "--save '.' is no file's name; type one"),
        (["web", "--save", "/"], "--save '/' is no file's name; type one"),
        (["web", "--save", "x", "-X", "head"], "--save has nothing to save with -X HEAD"),
        (["--raw", "/api", "web"], "--raw takes the place of TARGET; leave 'web' out"),
        (["--raw", "api"], "--raw 'api' is no path of the API: it starts with '/'"),
        (["--raw", ""], "--raw '' is no path of the API"),
        (["--raw", "/ü"], "--raw '/ü' is no path of the API"),
        (["--raw", "/a b"], "--raw '/a b' is no path of the API"),
        (["--raw", "/a\nb"], "--raw '/a\\nb' is no path of the API"),
        (["--raw", "/api#x"], "--raw '/api#x' "),
        (["--raw"], "option --raw needs a value"),
        (["web", "-X", ""], "-X '' is no HTTP method"),
        (["web", "-d", "a=1", "-d", "b=2"], "-d stands twice; join the texts"),
    ],
)
def test_wrong_usage(fetch: Fetch, argv: list[str], reason: str) -> None:
    """Exit code 2, one line that names the value, and nothing is sent."""
    assert fetch(*argv).refusal().startswith(reason)
