"""What fails before anything is asked: kubeconfigs, and completion as the shell runs it."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING

import pytest
from discovery.commands import kubeconfig

from proxyurls import load_config
from proxyurls.config.model import TLS
from proxyurls.config.tls import make_context
from proxyurls.errors import ProxyURLsError

from .test_streams import ended, words

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Lead, Start
    from .wire import Wire

PATIENCE = 3.0  # completion has two seconds, and Python wants some to start


def test_a_directory_for_a_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(ProxyURLsError) as caught:
        load_config(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kubeconfig_that_is_gone(tmp_path: Path, start: Start) -> None:
    """It was there when the shell looked, and is not any more."""
    path = kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1")
    assert load_config(str(path)).server == "https://127.0.0.1:1"
    path.unlink()
    code, out, err = ended(start(*words("services"), cwd=tmp_path))
    assert code in (1, 2)
    assert out == b""
    assert err.startswith(b"error: ")
    assert err.count(b"\n") == 1
    assert b"kubeconfig" in err


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_kubeconfig_that_may_not_be_read(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read every file")
    with pytest.raises(ProxyURLsError, match="Permission denied"):
        load_config(str(path))


def test_a_full_disk(wire: Wire, lead: Lead) -> None:
    """A real one, of 64 kB: no success, no file, no piece of one."""
    wire.mend()
    folder = lead(wire.url)
    script = (
        'mount -t tmpfs -o size=64k none "$0" || exit 99; "$@"; code=$?; ls -A "$0"; exit $code'
    )
    disk = folder / "disk"
    disk.mkdir()
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare, of util-linux")
    command = [sys.executable, *words("fetch"), "--save", str(disk / "saved")]
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", script, str(disk), *command],
        cwd=folder,
        capture_output=True,
        timeout=30,
        check=False,
    )
    if done.returncode == 99 or b"unshare failed" in done.stderr:
        pytest.skip("this process may make no mount namespace")
    assert done.returncode == 1
    assert done.stderr == f"error: {disk / 'saved'}: No space left on device\n".encode()
    assert done.stdout == b""  # what ls lists


@pytest.mark.parametrize("answers", ["refuses", "says nothing"])
def test_completion(tmp_path: Path, start: Start, answers: str) -> None:
    """Silence within two seconds or so, whatever the apiserver does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if answers == "refuses":
            listener.close()
        path = kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{port}", namespace="x")
        line = "proxyurls url "
        found = tmp_path / "found"
        began = time.monotonic()
        process = start(
            *("-m", "proxyurls"),
            environ={
                "_ARGCOMPLETE": "1",
                "_ARGCOMPLETE_STDOUT_FILENAME": str(found),
                "_ARGCOMPLETE_IFS": "\n",
                "COMP_LINE": line,
                "COMP_POINT": str(len(line)),
                "KUBECONFIG": str(path),
            },
        )
        _, out, err = ended(process)
        assert time.monotonic() - began < PATIENCE
    assert (out, err) == (b"", b"")


def test_a_reset_before_tls() -> None:
    """One that has come already is called by its name, and no socket is left behind."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        theirs = listener.accept()[0]
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        time.sleep(0.05)  # so that it has come
        context = make_context(TLS(), None)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            with pytest.raises(ConnectionResetError):
                context.wrap_socket(connection, server_hostname="localhost")
    assert [str(one.message) for one in seen] == []
