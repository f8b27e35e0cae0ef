"""Objects that are made and changed through the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .cluster import APIServer, Response
    from .fixtures import Serve

NAMESPACE = "things"
ROOT = f"/api/v1/namespaces/{NAMESPACE}/services"


@pytest.fixture(scope="module")
def things(apiserver: APIServer) -> APIServer:
    """An apiserver with a namespace of these tests' own."""
    apiserver.add_namespace(NAMESPACE)
    return apiserver


def send(
    things: APIServer, method: str, path: str, content: object, kind: str = "application/json"
) -> Response:
    """Send JSON."""
    body = json.dumps(content).encode()
    return things.request(method, path, headers={"Content-Type": kind}, body=body)


def made(things: APIServer, name: str) -> dict[str, Any]:
    """A new service."""
    spec = {"ports": [{"port": 80}]}
    answer = send(things, "POST", ROOT, {"metadata": {"name": name}, "spec": spec})
    assert answer.status == 201
    content: dict[str, Any] = answer.json()
    return content


def test_update(things: APIServer) -> None:
    """PUT replaces an object, but for what makes it that object, and its status."""
    old = made(things, "update")
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    new = {**old, "status": ingress, "spec": {**old["spec"], "ports": [{"port": 81}]}}
    new["metadata"] = {**old["metadata"], "labels": {"a": "b"}, "uid": old["metadata"]["uid"]}
    answer = send(things, "PUT", f"{ROOT}/update", new)
    assert answer.status == 200
    found = things.get(f"{ROOT}/update").json()
    assert found["spec"]["ports"][0]["port"] == 81
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["metadata"]["uid"] == old["metadata"]["uid"]
    assert found["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]
    assert found["status"] == {"loadBalancer": {}}


def test_conflict(things: APIServer) -> None:
    """PUT of an object that was changed meanwhile is a 409 Conflict."""
    old = made(things, "conflict")
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert send(things, "PUT", f"{ROOT}/conflict", labelled).status == 200
    answer = send(things, "PUT", f"{ROOT}/conflict", labelled)
    assert (answer.status, answer.json()["reason"]) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on services "conflict": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_status_is_a_thing_of_its_own(things: APIServer, method: str) -> None:
    """The status is changed below /status, and nothing else is."""
    old = made(things, f"status-{method.lower()}")
    path = f"{ROOT}/{old['metadata']['name']}/status"
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    new = {**old, "status": status, "spec": {**old["spec"], "ports": [{"port": 81}]}}
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    assert send(things, method, path, new, kind).status == 200
    found = things.get(path.removesuffix("/status")).json()
    assert found["status"] == status
    assert found["spec"]["ports"][0]["port"] == 80


def test_exists(things: APIServer) -> None:
    """A second object of a name is a 409 AlreadyExists."""
    made(things, "twice")
    answer = send(
        things, "POST", ROOT, {"metadata": {"name": "twice"}, "spec": {"ports": [{"port": 1}]}}
    )
    assert (answer.status, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.message == 'services "twice" already exists'


def test_no_namespace(things: APIServer) -> None:
    """An object needs a namespace that is there."""
    path = "/api/v1/namespaces/nowhere/serviceaccounts"
    answer = send(things, "POST", path, {"metadata": {"name": "x"}})
    assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"spec": {"ports": [{"port": 80}]}}, "metadata.name: Required value"),
        (
            {"metadata": {"name": "bad"}, "spec": {"ports": [{"port": 0}]}},
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
    ],
)
def test_invalid(things: APIServer, content: object, words: str) -> None:
    """An object that makes no sense is a 422 Invalid."""
    answer = send(things, "POST", ROOT, content)
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid")
    assert words in answer.message


@pytest.mark.parametrize("body", [b"x", b"[]", b""])
def test_no_object(things: APIServer, body: bytes) -> None:
    """A body that is no JSON object is a 400."""
    headers = {"Content-Type": "application/json"}
    answer = things.request("POST", ROOT, headers=headers, body=body)
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest")


def test_unknown_patch(things: APIServer) -> None:
    """A patch of an unknown type is a 415."""
    made(things, "patched")
    answer = send(things, "PATCH", f"{ROOT}/patched", {}, "text/plain")
    assert answer.status == 415


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
def test_missing(things: APIServer, method: str) -> None:
    """What is not there can't be had, changed or deleted."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/none"
    content = {"metadata": {"name": "none"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = send(things, method, path, content, kind)
    assert (answer.status, answer.message) == (404, 'pods "none" not found')


def test_delete(things: APIServer) -> None:
    """What is deleted is gone, and told of."""
    uid = made(things, "goes")["metadata"]["uid"]
    answer = things.request("DELETE", f"{ROOT}/goes")
    assert answer.status == 200
    assert answer.json()["details"] == {"name": "goes", "kind": "services", "uid": uid}
    assert things.get(f"{ROOT}/goes").status == 404


@pytest.mark.parametrize("path", [ROOT, "/api/v1/nodes", f"{ROOT}/x/proxy/"])
def test_forbidden_is_not_sniffed(things: APIServer, path: str) -> None:
    """A 403 tells browsers not to guess its type."""
    answer = things.get(path, token=things.reader_token)
    assert (answer.status, answer.headers["X-Content-Type-Options"]) == (403, "nosniff")


def test_deleted_service_is_unreachable(things: APIServer, serve: Serve) -> None:
    """With a service go its endpoints, and the way to the app behind it."""
    things.add_service("left", NAMESPACE, upstream=serve().address)
    assert things.get(f"{ROOT}/left/proxy/").status == 200
    assert things.request("DELETE", f"{ROOT}/left").status == 200
    answer = things.get(f"{ROOT}/left/proxy/")
    assert (answer.status, answer.message) == (404, 'services "left" not found')
    assert things.get(f"/api/v1/namespaces/{NAMESPACE}/endpoints/left").status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_node_without_a_status(things: APIServer, method: str) -> None:
    """A node may be made as a name alone, and be labelled then."""
    path = f"/api/v1/nodes/named-{method.lower()}"
    content: dict[str, dict[str, Any]] = {"metadata": {"name": path.rpartition("/")[2]}}
    assert send(things, "POST", "/api/v1/nodes", content).status == 201
    content["metadata"] |= {"labels": {"a": "b"}}
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = send(things, method, path, content, kind)
    assert (answer.status, answer.json()["metadata"]["labels"]) == (200, {"a": "b"})
