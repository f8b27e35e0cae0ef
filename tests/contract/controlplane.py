"""The real thing: etcd and kube-apiserver from the folder that ``KUBEBUILDER_ASSETS`` names.

That's the folder which Kubernetes' envtest installs (``setup-envtest use -p path``); kubectl
is taken from it too, where it's there. Nothing else is needed: no root, where the kernel
lets users make namespaces, no outside network, no openssl.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme

from .cluster import Address, write_kubeconfig
from .filled import FilledByAPI

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NETWORK, UPSTREAMS = "10.200.0.1", "10.200.0.10"
ETCD, APISERVER = ("127.0.0.1", 2379), ("127.0.0.1", 6443)
START_LIMIT = 90.0


class Unavailable(Exception):
    """Why there can be no real apiserver here."""


@dataclass
class Warden:
    """Our end of the line to the process that holds the namespace (``warden.py``)."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    folder: Path
    doors: list[Address] = field(default_factory=list)

    def ask(self, wish: str, address: Address = ("", 0)) -> socket.socket | None:
        """Wish for a socket inside the namespace, (``alive``) that all is well, or (``restart``)
        that kube-apiserver starts anew.
        """
        self.control.send(json.dumps([wish, *address]).encode())
        answer, descriptors, _, _ = socket.recv_fds(self.control, 4096, 1)
        content = json.loads(answer or b'{"error": "the warden is gone"}')
        if "error" in content:
            raise OSError(f"{wish} {address}: {content['error']}")
        if content.get("dead"):
            raise OSError("\n".join(f"ended: {server}" for server in content["dead"]))
        return socket.socket(fileno=descriptors[0]) if descriptors else None

    def socket(self, wish: str, address: Address) -> socket.socket:
        """Ask for a socket, and get it."""
        made = self.ask(wish, address)
        if made is None:
            raise OSError(f"{wish} {address}: no socket came")
        return made

    def last_words(self) -> str:
        """The end of what the servers wrote."""
        logs = sorted(self.folder.glob("*.log"))
        tails = (log.read_text(errors="replace").splitlines()[-8:] for log in logs)
        return "\n".join(line for tail in tails for line in tail)


