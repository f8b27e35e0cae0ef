"""Lists, page by page: limits, selectors and continue tokens.

Source: k8s.io/apiserver, pkg/storage/etcd3/store.go and continue.go.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.testing import selectors
from proxyurls.testing.refusal import Object, Refusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyurls.testing.resources import Resource
    from proxyurls.testing.store import Store

_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_TODAY = -1  # the revision in a token that goes on with what there is now


class Page(NamedTuple):
    """One page of a list."""

    items: list[Object]
    metadata: Object


def page(store: Store, resource: Resource, namespace: str | None, query: Mapping[str, str]) -> Page:
    """One page, as ``limit``, ``continue`` and the selectors in the query ask for it.

    Raises:
        Refusal: the query makes no sense, or its token has expired.
    """
    limit = number(query, "limit")
    tests = selectors.tests(query)
    revision, start = store.revision, None
    if token := query.get("continue", ""):
        asked, start = _read(token)
        if asked != _TODAY and asked < store.oldest:
            raise Refusal(410, "Expired", _EXPIRED, token=_write(_TODAY, start))
        revision = asked if asked != _TODAY else revision
    items = store.at(resource, namespace, revision)
    if start is not None:
        items = [item for item in items if _place(item) > start]
    items = [item for item in items if all(test(item) for test in tests)]
    metadata: Object = {"resourceVersion": str(revision)}
    if limit and len(items) > limit:
        metadata["continue"] = _write(revision, _place(items[limit - 1]))
        if not tests:
            metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
    return Page(items, metadata)


def number(query: Mapping[str, str], name: str) -> int:
    """A number in the query, 0 where there's none.

    Raises:
        Refusal: it's no number.
    """
    text = query.get(name, "")
    try:
        return int(text or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _place(item: Object) -> list[str]:
    metadata = item["metadata"]
    return [metadata.get("namespace", ""), metadata["name"]]


def _write(revision: int, start: list[str]) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": revision, "start": "/".join(start)}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read(token: str) -> tuple[int, list[str]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        known = {"meta.k8s.io/v1": content}[content["v"]]
        return int(known["rv"]), str(known["start"]).split("/")
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from None
