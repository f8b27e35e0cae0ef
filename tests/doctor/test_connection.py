"""Step 2 on the real apiserver: name lookup, TCP, and what answers there that is none."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from discovery.servers import Answer, Loopback

from .front import Authority, Front

if TYPE_CHECKING:
    from contract.cluster import APIServer

    from .conftest import Lead

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
VERSION = b'{"gitVersion": "v1.20.2"}'


def test_healthy(apiserver: APIServer, lead: Lead, web: str) -> None:
    found = lead()(web)
    assert found.healthy
    result, text = found.step("connection")
    assert result == "ok"
    assert f"{apiserver.server} answers at {urlsplit(apiserver.server).netloc}; " in text
    assert "its certificate by 'contract-ca' is trusted, and valid until " in text
    assert text.rpartition("; ")[2].startswith("it is Kubernetes v")


def test_unknown_host(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead("https://k8s.invalid:6443")
    found = doctor(web)
    assert found.cause["name"] == "unknown-host"
    assert found.cause["text"].startswith("the host name 'k8s.invalid' is not known here (")
    assert found.cause["remedy"] == "check --server or --context"
    assert doctor(web, "--server", apiserver.server).healthy


@pytest.mark.parametrize("hangs", [True, False])
def test_no_name_server(
    apiserver: APIServer, lead: Lead, web: str, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    """The system says so at once, or asks on until we give up."""
    given_up = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        if hangs:
            given_up.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    doctor = lead(apiserver.server.replace("127.0.0.1", "localhost"))
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        found = doctor(web, "--request-timeout", "300ms")
    given_up.set()
    assert found.cause["name"] == "unknown-host"
    why = "no answer within 0.3 seconds" if hangs else "Temporary failure in name resolution"
    assert f"'localhost' is not known here ({why})" in found.cause["text"]
    assert found.cause["remedy"].startswith("no name server answers: check the network")
    assert doctor(web).healthy


def test_refused(apiserver: APIServer, lead: Lead, web: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"127.0.0.1:{listener.getsockname()[1]}"
    doctor = lead(f"https://{closed}")
    found = doctor(web)
    assert found.cause == {
        "name": "refused",
        "text": f"can't connect to https://{closed}: {closed} refused the connection",
        "remedy": "is it running there? Check --server or --context",
    }
    assert doctor(web, "--server", apiserver.server).healthy


def test_no_answer_to_tcp(apiserver: APIServer, lead: Lead, web: str) -> None:
    """A server whose queue is full, as one that drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        doctor = lead(f"https://127.0.0.1:{address[1]}")
        found = doctor(web, "--request-timeout", "300ms")
        for one in waiting:
            one.close()
    assert found.cause["name"] == "no-connection"
    assert found.cause["text"].endswith("did not answer within 0.3 seconds")
    assert found.cause["remedy"] == "check the network, or raise --request-timeout"
    assert doctor(web, "--server", apiserver.server).healthy


def test_no_route(apiserver: APIServer, lead: Lead, web: str) -> None:
    doctor = lead("https://255.255.255.255:6443")
    found = doctor(web)
    assert found.cause["name"] == "no-connection"
    assert found.cause["text"].endswith(": there is no route to 255.255.255.255:6443")
    assert doctor(web, "--server", apiserver.server).healthy


def test_all_addresses_are_tried(
    apiserver: APIServer,
    lead: Lead,
    web: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name with two addresses, of which the server listens at one."""
    look_up = socket.getaddrinfo

    def both(host: str | bytes, port: int, *args: object, **options: int) -> list[object]:
        found: list[object] = []
        for address in ("::1", "127.0.0.1") if "localhost" in str(host) else (host,):
            found += look_up(address, port, *args, **options)  # type: ignore[arg-type]
        return found

    if apiserver.server6 is None:
        pytest.skip("there's no IPv6 here")
    monkeypatch.setattr(socket, "getaddrinfo", both)
    with Front(apiserver, authority.context("localhost", since=-DAY, until=DAY)) as front:
        trusted = {"certificate-authority": str(authority.file)}
        found = lead(f"https://localhost:{front.port}", cluster=trusted)(web)
    assert found.healthy
    text = found.step("connection")[1]
    assert f"at 127.0.0.1:{front.port}; [::1]:{front.port} refused the connection; " in text


# What is no apiserver.


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            Answer(b"<html>Sign in", headers={"Content-Type": "text/html"}),
            "200 OK to GET /version, with 'text/html'",
        ),
        (
            Answer(b"", 302, {"Location": "https://login.test/?ticket=s3cret"}),
            "leads to 'https://login.test/': a login page or gateway",
        ),
        (Answer(b'{"version": {"number": "8.1"}}'), "as no apiserver does"),
        (Answer(b"[]"), "as no apiserver does"),
        (Answer(b"<html>Bad Gateway", 502), "answered 502 Bad Gateway"),
        (Answer(b"404 page not found\n", 404), "answered 404 Not Found"),
    ],
)
def test_no_apiserver(
    apiserver: APIServer, lead: Lead, web: str, answer: Answer, text: str
) -> None:
    with Loopback(lambda _: answer) as server:
        doctor = lead(server.url)
        found = doctor(web)
        assert found.cause["name"] == "no-apiserver"
        assert text in found.cause["text"]
        assert "s3cret" not in str(found)
        assert found.cause["remedy"] == "check --server or --context"
        assert [one.target for one in server.requests] == ["/version"]
        assert "authorization" not in server.requests[0].headers
    assert doctor(web, "--server", apiserver.server).healthy


def test_no_credential_before_trust(lead: Lead, web: str, authority: Authority) -> None:
    """What is asked of a server that is not trusted, to see its clock, says not who is asking."""
    context = authority.context("127.0.0.1", since=-2 * DAY, until=-HOUR)
    with Loopback(lambda _: Answer(VERSION), tls=context) as server:
        found = lead(server.url, cluster={"certificate-authority": str(authority.file)})(web)
        assert found.cause["name"] == "certificate-expired"
        assert [one.target for one in server.requests] == ["/version"]
        assert "authorization" not in server.requests[0].headers
