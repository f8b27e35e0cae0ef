"""The apiserver's own refusals, each a Status object.

Source: k8s.io/apimachinery, pkg/api/errors/errors.go.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


_SHORT = {
    ord(char): f"\\{name}" for char, name in zip('"\\\a\b\f\n\r\t\v', '"\\abfnrtv', strict=True)
}


def quoted(text: str) -> str:
    """A text as Go's %q shows it."""
    return '"' + "".join(map(_spelt, text)) + '"'


def _spelt(char: str) -> str:
    code = ord(char)
    if code in _SHORT:
        return _SHORT[code]
    if char.isprintable():
        return char
    if 0xDC80 <= code <= 0xDCFF:  # a byte that's no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


class Refusal(Exception):
    """What the apiserver answers instead: its status, its reason and its words."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        token: str = "",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.token = token
        self.retry_after = retry_after  # seconds

    def status(self) -> Object:
        """The Status object."""
        made: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.token} if self.token else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            made["reason"] = self.reason
        if self.retry_after is not None:
            made["details"] = {**(self.details or {}), "retryAfterSeconds": self.retry_after}
        elif self.details is not None:
            made["details"] = self.details
        return {**made, "code": self.code}


def not_found(resource: str, name: str) -> Refusal:
    """No such object; ``resource`` has its group behind a dot, unless it's the core's."""
    details = {"name": name, "kind": resource}
    plural, _, group = resource.partition(".")
    if group:
        details = {"name": name, "group": group, "kind": plural}
    return Refusal(404, "NotFound", f"{resource} {quoted(name)} not found", details=details)


def exists(resource: str, name: str) -> Refusal:
    """There is one already."""
    details = {"name": name, "kind": resource.partition(".")[0]}
    message = f'{resource} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, details=details)


def conflict(resource: str, name: str) -> Refusal:
    """The object is not any more what the one who changes it takes it for."""
    message = (
        f"Operation cannot be fulfilled on {resource} {quoted(name)}: the object has been "
        "modified; please apply your changes to the latest version and try again"
    )
    details = {"name": name, "kind": resource.partition(".")[0]}
    return Refusal(409, "Conflict", message, details=details)


def unknown_path() -> Refusal:
    """The API has no such path."""
    message = "the server could not find the requested resource"
    return Refusal(404, "NotFound", message, details={})


def wrong_method() -> Refusal:
    """The path has no such method."""
    message = "the server does not allow this method on the requested resource"
    return Refusal(405, "MethodNotAllowed", message, details={})


def bad_request(message: str) -> Refusal:
    """The request makes no sense."""
    return Refusal(400, "BadRequest", message)


def invalid(kind: str, name: str, problem: str) -> Refusal:
    """The object makes no sense."""
    details = {"name": name, "kind": kind}
    return Refusal(422, "Invalid", f"{kind} {quoted(name)} is invalid: {problem}", details=details)


def unavailable(message: str) -> Refusal:
    """Nothing stands behind the target."""
    return Refusal(503, "ServiceUnavailable", message)


def unauthorized() -> Refusal:
    """A credential that nobody knows."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def unreachable(error: str) -> Refusal:
    """The upstream gave no answer; ``error`` is what Go says of it."""
    return Refusal(500, "", f"error trying to reach service: {error}")


def undialled(error: str) -> Refusal:
    """The same for an upgrade, if the upstream could not even be connected to."""
    return Refusal(500, "", f"error dialing backend: {error}")
