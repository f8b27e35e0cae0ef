"""Apps whose answers mislead, on the real apiserver: greetings, streams, circles, refusals."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from .asking import Doctor
from .front import Front

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from contract.cluster import APIServer

    Say = Callable[..., str]

NAMESPACE = "doctor-misleading"


@pytest.fixture
def doctor(apiserver: APIServer, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command, as admin."""
    return Doctor(apiserver.kubeconfig, capsys)


@pytest.fixture
def say(apiserver: APIServer, request: pytest.FixtureRequest) -> Iterator[Say]:
    """Put behind a service what says some bytes to whoever asks; gives the service's TARGET.

    With ``then``, it goes on to say that for as long as it is listened to; with ``waits`` it says
    nothing before it has heard that.
    """
    apiserver.add_namespace(NAMESPACE)
    ended = threading.Event()
    with ExitStack() as stack:

        def say(answer: bytes, *, then: bytes = b"", waits: bytes = b"") -> str:
            class Handler(socketserver.BaseRequestHandler):
                def handle(self) -> None:
                    with suppress(OSError):  # who asked may leave at any time
                        self.talk(self.request)

                def talk(self, connection: socket.socket) -> None:
                    heard = connection.recv(4096)
                    while waits not in heard:
                        heard += (piece := connection.recv(4096))
                        if not piece:
                            return
                    connection.sendall(answer)
                    while then and not ended.wait(0.3):
                        connection.sendall(then)

            listener = apiserver.listen()
            server = socketserver.ThreadingTCPServer(("", 0), Handler, bind_and_activate=False)
            server.daemon_threads, server.block_on_close = True, False
            server.socket.close()
            server.socket = listener
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            name = f"app-{abs(hash(request.node.nodeid)) % 10**9}"
            apiserver.add_service(name, NAMESPACE, upstream=listener.getsockname()[:2])
            return f"{name}.{NAMESPACE}"

        yield say
        ended.set()


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} As-told", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize("probe", [(), ("--probe",)])
def test_a_greeting(doctor: Doctor, say: Say, probe: tuple[str, ...]) -> None:
    """SSH, Redis and others answer a line of their own, which is no sign of https."""
    target = say(b"SSH-2.0-OpenSSH_9.2\r\n")
    found = doctor(target, *probe)
    assert found.cause["name"] == "no-http"
    assert found.cause["text"].startswith("what listens there speaks no HTTP (")
    assert found.cause["remedy"].startswith("kubectl port-forward -n ")


def test_a_tls_alert(doctor: Doctor, say: Say) -> None:
    """It is a sign of https, whatever the alert is."""
    found = doctor(say(b"\x15\x03\x01\x00\x02\x02\x46"))
    assert found.cause["name"] == "speaks-https"


def test_neither_after_a_probe(doctor: Doctor, say: Say) -> None:
    """What was tried with --probe and failed is no remedy."""
    target = say(b"")
    assert doctor(target).cause["name"] == "speaks-https"
    found = doctor(target, "--probe")
    assert found.step("scheme") == ("skipped", "the app answers neither to http nor to https")
    assert found.cause["name"] == "no-http"
    assert ", or wants a client certificate (" in found.cause["text"]


def test_an_http_app_that_waits(doctor: Doctor, say: Say) -> None:
    """Asked by https, an app that waits for a line of HTTP says nothing: the apiserver gives up."""
    target = say(http(200, b"hello"), waits=b"\r\n\r\n")
    found = doctor(f"https:{target}:80")
    assert "TLS handshake timeout" in found.cause["text"]
    assert found.cause["name"] == "speaks-http"
    assert found.cause["remedy"] == f"proxyurls fetch http:{target}:80"
    assert doctor.remedied(found).healthy


