"""Patches: JSON merge patches, and as much of strategic ones as kubectl needs.

Sources: RFC 7396; k8s.io/apimachinery, pkg/util/strategicpatch/patch.go.
"""

from __future__ import annotations

from collections.abc import Callable

from proxyurls.testing.refusal import Object, Refusal

Patch = Callable[[Object, Object], Object]

# What tells the elements of a list apart; the lists of other kinds of object are replaced.
_MERGED = ("services", "pods", "nodes")
_KEYS = {"ports": ("containerPort", "port"), "containers": ("name",), "addresses": ("type",)}


def of(media: str, plural: str) -> Patch:
    """How a patch of that media type is applied to an object of a resource.

    Raises:
        Refusal: there is no such type of patch here.
    """
    if media == "application/merge-patch+json":
        return merge
    if media == "application/strategic-merge-patch+json":
        return strategic if plural in _MERGED else merge
    message = "the body of the request was in an unknown format: send a merge patch"
    raise Refusal(415, "UnsupportedMediaType", message)


def merge(old: Object, changes: Object) -> Object:
    """Apply a JSON merge patch."""
    new = dict(old)
    for key, value in changes.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            before = new.get(key)
            new[key] = merge(before if isinstance(before, dict) else {}, value)
        else:
            new[key] = value
    return new


def strategic(old: Object, changes: Object) -> Object:
    """Apply a strategic merge patch; the order of elements that it may ask for is not heeded."""
    new = dict(old)
    for key, value in changes.items():
        if key.startswith("$"):
            continue
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            before = new.get(key)
            new[key] = strategic(before if isinstance(before, dict) else {}, value)
        elif isinstance(value, list) and key in _KEYS:
            new[key] = _elements(new.get(key) or [], value, _KEYS[key])
        else:
            new[key] = value
    return new


def _elements(old: list[Object], changes: list[Object], keys: tuple[str, ...]) -> list[Object]:
    def key_of(item: Object) -> object:
        return next((item[key] for key in keys if key in item), None)

    found = {key_of(item): item for item in old}
    for item in changes:
        if item.get("$patch") == "delete":
            found.pop(key_of(item), None)
        else:
            found[key_of(item)] = strategic(found.get(key_of(item), {}), item)
    return list(found.values())
