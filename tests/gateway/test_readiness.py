"""Endpoints counted, from either kind of object."""

from __future__ import annotations

from typing import Any

import pytest

from proxyurls.gateway.readiness import Readiness, count, from_endpoints, from_slice

KEY = ("shop", "web")


def slice_of(*endpoints: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    named = {"kubernetes.io/service-name": "web"} if labels is None else labels
    meta = {"name": "web-x7k2p", "namespace": "shop", "labels": named}
    return {"metadata": meta, "endpoints": list(endpoints)}


def at(address: str, *, ready: bool | None = None, pod: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"addresses": [address]}
    if ready is not None:
        made["conditions"] = {"ready": ready}
    if pod:
        made["targetRef"] = {"kind": "Pod", "name": pod}
    return made


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ([slice_of(at("10.0.0.1", ready=True))], Readiness(1, 1)),
        ([slice_of(at("10.0.0.1"))], Readiness(1, 1)),  # what is not said counts as ready
        ([slice_of({"addresses": ["10.0.0.1"], "conditions": {}})], Readiness(1, 1)),
        ([slice_of(at("10.0.0.1", ready=False))], Readiness(0, 1)),
        ([slice_of(at("10.0.0.1", ready=True), at("10.0.0.2", ready=False))], Readiness(1, 2)),
        ([slice_of()], Readiness(0, 0)),
        ([{**slice_of(), "endpoints": None}], Readiness(0, 0)),
        # many slices, as from 100 endpoints on
        ([slice_of(at("10.0.0.1", ready=True)), slice_of(at("10.0.0.2"))], Readiness(2, 2)),
        # dual stack: one pod by two addresses
        ([slice_of(at("10.0.0.1", pod="a")), slice_of(at("fd00::1", pod="a"))], Readiness(1, 1)),
        # moving from one slice to another, it may be in both for a while
        (
            [slice_of(at("10.0.0.1", ready=False)), slice_of(at("10.0.0.1", ready=True))],
            Readiness(1, 1),
        ),
    ],
)
def test_slices(slices: list[dict[str, Any]], expected: Readiness) -> None:
    """Each pod counts once."""
    assert count(from_slice(one) for one in slices) == {KEY: expected}


def test_a_slice_of_nobody() -> None:
    """Without the label it belongs to no service."""
    assert count([from_slice(slice_of(at("10.0.0.1"), labels={}))]) == {
        ("shop", ""): Readiness(1, 1)
    }


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        ([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]}], Readiness(2, 2)),
        ([{"notReadyAddresses": [{"ip": "10.0.0.1"}]}], Readiness(0, 1)),
        (
            [{"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}]}],
            Readiness(1, 2),
        ),
        # an address whose ports are not all ready is in two subsets
        (
            [{"addresses": [{"ip": "10.0.0.1"}]}, {"notReadyAddresses": [{"ip": "10.0.0.1"}]}],
            Readiness(1, 1),
        ),
        ([], Readiness(0, 0)),
        (None, Readiness(0, 0)),
        ([{"addresses": None}], Readiness(0, 0)),
    ],
)
def test_endpoints(subsets: Any, expected: Readiness) -> None:
    """An Endpoints object speaks of the service of its own name."""
    item = {"metadata": {"name": "web", "namespace": "shop"}, "subsets": subsets}
    assert count([from_endpoints(item)]) == {KEY: expected}
