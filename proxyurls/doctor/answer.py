"""One GET of the target through the apiserver, and who answered it."""

from __future__ import annotations

from contextlib import suppress

import httpx

from proxyurls.causes import CAUSES, of_message
from proxyurls.record import Record
from proxyurls.status import is_refusal, status_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.causes import Cause
    from proxyurls.doctor.case import Case
    from proxyurls.target import Target

_BODY = 256 * 1024  # as much of a page as is looked at
# What servers that speak TLS answer to a request without it: Go, nginx, Apache.
_WANTS_TLS = (
    b"HTTP request to an HTTPS server",
    b"plain HTTP request was sent to HTTPS port",
    b"speaking plain HTTP to an SSL-enabled server port",
)


class Answer(Record):
    """An answer, from the app or from the apiserver.

    Attributes:
        status: its status.
        headers: its headers.
        body: the beginning of its body.
        refusal: the apiserver's own words, if it was not the app that answered.
        causes: what these words, or the app's, leave possible.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    refusal: str | None
    causes: tuple[Cause, ...]


def get(case: Case, target: Target, path: str, cookies: str = "") -> Answer:
    """GET a path of the apiserver's that leads to the target.

    Args:
        case: who asks.
        target: the target.
        path: an absolute, encoded path.
        cookies: a Cookie header.

    Raises:
        ClusterError: no answer came, or it broke off. One that goes on beyond the time limit, as
            server-sent events do, did come.
    """
    headers = [("Accept", "text/html,*/*"), ("Accept-Encoding", "identity")]
    if cookies:
        headers.append(("Cookie", cookies))
    body = b""
    with case.client.stream("GET", path, headers=headers) as response:
        with suppress(httpx.ReadTimeout):
            for chunk in case.client.limited(response.iter_raw()):
                body += chunk
                if len(body) > _BODY or _is_stream(response):
                    break
        return _read(case.config.server, target, response, body)


def _is_stream(response: httpx.Response) -> bool:
    """Whether it is one of server-sent events, which has no end to wait for."""
    return str(response.headers.get("Content-Type", "")).startswith("text/event-stream")


def _read(server: str, target: Target, response: httpx.Response, body: bytes) -> Answer:
    status, headers = response.status_code, response.headers
    plain = headers.get("Content-Type", "") == "application/json"
    if plain and is_refusal(status, body, sure=True):
        error = status_error(server, status, body, target=target)
        return Answer(status, headers, body, error.detail, of_message(error.detail))
    wants_tls = status == 400 and any(text in body for text in _WANTS_TLS)
    return Answer(status, headers, body, None, (CAUSES["speaks-https"],) * wants_tls)
