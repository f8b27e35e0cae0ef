"""Apps that nobody here wrote, unchanged, at their own root, behind the real apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import realapps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from contract.cluster import Address, APIServer
    from playwright.sync_api import Page, WebSocket

    from .gateway import Gateway

    Runs = Callable[[Path], AbstractContextManager[Address]]


def behind(
    apiserver: APIServer, runs: Runs, folder: Path, name: str, namespace: str
) -> Iterator[None]:
    """Run an app behind the apiserver, as a service."""
    with (
        runs(folder) as address,
        realapps.relayed(apiserver.listen(), address) as upstream,
    ):
        apiserver.add_namespace(namespace)
        apiserver.add_service(name, namespace, upstream=upstream)
        yield


@pytest.fixture(scope="module")
def prometheus(apiserver: APIServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The service ``prometheus`` of the namespace ``monitoring``."""
    folder = tmp_path_factory.mktemp("prometheus")
    yield from behind(apiserver, realapps.prometheus, folder, "prometheus", "monitoring")


@pytest.fixture(scope="module")
def streamlit(apiserver: APIServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The service ``slider`` of the namespace ``apps``."""
    folder = tmp_path_factory.mktemp("streamlit")
    yield from behind(apiserver, realapps.streamlit, folder, "slider", "apps")


def test_prometheus_draws_a_graph(
    visitor: Page, prometheus: None, gateway: Gateway, artefacts: Path
) -> None:
    """A query is typed and run: its value appears, and its graph."""
    origin = gateway.app("prometheus", "monitoring")
    visitor.goto(f"{origin}/")
    query = visitor.locator("textarea[id^=expr]")
    execute = visitor.get_by_role("button", name="Execute")
    query.fill("up")
    execute.click()
    row = visitor.locator("table tr", has_text='job="prometheus"')
    row.wait_for()
    assert row.locator("td").last.inner_text() == "1"
    query.fill("sin(vector(time() / 300))")  # an hour of it needs no hour's data
    execute.click()
    row.wait_for(state="detached")
    visitor.locator("a", has_text="Graph").last.click()
    curve = visitor.locator(".rickshaw_graph svg path.path").first
    curve.wait_for(state="attached")
    assert len(str(curve.get_attribute("d")).split(",")) > 100
    assert visitor.url.startswith(f"{origin}/classic/graph?")
    visitor.screenshot(path=artefacts / "prometheus.png")


def test_streamlit_answers_over_its_websocket(
    visitor: Page, streamlit: None, gateway: Gateway, artefacts: Path
) -> None:
    """A slider moves, its script runs again at the server, and the page shows the new answer."""
    sockets: list[WebSocket] = []

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)

    visitor.on("websocket", opened)
    origin = gateway.app("slider", "apps")
    visitor.goto(f"{origin}/")
    visitor.get_by_text("twice that is 20").wait_for()
    (socket,) = sockets
    assert socket.url == f"{origin}/_stcore/stream".replace("http:", "ws:")
    frames: list[str | bytes] = []

    def received(frame: str | bytes) -> None:
        frames.append(frame)

    socket.on("framereceived", received)
    slider = visitor.get_by_role("slider")
    for _ in range(5):
        slider.press("ArrowRight")
    visitor.get_by_text("twice that is 30").wait_for()
    assert frames
    assert sockets == [socket]
    visitor.screenshot(path=artefacts / "streamlit.png")
