"""Steps 9 and 10 on the real apiserver: the scheme, and what comes back."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .apps import app
from .asking import Doctor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from contract.cluster import APIServer

    from .apps import Reply, Respond

    Put = Callable[..., str]

NAMESPACE = "doctor-answers"
HTML = {"Content-Type": "text/html"}


@pytest.fixture
def doctor(apiserver: APIServer, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command, as admin."""
    return Doctor(apiserver.kubeconfig, capsys)


@pytest.fixture
def put(apiserver: APIServer, request: pytest.FixtureRequest) -> Iterator[Put]:
    """Put an app behind a service of its own, and give the service's TARGET."""
    apiserver.add_namespace(NAMESPACE)
    with ExitStack() as stack:

        def put(respond: Respond, *, tls: bool = False) -> str:
            name = f"app-{abs(hash(request.node.nodeid)) % 10**9}"
            listener = apiserver.listen()
            address = listener.getsockname()[:2]
            stack.enter_context(app(listener, respond, tls=tls))
            apiserver.add_service(name, NAMESPACE, upstream=address)
            return f"{name}.{NAMESPACE}"

        yield put


def saying(status: int = 200, body: bytes = b"hello", **headers: str) -> Respond:
    """An app with one answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _path, _sent: (status, named, body)


def routes(pages: Mapping[str, Reply]) -> Respond:
    """An app with some pages."""
    return lambda path, _sent: pages.get(path.partition("?")[0], (404, {}, b"nothing here"))


def to(location: str, status: int = 302, **headers: str) -> Reply:
    """A redirect."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Location": location, **named}, b""


# The scheme.


def test_healthy(doctor: Doctor, put: Put) -> None:
    """All ten steps, none of which finds anything."""
    found = doctor(put(saying()), "/x")
    assert found.healthy, found
    assert [step["name"] for step in found.content["steps"]] == [
        "configuration",
        "connection",
        "authentication",
        "authorization",
        "existence",
        "port",
        "protocol",
        "endpoints",
        "scheme",
        "response",
    ]
    assert found.step("scheme") == ("ok", "http: nothing says https")
    assert found.step("response") == ("ok", "the app answers 200 OK to /x")


@pytest.mark.parametrize("probe", [(), ("--probe",)])
def test_https_to_http(doctor: Doctor, put: Put, probe: tuple[str, ...]) -> None:
    """The apiserver says "first record does not look like a TLS handshake"."""
    target = put(saying())
    found = doctor(f"https:{target}:80", *probe)
    assert found.cause["name"] == "speaks-http"
    assert found.cause["remedy"] == f"proxyurls fetch http:{target}:80"
    assert doctor.remedied(found).healthy


@pytest.mark.parametrize("probe", [(), ("--probe",)])
def test_http_to_https(doctor: Doctor, put: Put, probe: tuple[str, ...]) -> None:
    """What the apiserver says then depends on how the app's TLS server gives up."""
    target = put(saying(), tls=True)
    found = doctor(target, *probe)
    assert found.cause["name"] == "speaks-https"
    assert found.cause["remedy"] == f"proxyurls fetch https:{target}:80"
    assert doctor.remedied(found).healthy
    if probe:
        assert found.cause["text"] == "the app answers to https, and not to http"


@pytest.mark.parametrize(
    "said",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<title>400 The plain HTTP request was sent to HTTPS port</title>",
        b"You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
)
def test_servers_that_say_so_themselves(doctor: Doctor, put: Put, said: bytes) -> None:
    """Go, nginx and Apache answer 400 to http on their https port."""
    found = doctor(put(saying(400, said)))
    assert found.cause["name"] == "speaks-https"
    assert "the app answered 400 Bad Request to plain http" in found.cause["text"]


def test_the_scheme_is_not_as_declared(doctor: Doctor, put: Put) -> None:
    """It is said, and the answer decides."""
    target = put(saying(), tls=True)
    found = doctor(f"https:{target}:80")
    assert found.healthy
    result, text = found.step("scheme")
    assert (result, text) == (
        "skipped",
        "https as typed, although nothing says https: the answer will tell",
    )


