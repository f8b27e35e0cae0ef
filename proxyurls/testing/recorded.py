"""A request that a fake cluster got."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from proxyurls.errors import InvalidInput
from proxyurls.urls import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxyurls.target import Target

_SECRET_HEADER = re.compile(r"(?i)auth|cookie|token|secret|passw|key|impersonate-extra")
_SECRET_NAME = re.compile(r"(?i)auth|token|secret|passw|key|credential|session|signature|^code$")


class Headers(Mapping[str, str]):
    """Headers by name, of any case; those that come twice are joined by a comma.

    Their repr hides credentials and cookies; asked for by name, each is there.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            known = self._values.get(name.lower())
            joint = "; " if name.lower() == "cookie" else ", "
            joined = f"{known[1]}{joint}{value}" if known else value
            self._values[name.lower()] = (known[0] if known else name, joined)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        pairs = self._values.values()
        shown = {name: "…" if _SECRET_HEADER.search(name) else value for name, value in pairs}
        return f"Headers({shown})"


@dataclass(eq=False, repr=False)
class Recorded:
    """A request that a fake cluster got.

    Attributes:
        method: its method.
        path: its path, to the letter, without its query.
        query: its query, to the letter.
        headers: its headers, as the client sent them.
        user: who asked (after impersonation); None where nobody knows the credential.
        verb: what RBAC calls it: "get", "list" …; "" for a path that is no resource's.
        proxied: whether it was for an app.
        suffix: the path and query that the app got; None where none was asked.
    """

    method: str
    path: str
    query: str
    headers: Headers
    user: str | None = None
    verb: str = ""
    proxied: bool = False
    suffix: str | None = None

    @property
    def target(self) -> Target | None:
        """What it was to be proxied to; None for the API itself, or if there can be no such."""
        try:
            return parse_url(self.path).target if self.proxied else None
        except InvalidInput:
            return None

    def __repr__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        text = f"{self.method} {_hidden(self.path + query)} by {self.user or 'nobody known'}"
        return text + (f"; its app got {_hidden(self.suffix)}" if self.suffix is not None else "")


def _hidden(target: str) -> str:
    """A path and query without the values of what may be credentials."""
    path, mark, query = target.partition("?")
    pairs = (one.partition("=") for one in query.split("&"))
    kept = (
        f"{name}{equals}{'…' if _SECRET_NAME.search(unquote(name)) else value}"
        for name, equals, value in pairs
    )
    return path + mark + "&".join(kept)
