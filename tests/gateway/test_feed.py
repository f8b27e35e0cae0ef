"""The services and their endpoints, followed: on the real apiserver and the fake one."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from contract.cluster import Port
from contract.fixtures import KINDS
from discovery.commands import kubeconfig
from discovery.servers import Answer, Asked, Loopback

from proxyurls import ConnectionFailed, load_config
from proxyurls.gateway import mirror
from proxyurls.gateway.feed import Feed
from proxyurls.gateway.readiness import Readiness

from .wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from contract.cluster import APIServer

    from proxyurls import Config
    from proxyurls.gateway.feed import Snapshot

UPSTREAM = ("10.244.9.1", 80)  # nobody asks it

on_every_kind = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")


def config_for(apiserver: APIServer, *, server: str = "", **flags: Any) -> Config:
    """As the reader, who may do nothing until granted; or as another context."""
    flags.setdefault("context", "admin")
    return load_config(apiserver.kubeconfig, server=server or None, environ={}, **flags)


@pytest.fixture
def follow() -> Iterator[Callable[[Config], Feed]]:
    """Start a feed, and stop it after the test: within two seconds, with nothing left behind."""
    started: list[Feed] = []

    def follow(config: Config) -> Feed:
        started.append(Feed(config).start())
        return started[-1]

    yield follow
    for feed in started:
        began = time.monotonic()
        feed.stop()
        assert time.monotonic() - began < 2
    names = [thread.name for thread in threading.enumerate()]
    assert "proxyurls-mirror" not in names


def until(feed: Feed, true: Callable[[Snapshot], object], seconds: float = 20) -> Snapshot:
    """Wait for what must come."""
    end = time.monotonic() + seconds
    while not true(shown := feed.snapshot()):
        assert time.monotonic() < end, shown
        time.sleep(0.02)
    return shown


def ready(shown: Snapshot, namespace: str) -> dict[str, Readiness | None]:
    """The readiness of a namespace's services."""
    return {
        entry.service.name: entry.readiness
        for entry in shown.entries
        if entry.service.namespace == namespace
    }


@on_every_kind
def test_follows(apiserver: APIServer, follow: Callable[[Config], Feed]) -> None:
    """What is added, changed and deleted shows without being asked for."""
    space = "feed-follow"
    apiserver.add_namespace(space)
    apiserver.add_service("old", space, upstream=UPSTREAM)
    feed = follow(config_for(apiserver))
    assert feed.wait(20)
    first = until(feed, lambda shown: "old" in ready(shown, space))
    assert first.loaded
    assert (first.namespace, first.problem, first.endpoints_problem) == (None, "", "")
    until(feed, lambda shown: ready(shown, space) == {"old": Readiness(1, 1)})

    apiserver.add_service("idle", space, ports=[Port(80, "http"), Port(443, "https")])
    shown = until(feed, lambda shown: ready(shown, space).get("idle") == Readiness(0, 0))
    assert shown.version != first.version
    services = [entry.service for entry in shown.entries]
    [idle] = [one for one in services if (one.namespace, one.name) == (space, "idle")]
    assert [port.scheme for port in idle.ports] == ["http", "https"]
    assert idle.url == f"{apiserver.server}/api/v1/namespaces/{space}/services/idle:80/proxy/"

    path = f"/api/v1/namespaces/{space}/services/old"
    assert apiserver.request("DELETE", path).status == 200
    until(feed, lambda shown: list(ready(shown, space)) == ["idle"])
    order = [(e.service.namespace, e.service.name) for e in feed.snapshot().entries]
    assert order == sorted(order)


@on_every_kind
def test_one_namespace_alone(apiserver: APIServer, follow: Callable[[Config], Feed]) -> None:
    """Who may not list everywhere gets the context's namespace, and is told so."""
    space, other = "feed-scope", "feed-elsewhere"
    for name in (space, other):
        apiserver.add_namespace(name)
        apiserver.add_service("web", name, upstream=UPSTREAM)
    apiserver.grant(
        "reader", verbs=["list", "watch"], resources=["services", "endpoints"], namespace=space
    )
    feed = follow(config_for(apiserver, context="reader", namespace=space))
    shown = until(feed, lambda shown: shown.loaded and ready(shown, space)["web"])
    assert shown.namespace == space
    assert ready(shown, space) == {"web": Readiness(1, 1)}
    assert ready(shown, other) == {}
    apiserver.add_service("new", space)
    until(feed, lambda shown: "new" in ready(shown, space))