def test_neither_scheme(doctor: Doctor, apiserver: APIServer) -> None:
    """What speaks no HTTP at all."""
    apiserver.add_namespace(NAMESPACE)
    listener = apiserver.listen()
    apiserver.add_service("mute", NAMESPACE, upstream=listener.getsockname()[:2])
    ended = threading.Event()

    def hang_up() -> None:
        listener.settimeout(0.1)
        while not ended.is_set():
            try:
                connection = listener.accept()[0]
            except TimeoutError:
                continue
            with connection:
                connection.recv(100)

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        found = doctor(f"https:mute.{NAMESPACE}:80", "--probe")
    finally:
        ended.set()
        thread.join()
        listener.close()
    assert found.step("scheme") == ("skipped", "the app answers neither to https nor to http")
    assert found.cause["name"] == "no-http"
    assert found.cause["remedy"] == f"kubectl port-forward -n {NAMESPACE} svc/mute 8080:80"


# Who answered.


@pytest.mark.parametrize("status", [404, 500, 403])
def test_the_app_itself_refuses(doctor: Doctor, put: Put, status: int) -> None:
    """The way to it is fine, and its log tells more."""
    found = doctor(put(saying(status)), "/missing")
    assert found.cause["name"] == "app-answered"
    assert f"the app itself answers {status} " in found.cause["text"]
    assert found.cause["text"].endswith(" to /missing; the way to it is fine")


def test_the_log_of_its_pods(doctor: Doctor, put: Put, apiserver: APIServer) -> None:
    """The remedy names the pods by the service's selector."""
    target = put(saying(500))
    name = target.partition(".")[0]
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{name}"
    kind = {"Content-Type": "application/merge-patch+json"}
    body = b'{"spec": {"selector": {"app": "web", "tier": "front"}}}'
    assert apiserver.request("PATCH", path, headers=kind, body=body).status == 200
    found = doctor(target)
    assert found.cause["name"] == "app-answered"
    assert found.cause["remedy"] == f"kubectl logs -n {NAMESPACE} -l app=web,tier=front --tail=50"


def test_nothing_listens(doctor: Doctor, apiserver: APIServer) -> None:
    """The pod is there, and its port is closed."""
    apiserver.add_namespace(NAMESPACE)
    listener = apiserver.listen()
    address = listener.getsockname()[:2]
    listener.close()
    apiserver.add_service("closed", NAMESPACE, upstream=address)
    found = doctor(f"closed.{NAMESPACE}")
    assert found.cause["name"] == "nothing-listens"
    assert f"dial tcp {address[0]}:{address[1]}: connect: connection refused" in found.cause["text"]


def test_the_answer_breaks_off(doctor: Doctor, put: Put) -> None:
    """An app that promises more than it sends."""
    found = doctor(put(saying(200, b"half", Content_Length="8")))
    assert found.cause["name"] == "app-broke-off"


def test_no_answer(doctor: Doctor, put: Put) -> None:
    """An app that takes longer than we wait; the remedy waits longer."""

    def respond(path: str, sent: Mapping[str, str]) -> Reply:
        time.sleep(2)
        return 200, {}, b"at last"

    target = put(respond)
    found = doctor(target, "--request-timeout=1")
    assert found.cause["name"] == "no-answer"
    assert found.cause["text"] == "no answer came from / within 1 second"
    assert found.cause["remedy"] == f"proxyurls fetch {target}:80 --request-timeout 6s"
    assert doctor(f"{target}:80", "--request-timeout", "6s").healthy


# Where the answer leads.


def test_redirects_within(doctor: Doctor, put: Put) -> None:
    """They are followed, rooted, relative and with a query."""
    pages = {"/": to("/login"), "/login": to("form?x=1"), "/form": (200, HTML, b"<p>hello")}
    found = doctor(put(routes(pages)))
    assert found.step("response") == ("ok", "the app answers 200 OK to /form?x=1")


def test_a_cookie_ends_the_circle(doctor: Doctor, put: Put) -> None:
    """An app that redirects to the same page until a cookie comes back is no fault."""

    def respond(path: str, sent: Mapping[str, str]) -> Reply:
        return (
            (200, {}, b"in") if "seen=1" in sent.get("Cookie", "") else to("/", Set_Cookie="seen=1")
        )

    assert doctor(put(respond)).healthy


def test_circle(doctor: Doctor, put: Put) -> None:
    """Two pages that lead to each other."""
    found = doctor(put(routes({"/": to("/a"), "/a": to("/")})))
    assert found.cause["name"] == "redirect-loop"
    assert found.cause["text"] == "the app redirects in a circle, at /a"


