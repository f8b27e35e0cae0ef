"""Lists: page by page, each object once, in bounded memory, whatever the server does."""

from __future__ import annotations

import contextlib
import gc
import http.client
import json
import time
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import cache
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from proxyurls import Cluster, load_config
from proxyurls.client import APIClient
from proxyurls.discovery import list_objects, services_path
from proxyurls.errors import APIStatusError
from proxyurls.paging import PAGE_SIZE

from .commands import kubeconfig
from .servers import Answer, Asked, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.cluster import APIServer

CROWD, CROWDED = 1250, "crowd"
PATH = services_path(CROWDED)
Object = dict[str, Any]


def names(items: Iterator[Object]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def send_all(apiserver: APIServer, requests: list[tuple[str, str, Object | None]]) -> None:
    """Send many requests over few connections."""

    def send(some: list[tuple[str, str, Object | None]]) -> None:
        connection = http.client.HTTPConnection("apiserver")
        connection.sock = apiserver.connect()
        headers = {
            "Authorization": f"Bearer {apiserver.admin_token}",
            "Content-Type": "application/json",
        }
        with contextlib.closing(connection):
            for method, path, content in some:
                connection.request(method, path, json.dumps(content) if content else None, headers)
                answer = connection.getresponse()
                text = answer.read()
                assert answer.status in {200, 201}, text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, [requests[at::8] for at in range(8)]))


@pytest.fixture(scope="module")
def crowd(apiserver: APIServer) -> Iterator[list[str]]:
    """The names of 1250 services, two of three with the label ``third=no``."""
    every = [f"s{number:04}" for number in range(CROWD)]
    apiserver.add_namespace(CROWDED)

    def service(number: int) -> Object:
        meta = {"name": every[number], "labels": {"third": "no" if number % 3 else "yes"}}
        return {"metadata": meta, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}

    send_all(apiserver, [("POST", PATH, service(number)) for number in range(CROWD)])
    yield every
    send_all(apiserver, [("DELETE", f"{PATH}/{name}", None) for name in every])


@pytest.fixture
def connected(apiserver: APIServer) -> Iterator[APIClient]:
    with APIClient(load_config(apiserver.kubeconfig, environ={})) as made:
        yield made


class TestReal:
    def test_every_service_once(self, connected: APIClient, crowd: list[str]) -> None:
        counts: list[int] = []
        assert names(list_objects(connected, PATH, on_read=counts.append)) == crowd
        assert counts == [500, 1000, 1250]

    def test_of_all_namespaces(self, connected: APIClient, crowd: list[str]) -> None:
        found = [
            (item["metadata"]["namespace"], item["metadata"]["name"])
            for item in list_objects(connected, services_path(None))
        ]
        assert len(found) == len(set(found))
        assert [name for space, name in found if space == CROWDED] == crowd
        assert ("default", "kubernetes") in found

    @pytest.mark.parametrize(
        ("selector", "count"),
        [
            ("third=yes", 417),
            ("third=no", 833),
            ("third!=yes", 833),
            ("third in (yes, no),third", 1250),
            ("!third", 0),
            ("third=", 0),
        ],
    )
    @pytest.mark.usefixtures("crowd")
    def test_label_selector(self, connected: APIClient, selector: str, count: int) -> None:
        found = names(list_objects(connected, PATH, label_selector=selector))
        assert len(found) == len(set(found)) == count

    def test_410_in_mid_list(
        self, apiserver: APIServer, connected: APIClient, crowd: list[str]
    ) -> None:
        """It goes on behind the last one given: nothing twice, nothing missing."""
        late = "s0500-late"
        listing = list_objects(connected, PATH)
        given = names(islice(listing, PAGE_SIZE))
        apiserver.add_service(late, CROWDED, endpoints=False)
        apiserver.expire_continue_tokens()
        try:
            rest = names(listing)
        finally:
            apiserver.request("DELETE", f"{PATH}/{late}")
        everything = given + rest
        assert sorted(set(everything) - {late}) == crowd
        assert len(everything) == len(set(everything))

    def test_410_between_all_pages(
        self, apiserver: APIServer, connected: APIClient, crowd: list[str]
    ) -> None:
        def expire(_: int) -> None:
            apiserver.add_service("tick", "default", endpoints=False)
            apiserver.request("DELETE", "/api/v1/namespaces/default/services/tick")
            apiserver.expire_continue_tokens()

        assert names(list_objects(connected, PATH, on_read=expire)) == crowd

    def test_the_cluster_lists_them(self, apiserver: APIServer, crowd: list[str]) -> None:
        with Cluster(load_config(apiserver.kubeconfig, environ={})) as cluster:
            found = [service.name for service in cluster.services(CROWDED)]
        assert found == crowd


