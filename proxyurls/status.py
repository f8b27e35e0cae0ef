"""What the apiserver's refusals and a connection's failures become: one place, one wording.

Knows no HTTP library, so that both of ours (`oneshot` and `client`) say the same.
"""

from __future__ import annotations

import json
import re
import time
from http import HTTPStatus

from proxyurls import causes
from proxyurls.errors import APIStatusError, ConnectionFailed

CONNECT_SECONDS = 30.0  # as client-go's dialer
_MOST_PATIENT = 60.0
# Of one answer of the API. The largest that we ask for is a page of 500 objects, and where each has
# all the annotations that it may have (apimachinery, TotalAnnotationSizeLimitB: 256 KiB) that is
# half of this. What goes on for longer is no apiserver's, and would take all memory.
ANSWER_LIMIT = 256 * 1024 * 1024
_SSL_PLACE = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
_NO_APISERVER = "{0.text}; {0.remedy}".format(causes.CAUSES["no-apiserver"])

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from proxyurls.causes import Cause
    from proxyurls.target import Target


def parse_status(body: bytes) -> dict[str, Any] | None:
    """The Status object in a body, or None: then it was not the apiserver that answered.

    Source: k8s.io/apimachinery, pkg/apis/meta/v1/types.go, ``Status``.
    """
    if body.lstrip()[:1] != b"{":
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_status = isinstance(value, dict) and value.get("kind") == "Status"
    return value if is_status and value.get("apiVersion") == "v1" else None


# How the messages of the apiserver's proxy begin; tests/contract/ has each.
_REFUSAL = re.compile(
    r'(?:services|pods|nodes)(?: "| is forbidden)|no endpoints available|no service port|'
    r"error trying to reach service|invalid (?:service|pod|node) request|address not allowed|"
    r"Unauthorized|errorf making gzip reader|internal error: 101 switching protocols"
)


def is_refusal(status: int, body: bytes, *, sure: bool) -> bool:
    """Whether a proxied answer is the apiserver's own Status object.

    Nothing marks it as such, and an app may answer a Status object too.

    Args:
        status: the answer's status.
        body: its body.
        sure: ask for a message that the apiserver's proxy is known to give.
    """
    found = parse_status(body)
    if found is None or found.get("code") != status:
        return False
    return not sure or _REFUSAL.match(str(found.get("message"))) is not None


class Patience:
    """How often and how long to wait for a busy server.

    As client-go's rest/with_retry.go: 429 and 503 with a Retry-After of whole seconds. It retries
    ten times however long that takes; we stop after a minute in all.

    Args:
        timeout: seconds that all of it may take, if that is less.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._tries = 10
        self._seconds = min(timeout or _MOST_PATIENT, _MOST_PATIENT)
        self._end = time.monotonic() + self._seconds

    def wait(self, status: int, retry_after: str) -> bool:
        """Wait if the answer asks for it. True if the request is to be sent again."""
        seconds = self.pause(status, retry_after)
        if seconds is None:
            return False
        time.sleep(seconds)
        return True

    def pause(self, status: int, retry_after: str) -> int | None:
        """The seconds to wait before the request is sent again; None if it is not to be."""
        busy = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        if not (busy and self._tries and retry_after.isascii() and retry_after.isdigit()):
            return None
        seconds = int(retry_after[:9])
        self._tries -= 1
        self._seconds -= seconds
        if self._seconds < 0 or time.monotonic() + seconds > self._end:
            return None
        return seconds


def collected(server: str, status: int, chunks: Iterable[bytes]) -> bytes:
    """An answer of the API as a whole.

    Args:
        server: the base URL that was asked.
        status: the answer's status.
        chunks: the body, as it comes.

    Raises:
        APIStatusError: more comes than an apiserver's answer can be.
    """
    found, size = [], 0
    for chunk in chunks:
        found.append(chunk)
        size += len(chunk)
        if size > ANSWER_LIMIT:
            raise too_long(server, status)
    return b"".join(found)


def too_long(server: str, status: int) -> APIStatusError:
    """The error for an answer of more than `ANSWER_LIMIT` bytes."""
    return APIStatusError(
        f"{server} answered {phrase(status)} with more than {ANSWER_LIMIT >> 20} MiB, which no "
        "list of an apiserver has; check --server or --context, or ask for less with -n or -l",
        status=status,
    )


def read_answer(server: str, status: int, body: bytes) -> dict[str, Any]:
    """The object that the API answered with.

    Raises:
        APIStatusError: the status is not 2xx, or the body is no API object: then something else
            than an apiserver answers there.
    """
    if status not in range(200, 300):
        raise status_error(server, status, body)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and "kind" in value:
        return value
    raise APIStatusError(
        f"{server} answered {phrase(status)}, but not with an API object: {_NO_APISERVER}",
        status=status,
        causes=("no-apiserver",),
    )


def phrase(status: int) -> str:
    """``404 Not Found``; the number alone where there is no phrase for it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def status_error(
    server: str, status: int, body: bytes, *, target: Target | None = None
) -> APIStatusError:
    """The error for an answer of the API itself that is no success.

    Args:
        server: the base URL that was asked.
        status: the answer's status.
        body: its body, a Status object or any text.
        target: whom the API was to proxy to, for the command that finds the cause.
    """
    found = parse_status(body)
    if found is None and (status < 400 or body.lstrip()[:1] == b"<"):
        return APIStatusError(
            f"{server} answered {phrase(status)} as no apiserver does: {_NO_APISERVER}",
            status=status,
            causes=("no-apiserver",),
        )
    found = found or {}
    meta = found.get("metadata")
    text = "" if body.lstrip()[:1] == b"{" else body[:200].decode(errors="replace")
    detail = " ".join(str(found.get("message") or text).split())
    head = f"the apiserver at {server} answered {phrase(status)}"
    if detail:
        head += f": {detail}"
    possible = _causes(status, detail)
    if possible:
        head += f"; {causes.advice(possible, target)}"
    return APIStatusError(
        head,
        status=status,
        reason=str(found.get("reason") or ""),
        detail=detail,
        continue_token=str(meta.get("continue") or "") if isinstance(meta, dict) else "",
        causes=[one.name for one in possible],
    )


