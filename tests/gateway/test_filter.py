"""kubectl proxy's rules, with kubectl's own cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proxyurls import InvalidConfig
from proxyurls.gateway import filter as rules
from proxyurls.gateway.filter import Filter, found, host_of, patterns

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "kubectl_proxy_filter.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", TABLE["accept"], ids=lambda case: case["name"])
def test_accept(case: dict[str, Any]) -> None:
    """What kubectl proxy lets through, and what not."""
    made = Filter.of(
        accept_hosts=case["accept_hosts"],
        accept_paths=case["accept_paths"],
        reject_paths=case["reject_paths"],
        reject_methods=case["reject_methods"],
    )
    assert made.accepts(case["method"], case["path"], case["host"]) is case["accept"]


@pytest.mark.parametrize("case", TABLE["regexp_match"])
def test_match(case: dict[str, Any]) -> None:
    """One pattern of a list is enough."""
    assert found(patterns("--accept-paths", case["regexps"]), case["str"]) is case["match"]


@pytest.mark.parametrize("case", TABLE["extract_host"])
def test_host(case: dict[str, Any]) -> None:
    """A Host header without its port."""
    assert host_of(case["header"]) == case["host"]


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("a:b:1", "a:b:1"),
        ("a:", "a"),
        (":80", ""),
        ("[::1]x:80", "[::1]x:80"),
        ("", ""),
    ],
)
def test_other_hosts(header: str, host: str) -> None:
    """What Go's net.SplitHostPort refuses stays whole."""
    assert host_of(header) == host


def test_defaults() -> None:
    """The flags' defaults are kubectl's."""
    wanted = TABLE["defaults"]
    assert wanted["accept_hosts"] == rules.ACCEPT_HOSTS
    assert wanted["accept_paths"] == rules.ACCEPT_PATHS
    assert wanted["reject_paths"] == rules.REJECT_PATHS
    assert wanted["reject_methods"] == rules.REJECT_METHODS
    made = Filter.of()
    assert made.accepts("GET", "/api/v1/pods?watch=1", "localhost:8001")
    assert not made.accepts("GET", "/api/v1/namespaces/a/pods/b/exec?command=sh", "localhost")
    assert not made.accepts("GET", "/%61pi/v1/namespaces/a/pods/b/%65xec", "localhost")
    assert made.accepts("GET", "/apis?x=/api/pods/x/exec", "localhost")


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a)",
        "[",
        "*a",
        "a**",
        "(?=x)",
        "(?!x)",
        "(?<=x)",
        "(?<!x)",
        r"(a)\1",
        "(?P=a)",
        "(?(1)a|b)",
        "(?#c)",
        r"a\Z",
        "(?x)a b",
        "(?L)a",
        "(?a)a",
        r"\pL",
        "(?U)a*",
        r"\C",
        "[[:x:]]",
        "a++",
        "(?>a)",
        r"\x{41}",
        r"[\pL]",
        "(?m)^a",
        "(?i",
        "\\",
    ],
)
def test_refused(pattern: str) -> None:
    """What Go refuses, or Python reads in another way or not at all, is refused with its name."""
    with pytest.raises(InvalidConfig, match=r"^invalid --reject-paths ") as refusal:
        patterns("--reject-paths", f"^/ok,{pattern}")
    assert repr(pattern) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_empty() -> None:
    """An empty list of patterns rejects nothing, and accepts nothing."""
    assert patterns("--reject-paths", "") == ()
    assert not Filter.of(accept_paths="").accepts("GET", "/", "localhost")
