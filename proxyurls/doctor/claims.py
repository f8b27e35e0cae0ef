"""What a token says of itself, if it is a JSON Web Token. It is not verified, and never shown."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

from proxyurls.record import Record

_SERVICE_ACCOUNT = "system:serviceaccount:"


class Claims(Record):
    """The claims that tell whether a token is good (RFC 7519, section 4.1).

    Attributes:
        issuer: who made it, or "".
        account: the service account that it is of, as NAMESPACE and NAME; else None.
        not_before: from when on it is good, if it says so.
        expires: until when.
    """

    issuer: str = ""
    account: tuple[str, str] | None = None
    not_before: datetime | None = None
    expires: datetime | None = None


def read_claims(token: str) -> Claims | None:
    """Read a token; None where it is of another kind.

    Args:
        token: as it is sent.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        content = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    issuer, subject = content.get("iss"), content.get("sub")
    account = None
    if isinstance(subject, str) and subject.startswith(_SERVICE_ACCOUNT):
        namespace, _, name = subject.removeprefix(_SERVICE_ACCOUNT).partition(":")
        account = (namespace, name)
    return Claims(
        issuer=issuer if isinstance(issuer, str) else "",
        account=account,
        not_before=_time(content.get("nbf")),
        expires=_time(content.get("exp")),
    )


def _time(value: object) -> datetime | None:
    """A NumericDate: seconds since 1970."""
    if not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, timezone.utc)
    except (ValueError, OverflowError, OSError):  # a year beyond 9999
        return None
