"""Targets: their paths, their URLs, and what makes them values."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import Any

import pytest

import proxyurls
from proxyurls import (
    Alteration,
    InvalidInput,
    InvalidSuffix,
    InvalidTarget,
    InvalidURL,
    NameSegment,
    ProxyURL,
    ProxyURLsError,
    Target,
    alterations,
    node,
    parse_url,
    pod,
    service,
)

CLUSTER = "/api/v1/namespaces/monitoring"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (service("grafana", "monitoring"), f"{CLUSTER}/services/grafana/proxy/"),
        (service("grafana"), "/api/v1/namespaces/default/services/grafana/proxy/"),
        (service("g", "monitoring", port=80), f"{CLUSTER}/services/g:80/proxy/"),
        (service("g", "monitoring", port="web"), f"{CLUSTER}/services/g:web/proxy/"),
        (service("g", "monitoring", scheme="https"), f"{CLUSTER}/services/https:g:/proxy/"),
        (
            service("g", "monitoring", scheme="https", port=443),
            f"{CLUSTER}/services/https:g:443/proxy/",
        ),
        (service("g", "monitoring", scheme="http"), f"{CLUSTER}/services/http:g:/proxy/"),
        (pod("web-0", "monitoring"), f"{CLUSTER}/pods/web-0/proxy/"),
        (pod("web-0", "monitoring", port=8080), f"{CLUSTER}/pods/web-0:8080/proxy/"),
        (pod("a.b", "monitoring", scheme="https"), f"{CLUSTER}/pods/https:a.b:/proxy/"),
        (node("n1"), "/api/v1/nodes/n1/proxy/"),
        (node("n1.example", port=9100), "/api/v1/nodes/n1.example:9100/proxy/"),
        (
            node("n1", port="10250", scheme="https"),
            "/api/v1/nodes/https:n1:10250/proxy/",
        ),
    ],
)
def test_paths(target: Target, path: str) -> None:
    """The three kinds of path, with the segment's four forms."""
    assert target.path() == path
    assert target.path("/") == path
    assert target.path("metrics?x=1#y") == f"{path}metrics?x=1#y"


def test_attributes() -> None:
    """A target tells its parts, its segment included."""
    target = service("web", "prod", port="443", scheme="https")
    parts = (target.kind, target.namespace, target.name, target.port, target.scheme)
    assert parts == ("service", "prod", "web", 443, "https")
    assert target.segment == NameSegment("web", "443", "https")
    assert service("web").segment == NameSegment("web")
    assert (node("n").kind, node("n").namespace) == ("node", None)
    assert (pod("p").kind, pod("p").namespace) == ("pod", "default")


def test_a_node_has_no_namespace() -> None:
    """And the message says so, in whatever way it was given one."""
    with pytest.raises(InvalidTarget) as caught:
        Target("node", "n1", "prod")
    assert caught.value.text == "prod"
    assert caught.value.span in (None, (0, 4))
    assert "a node has no namespace" in str(caught.value)
    assert "leave the namespace out" in str(caught.value)
    with pytest.raises(InvalidURL, match=r"a node has no namespace; type .*/api/v1/nodes/n1/"):
        parse_url("https://host/api/v1/namespaces/prod/nodes/n1/proxy/metrics")
    with pytest.raises(TypeError):
        node("n1", "prod")  # type: ignore[call-arg]


def test_services_and_pods_need_a_namespace() -> None:
    """None is no namespace."""
    for kind in ("service", "pod"):
        with pytest.raises(InvalidTarget, match="needs a namespace"):
            Target(kind, "web", None)


@pytest.mark.parametrize("kind", ["", "svc", "Service", "services", "deployment"])
def test_kinds(kind: str) -> None:
    """The apiserver proxies to three kinds of things."""
    with pytest.raises(InvalidTarget, match="a service, pod or node") as caught:
        Target(kind, "web", "prod")
    assert caught.value.text == kind


def test_ports_and_schemes_are_keywords() -> None:
    """A port can't be taken for a namespace."""
    with pytest.raises(TypeError):
        service("web", "prod", 80)  # type: ignore[call-arg]


