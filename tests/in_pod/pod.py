"""A pod, as far as a program in it can tell: the folder that the kubelet mounts, and two variables.

The folder has the kubelet's own shape (kubernetes, pkg/volume/util/atomic_writer.go): each
version in a folder of its own, ``..data`` a link to the current one, the files links through it.
A program started in the pod sees it at its real place, by a mount that only it sees.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer

# The path is a part of Kubernetes' contract with programs.
PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
ENTER = f"""\
set -e
mount -t tmpfs none "$(readlink -f /var/run)"
mkdir -p {PLACE}
mount --bind "$1" {PLACE}
shift
exec "$@"
"""


class Pod:
    """A pod of a namespace, that runs as a service account.

    Args:
        folder: an empty folder, for what the pod has.
        apiserver: what it is a pod of.
        namespace: its namespace.
        token: its service account's token.
    """

    def __init__(self, folder: Path, apiserver: APIServer, namespace: str, token: str) -> None:
        self.apiserver = apiserver
        self.mount = folder / "serviceaccount"
        self.mount.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        self._version = 0
        self._files = {
            "token": token.encode(),
            "ca.crt": apiserver.ca_pem,
            "namespace": namespace.encode(),
        }
        self._write()
        for name in self._files:
            (self.mount / name).symlink_to(f"..data/{name}")

    def _write(self) -> None:
        self._version += 1
        version = self.mount / f"..version_{self._version}"
        version.mkdir()
        for name, content in self._files.items():
            (version / name).write_bytes(content)
        link = self.mount / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.mount / "..data")

    def rotate(self, token: str) -> None:
        """Put another token there, as the kubelet does: all at once."""
        self._files["token"] = token.encode()
        self._write()

    def environ(self, *, ipv6: bool = False) -> dict[str, str]:
        """The variables of a container, and nothing of this machine's user."""
        server = self.apiserver.server6 if ipv6 else self.apiserver.server
        parts = urlsplit(server or "")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KUBERNETES_SERVICE_HOST": parts.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(parts.port),
        }

    def start(self, *command: str, ipv6: bool = False, **variables: str) -> subprocess.Popen[str]:
        """Start a command in the pod, "python" being this one."""
        own = ["unshare", "--mount", "--propagation", "private"]
        if os.geteuid() != 0:
            own[1:1] = ["--user", "--map-root-user"]
        program = [sys.executable if word == "python" else word for word in command]
        return subprocess.Popen(
            [*own, "sh", "-c", ENTER, "sh", str(self.mount), *program],
            env={**self.environ(ipv6=ipv6), **variables},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *command: str, ipv6: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the pod to its end."""
        with self.start(*command, ipv6=ipv6, **variables) as process:
            out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def proxyurls(
        self, *argv: str, ipv6: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run proxyurls in the pod."""
        return self.run("python", "-m", "proxyurls", *argv, ipv6=ipv6, **variables)
