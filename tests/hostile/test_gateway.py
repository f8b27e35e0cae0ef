"""The gateway of a hostile cluster: its page, its error pages, its lines on the terminal."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from gateway.running import Running, running

from proxyurls.config import load_config

from .cluster import SHOWN, Cluster, put, service, status
from .payloads import CHOSEN, IDS, PAYLOADS, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .payloads import Payload

PAGE = {"Accept": "text/html"}
TEXTS = [one.text for one in PAYLOADS if len(one.text) < 1000]


class Structure(HTMLParser):
    """A page's elements with the names of their attributes, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[str]]] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.elements.append((tag, [name for name, _ in attrs]))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture
def served(cluster: Cluster, tmp_path: Path) -> Iterator[Running]:
    """A gateway of the hostile cluster, and its index page's cookie."""
    config = load_config(tmp_path / "kubeconfig", environ={})
    with running(config) as one:
        one.enter(one.link)
        yield one


def index(gate: Running, text: str) -> str:
    """The index page, once it has this."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        page = gate.request("/", headers=PAGE).text
        if text in page:
            return page
        time.sleep(0.05)
    raise AssertionError(page)


def test_the_index_page(cluster: Cluster, served: Running) -> None:
    """The same elements and attributes as for harmless text, and nothing that turns or hides it."""
    pages = []
    for word in ("harmless", None):
        cluster.services = [
            put(service(f"s-{at}-{n}"), place, text if word is None else f"{word}{n}")
            for at, place in enumerate(SHOWN.values())
            for n, text in enumerate(TEXTS)
        ]
        # The gateway reads the list anew: the watch ends at once.
        pages.append(Structure(page := index(served, "harmless" if word else "alert(1)")))
        assert harmless(page)
    harmless_one, hostile_one = pages
    assert hostile_one.elements == harmless_one.elements
    assert hostile_one.links == harmless_one.links
    assert not any(name.startswith("on") for _, names in hostile_one.elements for name in names)


def test_services_that_have_no_name(cluster: Cluster, served: Running) -> None:
    """Such are shown as what they are, without a link, or the list is refused in a sentence."""
    cluster.services = [service(), *(put(service(), ("metadata", "name"), one) for one in TEXTS)]
    page = index(served, "alert(1)")
    assert harmless(page)
    opened = [link for link in Structure(page).links if not link.startswith("/.proxyurls/assets/")]
    assert opened == ["/", "/.proxyurls/open/web--shop"]


@pytest.mark.parametrize("payload", CHOSEN, ids=IDS)
def test_refusals(payload: Payload, cluster: Cluster, tmp_path: Path) -> None:
    """Error pages for people, lines for programs and on the terminal: nothing raw."""
    cluster.always = status(500, payload.text)
    with running(load_config(tmp_path / "kubeconfig", environ={}), token=False) as gate:
        for label in ("web--shop", "web--shop--80", "pod--x--shop--80", "zzz"):
            for headers in (PAGE, {"Accept": "*/*"}):
                reply = gate.request("/", label=label, headers=headers)
                assert reply.status >= 400
                if reply.headers.get("Content-Type") == "application/json":
                    continue  # the apiserver's own answer, which passes as it is
                assert harmless(reply.text), reply.text
                assert len(reply.body) < 10_000
                names = Structure(reply.text).elements if headers == PAGE else []
                assert "script" not in [tag for tag, _ in names]
                assert harmless(json.dumps(dict(reply.headers.items()), ensure_ascii=False))
        page = gate.request("/", headers=PAGE).text
        assert harmless(page)
        for line in gate.said:
            assert len(line) < 5_000 or payload.name == "megabyte"
