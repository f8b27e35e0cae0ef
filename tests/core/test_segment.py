"""The grammar of name segments, and the rules for names, ports and schemes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import pytest

from proxyurls import (
    InvalidInput,
    InvalidSegment,
    InvalidTarget,
    NameSegment,
    node,
    parse_url,
    pod,
    service,
)


class Case(TypedDict, total=False):
    """One case of Go's SplitSchemeNamePort and JoinSchemeNamePort."""

    input: str
    valid: bool
    scheme: str
    name: str
    port: str
    normalized: bool
    joined: str
    source: str


CASES: list[Case] = json.loads(
    Path(__file__).with_name("scheme_name_port.json").read_text(encoding="utf-8")
)
VALID = [case for case in CASES if case["valid"]]
INVALID = [case for case in CASES if not case["valid"]]


def refused(error: InvalidInput, text: str | None, wrong: str | None, *words: str) -> None:
    """Check where an error points at, and that its message has these words, on one line."""
    assert error.text == text
    if wrong is None:
        assert error.span is None
    else:
        assert text is not None
        assert error.span is not None
        assert text[slice(*error.span)] == wrong
    message = str(error)
    for word in words:
        assert word in message
    assert message.isprintable()


def test_the_table_is_all_there() -> None:
    """The foreign table has cases of both kinds, upstream's own among them."""
    assert len(VALID) >= 9
    assert len(INVALID) >= 6
    assert {case["source"] for case in CASES} == {"upstream-test", "derived-from-code"}


@pytest.mark.parametrize("case", VALID, ids=lambda case: repr(case["input"]))
def test_what_go_parses(case: Case) -> None:
    """Scheme, name and port are those that the apiserver reads."""
    segment = NameSegment.parse(case["input"])
    assert (segment.scheme, segment.name, segment.port) == (
        case["scheme"],
        case["name"],
        case["port"],
    )


@pytest.mark.parametrize("case", VALID, ids=lambda case: repr(case["input"]))
def test_canonical_text_is_what_go_joins(case: Case) -> None:
    """str() gives JoinSchemeNamePort's text, which is the input where that was normalized."""
    text = str(NameSegment.parse(case["input"]))
    assert text == case["joined"]
    assert (text == case["input"]) >= case["normalized"]
    assert NameSegment.parse(text) == NameSegment.parse(case["input"])


@pytest.mark.parametrize("case", INVALID, ids=lambda case: repr(case["input"]))
def test_what_go_refuses(case: Case) -> None:
    """Whatever the apiserver calls an invalid request is an InvalidSegment, and a ValueError."""
    with pytest.raises(InvalidSegment) as caught:
        NameSegment.parse(case["input"])
    assert isinstance(caught.value, ValueError)
    assert caught.value.text == case["input"]
    assert repr(case["input"]) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("web", "web"),
        ("web:", "web"),
        (":web:", "web"),
        ("web:80", "web:80"),
        (":web:80", "web:80"),
        (":web:http", "web:http"),
        ("https:web:", "https:web:"),
        ("http:web:", "http:web:"),
        ("https:web:443", "https:web:443"),
        ("https:web", "https:web"),
        ("https", "https"),
        ("https:https:https", "https:https:https"),
    ],
)
def test_one_canonical_text(text: str, canonical: str) -> None:
    """Of the spellings that mean the same, one is written."""
    assert str(NameSegment.parse(text)) == canonical


def test_two_parts_are_name_and_port() -> None:
    """https:web is a service named "https"; a scheme takes a second colon."""
    assert NameSegment.parse("https:web") == NameSegment("https", "web")
    assert NameSegment.parse("https:web:") == NameSegment("web", scheme="https")
    assert NameSegment.parse("https:web") != NameSegment.parse("https:web:")


def test_parsing_is_no_validation() -> None:
    """Names that nothing can have are parsed all the same, as the apiserver parses them."""
    for text in ("My_Service", "web:port name", "web:99999", "../..", "\ud800", "é\n"):
        assert str(NameSegment.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "wrong", "words"),
    [
        ("", "", ["name is missing", "character 1", "type NAME, NAME:PORT, https:NAME:"]),
        (":80", "", ["name is missing", "character 1", "did you mean 'NAME:80'?"]),
        (":", "", ["name is missing", "did you mean 'NAME'?"]),
        ("::80", "", ["name is missing", "character 2", "did you mean 'NAME:80'?"]),
        ("http::80", "", ["name is missing", "character 6", "did you mean 'http:NAME:80'?"]),
        ("https::", "", ["name is missing", "character 7", "did you mean 'https:NAME:'?"]),
        ("HTTPS:web:", "HTTPS", ["lower case", "1 to 5", "did you mean 'https:web:'?"]),
        ("Http:web:80", "Http", ["lower case", "1 to 4", "did you mean 'http:web:80'?"]),
        ("tcp:web:80", "tcp", ["http or https", "1 to 3", "did you mean 'web:80'?"]),
        ("HTTP::", "HTTP", ["lower case", "did you mean 'http:NAME:'?"]),
        ("a:b:c:d", ":d", ["4 parts", "three are the most", "character 6", "type NAME, NAME:PORT"]),
        ("https:web:80:x:y", ":x:y", ["5 parts", "character 13", "':x:y'"]),
    ],
)
def test_refused_segments(text: str, wrong: str, words: list[str]) -> None:
    """A refusal says which rule, where, and what to type instead."""
    with pytest.raises(InvalidSegment) as caught:
        NameSegment.parse(text)
    refused(caught.value, text, wrong, repr(text), *words)


