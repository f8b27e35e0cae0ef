"""Step 2 on the real apiserver: what stands in front of it, or does not lead to it."""

from __future__ import annotations

import base64
import re
import socket
import sys
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from discovery.servers import Answer, Blurter, Loopback, Tunnels

from .front import Authority, Front

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.cluster import APIServer

    from .conftest import Kubectl, Lead

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
VERSION = b'{"gitVersion": "v1.20.2"}'


def option(remedy: str, name: str) -> tuple[str, str]:
    """The option that a remedy says to give, as it is to be typed."""
    found = re.search(rf"{name}[ =](\S+)", remedy)
    assert found, remedy
    return name, found[1]


# Name lookup and TCP.


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


# TLS.


def test_unknown_authority(
    apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    """The kubeconfig has no CA; its owner makes a file of it, by the command that is named."""
    doctor = lead(cluster={})
    found = doctor(web)
    assert found.cause["name"] == "unknown-authority"
    assert found.cause["text"] == (
        f"the certificate of {apiserver.server} is signed by 'contract-ca', which this machine "
        "does not trust, and no certificate-authority is set"
    )
    command = re.search(r"\((kubectl .*)\), and give", found.cause["remedy"])
    assert command, found.cause
    kubectl(command[1].replace("ca.crt", f"{tmp_path}/ca.crt"), apiserver.kubeconfig)
    name, value = option(found.cause["remedy"], "--certificate-authority")
    assert doctor(web, name, str(tmp_path / value)).healthy


def test_another_authority(
    apiserver: APIServer, lead: Lead, web: str, authority: Authority, tmp_path: Path
) -> None:
    """What looks into TLS shows a certificate of its own."""
    corp = Authority(tmp_path, "Corp TLS Inspection")
    with Front(apiserver, corp.context("127.0.0.1", since=-DAY, until=DAY)) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(apiserver.ca_file)})
        found = doctor(web)
        assert found.cause["name"] == "unknown-authority"
        assert (
            "is signed by 'Corp TLS Inspection', and certificate-authority is 'contract-ca' ("
            in found.cause["text"]
        )
        assert "if something in between looks into TLS under that name" in found.cause["remedy"]
        assert doctor(web, "--server", apiserver.server).healthy
        many = tmp_path / "many.crt"
        many.write_bytes(2 * apiserver.ca_pem)
        listed = doctor(web, "--certificate-authority", str(many)).cause["text"]
        assert "certificate-authority is a list of 2 others (--certificate-authority)" in listed
        trusting = option(found.cause["remedy"], "--certificate-authority")[0]
        assert doctor(web, trusting, str(corp.file)).healthy


def test_wrong_name(apiserver: APIServer, lead: Lead, web: str, authority: Authority) -> None:
    names = ("*.k8s.test", "api.k8s.test", "10.0.0.1")
    with Front(apiserver, authority.context(*names, since=-DAY, until=DAY)) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(authority.file)})
        found = doctor(web)
        assert found.cause == {
            "name": "wrong-certificate-name",
            "text": f"the certificate of {front.url} is for *.k8s.test, api.k8s.test, 10.0.0.1, "
            "and not for 127.0.0.1",
            "remedy": "if it is the right server, give --tls-server-name api.k8s.test",
        }
        assert doctor(web, *option(found.cause["remedy"], "--tls-server-name")).healthy
        wrong = doctor(web, "--tls-server-name", "api.test")
        assert wrong.cause["text"].endswith("and not for api.test (tls-server-name)")


def test_expired(apiserver: APIServer, lead: Lead, web: str, authority: Authority) -> None:
    context = authority.context("127.0.0.1", since=-2 * DAY, until=-HOUR)
    with Front(apiserver, context) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(authority.file)})
        found = doctor(web)
        assert found.cause["name"] == "certificate-expired"
        assert re.fullmatch(
            rf"the certificate of {front.url} expired on \S+ \S+ UTC, and it is \S+ \S+ UTC",
            found.cause["text"],
        )
        assert found.cause["remedy"].startswith("have it renewed")
        authority.renew(context)
        assert doctor(web).healthy


def test_not_yet_valid(apiserver: APIServer, lead: Lead, web: str, authority: Authority) -> None:
    context = authority.context("127.0.0.1", since=HOUR, until=DAY)
    with Front(apiserver, context) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(authority.file)})
        found = doctor(web)
        assert found.cause["name"] == "certificate-not-yet-valid"
        assert f"the certificate of {front.url} is not valid before 20" in found.cause["text"]
        assert "have it issued anew" in found.cause["remedy"]
        authority.renew(context)
        assert doctor(web).healthy


def dated(later: timedelta):  # type: ignore[no-untyped-def]
    """Answers of a server whose clock is later than ours."""
    date = format_datetime(datetime.now(timezone.utc) + later, usegmt=True).encode()
    return lambda piece: re.sub(rb"(?m)^Date: .*\r$", b"Date: " + date + b"\r", piece, count=1)


