"""The threats of docs/gateway.md: other users of this machine, and other machines."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from cli.gateways import ROOT, Process, served

from proxyurls.errors import InvalidConfig, ListenError
from proxyurls.gateway import peers, server
from proxyurls.gateway.run import Settings, check_address

from .attack import TYPED, nothing_arrives
from .conftest import WEB, let_in
from .running import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Site

fake = pytest.mark.parametrize("apiserver", ["fake"], indirect=True, scope="session")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """Connections are another user's meanwhile."""
    with pytest.MonkeyPatch.context() as patched:
        uid = os.getuid() + 1000  # not root, who serves everybody
        patched.setattr("os.getuid", lambda: uid)
        patched.setattr(peers, "owner", lambda *_: uid + 1)
        yield


@linux
@fake
def test_another_user_with_the_token(site: Site) -> None:
    """Who read it in a browser's command line gets no cookie, and the terminal tells."""
    with running(site.config()) as gateway, nothing_arrives(site):
        with another_user():
            got = gateway.enter(gateway.link)
        assert (got.status, got.headers["Set-Cookie"]) == (403, None)
        assert "another user" in gateway.said[0]
        assert gateway.enter(gateway.said[0].rpartition(" ")[2]).status == 303


@linux
@fake
def test_another_user_with_the_cookie(site: Site) -> None:
    """A cookie that a server of theirs got, at another port of the same host, opens nothing."""
    with running(site.config()) as gateway:
        let_in(gateway)
        with another_user(), nothing_arrives(site):
            for label, target in ((WEB, "/"), ("", "/"), ("", f"/.proxyurls/open/{WEB}")):
                got = gateway.request(target, label=label)
                assert got.status == 403
                assert "Another user" in got.text
            unknown = gateway.request("/", label="x--y", headers=TYPED)  # asks the index's host
            assert (unknown.status, unknown.headers["Location"]) == (403, None)
        assert gateway.request("/", label=WEB).status == 200


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_the_other_localhost_is_taken(taken: str) -> None:
    """Browsers ask localhost at both, so a port is free only where it is at both."""
    try:
        other = socket.create_server(
            (taken, 0), family=socket.AF_INET6 if ":" in taken else socket.AF_INET
        )
    except OSError:
        pytest.skip(f"this machine has no {taken}")
    with other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port} of 127.0.0.1 is in use"):
            server.listen("127.0.0.1", port)
    both = server.listen("127.0.0.1", 0)
    assert {one.getsockname()[0] for one in both} == {"127.0.0.1", "::1"}
    assert len({one.getsockname()[1] for one in both}) == 1
    for one in both:
        one.close()


@fake
def test_other_machines(site: Site) -> None:
    """It takes a flag to be reached by them, a warning tells what that means, and they need the
    token; a name that leads to the address is none of ours.
    """
    for address in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(InvalidConfig, match="--allow-remote"):
            check_address(Settings(address=address))
        check_address(Settings(address=address, allow_remote=True))
    argv = ("serve", "--port", "0", "--address", "0.0.0.0", "--allow-remote")
    with served(*argv, kubeconfig=site.apiserver.kubeconfig) as process:
        gateway = process.gateway
        for host, status in (("127.0.0.1", 403), ("192.0.2.7", 403), ("evil.example", 421)):
            assert gateway.request("/", host=f"{host}:{gateway.port}").status == status
        said = process.stop()[2]
        warning = said.splitlines()[0]
    assert "to this machine" not in said
    assert warning.startswith("warning: whoever reaches 0.0.0.0 can try to use your credentials")
    assert "asks for the token" in warning
    assert "not encrypted" in warning
    with served(*argv, "--no-token", kubeconfig=site.apiserver.kubeconfig) as process:
        assert "ASKS FOR NO TOKEN" in process.stop()[2]


@fake
def test_no_token_is_said_aloud(site: Site) -> None:
    """Who leaves the token out is told who may use the credentials now."""
    argv = ("serve", "--port", "0", "--no-token")
    with served(*argv, kubeconfig=site.apiserver.kubeconfig) as process:
        assert process.gateway.request("/", headers=TYPED).status == 200
        assert "warning: no token: every user and program" in process.stop()[2]


@pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
def test_a_unix_socket_is_its_owners(tmp_path: Path) -> None:
    """Nobody else may connect, not even between its making and its end; then it's removed."""
    path = tmp_path / "gateway.sock"
    modes = []
    before = os.umask(0)
    try:
        with pytest.MonkeyPatch.context() as patched:
            listen = socket.socket.listen

            def seen(one: socket.socket, backlog: int) -> None:
                modes.append(stat.S_IMODE(path.stat().st_mode))
                listen(one, backlog)

            patched.setattr(socket.socket, "listen", seen)
            with server.listen_unix(str(path)):
                modes.append(stat.S_IMODE(path.stat().st_mode))
        assert os.umask(0) == 0  # it is as it was
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
def test_a_file_where_the_socket_goes(tmp_path: Path) -> None:
    """It is neither replaced nor removed, nor is a socket that somebody listens at."""
    path = tmp_path / "file"
    path.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(path)
    lost = tmp_path / "lost"
    lost.symlink_to(tmp_path / "nowhere")
    for taken in (path, link, lost, tmp_path):
        with pytest.raises(ListenError), server.listen_unix(str(taken)):
            pass
    assert path.read_text() == "precious"
    assert link.is_symlink()
    assert lost.is_symlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "used"))
        other.listen()
        with (
            pytest.raises(ListenError, match="another program listens"),
            server.listen_unix(str(tmp_path / "used")),
        ):
            pass
    assert (tmp_path / "used").exists()


@pytest.mark.skipif(os.name == "nt", reason="limits of open files")
@fake
def test_open_files_run_out(site: Site) -> None:
    """Where few may be open, fewer connections are taken; it answers again when they have gone."""
    serve = (sys.executable, "-m", "proxyurls", "serve", "--port", "0", "--no-token")
    with subprocess.Popen(
        ["/bin/sh", "-c", 'ulimit -n 300 && exec "$@"', "sh", *serve],
        env={**os.environ, "KUBECONFIG": str(site.apiserver.kubeconfig)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            gateway = Process(child, child.stdout.readline().strip()).gateway
            with contextlib.ExitStack() as stack:
                made = [stack.enter_context(gateway.connect()) for _ in range(450)]
                time.sleep(1)
                made[0].sendall(f"GET / HTTP/1.1\r\nHost: {gateway.host()}\r\n\r\n".encode())
                assert made[0].recv(100).startswith(b"HTTP/1.1 ")  # it was there before
            time.sleep(0.5)
            assert gateway.request("/", headers=TYPED).status == 200
            child.send_signal(signal.SIGTERM)
            assert "Traceback" not in child.communicate(timeout=20)[1]
        finally:
            child.kill()


@pytest.mark.skipif(os.name == "nt", reason="limits of open files")
@pytest.mark.parametrize(
    ("limits", "raised", "most"),
    [
        ((1024, 1 << 20), 4256, 2000),
        ((1024, -1), 4256, 2000),
        ((1024, 1024), 1024, 384),
        ((1 << 20, 1 << 20), None, 2000),
        ((-1, -1), None, 2000),
        ((64, 64), 64, 1),
    ],
)
def test_open_files_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: int | None, most: int
) -> None:
    """The limit is raised to what the bound on connections needs, or the bound is lowered."""
    import resource

    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))
    assert server._most_connections() == most
    assert asked == ([] if raised is None else [(raised, limits[1])])
