"""Watches: what they refuse, and what they tell of objects that a selector chooses."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .cluster import APIServer

NAMESPACE = "watched"
ROOT = f"/api/v1/namespaces/{NAMESPACE}/services"


@pytest.fixture(scope="module")
def watched(apiserver: APIServer) -> APIServer:
    """An apiserver with a namespace of these tests' own."""
    apiserver.add_namespace(NAMESPACE)
    return apiserver


@contextmanager
def watch(watched: APIServer, query: str) -> Iterator[Callable[[], tuple[str, dict[str, Any]]]]:
    """Watch services: what reads the next event, its type and its object."""
    with watched.connect() as connection:
        watched.send(connection, "GET", f"{ROOT}?watch=1&{query}")
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            assert answer.status == 200

            def following() -> tuple[str, dict[str, Any]]:
                event = json.loads(answer.readline())
                return event["type"], event["object"]

            yield following


def label(watched: APIServer, name: str, value: str | None) -> None:
    """Set the label ``n``, or take it away."""
    headers = {"Content-Type": "application/merge-patch+json"}
    body = json.dumps({"metadata": {"labels": {"n": value}}}).encode()
    answer = watched.request("PATCH", f"{ROOT}/{name}", headers=headers, body=body)
    assert answer.status == 200, answer


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("services?watch=1&labelSelector=a%20b", 400, "unable to parse requirement"),
        ("services?watch=1&fieldSelector=spec.nothing%3Dx", 400, "spec.nothing"),
        ("services?watch=1&timeoutSeconds=x", 400, 'strconv.ParseInt: parsing "x"'),
        ("services?watch=1&resourceVersion=x", 500, 'strconv.ParseUint: parsing "x"'),
        ("services?watch=1&resourceVersion=-1", 500, 'strconv.ParseUint: parsing "-1"'),
        ("nothings?watch=1", 404, "the server could not find the requested resource"),
    ],
)
def test_refused(watched: APIServer, path: str, status: int, words: str) -> None:
    """A watch that makes no sense is refused as a list is, on a connection that goes on."""
    with watched.connect() as connection:
        for target, expected in ((f"/api/v1/{path}", status), ("/readyz", 200)):
            watched.send(connection, "GET", target)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read().decode()
            assert answer.status == expected
            assert body == "ok" or words in json.loads(body)["message"]


def test_refused_shape(watched: APIServer) -> None:
    """A watch in a type that the server can't give is a 406."""
    assert watched.get(f"{ROOT}?watch=1", accept="text/html").status == 406


def test_label_comes_and_goes(watched: APIServer) -> None:
    """What a selector comes to choose is ADDED, and what it leaves is DELETED, as it was before."""
    watched.add_service("labelled", NAMESPACE, endpoints=False)
    with watch(watched, "labelSelector=n") as following:
        label(watched, "labelled", "1")
        label(watched, "labelled", "2")
        label(watched, "labelled", None)
        found = [following() for _ in range(3)]
    assert [kind for kind, _ in found] == ["ADDED", "MODIFIED", "DELETED"]
    assert [item["metadata"]["labels"] for _, item in found] == [{"n": "1"}, {"n": "2"}, {"n": "2"}]
    versions = [int(item["metadata"]["resourceVersion"]) for _, item in found]
    assert versions == sorted(set(versions))


def test_not_chosen_is_not_told_of(watched: APIServer) -> None:
    """Nothing is told of what a selector chooses neither before nor after."""
    with watch(watched, "labelSelector=n%3Dmine") as following:
        watched.add_service("other", NAMESPACE, labels={"n": "x"}, endpoints=False)
        label(watched, "other", "y")
        assert watched.request("DELETE", f"{ROOT}/other").status == 200
        watched.add_service("mine", NAMESPACE, labels={"n": "mine"}, endpoints=False)
        assert watched.request("DELETE", f"{ROOT}/mine").status == 200
        found = [following() for _ in range(2)]
    assert [(kind, item["metadata"]["name"]) for kind, item in found] == [
        ("ADDED", "mine"),
        ("DELETED", "mine"),
    ]


def test_compaction_takes_nothing_from_a_watch(watched: APIServer) -> None:
    """A watch that runs is told all, though the history is compacted meanwhile."""
    with watch(watched, "labelSelector=n%3Dkept") as following:
        for number in range(50):
            watched.add_service(f"kept-{number}", NAMESPACE, labels={"n": "kept"}, endpoints=False)
        watched.expire_continue_tokens()
        assert [following()[1]["metadata"]["name"] for _ in range(50)] == [
            f"kept-{number}" for number in range(50)
        ]
