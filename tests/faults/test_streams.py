"""Disks that are full, readers that go away, streams that are closed, locales without UTF-8."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .subjects import APP, COMMANDS, NAMESPACE, WEB

if TYPE_CHECKING:
    from pathlib import Path

    from contract.upstream import Upstream

    from .conftest import Lead, Start
    from .wire import Wire

TIME_LIMIT = 30.0
FULL = b"error: writing the output failed: No space left on device\n"
PRINTS: dict[str, tuple[str, ...]] = {
    **{name: COMMANDS[name] for name in ("cluster-info", "services", "url --resolve", "fetch")},
    **{f"services -o {kind}": ("services", "-o", kind) for kind in ("wide", "json", "yaml")},
    **{f"services -o {kind}": ("services", "-o", kind) for kind in ("name", "url")},
    "fetch -i": ("fetch", WEB, APP, "-i"),
    "fetch --raw": COMMANDS["fetch --raw"],
}


@pytest.fixture
def folder(wire: Wire, lead: Lead) -> Path:
    """A folder with a kubeconfig; nothing is wrong with the apiserver here."""
    wire.mend()
    return lead(wire.url)


def words(name: str) -> tuple[str, ...]:
    return ("-m", "proxyurls", *PRINTS[name], "--kubeconfig", "kubeconfig")


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(timeout=TIME_LIMIT)
    return process.returncode, out or b"", err or b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")  # noqa: PTH110
@pytest.mark.parametrize("name", PRINTS)
def test_full_disk(name: str, folder: Path, start: Start) -> None:
    """What could not be written is no success."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        code, _, err = ended(start(*words(name), cwd=folder, stdout=full))
    notes, error = err.splitlines(keepends=True)[:-1], err.splitlines(keepends=True)[-1]
    assert (code, error) == (1, FULL)
    assert all(line.startswith(b"note: ") for line in notes)


@pytest.mark.parametrize("before", [None, b"before"])
def test_full_disk_for_save(folder: Path, start: Start, before: bytes | None) -> None:
    """The file that was there stays, and no piece of the new one. (A limit for files stands in
    for the disk: it fails the same write.)
    """
    file = folder / "saved"
    if before:
        file.write_bytes(before)
    process = start(
        *words("fetch"),
        *("--save", "saved"),
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert ended(process) == (1, b"", f"error: {file}: File too large\n".encode())
    assert (file.read_bytes() if file.exists() else None) == before
    assert not list(folder.glob(".*.part"))


@pytest.mark.parametrize("name", PRINTS)
def test_reader_goes_away(name: str, folder: Path, start: Start) -> None:
    """As `| head -1` does after a line: silence, and 141, as the shell has it for cat or git."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        code, _, err = ended(start(*words(name), cwd=folder, stdout=pipe))
    assert code == 141
    assert all(line.startswith(b"note: ") for line in err.splitlines())


def test_reader_goes_away_in_the_middle(folder: Path, start: Start, app: Upstream) -> None:
    """After a line of many megabytes."""
    process = start(
        *("-m", "proxyurls", "fetch", WEB, f"/-/big/{1 << 26}", "--kubeconfig", "kubeconfig"),
        cwd=folder,
    )
    assert process.stdout is not None
    process.stdout.read(1000)
    process.stdout.close()
    assert process.wait(TIME_LIMIT) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("name", ["cluster-info", "services", "url --resolve", "fetch"])
@pytest.mark.parametrize("fails", [False, True])
def test_closed(folder: Path, name: str, closed: str, *, fails: bool) -> None:
    """Started without some of them: nothing crashes, and nothing is written where it should not."""
    options = ["-s", "https://127.0.0.1:1"] if fails else []
    line = 'exec "$@" ' + closed
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, *words(name), *options],
        cwd=folder,
        capture_output=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr
    if fails:
        assert done.returncode in (1, 2)
        if "2" in closed:
            assert b"error" not in done.stdout
    elif ">&-" in closed.replace("2>&-", ""):
        assert done.returncode in (0, 2)  # fetch says that nothing can be printed
    else:
        assert done.returncode == 0
        assert done.stdout


PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_locale_without_utf8(folder: Path, start: Start, app: Upstream) -> None:
    """A body arrives as its bytes, and a file has its name."""
    name = "grüße"
    found = start(
        *("-m", "proxyurls", "fetch", WEB, "/gr%C3%BC%C3%9Fe", "-d", name),
        *("--save", name, "--kubeconfig", "kubeconfig"),
        cwd=folder,
        environ=PLAIN,
    )
    code, out, err = ended(found)
    assert (code, out) == (0, b""), err
    assert err.decode("ascii").count("\n") == 1
    assert (folder / name).exists()
    assert app.last.target == "/gr%C3%BC%C3%9Fe"
    assert app.last.body == name.encode()


@pytest.mark.parametrize(
    "typed",
    [
        ("services", "-n", "grüße"),
        ("services", "--context", "grüße"),
        ("fetch", "grüße"),
        ("fetch", WEB, "/grüße"),
        ("fetch", WEB, "-q", "q=grüße"),
        ("fetch", WEB, "-H", "X: grüße"),
    ],
)
def test_errors_without_utf8(folder: Path, start: Start, typed: tuple[str, ...]) -> None:
    """One line that a terminal without UTF-8 can show, and exit code 2 or 1."""
    process = start(
        "-m", "proxyurls", *typed, "--kubeconfig", "kubeconfig", cwd=folder, environ=PLAIN
    )
    code, out, err = ended(process)
    assert code in (1, 2)
    assert out == b""
    assert err.startswith(b"error: ")
    assert err.decode("ascii").count("\n") == 1


def test_a_body_without_utf8(folder: Path, start: Start, app: Upstream) -> None:
    """Bytes are passed on as they are, whatever the locale; `-i` shows a header's bytes escaped."""
    process = start(
        *("-m", "proxyurls", "fetch", WEB, "/-/html", "-i", "--kubeconfig", "kubeconfig"),
        cwd=folder,
        environ=PLAIN,
    )
    code, out, err = ended(process)
    assert (code, err) == (0, b"")
    assert out.startswith(b"HTTP/1.1 200 OK\n")


def test_listing_without_utf8(folder: Path, start: Start) -> None:
    """A context's name that needs UTF-8 is escaped where it is listed."""
    path = folder / "kubeconfig"
    path.write_text(path.read_text().replace('"only"', '"büro"'), encoding="utf-8")
    process = start(
        "-m", "proxyurls", "config", "--kubeconfig", "kubeconfig", cwd=folder, environ=PLAIN
    )
    code, out, err = ended(process)
    assert (code, err) == (0, b"")
    assert b"b\\xfcro" in out
    assert NAMESPACE.encode() in out
