"""Who answers: the apiserver, by a Status object, or the app."""

from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from .upstream import reply

if TYPE_CHECKING:
    from .cluster import Response
    from .conftest import Site


def brief(answer: Response) -> tuple[int, str | None, str]:
    """The status, reason and message of a Status object."""
    status = answer.status_object
    assert status is not None, answer
    assert (status["apiVersion"], status["status"]) == ("v1", "Failure")
    assert status["code"] == answer.status
    return answer.status, status.get("reason"), status["message"]


@pytest.mark.parametrize(
    "path", ["/api/v1/services", "/api/v1/namespaces/facts/services/web/proxy/"]
)
def test_wrong_token(site: Site, path: str) -> None:
    """A wrong token is a 401 Unauthorized, everywhere."""
    answer = site.apiserver.get(path, token="wrong")
    assert brief(answer) == (401, "Unauthorized", "Unauthorized")


def test_no_credential(site: Site) -> None:
    """No credential is the user system:anonymous, who may do next to nothing, or a 401."""
    answer = site.apiserver.get(site.root("web") + "/", token=None)
    assert brief(answer) in [
        (
            403,
            "Forbidden",
            (
                'services "web" is forbidden: User "system:anonymous" cannot get resource '
                '"services/proxy" in API group "" in the namespace "facts"'
            ),
        ),
        (401, "Unauthorized", "Unauthorized"),
    ]


def test_basic_is_no_credential(site: Site) -> None:
    """A user and password are not looked at: it's as if there were none."""
    basic = {"Authorization": "Basic YWRtaW46YWRtaW4="}
    answer = site.apiserver.request("GET", "/api/v1/services", headers=basic, token=None)
    assert answer.status in {401, 403}


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER"])
def test_scheme_of_authorization(site: Site, scheme: str) -> None:
    """The word Bearer may be written in any case."""
    headers = {"Authorization": f"{scheme} {site.apiserver.admin_token}"}
    answer = site.apiserver.request("GET", "/api/v1/services", headers=headers, token=None)
    assert answer.status == 200


def test_certificate_before_token(site: Site) -> None:
    """A client certificate counts before a token, even a wrong one."""
    answer = site.apiserver.request("GET", "/api/v1/services", token="wrong", certificate=True)
    assert answer.status == 200


def test_forbidden(site: Site) -> None:
    """A forbidden list is a 403 that names user, verb, resource and scope."""
    answer = site.apiserver.get("/api/v1/services", token=site.apiserver.reader_token)
    assert brief(answer) == (
        403,
        "Forbidden",
        (
            'services is forbidden: User "reader" cannot list resource "services" '
            'in API group "" at the cluster scope'
        ),
    )


def test_not_found(site: Site) -> None:
    """A service that isn't there is a 404 NotFound, which names it in its details."""
    answer = site.apiserver.get("/api/v1/namespaces/facts/services/none")
    assert brief(answer) == (404, "NotFound", 'services "none" not found')
    assert answer.json()["details"] == {"name": "none", "kind": "services"}


def test_not_found_in_the_proxy(site: Site) -> None:
    """The proxy's own 404 is a Status too, so it's told from the app's."""
    assert brief(site.get(segment="none")) == (404, "NotFound", 'services "none" not found')


def test_unavailable(site: Site) -> None:
    """A service without endpoints is a 503 ServiceUnavailable."""
    message = 'no endpoints available for service "idle"'
    assert brief(site.get(segment="idle")) == (503, "ServiceUnavailable", message)


def test_bad_segment(site: Site) -> None:
    """An invalid segment is a 400 BadRequest."""
    answer = site.get(segment="a:b:c:d")
    assert brief(answer) == (400, "BadRequest", 'invalid service request "a:b:c:d"')


