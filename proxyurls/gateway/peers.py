"""Which user of this machine is at the other end of a connection.

A token in a browser's command line can be read there by every user, so the first to come with it
need not be the one it was meant for.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

_TABLES = {4: Path("/proc/net/tcp"), 16: Path("/proc/net/tcp6")}


def is_stranger(peer: tuple[str, int] | None, own: tuple[str, int] | None) -> bool:
    """Whether a connection was made by another user of this machine.

    Args:
        peer: the other end's address and port.
        own: ours.

    Returns:
        False also where it can't be told: elsewhere than on Linux, and from another machine or
        container. Root may do what it likes anyhow, and whoever is root serves others.
    """
    if peer is None or own is None or not sys.platform.startswith("linux") or os.getuid() == 0:
        return False
    return owner(peer, own) not in (None, 0, os.getuid())


def owner(peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    """The user whose socket is the other end, or None if it is none of this machine.

    Args:
        peer: the other end's address and port, which is where the socket looked for is bound.
        own: ours.

    Source: https://docs.kernel.org/networking/proc_net_tcp.html
    """
    ends = [_entry(*peer), _entry(*own)]
    try:
        lines = _TABLES[len(_packed(peer[0]))].read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[1:3] == ends:
            return int(fields[7])
    return None


def _entry(address: str, port: int) -> str:
    """An address as the kernel writes it: 32-bit words in the machine's own byte order."""
    packed = _packed(address)
    words = struct.unpack(f"!{len(packed) // 4}I", packed)
    return f"{struct.pack(f'={len(words)}I', *words).hex().upper()}:{port:04X}"


def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)