@pytest.mark.parametrize(
    ("text", "at"), [("", 0), (":80", 0), ("::80", 1), ("http::80", 5), ("https::", 6)]
)
def test_a_missing_name_is_pointed_at(text: str, at: int) -> None:
    """Where the name is missing the span is empty, and stands where it should be."""
    with pytest.raises(InvalidSegment) as caught:
        NameSegment.parse(text)
    assert caught.value.span == (at, at)


@pytest.mark.parametrize(
    ("name", "port", "scheme"),
    [
        ("", "80", ""),
        ("a:b", "", ""),
        ("web", "80:", ""),
        ("web", "", "ftp"),
        ("web", "", "HTTPS"),
        ("", "", ""),
    ],
)
def test_an_invalid_segment_cannot_be_built(name: str, port: str, scheme: str) -> None:
    """The constructor refuses what could not be read back."""
    with pytest.raises(InvalidSegment):
        NameSegment(name, port, scheme)


LONGEST = "a" * 63
DEEP = ".".join(["a" * 61] * 4) + ".abcde"  # 253 characters


@pytest.mark.parametrize("name", ["a", "0", "web", "web-1", "1web", "a--b", "443", LONGEST])
def test_names_of_services_and_namespaces(name: str) -> None:
    """Services and namespaces have RFC 1123 labels."""
    target = service(name, name)
    assert (target.name, target.namespace) == (name, name)


@pytest.mark.parametrize("name", ["a", "web-0", "ip-10-0-0-1.ec2.internal", "a.b.c", "0.1", DEEP])
def test_names_of_pods_and_nodes(name: str) -> None:
    """Pods and nodes have RFC 1123 subdomains."""
    assert node(name).name == pod(name).name == name


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("My_Service", "M", ["character 1", "lower-case", "did you mean 'my-service'?"]),
        ("my_service", "_", ["character 3", "did you mean 'my-service'?"]),
        ("-web", "-", ["character 1", "both ends", "did you mean 'web'?"]),
        ("web-", "-", ["character 4", "did you mean 'web'?"]),
        ("web app", " ", ["character 4", "did you mean 'web-app'?"]),
        ("web\n", "\n", ["character 4", "did you mean 'web'?"]),
        ("wéb", "é", ["character 2", "type the service's name"]),
        ("a/b", "/", ["character 2"]),
        ("..", ".", ["character 1", "type the service's name"]),
        ("\ud800", "\ud800", ["character 1", "type the service's name"]),
        ("___", "_", ["type the service's name"]),
        ("a" * 64, "a", ["64 characters", "63 are the most"]),
        ("a" * 1000, "a" * 937, ["1000 characters", "63 are the most"]),
        ("", "", ["service name is empty", "type"]),
    ],
)
def test_refused_service_names(name: str, wrong: str, words: list[str]) -> None:
    """A refusal names the rule, points at the first character that breaks it, and helps."""
    with pytest.raises(InvalidTarget) as caught:
        service(name)
    refused(caught.value, name, wrong, *words)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("Node_1.Example", "N", ["character 1", "did you mean 'node-1.example'?"]),
        ("a..b", ".", ["character 3", "did you mean 'a.b'?"]),
        (".a", ".", ["character 1", "did you mean 'a'?"]),
        ("a.", ".", ["character 2", "did you mean 'a'?"]),
        ("a-.b", ".", ["character 3", "the ends of each part", "did you mean 'a.b'?"]),
        ("a.-b", "-", ["character 3", "did you mean 'a.b'?"]),
        ("x" * 254, "x", ["254 characters", "253 are the most"]),
    ],
)
def test_refused_node_names(name: str, wrong: str, words: list[str]) -> None:
    """Dots part a node's name, and each part has the ends of a label."""
    with pytest.raises(InvalidTarget) as caught:
        node(name)
    refused(caught.value, name, wrong, *words)


def test_messages_of_long_names_stay_short() -> None:
    """A pasted novel is not repeated."""
    for text in ("a" * 100_000, "9" * 100_000):
        with pytest.raises(InvalidTarget) as caught:
            service("web", port=text)
        assert len(str(caught.value)) < 400
    with pytest.raises(InvalidTarget) as caught:
        service("a" * 100_000)
    assert len(str(caught.value)) < 400


