"""What a fake cluster was asked: each request's parts, who is found, and what a failure says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proxyurls import Cluster, ClusterTransport, pod, service
from proxyurls.testing import Recorded, Requests
from proxyurls.testing.recorded import Headers
from proxyurls.testing.requests import KEPT

from .raw import WEB, talk

if TYPE_CHECKING:
    from proxyurls.testing import FakeCluster

    from .conftest import Get

SECRET = "s3cret"


def test_a_proxied_request(fake_cluster: FakeCluster, get: Get) -> None:
    """It is recorded as the client sent it, with what became of it."""
    fake_cluster.add_service("web", upstream=lambda _: "hi")
    get(f"{WEB}/a%2Fb?q=1", headers={"X-Mine": "yes"})
    one = fake_cluster.requests.one()
    assert (one.method, one.path, one.query) == ("GET", f"{WEB}/a%2Fb", "q=1")
    assert (one.user, one.verb, one.proxied) == ("admin", "get", True)
    assert (one.target, one.suffix) == (service("web"), "/a/b?q=1")
    assert one.headers["x-mine"] == "yes"
    assert repr(one) == f"GET {WEB}/a%2Fb?q=1 by admin; its app got /a/b?q=1"


def test_what_was_not_passed_on(fake_cluster: FakeCluster, get: Get) -> None:
    """A service without endpoints, a redirect of the apiserver's and a refusal reach no app."""
    fake_cluster.add_service("web")
    fake_cluster.add_service("two", upstream=lambda _: "hi")
    get(f"{WEB}/x")
    get(WEB.replace("web", "two"))
    get(f"{WEB}/x", headers={"Authorization": "Bearer nobody's"})
    assert [(one.suffix, one.user) for one in fake_cluster.requests] == [
        (None, "admin"),
        (None, "admin"),
        (None, None),
    ]
    assert "by nobody known" in repr(fake_cluster.requests[-1])


def test_an_upgrade(fake_cluster: FakeCluster) -> None:
    """A WebSocket is a request too, and loses its query."""
    fake_cluster.add_service("web", upstream=lambda _: "no WebSocket")
    with talk(fake_cluster, f"{WEB}/ws?a=b") as (head, _, _):
        assert head
    one = fake_cluster.requests.one(target=service("web"))
    assert (one.query, one.suffix) == ("a=b", "/ws")


def test_who_asks_as_somebody(fake_cluster: FakeCluster, get: Get) -> None:
    """The user is who was impersonated, as in the apiserver's own audit."""
    get("/version", headers={"Impersonate-User": "jane"})
    assert fake_cluster.requests.one(path="/version").user == "jane"


def test_what_our_library_asks(fake_cluster: FakeCluster) -> None:
    """The requests of a Cluster and of a transport are found by what they're for."""
    fake_cluster.add_service("web", "prod", ports=8080, upstream=lambda _: "hi")
    fake_cluster.add_pod("p", "prod")
    with Cluster(fake_cluster.config()) as cluster:
        list(cluster.services("prod"))
    with httpx.Client(transport=ClusterTransport(fake_cluster.config())) as client:
        client.post("http://web.prod.svc:8080/x", content=b"1")
    requests = fake_cluster.requests
    assert requests.one(verb="list", proxied=False).path == "/api/v1/namespaces/prod/services"
    assert requests.one(query={"limit": "*"}).target is None
    sent = requests.one(target=service("web", "prod", port=8080), method="POST")
    assert (sent.suffix, sent.verb) == ("/x", "create")
    assert len(requests.filter(path="/api/v1/*")) == 2
    requests.none(target=pod("p", "prod"))
    requests.none(query={"limit": "no such"})
    requests.clear()
    requests.none()


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, [0, 1, 2]),
        ({"method": "POST"}, [1]),
        ({"path": "/api/v1/nodes"}, [0]),
        ({"path": "/API/*"}, []),
        ({"path": "*/proxy/*"}, [1]),
        ({"verb": "list"}, [0]),
        ({"query": {"a": "x*"}}, [0, 1]),
        ({"query": {"a": "x*", "b": ""}}, [0]),
        ({"target": service("web")}, [1]),
        ({"target": service("web", port=80)}, []),
        ({"proxied": False}, [0, 2]),
        ({"user": "jane"}, [2]),
        ({"user": "jane", "method": "POST"}, []),
    ],
)
def test_filters(where: Any, found: list[int]) -> None:
    """All that is asked has to hold, to the letter where no star stands."""
    nothing = Headers(())
    came = [
        Recorded("GET", "/api/v1/nodes", "a=xy&b", nothing, "admin", "list"),
        Recorded("POST", f"{WEB}/", "a=1&a=x", nothing, "admin", "create", proxied=True),
        Recorded("GET", "/version", "", nothing, "jane"),
    ]
    assert [came.index(one) for one in Requests(came).filter(**where)] == found


