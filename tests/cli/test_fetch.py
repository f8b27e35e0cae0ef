"""``fetch``: which target a request goes to. Here too is what the other files on fetch share."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from contract.cluster import APIServer, ContainerPort, Port
from contract.upstream import Upstream, arrived, reply

from proxyurls.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contract.fixtures import Serve
    from contract.upstream import Arrived

    Fetch = Callable[..., "Printed"]


@dataclass(frozen=True)
class Printed:
    """What a run of fetch printed, and its exit code."""

    code: int
    out: bytes
    err: str

    @property
    def echo(self) -> Arrived:
        """The request as an echoing app saw it."""
        assert self.code == 0, self
        return arrived(self.out)

    @property
    def error(self) -> str:
        """The one error line."""
        assert self.code != 0, self
        assert self.err.startswith("error: "), self
        assert self.err.count("\n") == 1, self
        return self.err.removeprefix("error: ").rstrip("\n")

    def refusal(self) -> str:
        """The error line of wrong usage, with which nothing is printed."""
        assert (self.code, self.out) == (2, b""), self
        return self.error


@dataclass(frozen=True)
class Shop:
    """A namespace with services ``web``, ``multi`` (http 80, admin 8080, tls 443), ``secure``
    (443) and a pod ``app``; and a node ``rack``.
    """

    apiserver: APIServer
    plain: Upstream
    admin: Upstream
    tls: Upstream


def open_shop(apiserver: APIServer, serve: Serve, namespace: str) -> Shop:
    made = Shop(apiserver, plain=serve(), admin=serve(), tls=serve(tls=True))
    apiserver.add_namespace(namespace)
    multi = [
        Port(80, "http", upstream=made.plain.address),
        Port(8080, "admin", upstream=made.admin.address),
        Port(443, "tls", upstream=made.tls.address),
    ]
    apiserver.add_service("web", namespace, upstream=made.plain.address)
    apiserver.add_service("multi", namespace, ports=multi)
    apiserver.add_service("secure", namespace, ports=[Port(443)], upstream=made.tls.address)
    (ip, plain), (_, admin) = made.plain.address, made.admin.address
    ports = [ContainerPort(plain, "web"), ContainerPort(admin, "admin")]
    apiserver.add_pod("app", namespace, ip=ip, ports=[ports])
    ip, port = made.tls.address
    apiserver.add_node("rack", ip=ip, kubelet_port=port)
    return made


def fetcher(shop: Shop, capture: pytest.CaptureFixture[bytes]) -> Fetch:
    """Runs fetch in this process, as the admin unless told otherwise."""

    def fetch(*argv: str, user: str = "admin") -> Printed:
        capture.readouterr()
        options = ("--kubeconfig", str(shop.apiserver.kubeconfig), "--context", user)
        code = main(["fetch", *argv, *options])
        out, err = capture.readouterr()
        return Printed(code, out, err.decode())

    return fetch


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    return open_shop(apiserver, serve, "shop")


@pytest.fixture
def fetch(shop: Shop, capsysbinary: pytest.CaptureFixture[bytes]) -> Fetch:
    return fetcher(shop, capsysbinary)


def start(shop: Shop, *argv: str, **options: object) -> subprocess.Popen[bytes]:
    """Start fetch in a process of its own."""
    settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "proxyurls", "fetch", *argv]
    command += ["--kubeconfig", str(shop.apiserver.kubeconfig)]
    return subprocess.Popen(command, **{**settings, **options})  # type: ignore[call-overload, no-any-return]


def answering(
    body: bytes = b"", *, status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> list[str]:
    """Options that make the app answer just this."""
    ((name, value),) = reply(body, status=status, headers=headers).items()
    return ["-H", f"{name}: {value}"]


def wait_until(condition: Callable[[], object], *, limit: float = 20.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


# where the request goes


@pytest.mark.parametrize(
    ("target", "root"),
    [
        ("web.shop", "namespaces/shop/services/web:80"),
        ("svc/web.shop", "namespaces/shop/services/web:80"),
        ("web.shop:80", "namespaces/shop/services/web:80"),
        ("http:web.shop:", "namespaces/shop/services/http:web:"),
        ("multi.shop", "namespaces/shop/services/multi:80"),
        ("multi.shop:admin", "namespaces/shop/services/multi:admin"),
        ("https:multi.shop:tls", "namespaces/shop/services/https:multi:tls"),
        ("secure.shop", "namespaces/shop/services/https:secure:443"),
        ("https:secure.shop:", "namespaces/shop/services/https:secure:"),
        ("http://multi.shop.svc:8080", "namespaces/shop/services/multi:8080"),
        ("https://multi.shop.svc.cluster.local", "namespaces/shop/services/https:multi:443"),
        ("/api/v1/namespaces/shop/services/web/proxy/", "namespaces/shop/services/web:80"),
        ("/api/v1/namespaces/shop/services/web:80/proxy", "namespaces/shop/services/web:80"),
        ("/api/v1/namespaces/shop/pods/app/proxy/", "namespaces/shop/pods/app"),
        ("node/rack", "nodes/rack"),
        ("no/rack", "nodes/rack"),
    ],
)
def test_target(fetch: Fetch, target: str, root: str) -> None:
    """Every kind of TARGET; a service that names neither scheme nor port is looked up."""
    echo = fetch(target, "/a/b?c=d").echo
    assert (echo.method, echo.target) == ("GET", "/a/b?c=d")
    assert echo.values("X-Forwarded-Uri") == [f"/api/v1/{root}/proxy/a/b"]


def test_pod(fetch: Fetch, shop: Shop) -> None:
    """A pod's port may be a name, which is looked up; without one it's the first declared."""
    first, admin = shop.plain.address[1], shop.admin.address[1]
    root = "/api/v1/namespaces/shop/pods"
    for target, segment in (
        ("pod/app", "app"),
        ("po/app:admin", f"app:{admin}"),
        (f"pod/app:{first}", f"app:{first}"),
    ):
        echo = fetch(target, "-n", "shop").echo
        assert echo.values("X-Forwarded-Uri") == [f"{root}/{segment}/proxy/"]
    refusal = fetch("pod/app:http", "-n", "shop")
    assert (refusal.code, refusal.out) == (1, b"")
    assert refusal.error == (
        "pod 'app' in namespace 'shop' has no port named 'http'; "
        f"its ports: web ({first}), admin ({admin})"
    )


@pytest.mark.parametrize(
    ("target", "lookups"),
    [
        ("web.shop", 1),
        ("secure.shop", 1),
        ("web.shop:80", 0),
        ("http:web.shop:", 0),
        ("https:multi.shop:443", 0),
        ("http://web.shop.svc/", 0),
        ("pod/app", 0),
        ("pod/app:admin", 1),
        ("node/rack", 0),
    ],
)
def test_look_up_only_if_needed(fetch: Fetch, target: str, lookups: int) -> None:
    """The API is asked only where TARGET leaves scheme and port open (or a pod's port a name)."""
    namespace = ["-n", "shop"] if target.startswith("pod") else []
    printed = fetch(target, "-v", "6", *namespace)
    assert printed.code == 0
    requests = [line for line in printed.err.splitlines() if " 200 OK in " in line]
    assert len(requests) == lookups + 1
    assert "/proxy/ 200 OK in " in requests[-1]
    assert ("/proxy" not in requests[0]) == bool(lookups)


def test_look_up_says_where(fetch: Fetch) -> None:
    """Whatever was found elsewhere, or under another name, is told; else only with -v."""
    assert fetch("web", "-n", "shop").err == ""
    found = "service 'web' in namespace 'shop'"
    assert fetch("web").err.startswith(f"note: {found} (the exact name), port 80 ")
    assert fetch("sec.shop").err == (
        "note: service 'secure' in namespace 'shop' (the only name with that start), "
        "port 443 (the only TCP port), https (the port number is 443)\n"
    )
    assert fetch("web.shop", "-v1").err.startswith(f"note: {found}")


def test_what_changes_something_goes_to_no_near_service(fetch: Fetch, shop: Shop) -> None:
    """A DELETE is sent to the service that was typed, or to none."""
    before = len(shop.tls.requests)
    refused = fetch("sec.shop", "/x", "-X", "DELETE")
    assert (refused.code, refused.out) == (1, b"")
    assert refused.error == (
        "no service 'sec' in namespace 'shop'; DELETE is sent to no near one: "
        "if secure.shop is meant, type that"
    )
    assert len(shop.tls.requests) == before
    assert fetch("secure.shop", "/x", "-X", "DELETE").echo.method == "DELETE"


def test_look_up_fails(fetch: Fetch) -> None:
    """No such service, or several: nothing is requested, and the commands to type are told."""
    missing = fetch("wbe.shop", "/x")
    assert (missing.code, missing.out) == (1, b"")
    assert missing.error == "no service fits 'wbe' in namespace 'shop'; near: web.shop"
    several = fetch("e.shop", "/x")
    assert (several.code, several.out) == (1, b"")
    assert several.error.startswith("2 services fit 'e'; type `proxyurls fetch secure.shop` or ")


def test_forbidden_to_look_up(fetch: Fetch, shop: Shop) -> None:
    """Who may proxy but not read services gets there all the same, with a note."""
    shop.apiserver.grant(
        "reader", verbs=["get"], resources=["services/proxy"], names=["web"], namespace="shop"
    )
    printed = fetch("web.shop", "/x", user="reader")
    assert printed.echo.target == "/x"
    assert printed.err == (
        'note: services can\'t be looked up (services is forbidden: User "reader" cannot list '
        'resource "services" in API group "" in the namespace "shop"); trying web\n'
    )


def test_pasted_url(fetch: Fetch, shop: Shop) -> None:
    """A pasted URL brings its suffix. Another server's is warned of, a kubectl proxy's isn't."""
    path = "/api/v1/namespaces/shop/services/web/proxy/x?y=1"
    server = shop.apiserver.server
    for base in (server, "http://localhost:8001", ""):
        printed = fetch(base + path)
        assert (printed.echo.target, printed.err) == ("/x?y=1", "")
    printed = fetch(f"https://other.example{path}")
    assert printed.echo.target == "/x?y=1"
    assert printed.err == (
        f"warning: the URL was of https://other.example, and this is of the context's {server}; "
        "choose with --context, or keep it with --server https://other.example\n"
    )


def test_suffix_twice(fetch: Fetch) -> None:
    """A suffix in TARGET and another one are too many; one behind the root is not."""
    refusal = fetch("http://web.shop.svc/x", "/y").refusal()
    assert refusal.startswith("TARGET already holds the suffix '/x' and SUFFIX is '/y'; ")
    assert fetch("http://web.shop.svc/", "/y").echo.target == "/y"


@pytest.mark.parametrize("suffix", ["/../../x", "%2e%2e/x", "/a/%2e%2e/%2E./b/../../c"])
def test_suffix_stays_below(fetch: Fetch, shop: Shop, suffix: str) -> None:
    """What could climb out of the target is not sent at all."""
    before = len(shop.plain.requests)
    assert "can climb above the target's /proxy/" in fetch("web.shop", suffix).refusal()
    assert len(shop.plain.requests) == before


@pytest.mark.parametrize(
    ("suffix", "query", "arrives"),
    [
        ("/a b/ü?x=ü y", [], "/a%20b/%C3%BC?x=%C3%BC%20y"),
        ("a.b", [], "/a.b"),
        ("", ["q=a b&c", "r=ü"], "/?q=a%20b%26c&r=%C3%BC"),
        ("/x?a=1", ["b=2", "b=3"], "/x?a=1&b=2&b=3"),
        ("/x?c=d;e+f%2F", [], "/x?c=d;e+f%2F"),
        ("/x?a#not-sent", ["b="], "/x?a&b="),
    ],
)
def test_suffix_and_query(fetch: Fetch, suffix: str, query: list[str], arrives: str) -> None:
    """SUFFIX is typed URL text, -q is not; the fragment stays here."""
    options = [word for pair in query for word in ("-q", pair)]
    assert fetch("web.shop", suffix, *options).echo.target == arrives


@pytest.mark.parametrize(
    ("suffix", "note"),
    [
        ("/a%2Fb", "the app gets '/a/b': the apiserver decodes %2F"),
        ("/a//b", "the app gets '/a/b': the apiserver collapses // to /"),
        ("/a/./b", "the app gets '/a/b': "),
    ],
)
def test_alterations_are_told(fetch: Fetch, suffix: str, note: str) -> None:
    """What the apiserver will change is told as it happens."""
    printed = fetch("web.shop", suffix)
    assert printed.echo.target == "/a/b"
    assert printed.err.startswith(f"note: {note}")
    assert fetch("web.shop", "/a?").err.startswith("note: the app gets '/a': the apiserver drops")
    assert fetch("web.shop", "/a#b").err == ""  # as any client does
