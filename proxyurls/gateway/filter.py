"""Which requests to the API itself are let through: kubectl proxy's rules and flags.

Source: k8s.io/kubectl, pkg/proxy/proxy_server.go.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from proxyurls.errors import InvalidConfig, shown
from proxyurls.gateway.goregexp import compiled

ACCEPT_HOSTS = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$"
ACCEPT_PATHS = "^.*"
REJECT_PATHS = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
REJECT_METHODS = "^$"

Patterns = tuple["re.Pattern[str]", ...]


class Filter(NamedTuple):
    """The four lists of patterns, each found anywhere in the text unless it's anchored."""

    accept_hosts: Patterns
    accept_paths: Patterns
    reject_paths: Patterns
    reject_methods: Patterns

    @classmethod
    def of(
        cls,
        *,
        accept_hosts: str = ACCEPT_HOSTS,
        accept_paths: str = ACCEPT_PATHS,
        reject_paths: str = REJECT_PATHS,
        reject_methods: str = REJECT_METHODS,
    ) -> Filter:
        """Make a filter of the flags' values, lists of Go's regular expressions.

        Raises:
            InvalidConfig: one of them is no regular expression.
        """
        return cls(
            patterns("--accept-hosts", accept_hosts),
            patterns("--accept-paths", accept_paths),
            patterns("--reject-paths", reject_paths),
            patterns("--reject-methods", reject_methods),
        )

    def accepts(self, method: str, request_target: str, host: str) -> bool:
        """Whether a request may pass.

        Args:
            method: its method.
            request_target: its path and query as they will be sent: dot segments resolved
                (`paths.asked`), since the rules look at the path's beginning.
            host: its Host header, with or without a port.
        """
        path = unquote(request_target.partition("?")[0])
        if found(self.reject_paths, path) or found(self.reject_methods, method):
            return False
        return found(self.accept_paths, path) and found(self.accept_hosts, host_of(host))


def found(patterns: Patterns, text: str) -> bool:
    """Whether one of the patterns is found in a text."""
    return any(pattern.search(text) for pattern in patterns)


def host_of(header: str) -> str:
    """A Host header without its port, as Go's net.SplitHostPort has it."""
    match = re.fullmatch(r"\[([^\[\]]*)\]:[^:\[\]]*|([^:\[\]]*):[^:\[\]]*", header)
    return header if match is None else match[1] or match[2] or ""


def patterns(flag: str, value: str) -> Patterns:
    """A flag's list of regular expressions, "" for none.

    Raises:
        InvalidConfig: one of them is no regular expression.
    """
    made = []
    for text in value.split(",") if value else ():
        try:
            made.append(compiled(text))
        except ValueError as error:
            raise InvalidConfig(
                f"invalid {flag} {shown(value)}: {shown(text)} is no regular expression ({error}); "
                "type expressions of Go's, with commas between them"
            ) from None
    return tuple(made)
