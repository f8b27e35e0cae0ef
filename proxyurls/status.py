"""What the apiserver's refusals and a connection's failures become: one place, one wording.

Knows no HTTP library, so that both of ours (`oneshot` and `client`) say the same.
"""

from __future__ import annotations

import json
from http import HTTPStatus

from proxyurls.errors import APIStatusError, ConnectionFailed

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
    except ValueError:
        return None
    is_status = isinstance(value, dict) and value.get("kind") == "Status"
    return value if is_status and value.get("apiVersion") == "v1" else None


def read_answer(server: str, status: int, body: bytes) -> dict[str, Any]:
    """The JSON object that the API answered with.

    Raises:
        APIStatusError: the status is not 2xx, or the body is no JSON object: then something
            else than an apiserver answers there.
    """
    if status not in range(200, 300):
        raise status_error(server, status, body)
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    raise APIStatusError(
        f"{server} answered {phrase(status)}, but not with a JSON object: it is no apiserver, "
        "or a login page stands in front of it; check --server or --context",
        status=status,
    )


def phrase(status: int) -> str:
    """``404 Not Found``; the number alone where there is no phrase for it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def status_error(server: str, status: int, body: bytes) -> APIStatusError:
    """The error for an answer of the API itself with a status of 400 or more.

    Args:
        server: the base URL that was asked.
        status: the answer's status.
        body: its body, a Status object or any text.
    """
    found = parse_status(body) or {}
    detail = " ".join(str(found.get("message") or body[:200].decode(errors="replace")).split())
    reason = str(found.get("reason") or "")
    head = f"the apiserver at {server} answered {phrase(status)}"
    if detail:
        head += f": {detail}"
    return APIStatusError(
        head + _remedy(status, detail),
        status=status,
        reason=reason,
        detail=detail,
        continue_token=str((found.get("metadata") or {}).get("continue") or ""),
    )


# What the proxy of the apiserver says (tests/contract/ has each), and what helps.
_PROXY_REMEDIES = {
    "no endpoints available": (
        "no ready pod is behind it, or its ports have names and one must be typed: NAME:PORT"
    ),
    "no service port": "`proxyurls services` lists its ports",
    "does not look like a TLS handshake": "the app speaks plain http: leave https: out",
    "malformed HTTP response": "the app seems to speak https: type https:NAME:PORT",
    "connection reset by peer": "the app may speak https (type https:NAME:PORT), or no HTTP",
    "trying to reach service: EOF": "the app may speak https (type https:NAME:PORT), or no HTTP",
    "connection refused": "nothing listens on that port of the pod",
}


def _remedy(status: int, detail: str) -> str:
    if detail.startswith('services "') and detail.endswith('" not found'):
        return "; there is no such service, or no Endpoints object behind it"
    for part, remedy in _PROXY_REMEDIES.items():
        if part in detail:
            return f"; {remedy}"
    if status == HTTPStatus.UNAUTHORIZED:
        return "; it does not accept these credentials: see `proxyurls config`"
    if status == HTTPStatus.FORBIDDEN:
        return "; ask for that permission (RBAC), or choose another --context or --namespace"
    return ""


def connection_error(server: str, error: BaseException) -> ConnectionFailed:
    """The error for a request that got no answer.

    Args:
        server: the base URL that was asked.
        error: what the HTTP library raised; its cause is looked through for the real one.
    """
    text, seen = "", error
    chain = [error]
    while (seen.__cause__ or seen.__context__) and len(chain) < 10:
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
        chain.append(seen)
    for each in chain:
        text = " ".join(str(each).split()) or text
    kinds = " ".join(type(each).__name__ for each in chain)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed: ")[2].rpartition(" (_ssl")[0] or text
        remedy = "check certificate-authority or --tls-server-name (see `proxyurls config`)"
        return ConnectionFailed(f"the certificate of {server} is not trusted: {why}; {remedy}")
    if "gaierror" in kinds:
        return ConnectionFailed(
            f"can't reach {server}: its host name is not known ({text}); "
            "check --server or --context"
        )
    if "ConnectionRefused" in kinds or "Connection refused" in text:
        return ConnectionFailed(
            f"can't reach {server}: connection refused; is the apiserver running there, "
            "and is this the right --context?"
        )
    if "Timeout" in kinds or "timed out" in text:
        return ConnectionFailed(
            f"can't reach {server}: no answer within the time limit; "
            "check the network, or raise --request-timeout"
        )
    if "WRONG_VERSION_NUMBER" in text:
        return ConnectionFailed(f"can't reach {server}: it does not speak TLS; is it http://…?")
    return ConnectionFailed(f"can't reach {server}: {text or kinds.split()[0]}")