def test_an_empty_namespace() -> None:
    """An empty namespace is not the default one, and the message says how to get that."""
    with pytest.raises(InvalidTarget) as caught:
        service("web", "")
    refused(caught.value, "", "", "namespace", "is empty", "leave it out for the default")
    with pytest.raises(InvalidTarget) as caught:
        parse_url("/api/v1/namespaces//services/web/proxy/")
    assert "namespace" in str(caught.value)
    assert "is empty" in str(caught.value)


@pytest.mark.parametrize("port", [1, 80, 65535, "1", "80", "65535"])
def test_port_numbers(port: int | str) -> None:
    """A number is a number, however it was written."""
    for target in (service("a", port=port), pod("a", port=port), node("a", port=port)):
        assert target.port == int(port)
        assert isinstance(target.port, int)


@pytest.mark.parametrize("port", ["http", "a", "web-1", "8080-tcp", "1a", "a" * 15])
def test_port_names(port: str) -> None:
    """A service's port may have an IANA service name."""
    assert service("a", port=port).port == port
    assert service("a", port=port).segment == NameSegment("a", port)


def test_no_port() -> None:
    """None and "" both are no port."""
    assert service("a", port=None) == service("a", port="") == service("a")
    assert service("a").port is None


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (0, ["from 1 to 65535", "type the service's port number"]),
        (-1, ["from 1 to 65535"]),
        ("-1", ["from 1 to 65535"]),
        (65536, ["from 1 to 65535"]),
        ("99999", ["from 1 to 65535"]),
        ("0", ["from 1 to 65535"]),
        ("000", ["from 1 to 65535"]),
        ("080", ["no leading zero", "did you mean '80'?"]),
        ("9" * 5000, ["from 1 to 65535"]),
        ("port name", ["RFC 6335", "did you mean 'port-name'?"]),
        ("HTTP", ["RFC 6335", "did you mean 'http'?"]),
        ("a--b", ["RFC 6335", "did you mean 'a-b'?"]),
        ("a" * 16, ["at most 15", "type the port's number"]),
        ("٣", ["RFC 6335", "type the port's number"]),
        ("1-2", ["at least one letter"]),
        ("80\n", ["RFC 6335"]),
        ("80/tcp", ["RFC 6335", "did you mean '80-tcp'?"]),
        (" ", ["RFC 6335"]),
        (True, ["invalid service port 'True'"]),
        (False, ["invalid service port 'False'"]),
    ],
)
def test_refused_service_ports(port: int | str, words: list[str]) -> None:
    """A number out of range, and a name that is no IANA service name."""
    with pytest.raises(InvalidTarget) as caught:
        service("web", port=port)
    refused(caught.value, str(port), str(port), "invalid service port", *words)


@pytest.mark.parametrize("kind", ["pod", "node"])
@pytest.mark.parametrize("port", ["http", "HTTP", "port name", "٣"])
def test_pods_and_nodes_have_no_named_ports(kind: str, port: str) -> None:
    """The apiserver dials such a name and panics; kubectl shows the number to type."""
    with pytest.raises(InvalidTarget) as caught:
        (pod if kind == "pod" else node)("web-0", port=port)
    refused(
        caught.value,
        port,
        port,
        f"invalid {kind} port {port!r}",
        f"a {kind}'s port is a number",
        f"kubectl get {kind} NAME -o yaml",
    )


@pytest.mark.parametrize(
    ("segment", "wrong", "words"),
    [
        ("web:99999", "99999", ["from 1 to 65535", "type the service's port number"]),
        ("web:port name", "port name", ["RFC 6335", "did you mean 'port-name'?"]),
        ("web:port%20name", "port name", ["RFC 6335", "did you mean 'port-name'?"]),
        ("My_Service", "M", ["lower-case", "did you mean 'my-service'?"]),
        ("HTTPS:web:", "HTTPS", ["lower case", "did you mean 'https:web:'?"]),
        ("a:b:c:d", ":d", ["4 parts", "three are the most"]),
    ],
)
def test_wrong_segments_of_urls(segment: str, wrong: str, words: list[str]) -> None:
    """A URL's segment is held to the rules for names, and the messages are the same."""
    with pytest.raises(InvalidInput) as caught:
        parse_url(f"https://host/api/v1/namespaces/prod/services/{segment}/proxy/")
    error = caught.value
    assert error.text is not None
    assert error.span is not None
    assert error.text[slice(*error.span)] == wrong
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_schemes(scheme: str) -> None:
    """Two schemes are known."""
    assert service("a", scheme=scheme).scheme == scheme
    assert service("a", scheme="").scheme is None


@pytest.mark.parametrize(
    ("scheme", "remedy"),
    [("HTTPS", "did you mean 'https'?"), ("ftp", "type http or https"), (" ", "type http or")],
)
def test_refused_schemes(scheme: str, remedy: str) -> None:
    """Others are refused, with the right one where it can be told."""
    with pytest.raises(InvalidTarget) as caught:
        service("a", scheme=scheme)
    refused(caught.value, scheme, scheme, "invalid scheme", remedy)
