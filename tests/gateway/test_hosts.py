"""Host labels: every target has one of its own."""

from __future__ import annotations

import re

import pytest
from core.strategies import LABELS, PORT_NAMES, SETTINGS, SUBDOMAINS, TARGETS
from hypothesis import example, given
from hypothesis import strategies as st

from proxyurls import Target, node, pod, service
from proxyurls.gateway.hosts import LABEL_LIMIT, Hosts, label, parse_label

LONG = "a" * 63
# Where names and separators might be confused: hyphens side by side, and the words of the grammar.
_WORDS = st.sampled_from(
    ["pod", "node", "cluster", "port", "http", "https", "xn", "a", "0", "80", "8080", "443"]
)
CONFUSING = st.lists(
    _WORDS | st.sampled_from(["-", "--", "---", "----", "-----"]), min_size=1, max_size=5
).map(lambda parts: re.sub(r"^-+|-+$", "", "".join(parts)) or "a")
_DOTTED = st.lists(CONFUSING, min_size=1, max_size=3).map(".".join)
_PORTS = st.sampled_from([None, 80, 8080, 443])
_NAMED = st.sampled_from(["pod", "node", "port", "http", "https", "xn", "a", "a-80"])
_SCHEMES = st.sampled_from([None, "http", "https"])
NEAR = st.one_of(
    st.builds(service, CONFUSING, CONFUSING, port=_PORTS | _NAMED, scheme=_SCHEMES),
    st.builds(pod, _DOTTED, CONFUSING, port=_PORTS, scheme=_SCHEMES),
    st.builds(node, _DOTTED, port=_PORTS, scheme=_SCHEMES),
)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (service("grafana", "monitoring"), "grafana--monitoring"),
        (service("grafana", "monitoring", port=3000), "grafana--monitoring--3000"),
        (service("web", "prod", port="admin"), "web--prod--port--admin"),
        (service("web", "prod", port="https"), "web--prod--port--https"),
        (service("web", "prod", scheme="https"), "web--prod--https"),
        (service("web", "prod", port=443, scheme="https"), "web--prod--https--443"),
        (service("web", "prod", port="tls", scheme="https"), "web--prod--https--port--tls"),
        (service("web", "pod"), "web--pod"),
        (service("https", "http"), "https--http"),
        (service("a--b", "c---d"), "a----b--c-----d"),
        (pod("web-0", "prod"), "web-0--prod--pod"),
        (pod("web-0", "prod", port=8080), "web-0--prod--pod--8080"),
        (pod("a.b", "prod", scheme="https"), "a---b--prod--pod--https"),
        (node("machine"), "machine--cluster--node"),
        (node("ip-10-0-0-1.ec2.internal"), "ip-10-0-0-1---ec2---internal--cluster--node"),
        (node("machine", port=10250, scheme="https"), "machine--cluster--node--https--10250"),
    ],
)
def test_labels(target: Target, text: str) -> None:
    """A label says what the target is, and is read back."""
    assert label(target) == text
    assert parse_label(text) == target
    assert Hosts().label(target) == text
    assert Hosts().target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", "web", "localhost", "www", "-", "--", "a--", "--a", "a---b", "a-----b", "a-b"),
        *("web--prod--", "web--prod--0", "web--prod--080", "web--prod--65536", "web--prod--admin"),
        *("web--prod--port", "web--prod--port--80", "web--prod--port--", "web--prod--80--https"),
        *("web--prod--http--https", "web--prod--pod--port--admin", "web--prod--node"),
        *("machine--cluster--node--80--80", "Web--prod", "web--pröd", "web_1--prod", "web--prod."),
        *("a---b--prod", "xn--foo", "xn----a--b", f"{'a' * 60}--bcd", "web--prod--80\n"),
        *("--web--prod", "web--prod--pod--pod", "web----prod", "web--a---b"),
    ],
)
def test_no_labels(text: str) -> None:
    """What no target has as its label is nobody's."""
    assert parse_label(text) is None
    assert Hosts().target(text) is None


@pytest.mark.parametrize(
    "target",
    [
        service(LONG, "default"),
        service("web", LONG),
        service("xn", "foo"),
        service("xn--foo", "bar"),
        pod("xn.foo", "bar"),
        pod(f"{LONG}.b", "prod"),
        node(".".join(["a" * 60] * 4)),
    ],
)
def test_hashed(target: Target) -> None:
    """A target whose label would be too long, or punycode, gets one that this run knows."""
    assert label(target) is None
    hosts = Hosts()
    text = hosts.label(target)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*-[a-z2-7]{32}", text)
    assert len(text) <= LABEL_LIMIT
    assert text.startswith(re.sub("[-.]+", "-", target.name)[:30])
    assert hosts.target(text) == target
    assert hosts.label(target) == text
    assert Hosts().label(target) == text  # in the next run too: the browser keeps what it stored
    assert Hosts().target(text) is None


@given(TARGETS | NEAR)
@SETTINGS
@example(service("xn", "a"))
def test_form(target: Target) -> None:
    """Any target's label is one that DNS, browsers and apps take, and leads back to it."""
    hosts = Hosts()
    text = hosts.label(target)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text)
    assert not text.startswith("xn--")
    assert "-" in text  # so no single word, such as "localhost", is ever a target's
    assert hosts.target(text) == target
    own = label(target)
    assert parse_label(text) == (target if own else None)
    assert (own is None) == ("--" not in text)


@given(st.lists(TARGETS | NEAR, min_size=2, max_size=30, unique=True))
@SETTINGS
def test_apart(targets: list[Target]) -> None:
    """No two targets share a label."""
    hosts = Hosts()
    labels = [hosts.label(target) for target in targets]
    assert len(set(labels)) == len(targets)
    assert [hosts.target(text) for text in labels] == targets


@given(LABELS, SUBDOMAINS, PORT_NAMES)
@SETTINGS
def test_kinds_apart(name: str, dotted: str, port: str) -> None:
    """Targets of one name that differ in kind, port or scheme alone don't share one either."""
    hosts = Hosts()
    targets = [
        *(service(name, "pod"), service(name, "cluster"), service(name, "cluster", port=port)),
        *(service(name, "prod", scheme=scheme, port=port) for scheme in (None, "http", "https")),
        *(service(name, "prod", scheme=scheme) for scheme in (None, "http", "https")),
        *(pod(name, "prod"), pod(dotted, "cluster"), pod(name, "prod", port=80)),
        *(node(name), node(name, port=80), node(name, scheme="http"), node(f"{dotted}.x")),
    ]
    assert len({hosts.label(target) for target in targets}) == len(set(targets))


@given(st.text("abn-x0.") | CONFUSING | st.lists(CONFUSING, max_size=6).map("--".join))
@SETTINGS
def test_one_spelling(text: str) -> None:
    """A text is the label of one target at most, and that target has no other."""
    target = parse_label(text)
    assert target is None or label(target) == text
