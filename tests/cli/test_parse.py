"""``proxyurls parse``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Run

WEB = "/api/v1/namespaces/prod/services"


def test_text(run: Run) -> None:
    """What a person reads."""
    result = run("parse", f"https://k8s:6443/k8s/c{WEB}/https:web:443/proxy/a%2Fb?x=1")
    assert (result.code, result.err) == (0, "")
    assert (
        result.out
        == f"""\
url:         https://k8s:6443/k8s/c{WEB}/https:web:443/proxy/a%2Fb?x=1
server:      https://k8s:6443/k8s/c
kind:        service
namespace:   prod
name:        web
scheme:      https
port:        443
suffix:      /a%2Fb?x=1
arrives as:  /a/b?x=1
in-cluster:  https://web.prod.svc.cluster.local/a%2Fb?x=1

altered:     /a%2Fb -> /a/b
  reason:    the apiserver decodes %2F, so the app sees one more path segment
  remedy:    pass the value in the query, where %2F survives, or use kubectl port-forward
"""
    )


def test_text_of_defaults(run: Run) -> None:
    """What is not there is explained."""
    out = run("parse", f"{WEB}/web/proxy").out
    assert "server:      none (a path alone)\n" in out
    assert "scheme:      default: http\n" in out
    assert "port:        default: the service's unnamed port\n" in out
    assert "suffix:      none: the app's root\n" in out
    assert "in-cluster" not in out
    assert "altered" not in out
    out = run("parse", "/api/v1/nodes/n1/proxy/x#y").out
    assert "namespace" not in out
    assert "scheme:      default: the kubelet's own, https\n" in out
    assert "port:        default: the kubelet's\n" in out
    assert "altered:     #y -> (nothing)\n" in out


def test_json(run: Run) -> None:
    """The same for programs, with null for what is not there."""
    facts = json.loads(run("parse", f"https://k8s{WEB}/web:80/proxy//x", "-o", "json").out)
    changes = facts.pop("alterations")
    assert facts == {
        "url": f"https://k8s{WEB}/web:80/proxy//x",
        "server": "https://k8s",
        "kind": "service",
        "namespace": "prod",
        "name": "web",
        "scheme": None,
        "port": 80,
        "segment": "web:80",
        "suffix": "//x",
        "received": "/x",
        "cluster_url": "http://web.prod.svc.cluster.local//x",
        "notes": [],
    }
    assert [change["kind"] for change in changes] == ["empty-segment"]
    assert list(changes[0]) == ["kind", "before", "after", "reason", "remedy"]
    facts = json.loads(run("parse", "/api/v1/nodes/n1/proxy/", "--output=json").out)
    empty = {key for key, value in facts.items() if value is None}
    assert empty == {"server", "namespace", "scheme", "port", "cluster_url"}


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (f"{WEB}/https:web/proxy/", "a service named 'https'; did you mean 'https:web:'?"),
        (f"{WEB}/https:443/proxy/", "did you mean 'https:NAME:443'?"),
        (f"{WEB}/http/proxy/", "did you mean 'http:NAME:'?"),
        ("/api/v1/proxy/namespaces/prod/services/web/x", "Kubernetes 1.10 removed this form"),
        (f"{WEB}/%77eb/proxy/", "spelled otherwise"),
        (f"{WEB}/:web:/proxy/", "spelled otherwise"),
        (f"{WEB}/web/proxy/a b", "spelled otherwise"),
        ("http://web.prod.svc:3000/x", "this is an in-cluster URL"),
        ("http://web:3000/x", "no namespace is named"),
    ],
)
def test_notes(run: Run, text: str, note: str) -> None:
    """What one should know about a URL, in both formats."""
    lines = run("parse", text).out.splitlines()
    assert any(line.startswith("note:        ") and note in line for line in lines)
    assert any(note in one for one in json.loads(run("parse", text, "-o", "json").out)["notes"])


@pytest.mark.parametrize("text", [f"{WEB}/web/proxy/", f"{WEB}/web/proxy", f"{WEB}/web/proxy/x?y"])
def test_nothing_to_note(run: Run, text: str) -> None:
    """A plain URL has no notes."""
    assert "note:" not in run("parse", text).out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web", "not a proxy URL: 'web'"),
        ("", "not a proxy URL"),
        ("https://k8s/api/v1/pods", "it has the form"),
        (f"{WEB}/a:b:c:d/proxy/", "4 parts"),
        (f"{WEB}/HTTPS:web:/proxy/", "did you mean 'https:web:'?"),
        (f"{WEB}/web:99999/proxy/", "65535"),
        (f"{WEB}/My_Service/proxy/", "did you mean 'my-service'?"),
        (f"{WEB}/web/proxy/../..", "climb above"),
        ("/api/v1/namespaces//services/web/proxy/", "namespace"),
        ("/api/v1/namespaces/x/nodes/n1/proxy/", "a node has no namespace"),
        ("/api/v1/namespaces/x/pods/p:http/proxy/", "a pod's port is a number"),
    ],
)
def test_refusals(run: Run, text: str, message: str) -> None:
    """What is no URL, or of what can't exist."""
    assert message in run("parse", text).refusal()
