"""What is to be asked of an apiserver, apart from who asks and how the answer is waited for.

Code that asks is a generator: it yields a `Get` and is sent the answer, or has the refusal raised
where it stands. So it is written once, and run by `run` and `each` for threads, and by their twins
in `async_client` for tasks.
"""

from __future__ import annotations

from proxyurls.errors import APIStatusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")
    Steps = Generator["Get", dict[str, Any], T]
    """Asks, and then returns a value."""
    Items = Generator["Get | T", Any, None]
    """Asks, and yields items in between, for which it is sent nothing."""

    class Client(Protocol):
        """What `APIClient` is, as far as it matters here."""

        def get_json(self, path: str, *, accept: str = ...) -> dict[str, Any]:
            """GET an object of the API."""


WHOLE = "application/json"


class Get:
    """A request: the answer is an object of the API.

    Args:
        path: an absolute, encoded path with its query.
        accept: the media type to ask for.
    """

    __slots__ = ("accept", "path")

    def __init__(self, path: str, accept: str = WHOLE) -> None:
        self.path = path
        self.accept = accept


def run(client: Client, steps: Steps[T]) -> T:
    """Ask what is to be asked, one after the other: the result.

    Args:
        client: whom to ask.
        steps: what.

    Raises:
        ClusterError: as for `APIClient.get_json`, and what the steps raise.
    """
    try:
        step = next(steps)
        while True:
            step = _answered(client, steps, step)
    except StopIteration as end:
        result: T = end.value
        return result


def each(client: Client, items: Items[T]) -> Iterator[T]:
    """The items, and nothing is asked before one is wanted that needs it.

    Args:
        client: whom to ask.
        items: what.

    Raises:
        ClusterError: as for `APIClient.get_json`, and what the steps raise.
    """
    try:
        step = next(items)
        while True:
            if isinstance(step, Get):
                step = _answered(client, items, step)
            else:
                yield step
                step = next(items)
    except StopIteration:
        pass
    finally:
        items.close()


def _answered(client: Client, steps: Generator[T, Any, Any], step: Get) -> T:
    """What comes after a request."""
    try:
        answer = client.get_json(step.path, accept=step.accept)
    except APIStatusError as error:
        return steps.throw(error)
    return steps.send(answer)
