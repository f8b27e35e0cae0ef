"""What the fake cluster keeps to itself: what it dials, and whom it heeds without a credential."""

from __future__ import annotations

import asyncio.selector_events
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proxyurls.testing import FakeCluster

from .raw import WEB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Get

ROOT = "/api/v1/namespaces/default"
LIST = "/api/v1/services"


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that any event loop of this process connects to."""
    seen: list[Any] = []
    connect = asyncio.selector_events.BaseSelectorEventLoop.sock_connect

    async def recorded(loop: Any, sock: Any, address: Any) -> None:
        seen.append(address)
        await connect(loop, sock, address)

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", recorded)
    return seen


def endpoints(name: str, ip: str) -> dict[str, Any]:
    """Endpoints of somebody's own, at port 80 of an address."""
    metadata = {"name": name, "namespace": "default"}
    reference = {"kind": "Pod", "name": name, "namespace": "default"}
    subset = {"addresses": [{"ip": ip, "targetRef": reference}], "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]}


@pytest.fixture
def hollow(fake_cluster: FakeCluster) -> None:
    """A fake cluster with addresses that nothing stands behind, and ``web`` that has an app."""
    fake_cluster.add_pod("p", ports=8080)
    fake_cluster.add_node("n", port=9100)
    fake_cluster.add_pod("served", ports=8080, upstream=lambda _: "hi")
    address = "192.0.2.7"  # elsewhere, if anywhere
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    fake_cluster.create({**service, "spec": {"ports": [{"port": 80}]}})
    fake_cluster.create(endpoints("s", address))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s"}}
    fake_cluster.create({**pod, "status": {"podIP": address, "podIPs": [{"ip": address}]}})
    fake_cluster.add_service("web", upstream=lambda _: "hi")


HOLLOW = [
    (f"{ROOT}/pods/p/proxy/x", ":8080"),
    (f"{ROOT}/pods/served:1/proxy/", ":1"),
    (f"{ROOT}/services/s/proxy/", "192.0.2.7:80"),
    ("/api/v1/nodes/n:9100/proxy/", ":9100"),
    ("/api/v1/nodes/n/proxy/", ":10250"),
]


@pytest.mark.parametrize(("path", "place"), HOLLOW)
@pytest.mark.usefixtures("hollow")
def test_nothing_behind(get: Get, dialled: list[Any], path: str, place: str) -> None:
    """An address without an upstream is refused in the real one's words, and not dialled."""
    answer = get(path)
    assert answer.status_code == 500
    message = answer.json()["message"]
    assert message.startswith("error trying to reach service: dial tcp 1")
    assert message.endswith(f"{place}: connect: connection refused")
    assert dialled == []
    assert get(f"{WEB}/").text == "hi"
    assert [host for host, _ in dialled] == ["127.0.0.1"]


@pytest.mark.parametrize(("path", "place"), HOLLOW)
@pytest.mark.usefixtures("hollow")
def test_nothing_behind_an_upgrade(get: Get, dialled: list[Any], path: str, place: str) -> None:
    """Nor is it for an upgrade."""
    answer = get(path, headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert answer.status_code == 500
    message = answer.json()["message"]
    assert message.startswith("error dialing backend: dial tcp 1")
    assert message.endswith(f"{place}: connect: connection refused")
    assert dialled == []


@pytest.fixture(scope="module")
def open_cluster() -> Iterator[FakeCluster]:
    """A fake cluster that asks for no credential."""
    with FakeCluster(anonymous=True) as made:
        made.add_service("web", upstream=lambda _: "hi")
        yield made


def status(cluster: FakeCluster, path: str, **headers: str) -> int:
    """How a request without a credential is answered, unless one is given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(cluster.url + path, headers=named, trust_env=False).status_code


FOREIGN = [
    {"Sec_Fetch_Site": "cross-site"},
    {"Origin": "https://evil.test"},
    {"Origin": "http://127.0.0.1.evil.test"},
    {"Origin": "http://localhost.evil.test:80"},
    {"Origin": "http://evil.test/localhost"},
    {"Host": "evil.test"},
    {"Host": "127.0.0.1.evil.test:80"},
    {"Host": "evil-localhost"},
    {"Host": "192.0.2.1"},
]


@pytest.mark.parametrize("path", [LIST, f"{WEB}/", "/version", "/nothing"])
@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites(open_cluster: FakeCluster, headers: dict[str, str], path: str) -> None:
    """What another site's page sends to a cluster without credentials is refused."""
    assert status(open_cluster, path, **headers) == 403


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_with_a_token(open_cluster: FakeCluster, headers: dict[str, str]) -> None:
    """Who has a credential may come from anywhere: no page of another site has it."""
    token = f"Bearer {open_cluster.admin.token}"
    assert status(open_cluster, LIST, **headers, Authorization=token) == 200


@pytest.mark.parametrize(
    "headers",
    [
        *({"Host": name} for name in ("127.0.0.1", "[::1]", "localhost", "LocalHost:81")),
        *({"Host": name} for name in ("x--y.localhost", "x--y.localhost:8080", "[::1]:8001")),
        *({"Origin": f"http://{name}"} for name in ("127.0.0.1:3000", "x--y.localhost", "[::1]:1")),
        *({"Sec_Fetch_Site": site} for site in ("none", "same-origin", "same-site")),
        {"Origin": "null"},
    ],
)
def test_this_machine(open_cluster: FakeCluster, headers: dict[str, str]) -> None:
    """By loopback's names it is asked without a credential."""
    assert status(open_cluster, LIST, **headers) == 200
