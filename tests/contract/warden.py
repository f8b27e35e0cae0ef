"""Keep etcd and kube-apiserver in a network namespace of their own, and end with the tests.

This file is run as a process of its own by ``controlplane.py``; it needs nothing but the
standard library and Linux. Its only argument is a plan, as JSON (see :class:`Plan`).

The tests stay in their own network: this process opens its front door (a port of 127.0.0.1
and, where there is one, of ::1) *before* it moves into the new namespace. A socket stays in
the namespace it was made in, so it then passes connections between the two. The other way
round, it makes a socket inside and hands it to the tests (SCM_RIGHTS), which serve their
upstreams on it from where they are. Nobody else has to join the namespace, so kubectl and
the command line reach the server as they reach any other, and no thread is left behind.

Nothing outlives the tests: the kernel ends this process when its parent dies, and kills the
two servers when this process dies (PR_SET_PDEATHSIG); the end of the control socket ends it
too. If the parent could not remove its folder of keys any more, this process does.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TypedDict

CLONE_NEWUSER, CLONE_NEWNET, PR_SET_PDEATHSIG = 0x10000000, 0x40000000, 1
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, IFF_UP = 0x8914, 0x8916, 0x891C, 1
CHUNK = 256 * 1024
NO_NAMESPACE = (
    "this process may make no network namespace; be root with CAP_SYS_ADMIN, or allow user "
    "namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns)"
)

libc = ctypes.CDLL(None, use_errno=True)


class Plan(TypedDict):
    """What the parent asks for."""

    parent: int
    control: int  # file descriptor of a SOCK_SEQPACKET Unix socket
    network: str  # an address such as 10.200.0.1: its /24 exists inside, all of it local
    inside: list[str]  # host and port that the front door leads to
    servers: list[list[str]]  # command lines
    folder: str  # where their output goes


def _call(name: str, *arguments: int) -> None:
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Get a signal when the parent dies, however it dies."""
    _call("prctl", PR_SET_PDEATHSIG, number, 0, 0, 0)


def front_door() -> list[socket.socket]:
    """Listen on one free port of 127.0.0.1 and, where the machine has it, of ::1."""
    for _ in range(50):
        four = socket.create_server(("127.0.0.1", 0), backlog=512)
        six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        try:
            six.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            six.bind(("::1", four.getsockname()[1]))
            six.listen(512)
        except OSError as error:
            six.close()
            if error.errno == errno.EADDRINUSE:
                four.close()
                continue
            return [four]
        return [four, six]
    raise OSError(errno.EADDRINUSE, "no port is free on both 127.0.0.1 and ::1")


def enter_namespace() -> None:
    """Move into a new network namespace; a user without the right first becomes root of his own."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", CLONE_NEWNET)
    except OSError:
        try:
            _call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}: {NO_NAMESPACE}") from None
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def bring_up(address: str) -> None:
    """Start the loopback interface with a whole /24: the apiserver proxies to no 127.x."""

    def inet(text: str) -> bytes:
        return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("=16sH14x", b"lo", IFF_UP))
        fcntl.ioctl(any_socket, SIOCSIFADDR, struct.pack("=16s16s", b"lo:1", inet(address)))
        netmask = struct.pack("=16s16s", b"lo:1", inet("255.255.255.0"))
        fcntl.ioctl(any_socket, SIOCSIFNETMASK, netmask)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy one direction until its end, and pass that end on."""
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    try:
        while size := source.recv_into(buffer):
            sink.sendall(view[:size])
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one side broke off: so does the other
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def relay(outer: socket.socket, inside: tuple[str, int]) -> None:
    """Pass one connection of the front door on."""
    with outer:
        try:
            inner = socket.create_connection(inside, timeout=5)
        except OSError:
            return
        with inner:
            for end in (outer, inner):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=pump, args=(inner, outer), daemon=True)
            back.start()
            pump(outer, inner)
            back.join()


def serve(door: socket.socket, inside: tuple[str, int]) -> None:
    """Accept at the front door for ever."""
    while True:
        outer, _ = door.accept()
        threading.Thread(target=relay, args=(outer, inside), daemon=True).start()


def launch(command: list[str], folder: str) -> subprocess.Popen[bytes]:
    """Start one of the servers; what it writes is added to its log."""
    with Path(folder, Path(command[0]).name + ".log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            preexec_fn=end_with_parent,  # noqa: PLW1509  (a call of libc's, no more)
        )


def obey(control: socket.socket, servers: list[subprocess.Popen[bytes]], plan: Plan) -> None:
    """Answer the tests' wishes until they close the control socket."""
    while request := control.recv(4096):
        try:
            wish, host, port = json.loads(request)
            if wish == "listen":
                made = socket.create_server((host, port), backlog=512)
            elif wish == "connect":
                made = socket.create_connection((host, port), timeout=5)
                made.settimeout(None)
            elif wish == "restart":  # the last one, as if it had crashed
                servers[-1].kill()
                servers[-1].wait()
                servers[-1] = launch(plan["servers"][-1], plan["folder"])
                control.send(b"{}")
                continue
            else:  # "alive"
                dead = [str(server.args) for server in servers if server.poll() is not None]
                control.send(json.dumps({"dead": dead}).encode())
                continue
        except OSError as error:
            control.send(json.dumps({"error": str(error)}).encode())
            continue
        with made:
            socket.send_fds(control, [b"{}"], [made.fileno()])


def main(plan: Plan) -> None:
    """Do as planned."""
    control = socket.socket(fileno=plan["control"])
    try:
        doors = front_door()
        enter_namespace()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        end_with_parent(signal.SIGTERM)  # after the move: a change of credentials forgets it
        if os.getppid() != plan["parent"]:
            return
        bring_up(plan["network"])
        servers = [launch(command, plan["folder"]) for command in plan["servers"]]
    except OSError as error:
        control.send(json.dumps({"error": str(error)}).encode())
        return
    host, port = plan["inside"]
    for door in doors:
        threading.Thread(target=serve, args=(door, (host, int(port))), daemon=True).start()
    addresses = [door.getsockname()[:2] for door in doors]
    control.send(json.dumps({"doors": addresses, "pid": os.getpid()}).encode())
    try:
        obey(control, servers, plan)
    finally:
        for server in servers:
            server.kill()
            server.wait()
        if os.getppid() != plan["parent"]:
            shutil.rmtree(plan["folder"], ignore_errors=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
