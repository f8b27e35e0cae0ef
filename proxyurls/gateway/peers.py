"""Which user of this machine is at the other end of a connection.

A token in a browser's command line can be read there by every user, so the first to come with it
need not be the one it was meant for.
"""

from __future__ import annotations

import ipaddress
import os
import struct
import sys
from pathlib import Path

_TCP = Path("/proc/net/tcp")
_TCP6 = Path("/proc/net/tcp6")
_MAPPED = bytes(10) + b"\xff\xff"


def is_stranger(peer: tuple[str, int] | None, own: tuple[str, int] | None) -> bool:
    """Whether a connection was made by another user of this machine.

    One from this machine whose other end is closed is a stranger's, too: the request may have
    come from anybody, and nobody of ours waits for the answer.

    Args:
        peer: the other end's address and port.
        own: ours.

    Returns:
        False also where it can't be told: elsewhere than on Linux, without a readable ``/proc``,
        and from another machine or container. Root may do what it likes anyhow, and whoever is
        root serves others.
    """
    if peer is None or own is None or not sys.platform.startswith("linux") or os.getuid() == 0:
        return False
    try:
        user = owner(peer, own)
    except OSError:
        return False
    if user is None:
        here, there = _address(own[0]), _address(peer[0])
        return here == there or here.is_loopback or there.is_loopback
    return user not in (0, os.getuid())


def owner(peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    """The user whose socket is the other end, or None if no open one of this machine is.

    Args:
        peer: the other end's address and port, which is where the socket looked for is bound.
        own: ours.

    Raises:
        OSError: the kernel's tables can't be read.

    Source: https://docs.kernel.org/networking/proc_net_tcp.html
    """
    ends = [(_address(host), port) for host, port in (peer, own)]
    for _ in range(2):  # connections come and go while a table is read, which may hide a line
        found = _owner(_TCP, [_entry(address.packed, port) for address, port in ends])
        if found is None and _TCP6.exists():  # a kernel may do without IPv6
            # A socket of IPv6 can reach an address of IPv4, and is listed with its own kind.
            found = _owner(_TCP6, [_entry(_mapped(address), port) for address, port in ends])
        if found is not None:
            return found
    return None


def _owner(table: Path, ends: list[str]) -> int | None:
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        # A socket that its program has closed has no inode, and 0 for its user.
        if fields[1:3] == ends and fields[9] != "0":
            return int(fields[7])
    return None


def _entry(packed: bytes, port: int) -> str:
    """An address as the kernel writes it: 32-bit words in the machine's own byte order."""
    words = struct.unpack(f"!{len(packed) // 4}I", packed)
    return f"{struct.pack(f'={len(words)}I', *words).hex().upper()}:{port:04X}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address; one of IPv4 also where it is written as one of IPv6."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """An address in IPv6, where those of IPv4 have a range (RFC 4291, section 2.5.5.2)."""
    return address.packed if address.version == 6 else _MAPPED + address.packed
