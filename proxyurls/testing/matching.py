"""Which requests are meant: by what faults and assertions choose among them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyurls.target import Target
    from proxyurls.testing.recorded import Recorded

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


class Where(TypedDict, total=False):
    """What is asked of requests, each of which has to hold; see `Match`."""

    method: str
    path: str
    verb: str
    query: Mapping[str, str]
    target: Target
    proxied: bool
    user: str


@dataclass(frozen=True)
class Match:
    """What is asked of requests.

    Attributes:
        method: "GET", "POST" …
        path: the path of the request, without its query. ``*`` stands for any text, slashes too.
        verb: what RBAC calls it: "get", "list", "watch", "create" …
        query: names of the query and their values, in which ``*`` is any text.
        target: what was proxied to, with just this port and scheme.
        proxied: whether it was for an app, and not for the API itself.
        user: who asked.

    Raises:
        ValueError: no request could ever be meant.
    """

    method: str | None = None
    path: str | None = None
    verb: str | None = None
    query: Mapping[str, str] | None = None
    target: Target | None = None
    proxied: bool | None = None
    user: str | None = None

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.startswith(("/", "*")):
            raise ValueError(f"a request's path begins with / or *, not {self.path!r}")
        if self.verb is not None and self.verb not in VERBS:
            raise ValueError(f"a verb is one of {', '.join(VERBS)}, not {self.verb!r}")

    def __call__(self, one: Recorded) -> bool:
        """Whether a request is meant."""
        found = parse_qsl(one.query, keep_blank_values=True)
        return (
            self.method in (None, one.method)
            and self.verb in (None, one.verb)
            and self.user in (None, one.user)
            and self.proxied in (None, one.proxied)
            and (self.target is None or self.target == one.target)
            and (self.path is None or fnmatchcase(one.path, self.path))
            and all(
                any(name == known and fnmatchcase(value, wanted) for known, value in found)
                for name, wanted in (self.query or {}).items()
            )
        )

    def __str__(self) -> str:
        told = ((one.name, getattr(self, one.name)) for one in fields(self))
        return ", ".join(f"{name}={value!r}" for name, value in told if value is not None)
