"""``fetch --save``: a file is written when the answer is whole, and not before."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.test_fetch import answering, fetcher, open_shop, start, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer
    from contract.fixtures import Serve

    from cli.test_fetch import Fetch, Shop

GIB = 1 << 30


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    return open_shop(apiserver, serve, "attic")


@pytest.fixture
def fetch(shop: Shop, capsysbinary: pytest.CaptureFixture[bytes]) -> Fetch:
    return fetcher(shop, capsysbinary)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A file in a folder of its own, with something in it."""
    folder = tmp_path / "saved"
    folder.mkdir()
    path = folder / "backup.tar"
    path.write_bytes(b"before")
    yield path
    for each in folder.iterdir():  # pytest would keep it for three sessions
        each.unlink()


def beside(file: Path) -> list[str]:
    """The names in its folder."""
    return sorted(path.name for path in file.parent.iterdir())


def untouched(file: Path) -> bool:
    """Whether the file is as it was, and alone in its folder."""
    return file.read_bytes() == b"before" and beside(file) == [file.name]


def test_save(fetch: Fetch, tmp_path: Path) -> None:
    """The body, to the byte; nothing on stdout, the size on stderr."""
    file, body = tmp_path / "new", bytes(range(256)) * 100
    printed = fetch("web.attic", "--save", str(file), *answering(body))
    assert (printed.code, printed.out) == (0, b"")
    assert printed.err == f"note: {file}: 25600 bytes\n"
    assert file.read_bytes() == body
    umask = os.umask(0o077)
    os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask


def test_save_and_include(fetch: Fetch, file: Path) -> None:
    """With -i the headers are printed, and only the body is saved."""
    printed = fetch("web.attic", "-i", "--save", str(file), *answering(b"body"))
    assert printed.out.startswith(b"HTTP/1.1 200 OK\n")
    assert printed.out.endswith(b"\n\n")
    assert file.read_bytes() == b"body"


