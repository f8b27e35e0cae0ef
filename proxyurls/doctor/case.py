"""What is being looked into, and what each step may say of it."""

from __future__ import annotations

from proxyurls.causes import CAUSES, typed
from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from proxyurls.client import APIClient
    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.target import Target

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


class Step(Record):
    """One step and its result.

    Attributes:
        name: which step, "endpoints" for example.
        result: "ok", "failed", or "skipped" where it does not apply or can't be told.
        text: what was found, in a sentence.
        cause: the name of the cause in `proxyurls.causes`, where it failed.
        remedy: what to do then: a sentence, a command, or a manifest of several lines.
    """

    name: str
    result: str
    text: str
    cause: str | None = None
    remedy: str | None = None


class Skipped(str):
    """What a step says that does not apply, or can't tell."""

    __slots__ = ()


class Found(Exception):
    """Raised by a step that has found the cause.

    Args:
        cause: its name in `proxyurls.causes.CAUSES`.
        text: what is wrong here, in one sentence that names the values; the table's by default.
        remedy: what to type or apply here; the table's by default.
    """

    def __init__(self, cause: str, text: str | None = None, remedy: str | None = None) -> None:
        known = CAUSES[cause]
        self.cause = cause
        self.text = text or known.text
        self.remedy = remedy or known.remedy
        super().__init__(self.text)


class Lookup(Record):
    """What is known of the object.

    Attributes:
        typed: the name that was typed.
        space: the namespace where it was looked for first; None for nodes.
        found: the object; None where there is none, or it may not be read.
        how: how it was found: "the exact name", for example.
        refusal: the apiserver's message where it may not be read, else "".
        candidates: services that came near, as ``NAME.NAMESPACE``, where none is the one meant.
    """

    typed: str
    space: str | None
    found: dict[str, Any] | None = None
    how: str = "the exact name"
    refusal: str = ""
    candidates: tuple[str, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether it is sure that there is no such object."""
        return self.found is None and not self.refusal


class Case:
    """What was asked for, and what the steps have learnt so far.

    Args:
        load: gives the Config, or raises ConfigError.
        kind: "service", "pod" or "node".
        name: its name.
        namespace: the one that was typed; None is the context's.
        port: the port that was typed.
        scheme: the scheme that was typed.
        suffix: the path and query to ask for.
        probe: whether an app may be asked in the other scheme too.
        timeout: seconds that one request, or one try to connect, may take.
        trace: called with a line for each request of the client.
        options: the options that chose cluster and user, for the commands that a remedy shows.

    Attributes:
        config: set by the step "configuration".
        credentials: likewise; shared by all that ask, so that a plugin runs once.
        client: set by the step "connection".
        lookup: what is known of the object, set by the step "authorization".
        service: the Service object, once looked up; None where it can't be read.
        target: what is asked for in full, set by the step "authorization".
        mute: whether the app was asked in both schemes and answers to neither.
    """

    config: Config
    credentials: Credentials
    client: APIClient
    lookup: Lookup
    target: Target

    def __init__(
        self,
        load: Callable[[], Config],
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        port: int | str | None = None,
        scheme: str | None = None,
        suffix: str = "",
        probe: bool = False,
        timeout: float = 10.0,
        trace: Callable[[str], None] | None = None,
        options: str = "",
    ) -> None:
        self.load = load
        self.kind = kind
        self.name = name
        self.namespace = namespace
        self.port = port
        self.scheme = scheme
        self.suffix = suffix
        self.probe = probe
        self.timeout = timeout
        self.trace = trace
        self.options = options
        self.service: dict[str, Any] | None = None
        self.mute = False

    def command(
        self,
        *,
        name: str | None = None,
        namespace: str | None = None,
        port: int | str | None = None,
        scheme: str | None = None,
    ) -> str:
        """What to type in place of what was typed: a ``fetch`` of the same suffix.

        Args:
            name: another name; None is the one that is meant so far. So are the others.
            namespace: another namespace.
            port: another port.
            scheme: another scheme.
        """
        from shlex import quote

        # What was typed, until it is known in full.
        base: Target | Case = vars(self).get("target", self)
        where = None
        if self.kind != "node":
            where = namespace or base.namespace or self.config.namespace
        words = typed(
            self.kind,
            name or base.name,
            where,
            base.port if port is None else port,
            scheme or base.scheme,
        )
        suffix = "" if self.suffix in ("", "/") else f" {quote(self.suffix)}"
        return f"proxyurls fetch {words}{suffix}"

    def close(self) -> None:
        """Close all connections."""
        if "client" in self.__dict__:
            self.client.close()