URL = "/api/v1/namespaces/default/services/https:web:443/proxy"


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("https://10.0.0.1:6443", f"https://10.0.0.1:6443{URL}"),
        ("https://10.0.0.1:6443/", f"https://10.0.0.1:6443{URL}"),
        ("http://localhost:8001", f"http://localhost:8001{URL}"),
        ("https://[2001:db8::1]:6443", f"https://[2001:db8::1]:6443{URL}"),
        ("https://[::1]", f"https://[::1]{URL}"),
        (
            "https://rancher.example/k8s/clusters/c-1",
            f"https://rancher.example/k8s/clusters/c-1{URL}",
        ),
        (
            "https://rancher.example/k8s/clusters/c-1/",
            f"https://rancher.example/k8s/clusters/c-1{URL}",
        ),
        ("https://host/a%2Fb", f"https://host/a%2Fb{URL}"),
    ],
)
def test_url(server: str, url: str) -> None:
    """The server's path, port and brackets are kept, and nothing is encoded twice."""
    target = service("web", port=443, scheme="https")
    assert str(target.url(server)) == f"{url}/"
    assert str(target.url(server, "a%2Fb/c?x=%2F#y")) == f"{url}/a%2Fb/c?x=%2F#y"


@pytest.mark.parametrize(
    ("suffix", "query", "end"),
    [
        ("", {"q": "a b&c"}, "/?q=a%20b%26c"),
        ("d", {"q": ["1", 2, 3.5]}, "/d?q=1&q=2&q=3.5"),
        ("d?x=1", [("y", "2"), ("y", "3")], "/d?x=1&y=2&y=3"),
        ("d#top", {"q": "é"}, "/d?q=%C3%A9#top"),
        ("d?x", None, "/d?x"),
        ("d?x", {}, "/d?x"),
    ],
)
def test_url_with_query(suffix: str, query: Any, end: str) -> None:
    """Raw values are encoded, and stand behind the suffix's own query."""
    assert str(service("web").url("https://host", suffix, query=query)).endswith(f"/proxy{end}")


def test_url_errors() -> None:
    """Each of its inputs is refused by its own error."""
    with pytest.raises(InvalidURL):
        service("web").url("host:6443")
    with pytest.raises(InvalidSuffix):
        service("web").url("https://host", "../x")
    with pytest.raises(InvalidSuffix):
        service("web").url("https://host", query={"flag": True})