@pytest.mark.parametrize("kind", ["text/event-stream", "application/octet-stream"])
def test_an_endless_answer(doctor: Doctor, say: Say, kind: str) -> None:
    """It did come: that it does not end is no fault."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode()
    target = say(head, then=b"data: x\n\n")
    found = doctor(target, "--request-timeout=2")
    assert found.step("response") == ("ok", "the app answers 200 OK to /")


def test_an_answer_that_is_no_http(doctor: Doctor, say: Say) -> None:
    """The apiserver closes the connection; it was there to be reached, and that is not in doubt."""
    found = doctor(say(http(302, Location="/x\x1b[31m")))
    assert found.cause["name"] == "app-broke-off"
    assert found.cause["text"] == (
        "the apiserver closed the connection without an answer, as it does when the app's "
        "breaks off or is no proper HTTP"
    )


def test_circle_to_another_page(doctor: Doctor, say: Say) -> None:
    """What is not led to https has no TLS to be told of."""
    found = doctor(say(http(302, Location="/login")))
    assert found.cause["name"] == "redirect-loop"
    assert found.cause["remedy"] == "check what the app's settings say of its own URL"


def test_circle_to_https(doctor: Doctor, apiserver: APIServer, say: Say) -> None:
    """An app that leads to https, where the browser is already."""
    host = apiserver.server.partition("://")[2]
    found = doctor(say(http(301, Location=f"https://{host}/")))
    assert found.cause["name"] == "redirect-loop"
    assert found.cause["remedy"] == "tell it that TLS ends in front of it"


def test_a_short_name_is_of_the_apps_namespace(doctor: Doctor, say: Say) -> None:
    """A host name without a dot is looked up in the app's namespace, as its pod does."""
    found = doctor(say(http(302, Location="http://backend:8080/x")))
    assert found.cause["name"] == "in-cluster-links"
    assert found.cause["remedy"] == f"proxyurls fetch backend.{NAMESPACE}:8080 /x"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Unauthorized"),
        (403, 'services "x" is forbidden: User "app" cannot get resource "services/proxy"'),
    ],
)
def test_an_app_that_asks_an_apiserver(doctor: Doctor, say: Say, status: int, message: str) -> None:
    """Dashboards pass on refusals of their own rights; the user's were looked at before."""
    refusal = {"kind": "Status", "apiVersion": "v1", "message": message, "code": status}
    body = json.dumps(refusal).encode()
    found = doctor(say(http(status, body, Content_Type="application/json")))
    assert found.cause["name"] == "app-answered"
    assert found.cause["text"].endswith(f" to / ({message})")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            http(200, b"<p>plain", Content_Type="text/html", Content_Encoding="gzip"),
            "errorf making gzip reader: unexpected EOF",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "internal error: 101 switching protocols response with non-writable body",
        ),
    ],
)
def test_what_the_apiserver_chokes_on(
    doctor: Doctor, say: Say, answer: bytes, message: str
) -> None:
    """A page that is not compressed as it says, or an upgrade: no app answered that 500."""
    found = doctor(say(answer))
    assert found.cause["name"] == "apiserver-failed"
    assert found.cause["text"] == f"the apiserver says: {message}"


def test_nothing_may_be_read(doctor: Doctor, apiserver: APIServer) -> None:
    """Who may proxy and read nothing is told the likeliest causes, and who can find out."""
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("bare", NAMESPACE)
    apiserver.grant("peeper", verbs=["get"], resources=["services/proxy"], namespace=NAMESPACE)
    found = doctor(f"bare.{NAMESPACE}:web", "--as=peeper")
    assert found.cause["text"].startswith(
        f"service 'bare' in namespace '{NAMESPACE}': no ready pod is behind it, "
        "or its ports have names, so one must be typed, or more ("
    )
    assert found.cause["remedy"] == (
        f"`proxyurls doctor bare.{NAMESPACE}:web` tells which, if it is run by somebody who may "
        f"read services, endpoints and pods of namespace '{NAMESPACE}'"
    )


def test_nothing_listens_on_the_node(doctor: Doctor, apiserver: APIServer) -> None:
    """It is not a pod that refuses."""
    listener = apiserver.listen()
    host, port = listener.getsockname()[:2]
    listener.close()
    apiserver.add_node("quiet", ip=host, kubelet_port=port)
    found = doctor(f"node/quiet:{port}")
    assert found.cause["name"] == "nothing-listens"
    assert found.cause["text"].startswith("nothing listens on that port of the node (")


def test_a_path_that_is_no_apiservers(doctor: Doctor, apiserver: APIServer) -> None:
    """The server's URL has a path too much: it answers, and knows nothing below that."""
    found = doctor("web", f"--server={apiserver.server}/k8s/x")
    assert found.cause["name"] == "no-apiserver"
    assert "/k8s/x answered 404 Not Found to a SelfSubjectAccessReview" in found.cause["text"]


def test_a_circle_to_https_behind_plain_http(
    doctor: Doctor, apiserver: APIServer, say: Say
) -> None:
    """Behind `kubectl proxy` too: the scheme alone does not lead away from the app."""
    with Front(apiserver) as front:
        target = say(http(301, Location=f"https://127.0.0.1:{front.port}/"))
        found = doctor(target, f"--server={front.url}", "--token", apiserver.admin_token)
    assert found.cause["name"] == "redirect-loop"
    assert found.cause["remedy"].startswith("tell it that TLS ends in front of it")
