"""Reading what a kubeconfig points at: never without end, and never more than is sensible."""

from __future__ import annotations

import errno
import os
import stat
import time

MOST_BYTES = 10 << 20  # of a kubeconfig or a certificate bundle; the largest known have a tenth
_PIPE_SECONDS = 60.0  # as an exec plugin has, which may be what writes into it
# Where it exists: else opening a pipe waits for somebody to write into it.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | os.O_RDONLY


TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO


class TooLarge(OSError):
    """There is more in it than `MOST_BYTES`."""

    def __init__(self) -> None:
        super().__init__(errno.EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB")


def read_regular(path: str) -> bytes:
    """The bytes of a token, certificate or key file.

    Raises:
        OSError: it can't be read, is too large, or is a folder, device, pipe or socket: those
            have no end, or another content each time.
    """
    with open(_named(path), "rb", opener=_open_regular) as file:
        return _bounded(file.read(MOST_BYTES + 1))


def check_regular(path: str) -> None:
    """See whether `read_regular` would read it, without reading it.

    Raises:
        OSError: it would not.
    """
    with open(_named(path), "rb", opener=_open_regular) as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise TooLarge


def read_any(path: str) -> bytes:
    """The bytes of a kubeconfig, which may come out of a pipe too: ``<(kubectl config view)``.

    Raises:
        OSError: it can't be read, is too large, or does not end in time.
    """
    with open(_named(path), "rb", opener=_open_at_once, buffering=0) as file:
        if _is_regular(file.fileno()):
            return _bounded(_read_up_to(file))
        from select import select

        deadline, found = time.monotonic() + _PIPE_SECONDS, b""
        while len(found) <= MOST_BYTES:
            ready, _, _ = select([file], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise OSError(errno.ETIMEDOUT, f"it did not end within {_PIPE_SECONDS:g} seconds")
            piece = file.read(1 << 16)
            if not piece:
                break
            found += piece
        return _bounded(found)


def _read_up_to(file: FileIO) -> bytes:
    pieces, left = [], MOST_BYTES + 1
    while left > 0 and (piece := file.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _bounded(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise TooLarge
    return data


def _named(path: str) -> str:
    """A path, as far as its characters go one that can be opened; else open() has a ValueError."""
    try:
        if b"\0" not in os.fsencode(path):
            return path
    except UnicodeEncodeError:  # half a character
        pass
    raise OSError(errno.EINVAL, "no file has such a name")


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _open_at_once(path: str, _: int) -> int:
    return os.open(path, _AT_ONCE)


def _open_regular(path: str, flags: int) -> int:
    descriptor = _open_at_once(path, flags)
    if _is_regular(descriptor):
        return descriptor
    os.close(descriptor)
    if os.path.isdir(path):  # noqa: PTH112
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is no regular file")
