"""From what a browser asks for to what the apiserver is asked for behind a target."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.errors import InvalidSuffix, shown
from proxyurls.suffix import clean, collapses, received

if TYPE_CHECKING:
    from proxyurls.target import Target


class Asked(NamedTuple):
    """A request's target, as it goes on.

    Attributes:
        suffix: path and query behind the target; it begins with one slash, and never leaves
            the target.
        prefixed: whether the request bore the target's own prefix. A navigation is then
            answered with a redirect to the suffix, so that the app's scripts see their own root;
            anything else just goes on.
    """

    suffix: str
    prefixed: bool


def prefix_of(target: Target) -> str:
    """The path that the apiserver puts before an app's links, without a slash at its end.

    >>> from proxyurls import service
    >>> prefix_of(service("web", "prod", port=80))
    '/api/v1/namespaces/prod/services/web:80/proxy'
    """
    return target.path().removesuffix("/")


def asked(request_target: str, prefix: str = "") -> Asked:
    """Read a request's target.

    Args:
        request_target: the target of the request line, to the letter: path and query.
        prefix: `prefix_of` the target; "" if there is none to be removed.

    Raises:
        InvalidSuffix: it is no path, would leave the target, or can't be sent.

    >>> asked("//d/./x?q=//", "/api/v1/nodes/n/proxy")
    Asked(suffix='/d/x?q=//', prefixed=False)
    """
    if request_target[:1] != "/" or "#" in request_target:
        raise InvalidSuffix(
            f"invalid request target {shown(request_target)}: it takes a path that begins with "
            "'/', and a query",
            text=request_target,
        )
    rest = request_target
    while prefix and (match := _bearing(prefix).match(rest)):
        rest = rest[match.end() :]
        if rest[:1] != "/":
            rest = "/" + rest
    suffix = clean(rest) or "/"
    if collapses(suffix):  # the app gets the same path in any case
        again = asked(received(suffix), prefix)  # the prefix may have stood behind it
        return Asked(again.suffix, again.prefixed or rest != request_target)
    return Asked(suffix, rest != request_target)


@lru_cache(maxsize=256)
def _bearing(prefix: str) -> re.Pattern[str]:
    # Scripts that put a URL together may percent-encode the colons of its name segment.
    spelt = re.escape(prefix).replace(":", "(?::|%3[Aa])")
    return re.compile(spelt + r"(?=[/?]|$)")
