"""Step 2 on the real apiserver: TLS, certificates and clocks."""

from __future__ import annotations

import re
import ssl
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from discovery.servers import Answer, Blurter, Loopback

from proxyurls.doctor.way import Way

from .asking import option
from .front import Authority, Front
from .issued import Issued

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer

    from .conftest import Kubectl, Lead

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
VERSION = b'{"gitVersion": "v1.20.2"}'


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


def test_self_signed(apiserver: APIServer, lead: Lead, web: str, tmp_path: Path) -> None:
    """No CA is set; then the certificate itself is, which is enough."""
    own = Issued("127.0.0.1", address="127.0.0.1")
    with Front(apiserver, own.server(tmp_path)) as front:
        doctor = lead(front.url, cluster={})
        found = doctor(web)
        assert found.cause["name"] == "unknown-authority"
        assert f"the certificate of {front.url} is self-signed ('127.0.0.1')" in found.cause["text"]
        name, _ = option(found.cause["remedy"], "--certificate-authority")
        assert doctor(web, name, own.write(tmp_path / "own.crt")).healthy


def test_for_no_name(apiserver: APIServer, lead: Lead, web: str, tmp_path: Path) -> None:
    """A common name does not count, as with Go."""
    ca = Issued("ca")
    context = Issued("127.0.0.1", by=ca).server(tmp_path)
    with Front(apiserver, context) as front:
        trusted = {"certificate-authority": ca.write(tmp_path / "ca.crt")}
        doctor = lead(front.url, cluster=trusted)
        found = doctor(web)
        assert found.cause["name"] == "wrong-certificate-name"
        assert "is for no name at all, and not for 127.0.0.1" in found.cause["text"]
        assert "issued anew with a subjectAltName" in found.cause["remedy"]
        Issued("127.0.0.1", by=ca, address="127.0.0.1").put(context, tmp_path)
        assert doctor(web).healthy


def test_wildcard(apiserver: APIServer, lead: Lead, web: str, authority: Authority) -> None:
    """What stands for many names is none that could be given."""
    context = authority.context("*.k8s.test", since=-DAY, until=DAY)
    with Front(apiserver, context) as front:
        doctor = lead(front.url, cluster={"certificate-authority": str(authority.file)})
        found = doctor(web)
        assert found.cause["text"].endswith(" is for *.k8s.test, and not for 127.0.0.1")
        assert found.cause["remedy"] == "check the server's name, or give --tls-server-name"
        assert doctor(web, "--tls-server-name", "api.k8s.test").healthy


def test_expired_ca(apiserver: APIServer, lead: Lead, web: str, tmp_path: Path) -> None:
    old = Issued("old-ca", until=-HOUR)
    context = Issued("127.0.0.1", by=old, address="127.0.0.1").server(tmp_path)
    with Front(apiserver, context) as front:
        doctor = lead(front.url, cluster={"certificate-authority": old.write(tmp_path / "ca.crt")})
        found = doctor(web)
        assert found.cause["name"] == "certificate-expired"
        whose = f"the CA certificate 'old-ca' behind that of {front.url}"
        assert found.cause["text"].startswith(f"{whose} is not valid now (")
        new = Issued("new-ca")
        new.write(tmp_path / "ca.crt")
        Issued("127.0.0.1", by=new, address="127.0.0.1").put(context, tmp_path)
        assert doctor(web).healthy


def test_client_certificate_first(lead: Lead, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in front lets none in without one; that is no fault before one was sent."""

    def refuse(*_: object) -> None:
        raise ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert")

    monkeypatch.setattr(Way, "ask", refuse)
    found = lead()(web)
    assert found.healthy
    assert "it says nothing to those without a client" in found.step("connection")[1]


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


def test_https_to_http_elsewhere(lead: Lead, web: str, apiserver: APIServer) -> None:
    """Where credentials are not sent over http, that is no remedy."""
    with Front(apiserver) as front:
        doctor = lead(f"https://127.1:{front.port}")
        cause = doctor(web).cause
    assert cause["name"] == "not-tls"
    assert cause["remedy"].startswith("use its https port")
    assert doctor(web, "--server", apiserver.server).healthy


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
