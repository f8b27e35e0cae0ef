"""Who the apiserver takes the user for."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

from proxyurls.doctor.review import review
from proxyurls.doctor.shapes import WHO
from proxyurls.errors import APIStatusError
from proxyurls.status import is_refusal, parse_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.doctor.case import Case

_MOST = 64 * 1024
_LONGEST = 8000  # characters of a message to look at: the pattern's time goes by its square
_REFUSED = re.compile(r'User (".*") cannot get resource "[a-z]+/proxy"', re.DOTALL)


def answer_of_proxy(case: Case) -> str:
    """What the apiserver itself says to a GET of the target's root; "" where it lets it through.

    Raises:
        ConnectionFailed: no answer came.
    """
    with case.client.stream("GET", case.target.path()) as response:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return ""
        body = b""
        for piece in case.client.limited(response.iter_bytes()):
            body += piece
            if len(body) > _MOST:
                return ""
    if not is_refusal(response.status_code, body, sure=True):
        return ""
    return str((parse_status(body) or {}).get("message"))


def user_of(message: str) -> str | None:
    r"""The user's name in a refusal, or None where it can't be told.

    The server writes it as Go's %q does, escapes it for HTML, and then takes it for a format,
    which loses text at each "%" (tests/contract/test_rbac.py has examples).

    >>> user_of('… is forbidden: User "a&amp;b" cannot get resource "pods/proxy" in …')
    'a&b'
    """
    found = _REFUSED.search(message[:_LONGEST])
    if not found or "%" in found[1]:
        return None
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    try:
        return str(json.loads(text))  # the escapes that Go and JSON have in common
    except ValueError:
        return None


def user(case: Case, message: str) -> str | None:
    """The user's name, or None where the server does not tell.

    Args:
        case: whose client asks.
        message: what the server says when it refuses something.

    Raises:
        ClusterError: as for `review`.
    """
    if case.config.impersonate:
        return case.config.impersonate.user
    try:
        info = review(case, "authentication.k8s.io", "SelfSubjectReview", {}, WHO)
    except APIStatusError as error:  # before Kubernetes 1.28 there is none
        if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            raise
        return user_of(message)
    return str(info["userInfo"]["username"])