def test_unreachable(site: Site) -> None:
    """An app that can't be reached is a Status that says so."""
    status, reason, message = brief(site.get(segment="https:web:"))
    assert (status, reason) in {(500, None), (503, "ServiceUnavailable")}
    assert message.startswith("error trying to reach service: ")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 502, 503])
def test_the_apps_own_errors(site: Site, status: int) -> None:
    """The app's error comes as it is, and is no Status object."""
    asked = reply(b"<p>oops", status=status, headers={"Content-Type": "text/plain"})
    answer = site.send(headers=asked)
    assert (answer.status, answer.text, answer.status_object) == (status, "<p>oops", None)


def test_the_apps_own_json(site: Site) -> None:
    """JSON of the app is no Status object by being JSON."""
    body = json.dumps({"kind": "Error", "status": 404}).encode()
    asked = reply(body, status=404, headers={"Content-Type": "application/json"})
    assert site.send(headers=asked).status_object is None


def test_an_app_that_is_an_apiserver(site: Site) -> None:
    """An app may answer a Status of its own: nothing but a Server header can tell it apart."""
    body = json.dumps({"kind": "Status", "apiVersion": "v1", "code": 404}).encode()
    asked = reply(body, status=404, headers={"Content-Type": "application/json"})
    answer = site.send(headers=asked)
    assert answer.status_object is not None
    assert "Server" in answer.headers
    assert "Server" not in site.get(segment="none").headers


def test_an_app_that_hangs_up(site: Site) -> None:
    """An app that ends the connection without an answer is an error to reach it."""
    listener = site.apiserver.listen()
    site.apiserver.add_service("rude", "facts", upstream=listener.getsockname()[:2])
    with listener, site.apiserver.connect() as connection:
        headers = {"Connection": "close"}
        site.apiserver.send(connection, "POST", site.root("rude") + "/", headers=headers, body=b"x")
        listener.settimeout(10)
        caller, _ = listener.accept()
        caller.recv(65536)
        caller.close()
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.split()[1] in {b"500", b"502", b"503"}
    assert b"error trying to reach service: " in answer


def test_unknown_path(site: Site) -> None:
    """A path that the API does not have is a 404, without a NotFound of a service."""
    answer = site.apiserver.get("/api/v1/nothing")
    assert answer.status == 404
    assert answer.message == "the server could not find the requested resource"


def test_wrong_method(site: Site) -> None:
    """A method that a path does not have is a 405 MethodNotAllowed."""
    answer = site.apiserver.request("POST", "/api/v1/services")
    assert brief(answer)[:2] == (405, "MethodNotAllowed")


def test_plain_http(site: Site) -> None:
    """Plain http to the server is answered with a 400 that says so, or with nothing."""
    parts = urlsplit(site.apiserver.server)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = connection.recv(65536)
    assert answer == b"" or answer.startswith(b"HTTP/1.0 400 ")


def test_unknown_authority(site: Site) -> None:
    """The server's certificate is signed by its own authority alone."""
    parts = urlsplit(site.apiserver.server)
    assert parts.hostname is not None
    with (
        socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname)


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "localhost", "kubernetes.default.svc"])
def test_certificate_names(site: Site, name: str) -> None:
    """The server's certificate is for its addresses, IPv6 included, and its name in the cluster."""
    parts = urlsplit(site.apiserver.server)
    context = ssl.create_default_context(cadata=site.apiserver.ca_pem.decode())
    assert parts.hostname is not None
    with (
        socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=name),
    ):
        pass


@pytest.mark.parametrize("path", ["/version", "/healthz", "/readyz", "/livez"])
def test_open_paths(site: Site, path: str) -> None:
    """Version and health are told to anyone."""
    assert site.apiserver.get(path, token=None).status == 200


def test_service_account(site: Site) -> None:
    """A service account's token is a credential like any other."""
    token = site.apiserver.service_account_token("facts", "nobody")
    answer = site.apiserver.get("/api/v1/services", token=token)
    assert 'User "system:serviceaccount:facts:nobody"' in answer.message
