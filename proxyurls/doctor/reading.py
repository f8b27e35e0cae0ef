"""Objects of the API, as far as the user may read them."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice

from proxyurls.discovery import list_objects
from proxyurls.errors import APIStatusError
from proxyurls.objects import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from proxyurls.doctor.case import Case
    from proxyurls.objects import Shape

    T = TypeVar("T")

_MOST = 5000  # objects of one list: enough to name near ones by


class Refused(Exception):
    """The user may not read that; the text is the apiserver's own."""


def read(case: Case, path: str, shape: Shape) -> dict[str, Any] | None:
    """One object, or None where there is no such object, or no such kind of object.

    Args:
        case: whose client asks.
        path: the object's path.
        shape: what it must look like.

    Raises:
        Refused: it may not be read.
        ClusterError: as for `APIClient.get_json`.
    """
    found = _answered(lambda: case.client.get_json(path))
    if found is not None:
        check(found, shape, case.config.server)
    return found


def read_list(
    case: Case, path: str, shape: Shape, *, selector: str = "", whole: bool = True
) -> list[dict[str, Any]] | None:
    """The objects of a list, at most a few thousand; None where there is no such kind of object.

    Args:
        case: whose client asks.
        path: the list's path.
        shape: what each object must look like.
        selector: as for ``kubectl -l``.
        whole: False leaves spec and status out.

    Raises:
        Refused: it may not be read.
        ClusterError: as for `APIClient.get_json`.
    """
    found = list_objects(
        case.client, path, label_selector=selector, metadata_only=not whole, shape=shape
    )
    return _answered(lambda: list(islice(found, _MOST)))


def _answered(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except APIStatusError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            raise Refused(error.detail) from error
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
