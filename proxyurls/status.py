"""What the apiserver's refusals and a connection's failures become: one place, one wording.

Knows no HTTP library, so that both of ours (`oneshot` and `client`) say the same.
"""

from __future__ import annotations

import json
import re
import time
from http import HTTPStatus

from proxyurls.errors import APIStatusError, ConnectionFailed

CONNECT_SECONDS = 30.0  # as client-go's dialer
_NO_APISERVER = (
    "it is no apiserver, or a login page or gateway stands in front of it; "
    "check --server or --context"
)

_CLOSED = (
    "it closed the connection without an HTTP answer; an apiserver does so when the app behind "
    "breaks off, and anything else there does not speak HTTP (is it https://…?)"
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
    r"Unauthorized"
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
    """

    def __init__(self) -> None:
        self._tries = 10
        self._seconds = 60

    def wait(self, status: int, retry_after: str) -> bool:
        """Wait if the answer asks for it. True if the request is to be sent again."""
        busy = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        if not (busy and self._tries and retry_after.isascii() and retry_after.isdigit()):
            return False
        seconds = int(retry_after[:9])
        self._tries -= 1
        self._seconds -= seconds
        if self._seconds < 0:
            return False
        time.sleep(seconds)
        return True


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
    )


def phrase(status: int) -> str:
    """``404 Not Found``; the number alone where there is no phrase for it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def status_error(server: str, status: int, body: bytes) -> APIStatusError:
    """The error for an answer of the API itself that is no success.

    Args:
        server: the base URL that was asked.
        status: the answer's status.
        body: its body, a Status object or any text.
    """
    found = parse_status(body)
    if found is None and (status < 400 or body.lstrip()[:1] == b"<"):
        return APIStatusError(
            f"{server} answered {phrase(status)} as no apiserver does: {_NO_APISERVER}",
            status=status,
        )
    found = found or {}
    text = "" if body.lstrip()[:1] == b"{" else body[:200].decode(errors="replace")
    detail = " ".join(str(found.get("message") or text).split())
    head = f"the apiserver at {server} answered {phrase(status)}"
    if detail:
        head += f": {detail}"
    return APIStatusError(
        head + _remedy(status, detail),
        status=status,
        reason=str(found.get("reason") or ""),
        detail=detail,
        continue_token=str((found.get("metadata") or {}).get("continue") or ""),
    )


# What the proxy of the apiserver says (tests/contract/ has each), and what helps.
_PROXY_REMEDIES = {
    "no endpoints available": (
        "no ready pod is behind it, or its ports have names and one must be typed: NAME:PORT"
    ),
    "address not allowed": (
        "the pod has no address yet, or one that is never proxied to (loopback, link-local)"
    ),
    "no service port": "`proxyurls services` lists its ports",
    "does not look like a TLS handshake": "the app speaks http there: type http:NAME:PORT",
    "malformed HTTP response": "the app seems to speak https: type https:NAME:PORT",
    "connection reset by peer": "the app may speak https (type https:NAME:PORT), or no HTTP",
    "trying to reach service: EOF": "the app may speak https (type https:NAME:PORT), or no HTTP",
    "connection refused": "nothing listens on that port of the pod",
}


def _remedy(status: int, detail: str) -> str:
    if detail.startswith('services "') and detail.endswith('" not found'):
        return "; there is no such service, or no Endpoints object behind it"
    if re.search(r'no endpoints available for service "[^"]*:[^":0-9][^":]*"', detail):
        return (
            "; no port has that name (`proxyurls services` lists them), or no ready pod is behind"
        )
    for part, remedy in _PROXY_REMEDIES.items():
        if part in detail:
            return f"; {remedy}"
    if status == HTTPStatus.UNAUTHORIZED:
        return "; it does not accept these credentials: see `proxyurls config`"
    if status == HTTPStatus.FORBIDDEN:
        return "; ask for that permission (RBAC), or choose another --context or --namespace"
    return ""


def connection_error(
    server: str, error: BaseException, *, proxy: str | None = None, connected: bool = False
) -> ConnectionFailed:
    """The error for a request that got no answer.

    Args:
        server: the base URL that was asked.
        error: what the HTTP library raised; its causes are looked through for the real one.
        proxy: the proxy that was to be used, if any. Its password is not shown.
        connected: whether the connection was there already, if the error does not say so.
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 10:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    texts = [" ".join(str(each).split()) for each in chain]
    text = next((text for text in reversed(texts) if text), "")
    kinds = " ".join(type(each).__name__ for each in chain)
    if connected:
        kinds = kinds.replace("TimeoutError", "ReadTimeout")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed: ")[2].rpartition(" (_ssl")[0] or text
        why = why.rstrip(".")
        remedy = "check certificate-authority or --tls-server-name (see `proxyurls config`)"
        return ConnectionFailed(f"the certificate of {server} is not trusted: {why}; {remedy}")
    head = f"can't reach {server}"
    hint = "check --server or --context"
    if proxy:
        from proxyurls.config.server import mask_password

        head += f" through the proxy {mask_password(proxy)}"
        hint = "check proxy-url in the kubeconfig, or HTTPS_PROXY"
    if "ProxyError" in kinds:
        return ConnectionFailed(f"{head}: the proxy answered {text}; {hint}")
    for signs, why in (
        (("gaierror",), f"the host name is not known ({text}); {hint}"),
        (
            ("ConnectionRefused", "Connection refused"),
            f"connection refused; is it running there? {hint.capitalize()}",
        ),
        (
            ("ReadTimeout", "WriteTimeout"),
            "connected, but no answer came within the time limit; raise --request-timeout",
        ),
        (
            ("Timeout", "timed out"),
            "no answer within the time limit; check the network, or raise --request-timeout",
        ),
        (
            ("IncompleteRead", "incomplete", "complete message body", "invalid literal", "chunk"),
            "its answer broke off",
        ),
        (("WRONG_VERSION_NUMBER",), "it does not speak TLS; is it http://…?"),
        (
            ("RemoteProtocolError", "RemoteDisconnected", "BadStatusLine", "ReadError"),
            _CLOSED,
        ),
        (("DecodingError",), "its answer is not compressed as its Content-Encoding says"),
    ):
        if any(sign in kinds or sign in text for sign in signs):
            return ConnectionFailed(f"{head}: {why}")
    return ConnectionFailed(f"{head}: {text or kinds.split()[0]}")
