"""Lists of services: pages, selectors, and the shapes they come in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from .cluster import APIServer, Port

if TYPE_CHECKING:
    from .cluster import Response

NAMESPACE = "lists"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"


@pytest.fixture(scope="module")
def lists(apiserver: APIServer) -> APIServer:
    """An apiserver with the services s0 to s6, odd ones labelled n=1 and even ones n=0."""
    apiserver.add_namespace(NAMESPACE)
    for number in range(7):
        labels = {"n": str(number % 2), "app": "x"}
        apiserver.add_service(f"s{number}", NAMESPACE, labels=labels, endpoints=False)
    apiserver.add_service("unlabelled", NAMESPACE, endpoints=False)
    return apiserver


def names(answer: Response) -> list[str]:
    """The names in a list."""
    assert answer.status == 200, answer
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def token_of(answer: Response) -> str:
    """The continue token of a list, "" at its end."""
    return str(answer.json()["metadata"].get("continue", ""))


def pages(lists: APIServer, limit: int, selector: str = "") -> list[list[str]]:
    """Every page of a list."""
    found: list[list[str]] = []
    token = ""
    while not found or token:
        answer = lists.get(f"{SERVICES}?limit={limit}&labelSelector={selector}&continue={token}")
        found.append(names(answer))
        token = quote(token_of(answer))
    return found


def test_kind(lists: APIServer) -> None:
    """A list says what it is; its items don't."""
    answer = lists.get(SERVICES).json()
    assert (answer["kind"], answer["apiVersion"]) == ("ServiceList", "v1")
    assert not any("kind" in item for item in answer["items"])


def test_order(lists: APIServer) -> None:
    """A list is in the order of names."""
    assert names(lists.get(SERVICES)) == [*(f"s{number}" for number in range(7)), "unlabelled"]


def test_all_namespaces_order(lists: APIServer) -> None:
    """A list over all namespaces is in the order of namespaces, then of names."""
    items = lists.get("/api/v1/services").json()["items"]
    keys = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
    assert ("default", "kubernetes") in keys
    assert ("lists", "s0") in keys
    assert keys == sorted(keys)


@pytest.mark.parametrize("limit", [1, 3, 4, 7])
def test_pages(lists: APIServer, limit: int) -> None:
    """With a limit, pages of that size follow each other by the continue token."""
    found = pages(lists, limit)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert [name for page in found for name in page] == names(lists.get(SERVICES))


@pytest.mark.parametrize("limit", [0, 8, 500])
def test_one_page(lists: APIServer, limit: int) -> None:
    """A limit of 0, or one that is not reached, gives no continue token."""
    answer = lists.get(f"{SERVICES}?limit={limit}")
    assert (len(names(answer)), token_of(answer)) == (8, "")


def test_empty_continue(lists: APIServer) -> None:
    """An empty continue token starts a list."""
    assert names(lists.get(f"{SERVICES}?limit=2&continue=")) == ["s0", "s1"]


def test_remaining(lists: APIServer) -> None:
    """A page says how many items remain, unless there's a selector."""
    plain = lists.get(f"{SERVICES}?limit=3").json()["metadata"]
    chosen = lists.get(f"{SERVICES}?limit=3&labelSelector=app").json()["metadata"]
    assert plain["remainingItemCount"] == 5
    assert "remainingItemCount" not in chosen


def test_pages_are_of_one_moment(lists: APIServer) -> None:
    """A service that comes after the first page is in none of the following ones."""
    first = lists.get(f"{SERVICES}?limit=7")
    lists.add_service("z-late", NAMESPACE, endpoints=False)
    rest = lists.get(f"{SERVICES}?limit=7&continue={quote(token_of(first))}")
    assert names(rest) == ["unlabelled"]
    assert "z-late" in names(lists.get(SERVICES))
    version = first.json()["metadata"]["resourceVersion"]
    assert rest.json()["metadata"]["resourceVersion"] == version
    lists.request("DELETE", f"{SERVICES}/z-late")


def expired(lists: APIServer, token: str) -> Response:
    """A list with a token that was made to expire (a newer server may need a moment for it)."""
    lists.expire_continue_tokens()
    for _ in range(100):
        answer = lists.get(f"{SERVICES}?limit=3&continue={quote(token)}")
        if answer.status == 410:
            break
        time.sleep(0.1)
    return answer


def renewed(lists: APIServer) -> str:
    """A continue token that the next compaction makes too old."""
    token = token_of(lists.get(f"{SERVICES}?limit=3"))
    lists.add_service("passing", NAMESPACE, endpoints=False)
    lists.request("DELETE", f"{SERVICES}/passing")
    return token


