"""A bearer token in a file that someone else renews (transport/token_source.go)."""

# os.path, since loading pathlib would show at start-up.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import re
import time

from proxyurls.config.files import read_regular
from proxyurls.errors import CredentialError

# client-go's period: half of what the kubelet leaves between renewing and expiry.
_PERIOD = 60.0
Signature = tuple[int, int, int]


def file_signature(path: str) -> Signature | None:
    """What changes when a file is replaced or rewritten; None if it can't be looked at."""
    try:
        status = os.stat(path)
    except OSError:  # whoever reads it next will say why
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


class TokenFile:
    """The current token of a file. Not thread-safe: its owner holds a lock.

    The file is read again when its time, inode or size changed (the kubelet swaps a
    symbolic link), and every minute in case a file system hides that. A token that was read
    once stays good while the file can't be read: it may be just being replaced.
    """

    def __init__(self, path: str, *, fallback: str = "") -> None:
        self._path = path
        self._token = fallback
        self._signature: Signature | None = None
        self._read_at = 0.0

    def __repr__(self) -> str:
        return f"TokenFile({self._path!r})"

    def token(self) -> str:
        """The token.

        Raises:
            CredentialError: the file can't be read, or is empty, and never held a token.
        """
        signature = file_signature(self._path)
        fresh = time.monotonic() - self._read_at < _PERIOD
        if signature is not None and signature == self._signature and fresh:
            return self._token
        try:
            self._token = self._read()
        except CredentialError:
            if not self._token:
                raise
            return self._token
        self._signature, self._read_at = signature, time.monotonic()
        return self._token

    def renew(self) -> bool:
        """Read at once, after the server refused the token; True if there is another one."""
        old, self._signature = self._token, None
        return self.token() != old

    def _read(self) -> str:
        try:
            token: str | None = read_regular(self._path).decode().strip()
        except OSError as exc:
            raise CredentialError(f"token file {self._path} can't be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            token = None  # raised below, without the original error, which holds the file's bytes
        if token is None:
            raise CredentialError(f"token file {self._path} is not text; it must hold one token")
        if not token:
            raise CredentialError(f"token file {self._path} is empty; it must hold one token")
        if re.search(r"[\x00-\x1f\x7f]", token):
            raise CredentialError(
                f"token file {self._path} holds more than one line; it must hold one token"
            )
        return token
