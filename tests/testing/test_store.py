"""The fake cluster's objects, and what watches are told of them."""

from __future__ import annotations

from proxyurls.testing.resources import core
from proxyurls.testing.store import Store

NAMESPACES = core("namespaces")


def filled(*names: str) -> Store:
    """A store with some namespaces."""
    store = Store()
    for name in names:
        store.create(NAMESPACES, "", {"metadata": {"name": name}})
    return store


def test_listener_that_goes() -> None:
    """A listener that goes while all are told keeps none of the others from being told."""
    store, told = Store(), []

    def fleeting() -> None:
        store.listeners.remove(fleeting)

    store.listeners += [fleeting, lambda: told.append(store.revision)]
    store.create(NAMESPACES, "", {"metadata": {"name": "a"}})
    assert told == [store.revision]


def test_changes_outlive_a_compaction() -> None:
    """A watch that runs reads what happened before a compaction, of objects that are gone too."""
    store = filled("a", "b")
    start = store.revision
    store.delete(NAMESPACES, "", "a")
    store.compact()
    store.create(NAMESPACES, "", {"metadata": {"name": "a"}})
    gone, again = store.since(NAMESPACES, None, start)
    assert (gone.new, again.old) == (None, None)
    assert gone.old is not None
    assert again.new is not None
    assert gone.old["metadata"]["uid"] != again.new["metadata"]["uid"]
    assert store.oldest == gone.revision