def _causes(status: int, detail: str) -> tuple[Cause, ...]:
    found = causes.of_message(detail)
    if not found and status == HTTPStatus.UNAUTHORIZED:
        return (causes.CAUSES["credential-refused"],)
    if not found and status == HTTPStatus.FORBIDDEN:
        return (causes.CAUSES["not-allowed"],)
    return found


# What the errors of HTTP libraries say or are called, and their cause. The first one counts.
_SIGNS = (
    ("certificate-expired", ("certificate has expired",)),
    ("certificate-not-yet-valid", ("certificate is not yet valid",)),
    ("wrong-certificate-name", ("Hostname mismatch", "IP address mismatch")),
    ("unknown-authority", ("certificate verify failed: ",)),
    ("proxy-refused", ("ProxyError",)),
    ("unknown-host", ("gaierror",)),
    ("refused", ("ConnectionRefused", "Connection refused")),
    ("no-answer", ("ReadTimeout", "WriteTimeout")),
    ("no-connection", ("Timeout", "timed out")),
    (
        "broken-off",
        (
            *("IncompleteRead", "incomplete", "complete message body", "invalid literal", "chunk"),
            *("BAD_RECORD_MAC", "Not enough data"),
        ),
    ),
    ("not-tls", ("WRONG_VERSION_NUMBER",)),
    ("credential-refused", ("CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE")),
    # aiohttp says nothing but the last one of a handshake that was cut.
    ("tls-refused", ("_ALERT_", "UNRECOGNIZED_NAME", "UNEXPECTED_EOF", "Cannot connect to host")),
    (
        "closed",
        (
            *("RemoteProtocolError", "RemoteDisconnected", "BadStatusLine", "ReadError"),
            *("ConnectionReset", "Connection reset", "ClientPayloadError", "LineTooLong"),
        ),
    ),
    ("wrong-compression", ("DecodingError",)),
)


def connection_error(
    server: str,
    error: BaseException,
    *,
    proxy: str | None = None,
    connected: bool = False,
    begun: bool = False,
) -> ConnectionFailed:
    """The error for a request that got no answer.

    Args:
        server: the base URL that was asked.
        error: what the HTTP library raised; its causes are looked through for the real one.
        proxy: the proxy that was to be used, if any. Its password is not shown.
        connected: whether the connection was there already, if the error does not say so.
        begun: whether an answer had begun. How its end shows differs from Python to Python.
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 10:
        chain.append(cause)
        if type(cause).__name__ == "gaierror":  # before it, anyio tried whether it's an address
            break
        cause = cause.__cause__ or cause.__context__
    texts = [" ".join(str(each).split()) for each in chain]
    text = next((text for text in reversed(texts) if text), "")
    kinds = " ".join(type(each).__name__ for each in chain)
    if connected:
        kinds = kinds.replace("TimeoutError", "ReadTimeout")
    name = next(
        (name for name, signs in _SIGNS if any(sign in kinds or sign in text for sign in signs)), ""
    )
    if begun and name in ("closed", "tls-refused", ""):
        name = "broken-off"
    if "certificate verify failed: " in text:
        why = text.partition("certificate verify failed: ")[2].rpartition(" (_ssl")[0] or text
        return ConnectionFailed(
            f"the certificate of {server} is not trusted: {why.rstrip('.')}; "
            f"{causes.CAUSES[name].remedy}",
            causes=(name,),
        )
    head = f"can't reach {server}"
    if proxy:
        from proxyurls.config.server import mask_password

        head += f" through the proxy {mask_password(proxy)}"
    if not name:
        return ConnectionFailed(f"{head}: {text or kinds.split()[0]}")
    why, remedy = causes.CAUSES[name].text, causes.CAUSES[name].remedy
    if name in ("unknown-host", "proxy-refused", "credential-refused", "tls-refused"):
        said = _SSL_PLACE.sub("", text)
        # aiohttp's text of a handshake that was cut says nothing, at length.
        why += f" ({said})" if "Cannot connect to host" not in said else ""
    if proxy and name in ("unknown-host", "refused"):  # it's the proxy that was not reached
        remedy = causes.CAUSES["proxy-refused"].remedy
    return ConnectionFailed(f"{head}: {why}; {remedy}", causes=(name,))
