"""Every error that proxyurls raises on purpose.

::

    ProxyURLsError
    ├── InvalidInput           (is a ValueError)  what was typed can't be right
    │   ├── InvalidSegment       a name segment: [SCHEME:]NAME[:PORT]
    │   ├── InvalidTarget        a name, namespace, port or scheme
    │   ├── InvalidSuffix        the path, query or fragment behind a target
    │   ├── InvalidURL           a server or a full URL
    │   └── InvalidRequest       a request that can't go through the apiserver as it is
    ├── ConfigError            where the apiserver is, and who is asking
    │   ├── InvalidConfig        (is a ValueError)  a kubeconfig or a flag contradicts itself
    │   ├── ConfigNotFound       neither flags, kubeconfig nor a pod's service account
    │   └── CredentialError      a token file or an exec plugin gave no credential
    ├── ClusterError           the apiserver could not or would not
    │   ├── ConnectionFailed     no answer at all: refused, name not found, TLS, time limit
    │   └── APIStatusError       an answer of status 400 or more, from the apiserver itself
    ├── ListenError            the gateway's port or socket can't be had
    └── ResolveError           (is a LookupError)  which service was meant?
        ├── ServiceNotFound      none fits
        └── AmbiguousService     more than one fits

The type says whose fault it is: whatever is a ValueError can be mended by typing
something else. Messages are one line, name the value and the remedy, and never hold a
secret.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


_LONGEST = 4000  # characters of a message: names of a cluster or a kubeconfig may have a million


def shown(text: object, limit: int = 120) -> str:
    """A value as messages show it: quoted, printable, and no longer than one line can take."""
    if not isinstance(text, str):
        try:
            text = repr(text)[: limit + 1]
        except (ValueError, RecursionError):  # a number of thousands of digits, a list too deep
            text = f"{type(text).__name__} too large to show"
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}…"


def one_line(text: str) -> str:
    r"""The text with line breaks, control characters, bidi marks and half characters escaped.

    >>> one_line("a\nb")
    'a\\nb'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def brief(text: str) -> str:
    """The same, with the middle left out of what is long: what to do stands at the end."""
    half = _LONGEST // 2
    return one_line(text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}")


class ProxyURLsError(Exception):
    """The root of the tree. Never raised itself."""

    def __str__(self) -> str:
        """The message. It may quote a cluster or a kubeconfig, so it is one printable line."""
        return one_line(super().__str__())


class InvalidInput(ProxyURLsError, ValueError):
    """What was typed can't be right. Never raised itself.

    Attributes:
        text: the whole text that was looked at, or None where there is no single one.
        span: the part of it that is wrong, as (start, end) in characters.
    """

    def __init__(
        self, message: str, *, text: str | None = None, span: tuple[int, int] | None = None
    ) -> None:
        super().__init__(message)
        self.text = text
        self.span = span

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), str(self), self.text, self.span))


def _rebuild(
    kind: type[InvalidInput], message: str, text: str | None, span: tuple[int, int] | None
) -> InvalidInput:
    return kind(message, text=text, span=span)


class InvalidSegment(InvalidInput):
    """A name segment that the apiserver would refuse, or that means something else."""


class InvalidTarget(InvalidInput):
    """A name, namespace, port or scheme that Kubernetes does not allow."""


class InvalidSuffix(InvalidInput):
    """A suffix that would leave its target, or that can't be sent."""


class InvalidURL(InvalidInput):
    """A text that is no server, no proxy URL or no in-cluster URL."""


class InvalidRequest(InvalidInput):
    """A request that can't go through the apiserver's proxy as it is.

    Where a transport raises it, it is an ``httpx.LocalProtocolError`` too.
    """


class ConfigError(ProxyURLsError):
    """Locating the apiserver or its credentials failed. Never raised itself."""


class InvalidConfig(ConfigError, ValueError):
    """A kubeconfig, flag or environment variable is wrong or contradicts another."""


class ConfigNotFound(ConfigError):
    """There is no flag, kubeconfig or service account to take a server from."""


class CredentialError(ConfigError):
    """A token file, certificate or exec plugin yielded no usable credential."""


class ClusterError(ProxyURLsError):
    """Talking to the apiserver failed. Never raised itself.

    Attributes:
        causes: names in `proxyurls.causes` of what may be the cause, the likeliest first.
    """

    def __init__(self, message: str, *, causes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.causes = tuple(causes)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_cluster, (type(self), str(self), self.causes))


def _rebuild_cluster(
    kind: type[ClusterError], message: str, causes: tuple[str, ...]
) -> ClusterError:
    return kind(message, causes=causes)


class ConnectionFailed(ClusterError):
    """No HTTP answer came: refused, unknown host, TLS failure or time limit."""


class APIStatusError(ClusterError):
    """The apiserver itself answered with a status of 400 or more.

    Attributes:
        causes: as for `ClusterError`.
        status: the HTTP status code.
        reason: the machine-readable reason of its Status object (``Forbidden``), or "".
        detail: its message, word for word.
        continue_token: with status 410, where a list may go on; else "".
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str = "",
        detail: str = "",
        continue_token: str = "",
        causes: Sequence[str] = (),
    ) -> None:
        super().__init__(message, causes=causes)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.continue_token = continue_token

    def __reduce__(self) -> tuple[object, ...]:
        fields = {
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "continue_token": self.continue_token,
            "causes": self.causes,
        }
        return (_rebuild_status, (str(self), fields))


def _rebuild_status(message: str, fields: dict[str, Any]) -> APIStatusError:
    return APIStatusError(message, **fields)


class ListenError(ProxyURLsError):
    """The gateway can't listen: the port is in use, or isn't ours to use."""


class ResolveError(ProxyURLsError, LookupError):
    """Which service was meant could not be told. Never raised itself.

    Attributes:
        candidates: the services that came near, as ``NAME.NAMESPACE``.
    """

    def __init__(self, message: str, *, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_resolve, (type(self), str(self), self.candidates))


def _rebuild_resolve(
    kind: type[ResolveError], message: str, candidates: tuple[str, ...]
) -> ResolveError:
    return kind(message, candidates=candidates)


class ServiceNotFound(ResolveError):
    """No service fits the name."""


class AmbiguousService(ResolveError):
    """More than one service fits the name."""