@pytest.mark.parametrize("later", [HOUR, -HOUR])
def test_wrong_clock(
    apiserver: APIServer, lead: Lead, web: str, authority: Authority, later: timedelta
) -> None:
    context = authority.context("127.0.0.1", since=-DAY, until=DAY)
    with Front(apiserver, context, dated(later)) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(authority.file)})
        found = doctor(web)
        assert found.cause["name"] == "wrong-clock"
        times = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", found.cause["text"])
        ours, theirs = (datetime.fromisoformat(time[:19]) for time in times)
        assert abs(theirs - ours - later) < timedelta(minutes=2)
        assert "set the clock" in found.cause["remedy"]
        front.change = dated(timedelta(minutes=2))  # less is no fault
        assert doctor(web).healthy


def test_expired_by_a_wrong_clock(
    apiserver: APIServer, lead: Lead, web: str, authority: Authority
) -> None:
    """The certificate is good by the server's own time: it's our clock that is ahead."""
    context = authority.context("127.0.0.1", since=-2 * DAY, until=-HOUR)
    with Front(apiserver, context, dated(-DAY)) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(authority.file)})
        assert doctor(web).cause["name"] == "wrong-clock"
        front.change = dated(timedelta())
        assert doctor(web).cause["name"] == "certificate-expired"


def test_unchecked(apiserver: APIServer, lead: Lead, web: str, authority: Authority) -> None:
    context = authority.context("127.0.0.1", since=-2 * DAY, until=-HOUR)
    with Front(apiserver, context) as front:
        found = lead(front.url, cluster={})(web, "--insecure-skip-tls-verify")
    assert found.healthy
    assert "its certificate was not checked at all" in found.step("connection")[1]


def test_http_to_https(apiserver: APIServer, lead: Lead, web: str) -> None:
    url = apiserver.server.replace("https", "http")
    doctor = lead(url)
    found = doctor(web)
    assert found.cause == {
        "name": "tls-expected",
        "text": f"{url} speaks https, not http",
        "remedy": f"give --server {apiserver.server}",
    }
    assert doctor(web, *option(found.cause["remedy"], "--server")).healthy


@pytest.mark.parametrize("said", [b"", b"<h1>The plain HTTP request was sent to HTTPS port"])
def test_http_to_https_of_another_server(
    apiserver: APIServer, lead: Lead, web: str, authority: Authority, said: bytes
) -> None:
    """What stands in front speaks TLS alone, or says so in nginx's words."""
    with (
        Front(apiserver, authority.context("127.0.0.1", since=-DAY, until=DAY)) as front,
        Loopback(lambda _: Answer(said, 400)) as nginx,
    ):
        url = nginx.url if said else front.url.replace("https", "http")
        doctor = lead(url, cluster={"certificate-authority": str(authority.file)})
        found = doctor(web)
        assert found.cause["name"] == "tls-expected"
        name, value = option(found.cause["remedy"], "--server")
        assert value == url.replace("http", "https")
        assert doctor(web, name, front.url).healthy


def test_https_to_http(apiserver: APIServer, lead: Lead, web: str) -> None:
    with Front(apiserver) as front:
        doctor = lead(front.url.replace("http", "https"))
        found = doctor(web)
        assert found.cause["name"] == "not-tls"
        assert found.cause["remedy"] == f"give --server {front.url}"
        healthy = doctor(web, *option(found.cause["remedy"], "--server"))
        assert healthy.healthy
        assert "it is asked by http, without TLS" in healthy.step("connection")[1]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (None, "no-answer"),
        (b"", "tls-refused"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "tls-refused"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "tls-refused"),  # alert: handshake failure
    ],
)
def test_no_handshake(
    apiserver: APIServer, lead: Lead, web: str, said: bytes | None, cause: str
) -> None:
    with Blurter(said) as server:
        doctor = lead(f"https://127.0.0.1:{server.port}")
        found = doctor(web, "--request-timeout", "500ms")
    assert found.cause["name"] == cause
    assert f"https://127.0.0.1:{server.port}" in found.cause["text"]
    assert "--" in found.cause["remedy"]
    assert doctor(web, "--server", apiserver.server).healthy


@pytest.mark.parametrize(("said", "cause"), [(None, "no-answer"), (b"", "closed")])
def test_no_http(
    apiserver: APIServer, lead: Lead, web: str, said: bytes | None, cause: str
) -> None:
    with Blurter(said) as server:
        doctor = lead(f"http://127.0.0.1:{server.port}")
        found = doctor(web, "--request-timeout", "500ms")
    assert found.cause["name"] == cause
    assert doctor(web, "--server", apiserver.server).healthy


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


# A proxy in between.


class Guarded(Tunnels):
    """A proxy that wants the user ``ann`` with the password ``pa:ss``."""

    WANTED = b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:pa:ss")

    def _serve(self, client: socket.socket) -> None:
        if self.WANTED in client.recv(4096, socket.MSG_PEEK):
            super()._serve(client)
            return
        with client:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def here(apiserver: APIServer) -> tuple[str, int]:
    """Where the apiserver is."""
    return "127.0.0.1", int(apiserver.server.rpartition(":")[2])