def item(number: int) -> Object:
    meta = {"name": f"s{number:06}", "namespace": "n", "annotations": {"x": "y" * 2000}}
    return {"metadata": meta, "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}


class Pages:
    """A list of so many services, and what to say instead of its pages."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.trouble: list[Answer] = []

    def __call__(self, asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.target).query)
        start = int(query.get("continue", ["0"])[0])
        if self.trouble and start:
            return self.trouble.pop(0)
        end = min(start + int(query["limit"][0]), self.count)
        return Answer(_page(start, end, self.count))


@cache
def _page(start: int, end: int, count: int) -> bytes:
    token = {"continue": str(end)} if end < count else {}
    items = [item(number) for number in range(start, end)]
    content = {"kind": "ServiceList", "apiVersion": "v1", "metadata": token, "items": items}
    return json.dumps(content).encode()


def status(code: int, *, token: str = "", **headers: str) -> Answer:
    meta = {"continue": token} if token else {}
    content = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": meta,
        "message": "no",
        "code": code,
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(content).encode(), code, named)


@pytest.fixture
def pages() -> Pages:
    return Pages(1200)


@pytest.fixture
def server(pages: Pages) -> Iterator[Loopback]:
    with Loopback(pages) as made:
        yield made


@pytest.fixture
def to_server(server: Loopback, tmp_path: Path) -> Iterator[APIClient]:
    config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
    with APIClient(config, timeout=60) as made:
        yield made


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, none of which takes time."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


class TestExpired:
    def test_without_a_new_token_it_begins_again(
        self, server: Loopback, pages: Pages, to_server: APIClient
    ) -> None:
        pages.trouble = [status(410)]
        counts: list[int] = []
        found = names(list_objects(to_server, "/x", on_read=counts.append))
        assert found == [f"s{number:06}" for number in range(1200)]
        asked = [parse_qs(urlsplit(one.target).query).get("continue") for one in server.requests]
        assert asked == [None, ["500"], None, ["500"], ["1000"]]
        assert counts[-1] == 1200
        assert counts == sorted(counts)

    def test_with_a_new_token_it_goes_on(
        self, server: Loopback, pages: Pages, to_server: APIClient
    ) -> None:
        pages.trouble = [status(410, token="500")]
        found = names(list_objects(to_server, "/x"))
        assert found == [f"s{number:06}" for number in range(1200)]
        assert len(server.requests) == 4

    @pytest.mark.parametrize("token", ["", "500"])
    def test_for_ever(
        self, server: Loopback, pages: Pages, to_server: APIClient, token: str
    ) -> None:
        """A server that never gives a second page is given up."""
        pages.trouble = [status(410, token=token)] * 100
        with pytest.raises(APIStatusError, match="410 Gone"):
            list(list_objects(to_server, "/x"))
        assert len(server.requests) < 100

    def test_at_the_first_page(self, tmp_path: Path) -> None:
        with Loopback(lambda _: status(410)) as server:
            config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
            with APIClient(config) as asking, pytest.raises(APIStatusError, match="410 Gone"):
                list(list_objects(asking, "/x"))
            assert len(server.requests) == 1


class TestBusy:
    """429 and 503: as client-go, but no longer than a minute in all."""

    @pytest.mark.parametrize("code", [429, 503])
    def test_it_waits_as_long_as_it_is_told(
        self, pages: Pages, to_server: APIClient, slept: list[float], code: int
    ) -> None:
        pages.trouble = [status(code, Retry_After="2"), status(code, Retry_After="3")]
        assert len(list(list_objects(to_server, "/x"))) == 1200
        assert slept == [2, 3]

    def test_it_really_waits(self, pages: Pages, to_server: APIClient) -> None:
        pages.trouble = [status(429, Retry_After="1")]
        started = time.monotonic()
        assert len(list(list_objects(to_server, "/x"))) == 1200
        assert time.monotonic() - started >= 1

    @pytest.mark.parametrize("code", [429, 503])
    @pytest.mark.parametrize(
        "after",
        [None, formatdate(time.time() + 5, usegmt=True), "", "-1", "1.5", "soon", "1 0", "²"],
    )
    def test_no_seconds_no_wait(
        self,
        *,
        server: Loopback,
        pages: Pages,
        to_server: APIClient,
        slept: list[float],
        code: int,
        after: str | None,
    ) -> None:
        pages.trouble = [status(code) if after is None else status(code, Retry_After=after)]
        with pytest.raises(APIStatusError) as caught:
            list(list_objects(to_server, "/x"))
        assert caught.value.status == code
        assert (slept, len(server.requests)) == ([], 2)

    def test_other_refusals_are_not_waited_for(
        self, pages: Pages, to_server: APIClient, slept: list[float]
    ) -> None:
        pages.trouble = [status(500, Retry_After="1")]
        with pytest.raises(APIStatusError, match="500 Internal Server Error"):
            list(list_objects(to_server, "/x"))
        assert slept == []

    def test_it_gives_up_after_some_tries(
        self, server: Loopback, pages: Pages, to_server: APIClient, slept: list[float]
    ) -> None:
        pages.trouble = [status(429, Retry_After="1")] * 100
        with pytest.raises(APIStatusError, match="429 Too Many Requests"):
            list(list_objects(to_server, "/x"))
        assert slept == [1] * 10  # as client-go
        assert len(server.requests) == 1 + 11

    @pytest.mark.parametrize(("after", "waits"), [("61", []), ("25", [25, 25]), ("9" * 400, [])])
    def test_it_gives_up_after_a_minute(
        self,
        pages: Pages,
        to_server: APIClient,
        slept: list[float],
        after: str,
        waits: list[float],
    ) -> None:
        pages.trouble = [status(503, Retry_After=after)] * 100
        with pytest.raises(APIStatusError, match="503 Service Unavailable"):
            list(list_objects(to_server, "/x"))
        assert slept == waits

    def test_zero_is_at_once(self, pages: Pages, to_server: APIClient, slept: list[float]) -> None:
        pages.trouble = [status(429, Retry_After="0")]
        assert len(list(list_objects(to_server, "/x"))) == 1200
        assert sum(slept) == 0


class Page(dict[str, Any]):
    """A page whose end can be seen."""


class Stub:
    """Serves pages without HTTP."""

    config = SimpleNamespace(server="https://stub")

    def __init__(self, pages: list[list[Object]]) -> None:
        self._pages = pages
        self.living: list[int] = []
        self._made: list[weakref.ref[Page]] = []

    def get_json(self, path: str, *, accept: str = "") -> Object:  # noqa: ARG002
        at = int(parse_qs(urlsplit(path).query).get("continue", ["0"])[0])
        gc.collect()
        self.living.append(sum(made() is not None for made in self._made))
        token = {"continue": str(at + 1)} if at + 1 < len(self._pages) else {}
        page = Page(metadata=token, items=[Page(one) for one in self._pages[at]])
        self._made.append(weakref.ref(page))
        self._made += [weakref.ref(one) for one in page["items"]]
        return page


class TestMemory:
    def test_a_page_is_gone_before_the_next_is_asked_for(self) -> None:
        stub = Stub([[item(10 * at + n) for n in range(10)] for at in range(4)])
        for _ in list_objects(cast("APIClient", stub), "/x"):
            pass
        assert len(stub.living) == 4
        # the last object is still in the hands of the one who iterates
        assert max(stub.living) <= 1, stub.living

    def test_the_peak_does_not_grow_with_the_list(
        self, server: Loopback, pages: Pages, tmp_path: Path
    ) -> None:
        def peak(count: int) -> int:
            pages.count = count
            config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
            gc.collect()
            with Cluster(config) as cluster:
                list(cluster.services("n"))  # the pages are made, and what is only made once
                tracemalloc.start()
                try:
                    assert sum(1 for _ in cluster.services("n")) == count
                    return tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()

        few, many = peak(1000), peak(3000)
        assert many < few * 1.15, (few, many)


def test_a_server_with_an_order_of_its_own() -> None:
    """Nothing says that every server sorts bytewise; only a list begun anew may skip."""
    stub = Stub([[item(3), item(1)], [item(2), item(0)]])
    found = names(list_objects(cast("APIClient", stub), "/x"))
    assert found == ["s000003", "s000001", "s000002", "s000000"]


@pytest.mark.parametrize("empty", [{}, {"items": None}, {"items": []}, {"metadata": None}])
def test_an_empty_list(empty: Object, tmp_path: Path) -> None:
    body = json.dumps({"kind": "ServiceList", "apiVersion": "v1", **empty}).encode()
    with Loopback(lambda _: Answer(body)) as server:
        config = load_config(kubeconfig(tmp_path / "kubeconfig", server.url), environ={})
        with APIClient(config) as asking:
            assert list(list_objects(asking, "/x")) == []