@dataclass
class RealAPIServer(FilledByAPI):
    """A kube-apiserver."""

    warden: Warden

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command line that runs ``command`` in the namespace itself (as root; util-linux).

        There the server is ``https://127.0.0.1:6443``: for measurements without the front door.
        """
        return ["nsenter", f"--net=/proc/{self.warden.process.pid}/ns/net", "--", *command]

    def listen(self) -> socket.socket:
        """Listen at a free port of the one address that all upstreams share."""
        return self.warden.socket("listen", (UPSTREAMS, 0))

    def restart(self) -> None:
        """Kill kube-apiserver and start it again, with the same etcd; returns when it's ready."""
        self.warden.ask("restart")
        wait_until_ready(self)

    def expire_continue_tokens(self) -> None:
        """Compact etcd's history up to now."""
        revision = self.etcd("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        self.etcd("/v3/kv/compaction", {"revision": revision, "physical": True})

    def etcd(self, path: str, content: Mapping[str, Any]) -> Any:
        """Call etcd's JSON gateway."""
        connection = http.client.HTTPConnection(*ETCD)
        with contextlib.closing(connection):
            connection.sock = self.warden.socket("connect", ETCD)
            connection.request("POST", path, json.dumps(content))
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != 200:
            raise AssertionError(f"etcd {path}: {answer.status} {text!r}")
        return json.loads(text)


def assets() -> Path:
    """The folder with the binaries, or why it can't be used."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if not named:
        raise Unavailable(
            "KUBEBUILDER_ASSETS isn't set: it names the folder with kube-apiserver and etcd "
            "(setup-envtest use -p path)"
        )
    if not sys.platform.startswith("linux"):
        raise Unavailable("the real apiserver is run in a network namespace, which needs Linux")
    folder = Path(named).expanduser().absolute()
    for name in ("kube-apiserver", "etcd"):
        if not os.access(folder / name, os.X_OK):
            raise Unavailable(f"KUBEBUILDER_ASSETS has no executable {name}: {folder}")
    return folder


def commands(binaries: Path, folder: Path) -> list[list[str]]:
    """The command lines of etcd and of kube-apiserver."""
    etcd, peers = f"http://{ETCD[0]}:{ETCD[1]}", "http://127.0.0.1:2380"
    flags = {
        "etcd-servers": etcd,
        "advertise-address": NETWORK,
        "secure-port": APISERVER[1],
        "cert-dir": folder,
        "tls-cert-file": "apiserver.crt",
        "tls-private-key-file": "apiserver.key",
        "client-ca-file": "ca.crt",
        "token-auth-file": "tokens.csv",
        "kubelet-client-certificate": "admin.crt",
        "kubelet-client-key": "admin.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-signing-key-file": "sa.key",
        "service-account-key-file": "sa.key",
        "service-cluster-ip-range": "10.96.0.0/16",
        "authorization-mode": "RBAC",
        "disable-admission-plugins": "ServiceAccount",  # no controller makes the accounts
        "allow-privileged": "true",
        "enable-priority-and-fairness": "false",
        "max-requests-inflight": 0,
        "max-mutating-requests-inflight": 0,
        "etcd-compaction-interval": 0,  # only the tests make history expire
    }
    return [
        [
            *(str(binaries / "etcd"), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"default={peers}"),
        ],
        [str(binaries / "kube-apiserver"), *(f"--{flag}={flags[flag]}" for flag in flags)],
    ]


def write_credentials(folder: Path) -> dict[str, str]:
    """Write certificates, keys and tokens; return the tokens by user."""
    authority = trustme.CA(organization_name="contract-ca")
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    leaves = {
        "apiserver": authority.issue_cert(
            *("127.0.0.1", "::1", "localhost", "kubernetes.default.svc", NETWORK)
        ),
        "admin": authority.issue_cert(
            "admin.invalid", common_name="admin", organization_name="system:masters"
        ),
        "sa": authority.issue_cert("sa.invalid"),
    }
    for name, leaf in leaves.items():
        (folder / f"{name}.key").touch(mode=0o600)
        leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        leaf.cert_chain_pems[0].write_to_path(str(folder / f"{name}.crt"))
    tokens = {"token-user": secrets.token_urlsafe(), "reader": secrets.token_urlsafe()}
    (folder / "tokens.csv").touch(mode=0o600)
    (folder / "tokens.csv").write_text(
        f'{tokens["token-user"]},token-user,1001,"system:masters"\n{tokens["reader"]},reader,1002,\n'
    )
    return tokens


@contextlib.contextmanager
def guard(binaries: Path, folder: Path) -> Iterator[Warden]:
    """Run the warden."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    plan = {
        "parent": os.getpid(),
        "control": theirs.fileno(),
        "network": NETWORK,
        "inside": APISERVER,
        "servers": commands(binaries, folder),
        "folder": str(folder),
    }
    script = Path(__file__).with_name("warden.py")
    command = [sys.executable, "-I", "-S", str(script), json.dumps(plan)]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        warden = Warden(process, ours, folder)
        try:
            answer = json.loads(ours.recv(4096) or b'{"error": "the warden ended at once"}')
            if "error" in answer:
                raise Unavailable(f"the real apiserver can't be started: {answer['error']}")
            warden.doors = [(host, port) for host, port in answer["doors"]]
            yield warden
        finally:
            ours.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def start() -> Iterator[RealAPIServer]:
    """Start the control plane, and end it."""
    binaries = assets()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="contract-")))
        tokens = write_credentials(folder)
        warden = stack.enter_context(guard(binaries, folder))
        port = warden.doors[0][1]
        apiserver = RealAPIServer(
            server=f"https://127.0.0.1:{port}",
            server6=f"https://[::1]:{port}" if len(warden.doors) > 1 else None,
            ca_file=folder / "ca.crt",
            client_certificate=folder / "admin.crt",
            client_key=folder / "admin.key",
            kubeconfig=folder / "kubeconfig",
            admin_token=tokens["token-user"],
            reader_token=tokens["reader"],
            kubectl=binaries / "kubectl" if (binaries / "kubectl").exists() else None,
            warden=warden,
        )
        write_kubeconfig(
            apiserver.kubeconfig,
            server=apiserver.server,
            ca_pem=apiserver.ca_pem,
            certificate=apiserver.client_certificate.read_bytes(),
            key=apiserver.client_key.read_bytes(),
            admin_token=apiserver.admin_token,
            reader_token=apiserver.reader_token,
        )
        wait_until_ready(apiserver)
        yield apiserver


def wait_until_ready(apiserver: RealAPIServer) -> None:
    """Wait for /readyz, and for the namespace that the server makes last."""
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        apiserver.warden.ask("alive")
        with contextlib.suppress(OSError, http.client.HTTPException):
            ready = apiserver.get("/readyz").text == "ok"
            if ready and apiserver.get("/api/v1/namespaces/default").status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"kube-apiserver wasn't ready in time\n{apiserver.warden.last_words()}")