def test_redirect_out_of_the_cluster(doctor: Doctor, put: Put) -> None:
    """A login elsewhere is no fault; it is said."""
    found = doctor(put(saying(302, b"", Location="https://sso.example/login?x")))
    assert found.healthy
    assert found.step("response")[1] == (
        "the app redirects from / to https://sso.example/login?x, "
        "which does not lead through the apiserver to this app"
    )


@pytest.mark.parametrize("by", ["redirect", "page"])
def test_in_cluster_host(doctor: Doctor, put: Put, by: str) -> None:
    """A redirect or link to a name that a browser can't find."""
    pages: dict[str, Reply] = {}
    target = put(routes(pages))
    address = f"http://{target}.svc.cluster.local/app?x=1"
    pages["/app"] = (200, HTML, b"here")
    pages["/"] = to(address)
    if by == "page":
        pages["/"] = (200, HTML, f"<a href='/ok'></a><a href='{address}'>x</a>".encode())
    found = doctor(target)
    assert found.cause["name"] == "in-cluster-links"
    assert address in found.cause["text"]
    assert found.cause["remedy"] == f"proxyurls fetch {target}:80 '/app?x=1'"
    assert doctor.remedied(found).healthy


def test_absolute_by_its_host(doctor: Doctor, put: Put) -> None:
    """Absolute redirects that an app makes of the Host header, the apiserver puts right."""

    def respond(path: str, sent: Mapping[str, str]) -> Reply:
        return (200, {}, b"in") if path == "/login" else to(f"https://{sent['Host']}/login")

    assert doctor(put(respond)).step("response") == ("ok", "the app answers 200 OK to /login")


# What does not arrive.


def test_authorization(doctor: Doctor, put: Put) -> None:
    """The apiserver removes the header that the app asks for."""
    headers = {"WWW_Authenticate": 'Basic realm="x"'}
    found = doctor(put(saying(401, b"", **headers)))
    assert found.cause["name"] == "needs-authorization"
    assert found.cause["remedy"].startswith("kubectl port-forward -n ")


def test_a_login_page(doctor: Doctor, put: Put) -> None:
    """A 401 that does not ask for that header is the app's own affair."""
    assert doctor(put(saying(401, b"please log in"))).cause["name"] == "app-answered"


@pytest.mark.parametrize("headers", [{"Upgrade": "websocket"}, {"Sec_WebSocket_Version": "13"}])
def test_websocket_query(doctor: Doctor, put: Put, headers: dict[str, str]) -> None:
    """Only a query is lost, so without one it is healthy."""
    target = put(saying(426, b"", **headers))
    found = doctor(target, "/ws?room=1")
    assert found.cause["name"] == "websocket-query"
    assert "it does not get ?room=1" in found.cause["text"]
    found = doctor(target, "/ws")
    assert found.healthy
    assert "/ws is a WebSocket" in found.step("response")[1]


def test_altered_suffix(doctor: Doctor, put: Put) -> None:
    """An app that does not know the path that it got."""
    pages: dict[str, Reply] = {"/known/x": (200, {}, b"")}
    target = put(routes(pages))
    found = doctor(target, "/files/a%2Fb")
    assert found.cause["name"] == "altered-suffix"
    assert "it gets '/files/a/b' and not '/files/a%2Fb'" in found.cause["text"]
    found = doctor(target, "/known//x")
    assert found.healthy
    assert "it gets '/known/x'" in found.step("response")[1]


# What the apiserver can't do.


def test_no_way_to_the_pod(doctor: Doctor, apiserver: APIServer) -> None:
    """A pod's address in a network that the apiserver has no route to."""
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("lost", NAMESPACE, upstream=("192.0.2.1", 80))
    found = doctor(f"lost.{NAMESPACE}")
    assert found.cause["name"] == "no-way-to-pod"
    assert "192.0.2.1:80: connect: network is unreachable" in found.cause["text"]


def test_garbled(doctor: Doctor, apiserver: APIServer) -> None:
    """An app whose answer is no HTTP that Go reads: there is no cause for it but its message."""
    apiserver.add_namespace(NAMESPACE)
    with apiserver.listen() as listener:
        apiserver.add_service("garbled", NAMESPACE, upstream=listener.getsockname()[:2])

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 perhaps\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        found = doctor(f"garbled.{NAMESPACE}")
        thread.join()
    assert found.cause["name"] == "apiserver-failed"
    assert 'malformed HTTP status code "perhaps"' in found.cause["text"]
