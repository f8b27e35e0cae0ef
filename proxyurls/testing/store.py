"""The objects of the fake cluster, with their whole history: etcd's part in it."""

from __future__ import annotations

import copy
import threading
import uuid
from bisect import bisect_right
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.testing.refusal import Object, bad_request, conflict, exists, not_found, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxyurls.testing.resources import Resource

Key = tuple[str, str, str]  # the qualified resource, the namespace or "", the name


_KEPT = ("name", "namespace", "uid", "creationTimestamp")


class Change(NamedTuple):
    """Something that happened to an object."""

    revision: int
    key: Key
    old: Object | None  # None: it wasn't there before
    new: Object | None  # None: it isn't there any more


class Store:
    """Objects by resource, namespace and name. Any thread may use it.

    Nothing that is stored is changed ever again, so that a list can be of a past moment.
    """

    def __init__(self) -> None:
        self.revision = 1
        self.oldest = 0  # revisions before this one are forgotten
        self.listeners: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._history: dict[Key, list[tuple[int, Object | None]]] = {}
        self._changes: list[Change] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object.

        Raises:
            Refusal: it isn't there, or can't be.
        """
        _check_key(name)
        with self._lock:
            history = self._history.get((resource.qualified, namespace, name))
            found = history[-1][1] if history else None
        if found is None:
            raise not_found(resource.qualified, name)
        return found

    def create(self, resource: Resource, namespace: str, content: Object) -> Object:
        """Store a new object, with the metadata that a server adds.

        Raises:
            Refusal: there is one of that name.
        """
        made = copy.deepcopy(content)
        metadata = _without_nones(made.setdefault("metadata", {}))
        name = metadata["name"]
        if resource.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.uuid4())
        now = datetime.now(timezone.utc)
        metadata["creationTimestamp"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        made["metadata"] = metadata
        key = (resource.qualified, namespace, name)
        with self._lock:
            history = self._history.get(key)
            if history and history[-1][1] is not None:
                raise exists(resource.qualified, name)
            self._put(key, made)
            return made

    def change(
        self, resource: Resource, namespace: str, name: str, changed: Callable[[Object], Object]
    ) -> Object:
        """Put what ``changed`` makes of an object into its place.

        Raises:
            Refusal: it isn't there, or was changed by somebody else meanwhile.
        """
        with self._lock:
            old = self.get(resource, namespace, name)
            new = copy.deepcopy(changed(old))
            metadata, kept = new.get("metadata") or {}, old["metadata"]
            if metadata.get("resourceVersion") not in (None, "", kept["resourceVersion"]):
                raise conflict(resource.qualified, name)
            metadata |= {key: kept[key] for key in _KEPT if key in kept}
            new["metadata"] = _without_nones(metadata)
            self._put((resource.qualified, namespace, name), new)
            return new

    def delete(self, resource: Resource, namespace: str, name: str) -> Object:
        """Forget an object.

        Raises:
            Refusal: it isn't there.
        """
        with self._lock:
            old = self.get(resource, namespace, name)
            self._put((resource.qualified, namespace, name), None)
            return old

    def _put(self, key: Key, new: Object | None) -> None:
        self.revision += 1
        if new is not None:
            new["metadata"]["resourceVersion"] = str(self.revision)
        history = self._history.setdefault(key, [])
        old = history[-1][1] if history else None
        history.append((self.revision, new))
        self._changes.append(Change(self.revision, key, old, new))
        for listener in tuple(self.listeners):  # another thread may remove one meanwhile
            listener()

    def at(self, resource: Resource, namespace: str | None, revision: int) -> list[Object]:
        """The objects of a past or present moment, in order; of all namespaces with None."""
        found = []
        with self._lock:
            for key in sorted(self._history):
                if key[0] != resource.qualified or namespace not in (None, key[1]):
                    continue
                history = self._history[key]
                place = bisect_right(history, revision, key=lambda entry: entry[0])
                content = history[place - 1][1] if place else None
                if content is not None:
                    found.append(content)
        return found

    def since(self, resource: Resource, namespace: str | None, revision: int) -> list[Change]:
        """What happened after a moment."""
        with self._lock:
            start = bisect_right(self._changes, revision, key=lambda change: change.revision)
            return [
                change
                for change in self._changes[start:]
                if change.key[0] == resource.qualified and namespace in (None, change.key[1])
            ]

    def compact(self) -> None:
        """Forget the past: what needs a moment before this one has expired.

        The changes stay, for watches that run have yet to read some.
        """
        with self._lock:
            self.oldest = self.revision
            for key, history in list(self._history.items()):
                if history[-1][1] is None:
                    del self._history[key]
                else:
                    self._history[key] = history[-1:]


def _check_key(name: str) -> None:
    """Refuse a name that would lead elsewhere in a store whose keys are paths.

    Source: k8s.io/apimachinery, pkg/api/validation/path/name.go.
    """
    if name in (".", ".."):
        problem = f"may not be '{name}'"
    else:
        problem = ";".join(f"may not contain '{char}'" for char in "/%" if char in name)
    if problem:
        raise bad_request(f"Name parameter invalid: {quoted(name)}: {problem}")


def _without_nones(content: Object) -> Object:
    return {key: value for key, value in content.items() if value is not None}
