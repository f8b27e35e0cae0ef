"""The objects of one kind, each made small, kept current by a list and a watch in a thread.

As client-go's reflector: list, watch from the list's version, go on from the last version when
the server ends the watch, and list again when that can't be done.
Source: k8s.io/client-go, tools/cache/reflector.go.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from proxyurls.client import APIClient
from proxyurls.discovery import list_objects
from proxyurls.errors import (
    APIStatusError,
    ClusterError,
    ConfigError,
    ConnectionFailed,
)
from proxyurls.objects import VERSIONED, check
from proxyurls.status import status_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proxyurls.config import Config
    from proxyurls.config.credentials import Credentials
    from proxyurls.objects import Shape

    Key = tuple[str, str]

T = TypeVar("T")
# The server ends a watch after so long. A connection that is dead without a word (a laptop that
# slept, a VPN that fell) shows when the next one is due: hence short.
_WATCH_SECONDS = 20
_TIMEOUT = 25.0
_POLL_SECONDS = 10.0  # where the user may list, but not watch
_SHORTEST = 1.0  # a watch that ends sooner is not begun again at once
_REFUSED_SECONDS = 60.0  # rights change rarely
_BACKOFF = (1.0, 2.0, 4.0, 8.0)
_LONGEST_EVENT = 16 * 1024 * 1024  # etcd's objects are a tenth of it
_NOT_HERE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


@dataclass(frozen=True)
class Source(Generic[T]):
    """A list to follow.

    Attributes:
        path: where it is.
        scope: the namespace it is limited to; None is all.
        shape: what its objects must look like.
        read: makes an object small.
    """

    path: str
    scope: str | None
    shape: Shape
    read: Callable[[dict[str, Any]], T]


@dataclass(frozen=True)
class State(Generic[T]):
    """What a mirror shows at a time.

    Attributes:
        version: another number whenever anything in the state is another.
        items: the objects by namespace and name; None as long as none were read.
        source: where they come from; None as long as none were read.
        seen: when the server last answered (seconds since the epoch); 0 for never.
        problem: why it can't be read now, or "".
    """

    version: int
    items: Mapping[Key, T] | None
    source: Source[T] | None
    seen: float
    problem: str


class Mirror(Generic[T]):
    """Follows the first of several lists that the user may read.

    Args:
        config: which apiserver.
        sources: the lists; where one is refused (403) or not there (404), the next one is taken.
        credentials: shared with whatever else asks this apiserver.
    """

    def __init__(
        self, config: Config, sources: Sequence[Source[T]], *, credentials: Credentials
    ) -> None:
        self._sources = sources
        self._client = APIClient(config, timeout=_TIMEOUT, credentials=credentials)
        self._server = config.server
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._items: dict[Key, T] = {}
        self._state: State[T] = State(0, None, None, 0.0, "")
        self._dirty = False
        self._version = ""  # of the list or the latest event; "" asks for a new list
        self._socket: socket.socket | None = None
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxyurls-mirror", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Stop reading.

        Args:
            seconds: how long to wait. A list that is being read, or a connection that is being
                made, may outlast it by the time that they have; nobody sees what comes of them.
        """
        self._stopped.set()
        with self._lock:
            if self._socket is not None:
                # Wakes the thread that reads from it. The plain socket's method: that of a TLS
                # socket would take the session away from under the reader.
                with contextlib.suppress(OSError):  # it's closed already
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._tried.set()
        self._thread.join(seconds)

    def wait(self, seconds: float) -> bool:
        """Wait until the first list or the first failure is there. False if neither came."""
        return self._tried.wait(seconds)

    def state(self) -> State[T]:
        """What is known now; never waits for the server."""
        with self._lock:
            if self._dirty:
                self._dirty = False
                self._state = replace(
                    self._state, version=self._state.version + 1, items=dict(self._items)
                )
            return self._state

    def _run(self) -> None:
        failures = 0
        source = self._sources[0]
        try:
            while not self._stopped.is_set():
                try:
                    if not self._version:
                        source = self._list()
                        failures = 0
                    began = time.monotonic()
                    self._watch(source)
                    self._stopped.wait(max(0.0, began + _SHORTEST - time.monotonic()))
                except (ClusterError, ConfigError) as error:
                    # A watch that broke off is no news: the next list tells whether the server is
                    # gone.
                    if not self._version:
                        self._failed(str(error))
                    self._version = ""
                    refused = isinstance(error, APIStatusError) and error.status in _NOT_HERE
                    pause = _BACKOFF[min(failures, len(_BACKOFF) - 1)]
                    self._stopped.wait(_REFUSED_SECONDS if refused else pause)
                    failures += 1
        finally:
            self._client.close()

    def _list(self) -> Source[T]:
        """Read the first list that may be read."""
        *others, last = self._sources
        for source in others:
            try:
                return self._list_one(source)
            except APIStatusError as error:
                if error.status not in _NOT_HERE:
                    raise
        return self._list_one(last)

    def _list_one(self, source: Source[T]) -> Source[T]:
        items: dict[Key, T] = {}
        versions: list[str] = []
        listed = list_objects(
            self._client, source.path, on_version=versions.append, shape=source.shape
        )
        for item in listed:
            key, value = self._read(source, item)
            items[key] = value
        with self._lock:
            self._items, self._dirty = items, True
            self._state = replace(self._state, source=source, problem="", seen=time.time())
        self._version = versions[0]
        self._tried.set()
        return source

    def _watch(self, source: Source[T]) -> None:
        """Follow the list for a while. Returns when it is to be called again, or to list first."""
        path = (
            f"{source.path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={_WATCH_SECONDS}"
            f"&resourceVersion={self._version}"
        )
        with self._client.stream("GET", path, headers=[("Accept", "application/json")]) as response:
            if response.status_code == HTTPStatus.FORBIDDEN:
                self._version = ""
                self._stopped.wait(_POLL_SECONDS)
                return
            if response.status_code != HTTPStatus.OK:
                body = b"".join(self._client.limited(response.iter_bytes()))
                self._gone_or(status_error(self._server, response.status_code, body))
                return
            with self._lock:
                self._socket = response.extensions["network_stream"].get_extra_info("socket")
            try:
                if self._stopped.is_set():  # `stop` may have come before there was a socket
                    return
                for line in _lines(response.iter_bytes(), self._server):
                    if not self._take(source, line):
                        return
            finally:
                with self._lock:
                    self._socket = None
        with self._lock:
            self._state = replace(self._state, seen=time.time())

    def _take(self, source: Source[T], line: bytes) -> bool:
        """Take in one event. False where the list is to be read again."""
        event = self._json(line)
        kind, item = event.get("type"), event.get("object")
        if not isinstance(item, dict):
            raise ConnectionFailed(f"{self._server} sent an event of a watch without an object")
        if kind == "ERROR":
            code = item.get("code")
            number = code if isinstance(code, int) else 500
            self._gone_or(status_error(self._server, number, json.dumps(item).encode()))
            return False
        for shape in (VERSIONED,) if kind == "BOOKMARK" else (VERSIONED, source.shape):
            check(item, shape, self._server)
        version = str((item.get("metadata") or {}).get("resourceVersion") or "")
        change = None if kind == "BOOKMARK" else self._read(source, item)
        with self._lock:
            if change and kind == "DELETED":
                self._items.pop(change[0], None)
            elif change:
                self._items[change[0]] = change[1]
            self._dirty = self._dirty or change is not None
            self._state = replace(self._state, seen=time.time())
        self._version = version
        return True

    def _gone_or(self, error: APIStatusError) -> None:
        """A version that the server has forgotten asks for a new list; all else is an error."""
        self._version = ""
        if error.status != HTTPStatus.GONE:
            raise error

    def _read(self, source: Source[T], item: dict[str, Any]) -> tuple[Key, T]:
        return (item["metadata"]["namespace"], item["metadata"]["name"]), source.read(item)

    def _json(self, line: bytes) -> dict[str, Any]:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise ConnectionFailed(f"{self._server} sent an event of a watch that is no JSON")
        return event

    def _failed(self, problem: str) -> None:
        with self._lock:
            if problem != self._state.problem:
                number = self._state.version + 1
                self._state = replace(self._state, version=number, problem=problem)
        self._tried.set()


def _lines(chunks: Iterator[bytes], server: str) -> Iterator[bytes]:
    # Not httpx's lines: those end at U+0085 too, which an annotation may hold.
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
        if len(rest) > _LONGEST_EVENT:
            raise ConnectionFailed(f"{server} sent an event of more than {_LONGEST_EVENT} bytes")