def test_a_failure_lists_what_came(fake_cluster: FakeCluster, get: Get) -> None:
    """The message says what was looked for, and marks what was found."""
    for path in ("/version", "/api", "/version"):
        get(path)
    with pytest.raises(AssertionError) as caught:
        fake_cluster.requests.one(path="/version", method="GET")
    assert str(caught.value).splitlines() == [
        "expected 1 request with method='GET', path='/version'; 2 of 3 are such",
        "* GET /version by admin",
        "  GET /api by admin",
        "* GET /version by admin",
    ]
    with pytest.raises(AssertionError, match="expected no request; 3 of 3 are such"):
        fake_cluster.requests.none()
    with pytest.raises(AssertionError, match="expected 1 request with user='x'; 0 of 3 are such"):
        fake_cluster.requests.one(user="x")


def test_a_long_list_is_cut() -> None:
    """Of many requests a failure shows the latest ones, and the cluster keeps the latest 1,000."""
    many = Requests(Recorded("GET", f"/{number}", "", Headers(())) for number in range(KEPT + 5))
    assert (len(many), many[0].path, many[-1].path) == (KEPT, "/5", f"/{KEPT + 4}")
    with pytest.raises(AssertionError) as caught:
        many.one()
    lines = str(caught.value).splitlines()
    assert (lines[1], lines[2], len(lines)) == ("  … 960 before", "* GET /965 by nobody known", 42)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"path": "api/v1"}, "begins with / or *, not 'api/v1'"),
        ({"verb": "fetch"}, "a verb is one of get, list, watch"),
    ],
)
def test_what_could_never_be(where: Any, words: str) -> None:
    """A filter that no request could pass is refused: `none` would hold for ever."""
    with pytest.raises(ValueError, match=re.escape(words)):
        Requests().none(**where)
    with pytest.raises(TypeError, match="unexpected keyword argument 'methd'"):
        Requests().none(methd="GET")  # type: ignore[call-arg]


def test_no_secret_is_shown(fake_cluster: FakeCluster, get: Get) -> None:
    """Neither in a repr nor in a failure; asked for by its name, each is there."""
    fake_cluster.add_service("web", upstream=lambda _: "hi")
    named = {"Cookie": f"a={SECRET}", "X-Api-Key": SECRET, "X-Plain": "plain"}
    get(f"{WEB}/?access_token={SECRET}&q=1&pass%77ord={SECRET}", headers=named)
    one = fake_cluster.requests.one()
    with pytest.raises(AssertionError) as caught:
        fake_cluster.requests.none()
    shown = f"{one!r} {one} {one.headers!r} {fake_cluster.requests!r} {caught.value}"
    assert SECRET not in shown
    assert fake_cluster.admin.token not in shown
    assert "q=1" in shown
    assert "plain" in shown
    assert one.headers["Authorization"] == f"Bearer {fake_cluster.admin.token}"
    assert one.headers["cookie"] == f"a={SECRET}"


def test_headers() -> None:
    """Names are of any case, and what comes twice is joined."""
    found = Headers([("A", "1"), ("Cookie", "a=b"), ("a", "2"), ("cookie", "c=d")])
    assert dict(found) == {"A": "1, 2", "Cookie": "a=b; c=d"}
    assert "COOKIE" in found
    assert found.get("b") is None
    assert len(found) == 2