@on_every_kind
def test_services_alone(apiserver: APIServer, follow: Callable[[Config], Feed]) -> None:
    """Without the right to see endpoints the services are there, and what is missing is said."""
    space = "feed-blind"
    apiserver.add_namespace(space)
    apiserver.add_service("web", space, upstream=UPSTREAM)
    apiserver.grant("reader", verbs=["list", "watch"], resources=["services"], namespace=space)
    feed = follow(config_for(apiserver, context="reader", namespace=space))
    shown = until(feed, lambda shown: shown.loaded and shown.endpoints_problem)
    assert ready(shown, space) == {"web": None}
    assert "403 Forbidden" in shown.endpoints_problem
    assert shown.problem == ""


@on_every_kind
def test_nothing_at_all(apiserver: APIServer, follow: Callable[[Config], Feed]) -> None:
    """Without any right the apiserver's refusal is shown, and no token."""
    apiserver.add_namespace("feed-refused")
    feed = follow(config_for(apiserver, context="reader", namespace="feed-refused"))
    shown = until(feed, lambda shown: shown.problem)
    assert not shown.loaded
    assert "403 Forbidden" in shown.problem
    assert apiserver.reader_token not in repr(shown)


@on_every_kind
def test_who_may_list_but_not_watch(
    apiserver: APIServer, follow: Callable[[Config], Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the list is read again and again."""
    monkeypatch.setattr(mirror, "_POLL_SECONDS", 0.1)
    space = "feed-poll"
    apiserver.add_namespace(space)
    apiserver.grant("reader", verbs=["list"], resources=["services", "endpoints"], namespace=space)
    feed = follow(config_for(apiserver, context="reader", namespace=space))
    until(feed, lambda shown: shown.loaded)
    apiserver.add_service("late", space, upstream=UPSTREAM)
    shown = until(feed, lambda shown: ready(shown, space).get("late") == Readiness(1, 1))
    assert (shown.problem, shown.endpoints_problem) == ("", "")


@on_every_kind
def test_gone_and_back(apiserver: APIServer, follow: Callable[[Config], Feed]) -> None:
    """The last list stays, marked with what is wrong and since when; then it's current again."""
    space = "feed-gone"
    apiserver.add_namespace(space)
    apiserver.add_service("web", space, upstream=UPSTREAM)
    with Wire(apiserver.server) as wire:
        feed = follow(config_for(apiserver, server=wire.url))
        before = until(feed, lambda shown: ready(shown, space).get("web"))
        cut = time.time()
        wire.cut()
        shown = until(feed, lambda shown: shown.problem)
        assert "connection refused" in shown.problem
        assert shown.entries == before.entries
        assert shown.seen <= cut + 1
        wire.restore()
        apiserver.add_service("while-away", space)
        shown = until(feed, lambda shown: "while-away" in ready(shown, space))
        assert shown.problem == ""
        until(feed, lambda shown: shown.endpoints_problem == "")


def test_a_dead_network(
    fake_cluster: Any, follow: Callable[[Config], Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection over which nothing comes any more is noticed, though nobody closed it."""
    monkeypatch.setattr(mirror, "_WATCH_SECONDS", 1)
    monkeypatch.setattr(mirror, "_TIMEOUT", 1.5)
    with Wire(fake_cluster.url) as wire:
        path = str(fake_cluster.kubeconfig)
        feed = follow(load_config(path, server=wire.url, environ={}))
        until(feed, lambda shown: shown.loaded)
        wire.freeze()
        shown = until(feed, lambda shown: shown.problem)
        assert "within the time limit" in shown.problem
        assert ready(shown, "default")


@on_every_kind
def test_a_forgotten_version(
    apiserver: APIServer, follow: Callable[[Config], Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that is begun again goes on where it was, or lists again after a compaction."""
    monkeypatch.setattr(mirror, "_WATCH_SECONDS", 1)
    space = "feed-compact"
    apiserver.add_namespace(space)
    feed = follow(config_for(apiserver))
    until(feed, lambda shown: shown.loaded)
    for number in range(3):
        apiserver.add_service(f"web-{number}", space, endpoints=False)
        apiserver.add_namespace(f"{space}-{number}")
        apiserver.expire_continue_tokens()
        time.sleep(0.8)
    shown = until(feed, lambda shown: len(ready(shown, space)) == 3)
    assert shown.problem == ""


def test_no_news_no_version(fake_cluster: Any, follow: Callable[[Config], Feed]) -> None:
    """The same snapshot as long as nothing changes."""
    feed = follow(fake_cluster.config())
    assert feed.wait(10)
    until(feed, lambda shown: shown.loaded and shown.entries[0].readiness)
    assert feed.snapshot().entries is feed.snapshot().entries
    assert feed.snapshot().version == feed.snapshot().version


SERVICES = "/api/v1/services"


def listing(*items: object) -> bytes:
    return json.dumps(
        {"kind": "ServiceList", "metadata": {"resourceVersion": "7"}, "items": list(items)}
    ).encode()


WEB = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}


def posing(
    listed: bytes, watched: bytes, tmp_path: Path, status: int = 200
) -> tuple[Loopback, Callable[[], Config]]:
    """A server that answers lists and watches of services with these bytes, and knows no more."""

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        if path != SERVICES:
            return Answer(b"404 page not found\n", 404)
        return Answer(watched, status) if "watch=1" in query else Answer(listed)

    loopback = Loopback(answer)
    return loopback, lambda: load_config(
        kubeconfig(tmp_path / "kubeconfig", loopback.url, user={}), environ={}
    )


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        (b"<html>Log in</html>", "is no apiserver"),
        (listing({"metadata": {"name": "web"}}), "metadata.namespace = null, which no apiserver"),
        (
            listing({"metadata": {"name": "a", "namespace": "b"}, "spec": {"ports": 7}}),
            "ports = '7'",
        ),
        (listing({"metadata": {"name": "a", "namespace": "b"}, "spec": [7]}), "spec = '[7]'"),
        (
            listing({"metadata": {"name": "a", "namespace": "b"}, "spec": {"type": []}}),
            "type = '[]'",
        ),
        (listing({"spec": {}}), "metadata.name = null"),
        (listing(None), "items[] = null"),
    ],
)
def test_lists_that_make_no_sense(
    listed: bytes, problem: str, tmp_path: Path, follow: Callable[[Config], Feed]
) -> None:
    """They are an error that is shown; the thread lives on."""
    server, config = posing(listed, b"", tmp_path)
    with server:
        shown = until(follow(config()), lambda shown: shown.problem)
        assert problem in shown.problem
        assert not shown.loaded


def test_a_name_that_no_url_can_have(tmp_path: Path, follow: Callable[[Config], Feed]) -> None:
    """Such a service is listed without a link."""
    odd = {"metadata": {"name": "../x", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}
    server, config = posing(listing(odd, WEB), b"", tmp_path)
    with server:
        shown = until(follow(config()), lambda shown: shown.loaded)
        assert [bool(entry.service.url) for entry in shown.entries] == [False, True]
        assert "'../x'" in shown.entries[0].service.why


def event(kind: str, item: object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


@pytest.mark.parametrize(
    "watched",
    [
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        event("ADDED", None),
        event("ADDED", {}),
        event("BOOKMARK", {"metadata": []}),
        event("ERROR", {"kind": "Status", "apiVersion": "v1", "code": 410, "message": "too old"}),
        event("ERROR", {"kind": "Status", "apiVersion": "v1", "code": 500, "message": "broken"}),
        event("ERROR", {}),
        b"",
        b"{",
    ],
)
def test_watches_that_make_no_sense(
    watched: bytes,
    tmp_path: Path,
    follow: Callable[[Config], Feed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is read again, but not in haste: the server may be in trouble already."""
    monkeypatch.setattr(mirror, "_SHORTEST", 0.2)
    monkeypatch.setattr(mirror, "_BACKOFF", (0.2,))
    server, config = posing(listing(WEB), watched, tmp_path)
    with server:
        feed = follow(config())
        until(feed, lambda shown: shown.loaded)
        time.sleep(0.5)
        asked = [one.target for one in server.requests if one.target.startswith(SERVICES)]
        assert 2 <= len(asked) <= 8
        assert ready(feed.snapshot(), "shop").keys() == {"web"}


@pytest.mark.parametrize("status", [410, 404, 500, 204])
def test_watches_that_are_refused(
    status: int,
    tmp_path: Path,
    follow: Callable[[Config], Feed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is read again, and what is there stays."""
    monkeypatch.setattr(mirror, "_SHORTEST", 0.1)
    monkeypatch.setattr(mirror, "_BACKOFF", (0.1,))
    monkeypatch.setattr(mirror, "_REFUSED_SECONDS", 0.1)
    server, config = posing(listing(WEB), b"", tmp_path, status)
    with server:
        feed = follow(config())
        until(feed, lambda shown: shown.loaded)
        until(
            feed, lambda _: len([r for r in server.requests if r.target.startswith(SERVICES)]) > 4
        )
        assert ready(feed.snapshot(), "shop").keys() == {"web"}


def test_stops_in_time_though_nobody_answers(
    fake_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that hangs holds nothing up; its thread ends when its time is over."""
    monkeypatch.setattr(mirror, "_TIMEOUT", 3.0)
    with Wire(fake_cluster.url) as wire:
        wire.freeze()
        before = set(threading.enumerate())
        feed = Feed(load_config(str(fake_cluster.kubeconfig), server=wire.url, environ={}))
        with feed:
            assert not feed.wait(0.3)
            assert not feed.snapshot().loaded
            ours = [one for one in set(threading.enumerate()) - before if "mirror" in one.name]
            assert len(ours) == 2
            began = time.monotonic()
        assert time.monotonic() - began < 2
        for thread in ours:
            thread.join(10)
            assert not thread.is_alive()


def test_what_events_do(tmp_path: Path, follow: Callable[[Config], Feed]) -> None:
    """Added, changed, deleted, and a bookmark that moves the version alone."""

    def named(name: str, version: str, port: int = 80) -> dict[str, object]:
        meta = {"name": name, "namespace": "shop", "resourceVersion": version}
        return {"metadata": meta, "spec": {"ports": [{"port": port}]}}

    watched = b"\n".join(
        [
            event("ADDED", named("new", "8")),
            event("MODIFIED", named("new", "9", 8080)),
            event("DELETED", named("web", "10")),
            # httpx would take the NEL in it for the end of a line
            event("ADDED", {**named("odd", "11"), "status": {"x": "a\u0085b\u2028c"}}),
            event("BOOKMARK", {"kind": "Service", "metadata": {"resourceVersion": "42"}}),
        ]
    )
    server, config = posing(listing(WEB), watched.decode().encode(), tmp_path)
    with server:
        feed = follow(config())
        shown = until(feed, lambda shown: "odd" in ready(shown, "shop"))
        assert [entry.service.name for entry in shown.entries] == ["new", "odd"]
        assert shown.entries[0].service.ports[0].port == 8080
        until(feed, lambda _: any("resourceVersion=42" in one.target for one in server.requests))


def test_an_event_without_end(
    tmp_path: Path, follow: Callable[[Config], Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It's not read into memory for ever."""
    monkeypatch.setattr(mirror, "_LONGEST_EVENT", 1000)
    assert list(mirror._lines(iter([b"a\nb", b"c\n\nd\n"]), "x")) == [b"a", b"bc", b"d"]
    with pytest.raises(ConnectionFailed, match="more than 1000 bytes"):
        list(mirror._lines(iter([b"x" * 600, b"x" * 600]), "http://127.0.0.1:1"))