def test_expired_continue(lists: APIServer) -> None:
    """A continue token that is too old is a 410 with the reason Expired."""
    answer = expired(lists, renewed(lists))
    assert answer.status == 410
    status: dict[str, Any] = answer.json()
    assert (status["kind"], status["reason"], status["code"]) == ("Status", "Expired", 410)
    assert status["message"].startswith("The provided continue parameter is too old to display ")


def test_expired_continue_offers_a_token(lists: APIServer) -> None:
    """The 410 itself has a token, with which the list goes on where it was, of today."""
    answer = expired(lists, renewed(lists))
    token = token_of(answer)
    assert token
    rest = lists.get(f"{SERVICES}?limit=3&continue={quote(token)}")
    assert names(rest) == ["s3", "s4", "s5"]


def test_expired_list_starts_again(lists: APIServer) -> None:
    """After a 410 a list without a token starts as ever."""
    assert expired(lists, renewed(lists)).status == 410
    assert names(lists.get(f"{SERVICES}?limit=3")) == ["s0", "s1", "s2"]


@pytest.mark.parametrize("token", ["xxx", "e30", "eyJ2IjoieCJ9"])
def test_invalid_continue(lists: APIServer, token: str) -> None:
    """A continue token that never was one is a 400."""
    answer = lists.get(f"{SERVICES}?limit=3&continue={token}")
    assert answer.status == 400
    assert answer.message.startswith("invalid continue token: ")


def test_invalid_limit(lists: APIServer) -> None:
    """A limit that is no number is a 400."""
    answer = lists.get(f"{SERVICES}?limit=x")
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest")


ODD, EVEN = ["s1", "s3", "s5"], ["s0", "s2", "s4", "s6"]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("n=1", ODD),
        ("n==1", ODD),
        ("n!=1", [*EVEN, "unlabelled"]),
        ("n in (1)", ODD),
        ("n in (0,1)", sorted(ODD + EVEN)),
        ("n notin (0)", [*ODD, "unlabelled"]),
        ("n", sorted(ODD + EVEN)),
        ("!n", ["unlabelled"]),
        ("n=1,app=x", ODD),
        ("app=x,n notin (0)", ODD),
        ("n>0", ODD),
        ("n<1", EVEN),
        ("n=", []),
        ("none", []),
        ("", [*sorted(ODD + EVEN), "unlabelled"]),
    ],
)
def test_selectors(lists: APIServer, selector: str, found: list[str]) -> None:
    """A label selector chooses by equality, by sets and by presence."""
    assert names(lists.get(f"{SERVICES}?labelSelector={quote(selector)}")) == found


@pytest.mark.parametrize("selector", ["a b", "=x", "n in", "n=(1)", "-x=1", "n=a b", ",", "n>x"])
def test_invalid_selectors(lists: APIServer, selector: str) -> None:
    """A label selector that makes no sense is a 400."""
    answer = lists.get(f"{SERVICES}?labelSelector={quote(selector)}")
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest")


def test_selected_pages(lists: APIServer) -> None:
    """A selector and a limit go together: pages are of the chosen ones."""
    assert pages(lists, 2, "n%3D1") == [["s1", "s3"], ["s5"]]


def test_field_selector(lists: APIServer) -> None:
    """Services can be chosen by metadata.name; other fields are at the server's discretion."""
    assert names(lists.get(f"{SERVICES}?fieldSelector=metadata.name%3Ds3")) == ["s3"]
    assert lists.get(f"{SERVICES}?fieldSelector=spec.nothing%3Dx").status == 400


def test_unknown_namespace(lists: APIServer) -> None:
    """A list in a namespace that isn't there is empty, and no error."""
    answer = lists.get("/api/v1/namespaces/nowhere/services")
    assert names(answer) == []


def test_table(lists: APIServer) -> None:
    """As a Table (what kubectl asks for) a list has columns and rows, and pages too."""
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    answer = lists.get(f"{SERVICES}?limit=2", accept=accept).json()
    assert (answer["kind"], len(answer["rows"])) == ("Table", 2)
    columns = [column["name"] for column in answer["columnDefinitions"]]
    assert columns[:6] == ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"]
    assert answer["rows"][0]["cells"][:5] == ["s0", "ClusterIP", "None", "<none>", "80/TCP"]
    assert answer["metadata"]["continue"]