def test_relative_name(fetch: Fetch, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert fetch("web.attic", "--save", "backup.tar", *answering(b"after")).code == 0
    assert file.read_bytes() == b"after"
    assert beside(file) == ["backup.tar"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_stay(fetch: Fetch, file: Path, mode: int) -> None:
    file.chmod(mode)
    assert fetch("web.attic", "--save", str(file), *answering(b"after")).code == 0
    assert (file.read_bytes(), file.stat().st_mode & 0o7777) == (b"after", mode)


@pytest.mark.parametrize("exists", [True, False])
def test_symlink_stays(fetch: Fetch, file: Path, tmp_path: Path, *, exists: bool) -> None:
    """The file that a link leads to is replaced, and not the link."""
    link = tmp_path / "link"
    link.symlink_to("saved/backup.tar")
    if not exists:
        file.unlink()
    assert fetch("web.attic", "--save", str(link), *answering(b"after")).code == 0
    assert link.is_symlink()
    assert file.read_bytes() == b"after"
    assert beside(file) == [file.name]


def test_device_and_pipe(fetch: Fetch, shop: Shop, tmp_path: Path) -> None:
    """What can't be replaced is written to: /dev/null, a named pipe."""
    assert fetch("web.attic", "/-/big/5000000", "--save", "/dev/null").code == 0
    assert not Path("/dev/null").is_file()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with start(shop, "web.attic", "/-/big/5000000", "--save", str(pipe)) as process:
        assert len(pipe.read_bytes()) == 5_000_000
        assert process.wait(20) == 0
        assert process.communicate()[0] == b""


def test_full_disk(shop: Shop) -> None:
    """An error of the disk is one line with the file's name, and no success."""
    process = start(shop, "web.attic", "/-/big/5000000", "--save", "/dev/full")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.decode().startswith("error: ")
    assert "No space left on device" in err.decode()
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("name", ["nowhere/file", "backup.tar/file", "nowhere/"])
def test_no_such_folder(fetch: Fetch, shop: Shop, file: Path, name: str) -> None:
    """Told before anything is sent, and by the name that was typed."""
    before = len(shop.plain.requests)
    path = f"{file.parent}/{name}"
    printed = fetch("web.attic", "--save", path, "-d", "order")
    assert (printed.code in (1, 2), printed.out) == (True, b"")
    assert path.rstrip("/") in printed.error
    assert ".part" not in printed.error
    assert len(shop.plain.requests) == before
    assert untouched(file)


def test_folder_not_writable(shop: Shop, file: Path) -> None:
    """Another's folder: one line, before anything is sent."""
    before = len(shop.plain.requests)
    file.parent.chmod(0o555)
    command = [sys.executable, "-m", "proxyurls", "fetch", "web.attic:80", "-d", "order"]
    command += ["--save", str(file), "--kubeconfig", str(shop.apiserver.kubeconfig)]
    if os.geteuid() == 0:  # root may write anywhere, unless it gives that up
        assert shutil.which("setpriv")
        less = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={less}", f"--inh-caps={less}", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    file.parent.chmod(0o755)
    assert (done.returncode in (1, 2), done.stdout) == (True, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert str(file) in done.stderr
    assert "Permission denied" in done.stderr
    assert ".part" not in done.stderr
    assert len(shop.plain.requests) == before
    assert untouched(file)


@pytest.mark.parametrize("status", [400, 404, 500])
def test_error_is_not_saved(fetch: Fetch, file: Path, status: int) -> None:
    """The app's error is printed, and the file stays."""
    printed = fetch("web.attic", "--save", str(file), *answering(b"sorry", status=status))
    assert (printed.code, printed.out) == (1, b"sorry")
    assert printed.err.startswith(f"error: the app behind service 'web' answered {status}")
    assert printed.err.count("error:") == 1
    assert untouched(file)


def test_refusal_is_not_saved(fetch: Fetch, file: Path) -> None:
    """Nor is the apiserver's."""
    printed = fetch("gone.attic:80", "--save", str(file))
    assert printed.code == 1
    assert b'"kind":"Status"' in printed.out
    assert untouched(file)


def test_redirect_is_not_saved(fetch: Fetch, file: Path) -> None:
    """A redirect is not the file that was asked for: it is told where it leads."""
    printed = fetch("web.attic", "/-/redirect/302?/elsewhere", "--save", str(file))
    assert printed.code == 1
    assert "/api/v1/namespaces/attic/services/web:80/proxy/elsewhere" in printed.err
    assert printed.err.count("error:") == 1
    assert untouched(file)


def test_nothing_to_save(fetch: Fetch, file: Path) -> None:
    """An answer without a body is an empty file if it is a success, and else none."""
    printed = fetch("web.attic", "--save", str(file), *answering(status=304))
    assert (printed.code, printed.out) == (1, b"")
    assert untouched(file)
    assert fetch("web.attic", "--save", str(file), *answering(status=204)).code == 0
    assert file.read_bytes() == b""


def test_cut_off(fetch: Fetch, file: Path) -> None:
    """An answer that breaks off halfway: exit 1, the byte counts, and the file stays."""
    printed = fetch("web.attic", "/-/cut/3000000", "--save", str(file))
    assert (printed.code, printed.out) == (1, b"")
    assert re.match(r"the answer broke off after \d{7} of 6000000 bytes", printed.error)
    assert untouched(file)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(shop: Shop, file: Path, number: signal.Signals) -> None:
    """The file is written under a name of its own; an interrupted one is removed again."""
    # Whoever runs the tests may have ignored it, as nohup does.
    process = start(
        shop,
        "web.attic",
        f"/-/big/{8 * GIB}",
        "--save",
        str(file),
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    part = file.with_name(f".backup.tar.{process.pid}.part")
    wait_until(lambda: part.exists() and part.stat().st_size > 1 << 20)
    assert file.read_bytes() == b"before"
    assert beside(file) == [part.name, file.name]
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert out == b""
    assert untouched(file)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert re.match(rf"error: interrupted after \d{{7,}} of {8 * GIB} bytes; ", err.decode())
        assert str(file).encode() in err
    else:
        assert process.returncode in (-number, 128 + number)
        assert b"Traceback" not in err


def test_nohup(shop: Shop, file: Path) -> None:
    """What was started with nohup goes on when its terminal is closed."""
    argv = ("web.attic", "/-/big/300000000", "--save", str(file))
    process = start(shop, *argv, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_until(lambda: len(beside(file)) == 2)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert file.stat().st_size == 300_000_000


def test_interrupted_with_no_file_before(shop: Shop, file: Path) -> None:
    """There is no file afterwards either."""
    file.unlink()
    process = start(
        shop,
        "web.attic",
        f"/-/big/{8 * GIB}",
        "--save",
        str(file),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    part = file.with_name(f".backup.tar.{process.pid}.part")
    wait_until(lambda: part.exists() and part.stat().st_size)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert beside(file) == []


def test_two_at_once(shop: Shop, file: Path) -> None:
    """Two fetches to one file do not mix."""
    runs = [
        start(shop, "web.attic", f"/-/big/{size}", "--save", str(file))
        for size in (30_000_000, 30_000_001)
    ]
    assert [process.communicate(timeout=30)[0] for process in runs] == [b"", b""]
    assert file.stat().st_size in (30_000_000, 30_000_001)
    assert beside(file) == [file.name]


def on_terminal(shop: Shop, *argv: str, stdout: int = subprocess.DEVNULL, **more: str) -> str:
    """What fetch writes to a terminal's stderr."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", **more}
    if "NO_COLOR" not in more:
        environ.pop("NO_COLOR", None)
    process = start(shop, *argv, stdout=stdout, stderr=theirs, env=environ)
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(30) == 0
    return written.decode()


def test_bar(shop: Shop, file: Path) -> None:
    """On a terminal: a bar with the share, the sizes, the rate and the time left; then cleared."""
    written = on_terminal(shop, "web.attic", "/-/big/300000000", "--save", str(file))
    shown = written.split("\r\x1b[K")
    bar = r"\[#*\.*\] +\d+%  [\d.]+ [KMG]?i?B of 286\.1 MiB  [\d.]+ [KMG]?i?B/s  \d+:\d\d left"
    assert shown[0] == ""
    assert len(shown) > 3
    assert all(re.fullmatch(bar, text) for text in shown[1:-1])
    assert max(map(len, shown[1:-1])) < 80
    assert shown[-1] == f"\x1b[36;1mnote:\x1b[0m {file}: 300000000 bytes\r\n"
    shares = [int(text.split("%")[0].split()[-1]) for text in shown[1:-1]]
    assert shares == sorted(shares)


def test_bar_without_a_length(shop: Shop, file: Path) -> None:
    """Where nobody says how much will come, the size so far and the rate."""
    written = on_terminal(shop, "web.attic", "/-/sse/3", "--save", str(file))
    assert re.search(r"\r\x1b\[K\d+ B  [\d.]+ [KM]?i?B/s", written)
    assert "[#" not in written


def test_bar_beside_a_pipe(shop: Shop) -> None:
    """Without --save too, if the body goes to a file and only stderr is a terminal."""
    assert " MiB/s  " in on_terminal(shop, "web.attic", "/-/big/100000000")


def test_no_bar(shop: Shop, file: Path) -> None:
    """None with NO_COLOR, none on a dumb terminal, none off a terminal."""
    argv = ("web.attic", "/-/big/50000000", "--save", str(file))
    said = f"note: {file}: 50000000 bytes"
    assert on_terminal(shop, *argv, NO_COLOR="1") == f"{said}\r\n"
    assert on_terminal(shop, *argv, TERM="dumb") == f"{said}\r\n"
    assert start(shop, *argv).communicate(timeout=30)[1] == f"{said}\n".encode()


def test_no_bar_beside_the_data(shop: Shop) -> None:
    """Where the body itself goes to the terminal, nothing is drawn into it."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm"}
    process = start(shop, "web.attic", "/-/sse/8", stdout=theirs, stderr=theirs, env=environ)
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            written += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.wait(30) == 0
    assert b"/s" not in written
    assert written.count(b"data: ") == 8
