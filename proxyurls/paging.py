"""Lists of the API, page by page."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from proxyurls.asking import WHOLE, Get
from proxyurls.errors import APIStatusError
from proxyurls.objects import check, list_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from proxyurls.asking import Items, Steps
    from proxyurls.objects import Shape

    Objects = list[dict[str, Any]]

PAGE_SIZE = 500  # kubectl's chunk size
_METADATA = f"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{WHOLE}"
_RESTARTS = 10  # of one list, when its continue tokens expire


class Paging:
    """What to ask for the objects of a list, each once; `list_objects` says how.

    Args:
        server: whose list it is, for errors.
        path: the list's path.
        label_selector, on_read, on_version, metadata_only, shape: as for `list_objects`.
    """

    def __init__(
        self,
        server: str,
        path: str,
        *,
        label_selector: str | None = None,
        on_read: Callable[[int], None] | None = None,
        on_version: Callable[[str], None] | None = None,
        metadata_only: bool = False,
        shape: Shape | None = None,
    ) -> None:
        self._server = server
        self._path = path
        self._selector = label_selector
        self._on_read = on_read
        self._on_version = on_version
        self._accept = _METADATA if metadata_only else WHOLE
        self._shape = shape
        self._token = ""
        self._last = ""
        self._count = 0
        self._restarts = 0
        self._catching_up = False
        self._begun = False

    def objects(self) -> Items[dict[str, Any]]:
        """All of them, in the list's order."""
        while (items := (yield from self.page())) is not None:
            while items:  # taken off, so that no page is held while the next one is read
                yield items.pop()

    def page(self) -> Steps[Objects | None]:
        """The next page's objects, the last one first; None where there is no further page.

        Raises:
            APIStatusError: an object does not look as it should, or the list leads back to itself.
        """
        if self._begun:
            if self._on_read:
                self._on_read(self._count)
            if not self._token:
                return None
        page = yield from self._read()
        self._begun = True
        if self._shape is not None:
            check(page, list_of(self._shape), self._server, where="list")
        meta = page.get("metadata") or {}
        before, self._token = self._token, meta.get("continue") or ""
        if self._token and self._token == before:
            raise APIStatusError(
                f"the list {self._path} of {self._server} goes on where it was, without end; "
                "check --server or --context",
                status=200,
            )
        if self._on_version:
            self._on_version(meta.get("resourceVersion") or "")
            self._on_version = None
        items: Objects = page.pop("items", None) or []
        items.reverse()
        # The order of a list is that of its keys in etcd, which are these. Only a list that was
        # begun anew repeats something: other servers may have an order of their own.
        while self._catching_up and items:
            self._catching_up = _key(items[-1]) <= self._last
            if self._catching_up:
                items.pop()
        if items:
            self._last = _key(items[0])
            self._count += len(items)
        return items

    def _read(self) -> Steps[dict[str, Any]]:
        while True:
            query = {"limit": PAGE_SIZE, "labelSelector": self._selector, "continue": self._token}
            sent = {key: value for key, value in query.items() if value}
            given = urlencode(sent, errors="replace")  # a token may hold half a character
            try:
                return (yield Get(f"{self._path}?{given}", self._accept))
            except APIStatusError as error:
                if error.status != HTTPStatus.GONE or not self._token:
                    raise
                if self._restarts == _RESTARTS:
                    raise
                self._token = error.continue_token
                self._catching_up, self._restarts = True, self._restarts + 1


def _key(item: dict[str, Any]) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