def test_metadata_only(lists: APIServer) -> None:
    """As a PartialObjectMetadataList a list has no spec."""
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    answer = lists.get(f"{SERVICES}?limit=1", accept=accept).json()
    assert answer["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in answer["items"]] == [{"kind", "apiVersion", "metadata"}]


def test_fallback_accept(lists: APIServer) -> None:
    """Of several shapes in Accept the first that the server knows is taken."""
    accept = "application/json;as=Nonsense;v=v1;g=meta.k8s.io, application/json"
    assert lists.get(SERVICES, accept=accept).json()["kind"] == "ServiceList"


def test_unknown_accept(lists: APIServer) -> None:
    """A type that the server can't give is a 406 with the reason NotAcceptable."""
    answer = lists.get(SERVICES, accept="text/html")
    assert (answer.status, answer.json()["reason"]) == (406, "NotAcceptable")


def test_ports(lists: APIServer) -> None:
    """A service's ports come with name, number and protocol; a lone unnamed one without a name."""
    ports = [Port(80, "http"), Port(53, "dns", protocol="UDP"), Port(443, "https")]
    lists.add_service("ports", "default", ports=ports, endpoints=False)
    answer = lists.get("/api/v1/namespaces/default/services/ports").json()
    found = [(port["name"], port["port"], port["protocol"]) for port in answer["spec"]["ports"]]
    assert found == [("http", 80, "TCP"), ("dns", 53, "UDP"), ("https", 443, "TCP")]
    alone = lists.get(f"{SERVICES}/s0").json()["spec"]["ports"]
    assert [port.get("name") for port in alone] == [None]


def test_app_protocol(lists: APIServer) -> None:
    """A port's appProtocol is kept as it is."""
    ports = [Port(80, "a", app_protocol="https"), Port(81, "b", app_protocol="kubernetes.io/h2c")]
    lists.add_service("protocols", "default", ports=ports, endpoints=False)
    answer = lists.get("/api/v1/namespaces/default/services/protocols").json()
    found = [port.get("appProtocol") for port in answer["spec"]["ports"]]
    assert found == ["https", "kubernetes.io/h2c"]


def test_external_name(lists: APIServer) -> None:
    """An ExternalName service needs no ports."""
    lists.add_service(
        *("outside", "default"),
        ports=[],
        type="ExternalName",
        external_name="host.test",
        endpoints=False,
    )
    spec = lists.get("/api/v1/namespaces/default/services/outside").json()["spec"]
    assert (spec["type"], spec["externalName"], spec.get("ports")) == (
        *("ExternalName", "host.test"),
        None,
    )


def test_load_balancer(lists: APIServer) -> None:
    """A LoadBalancer's addresses, numbers or names, are in its status; it has node ports too."""
    ingress = [{"ip": "192.0.2.7"}, {"hostname": "lb.test"}, {"ip": "2001:db8::7"}]
    lists.add_service("lb", "default", type="LoadBalancer", ingress=ingress, endpoints=False)
    answer = lists.get("/api/v1/namespaces/default/services/lb").json()
    found = [
        {key: entry[key] for key in ("ip", "hostname") if key in entry}
        for entry in answer["status"]["loadBalancer"]["ingress"]
    ]
    assert found == ingress
    assert answer["spec"]["ports"][0]["nodePort"] >= 30000


def test_node_port(lists: APIServer) -> None:
    """A NodePort that was asked for is the one given."""
    ports = [Port(80, node_port=30123)]
    lists.add_service("np", "default", ports=ports, type="NodePort", endpoints=False)
    answer = lists.get("/api/v1/namespaces/default/services/np").json()
    assert answer["spec"]["ports"][0]["nodePort"] == 30123


def test_labels_and_annotations(lists: APIServer) -> None:
    """Labels and annotations are kept, those of the cluster's own services included."""
    labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "Grafana"}
    lists.add_service(
        "marked", "default", labels=labels, annotations={"a.test/x": "y é"}, endpoints=False
    )
    chosen = "/api/v1/namespaces/default/services?labelSelector=kubernetes.io%2Fcluster-service"
    answer = lists.get(chosen + "%3Dtrue")
    assert names(answer) == ["marked"]
    metadata = answer.json()["items"][0]["metadata"]
    assert metadata["labels"] == labels
    assert metadata["annotations"] == {"a.test/x": "y é"}


def test_long_answers_are_chunked(lists: APIServer) -> None:
    """A page of 2,048 bytes or less says how long it is; a longer one comes in chunks."""
    short, long = lists.get(f"{SERVICES}?limit=1"), lists.get(SERVICES)
    assert len(short.body) <= 2048 < len(long.body)
    assert short.headers["content-length"] == str(len(short.body))
    assert "content-length" not in long.headers
    assert long.headers["transfer-encoding"] == "chunked"