VALUES: list[Any] = [
    NameSegment("web"),
    NameSegment("web", "80", "https"),
    service("web"),
    service("web", port=80),
    service("web", port="http", scheme="http"),
    pod("web"),
    node("web"),
    parse_url("/api/v1/nodes/n/proxy/x"),
    parse_url("https://host/api/v1/namespaces/a/services/web:80/proxy/x?y#z"),
    ProxyURL("https://host", service("web")),
    *alterations("a//b%2Fc?#d"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_equal_to_their_copies(value: Any) -> None:
    """Pickling, copying and evaluating the repr give an equal value, with an equal hash."""
    copies = [pickle.loads(pickle.dumps(value, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    copies += [copy.copy(value), copy.deepcopy(value)]
    copies += [eval(repr(value), {name: getattr(proxyurls, name) for name in NAMES})]
    for other in copies:
        assert other == value
        assert (other != value) is False
        assert hash(other) == hash(value)
        assert type(other) is type(value)
        assert str(other) == str(value)


NAMES = ("Alteration", "NameSegment", "ProxyURL", "Target")


def test_values_differ() -> None:
    """No two of them are equal, nor is any to a tuple or text of the same content."""
    assert len(set(VALUES)) == len(VALUES)
    for value in VALUES:
        assert value != repr(value)
        assert value != value._fields()
        assert (value == None) is False  # noqa: E711
    assert service("web") != pod("web")
    assert service("web", port=80) != service("web", port="http")
    assert service("web", scheme="http") != service("web")


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_immutable(value: Any) -> None:
    """No field can be set or deleted, and none added."""
    fields = [name for name in dir(type(value)) if isinstance(getattr(type(value), name), property)]
    assert fields
    for name in fields:
        with pytest.raises(AttributeError):
            setattr(value, name, "x")
        with pytest.raises(AttributeError):
            delattr(value, name)
    with pytest.raises(AttributeError):
        value.other = 1
    assert not hasattr(value, "__dict__")


def test_values_have_an_order() -> None:
    """Values of one type sort; a missing port or scheme comes first."""
    a, b, c = service("a"), service("a", port=80), service("b")
    assert sorted([c, b, a]) == [a, b, c]
    assert a < b <= c
    assert c > b >= a
    same = service("a")
    assert a <= same
    assert a >= same
    assert not a < same
    assert not a > same
    ports = [service("a", port=port) for port in (None, 9, 80, 443, 65535, "http")]
    assert sorted(set(ports)) == ports
    urls = [ProxyURL("", target) for target in ports]
    assert sorted(set(urls)) == urls
    assert sorted([NameSegment("b"), NameSegment("a", "1"), NameSegment("a")]) == [
        NameSegment("a"),
        NameSegment("a", "1"),
        NameSegment("b"),
    ]
    assert node("z") < pod("a") < service("a")
    assert ProxyURL("", a) < ProxyURL("https://host", a)


@pytest.mark.parametrize("other", [NameSegment("a"), "a", None, 1])
def test_values_of_different_types_have_no_order(other: Any) -> None:
    """Comparing them is a TypeError, as for any two types."""
    target: Any = service("a")
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(TypeError):
            compare(target, other)


def test_repr_names_the_fields() -> None:
    """The repr is the call that builds the value."""
    assert repr(service("web", port=80)) == "Target('service', 'web', 'default', 80, None)"
    assert repr(NameSegment.parse("https:web:")) == "NameSegment('web', '', 'https')"
    assert repr(Alteration("a", "b", "c", "d", "e")) == "Alteration('a', 'b', 'c', 'd', 'e')"
    assert (
        repr(ProxyURL("", node("n"))) == "ProxyURL('', Target('node', 'n', None, None, None), '')"
    )


def test_derived_values_are_other_values() -> None:
    """A value of a subclass is not equal to one of the class itself."""

    class Special(Target):
        __slots__ = ()

    assert Special("node", "n", None) != node("n")
    assert Special("node", "n", None) == Special("node", "n", None)


def errors() -> list[InvalidInput]:
    """One error of each kind of wrong input."""
    found = []
    for call in (
        lambda: NameSegment.parse("a:b:c:d"),
        lambda: service("My_Service"),
        lambda: service("web").path("../x"),
        lambda: parse_url("https://host/x"),
        lambda: service("web").url("https://user:secret@host"),
    ):
        with pytest.raises(InvalidInput) as caught:
            call()
        found.append(caught.value)
    return found


def test_errors_can_be_pickled() -> None:
    """With their message, text and span, as a process pool needs it."""
    kinds = set()
    for error in errors():
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            other = pickle.loads(pickle.dumps(error, protocol))
            assert type(other) is type(error)
            assert (str(other), other.text, other.span) == (str(error), error.text, error.span)
            assert other.args == error.args
        kinds.add(type(error).__name__)
    assert kinds == {"InvalidSegment", "InvalidTarget", "InvalidSuffix", "InvalidURL"}


def test_other_errors_can_be_pickled() -> None:
    """Those that carry more than a message, too."""
    status = proxyurls.APIStatusError("no", status=403, reason="Forbidden", detail="because")
    other = pickle.loads(pickle.dumps(status))
    assert (str(other), other.status, other.reason, other.detail) == (
        "no",
        403,
        "Forbidden",
        "because",
    )
    for kind in (proxyurls.AmbiguousService, proxyurls.ServiceNotFound):
        lost = pickle.loads(pickle.dumps(kind("which?", candidates=["a.b", "c.d"])))
        assert (type(lost), str(lost), lost.candidates) == (kind, "which?", ("a.b", "c.d"))
    for plain in (proxyurls.ConfigNotFound, proxyurls.CredentialError, proxyurls.ConnectionFailed):
        assert str(pickle.loads(pickle.dumps(plain("gone")))) == "gone"


def test_the_error_tree_is_the_one_that_is_drawn() -> None:
    """The tree in the module's docstring has every error, under its base."""
    from proxyurls import errors as module

    drawn: dict[str, str] = {}
    stack: list[str] = []
    for line in (module.__doc__ or "").splitlines():
        head, _, rest = line.partition("── ")
        name = rest.split()[0] if rest else line.strip()
        if not name.isidentifier() or not hasattr(module, name):
            continue
        depth = (len(head) + 1) // 4 if rest else 0
        stack[depth:] = [name]
        drawn[name] = stack[depth - 1] if depth else "Exception"
    defined = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, ProxyURLsError)
    }
    assert drawn == {name: value.__bases__[0].__name__ for name, value in defined.items()}


def test_invalid_input_is_a_value_error() -> None:
    """Whoever knows nothing of proxyurls catches ValueError; who does, its root."""
    for error in errors():
        assert isinstance(error, ValueError)
        assert isinstance(error, ProxyURLsError)
    assert issubclass(proxyurls.InvalidConfig, ValueError)
    assert issubclass(proxyurls.ResolveError, LookupError)
    assert not issubclass(proxyurls.ClusterError, ValueError)