@pytest.fixture
def guarded(here: tuple[str, int]) -> Iterator[Guarded]:
    with Guarded(here) as proxy:
        yield proxy


def through(apiserver: APIServer, proxy: str) -> dict[str, str]:
    """A kubeconfig's cluster with a proxy."""
    return {"certificate-authority": str(apiserver.ca_file), "proxy-url": proxy}


def test_through_a_proxy(apiserver: APIServer, lead: Lead, web: str, here: tuple[str, int]) -> None:
    with Tunnels(here) as proxy:
        found = lead(cluster=through(apiserver, proxy.url))(web)
        assert found.healthy
        assert f"answers through the proxy at {proxy.url[7:]}" in found.step("connection")[1]
        assert not any("Bearer" in head for head in proxy.heads)


def test_proxy_wants_a_password(
    apiserver: APIServer, lead: Lead, web: str, guarded: Guarded
) -> None:
    found = lead(cluster=through(apiserver, guarded.url))(web)
    assert found.cause["name"] == "proxy-refused"
    assert "answered 407 Proxy Authentication Required to CONNECT 127.0.0.1:" in found.cause["text"]
    url = re.search(r"its URL \((\S+)\)", found.cause["remedy"])
    assert url, found.cause
    filled = url[1].replace("USER:PASSWORD", "ann:pa%3Ass")
    healthy = lead(cluster=through(apiserver, filled))(web)
    assert healthy.healthy
    assert "pa%3Ass" not in str(healthy)


def test_proxy_refuses(apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl) -> None:
    with Loopback(lambda _: Answer(b"no", 403)) as proxy:
        doctor = lead(cluster=through(apiserver, proxy.url))
        found = doctor(web)
    assert found.cause["name"] == "proxy-refused"
    assert f"the proxy {proxy.url} answered 403 Forbidden to CONNECT" in found.cause["text"]
    assert doctor.kubeconfig
    command = found.cause["remedy"].partition("go without: ")[2]
    kubectl(command, doctor.kubeconfig)
    assert doctor(web).healthy


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_proxy_is_not_there(
    apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    doctor = lead(cluster=through(apiserver, url))
    found = doctor(web)
    assert found.cause["name"] == "refused"
    assert found.cause["text"].startswith(f"can't connect to the proxy {url}: ")
    command = found.cause["remedy"].partition("go without: ")[2]
    assert doctor.kubeconfig
    kubectl(command, doctor.kubeconfig)
    assert doctor(web).healthy


def test_proxy_of_the_environment(
    apiserver: APIServer, lead: Lead, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.1 is this machine for the system, and no loopback address for Go's rule."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    doctor = lead(apiserver.server.replace("127.0.0.1", "127.1"))
    options = ("--tls-server-name", "127.0.0.1")
    found = doctor(web, *options)
    assert found.cause["name"] == "unknown-host"
    assert "it is that of the proxy http://proxy.invalid:3128" in found.cause["text"]
    assert "mend $HTTPS_PROXY" in found.cause["remedy"]
    name, _, value = found.cause["remedy"].partition("export ")[2].partition("=")
    monkeypatch.setenv(name, value)
    assert doctor(web, *options).healthy


def test_plain_http_through_a_proxy(lead: Lead, web: str, apiserver: APIServer) -> None:
    """It's asked for whole URLs, and gets no credential but its own."""
    with Loopback(lambda _: Answer(VERSION)) as proxy:
        own = {"proxy-url": proxy.url.replace("//", "//a:b@")}
        doctor = lead("http://127.1:8001", cluster=own)
        found = doctor(web)
        asked = proxy.requests[0]
    assert found.step("connection")[0] == "ok"
    assert asked.target == "http://127.1:8001/version"
    assert asked.headers["proxy-authorization"] == "Basic YTpi"
    assert "authorization" not in asked.headers
    trusting = ("--certificate-authority", str(apiserver.ca_file))
    assert doctor(web, "--server", apiserver.server, *trusting).cause["name"] == "refused"


def test_proxy_with_socks(
    lead: Lead, web: str, apiserver: APIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a package more, which is not there."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"socks5://127.0.0.1:{listener.getsockname()[1]}"
        found = lead(cluster=through(apiserver, url))(web)
    assert found.cause["name"] == "wrong-config"
    assert found.cause["remedy"] == "type: pip install 'proxyurls[socks]'"
    assert lead()(web).healthy


def test_proxy_with_tls(
    apiserver: APIServer, lead: Lead, web: str, kubectl: Kubectl, authority: Authority
) -> None:
    """Its certificate is not checked for by us, but by the HTTP library, with the system's CAs."""
    context = authority.context("127.0.0.1", since=-DAY, until=DAY)
    with Loopback(lambda _: Answer(), tls=context) as proxy:
        doctor = lead(cluster=through(apiserver, proxy.url))
        found = doctor(web)
    assert found.cause["name"] == "unknown-authority"
    assert "or that of the proxy, for which this machine's CAs count" in found.cause["text"]
    kubectl("kubectl config unset clusters.front.proxy-url", doctor.kubeconfig)
    assert doctor(web).healthy
