"""What kubectl cluster-info prints: the table of shared cases, to the letter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proxyurls import oneshot
from proxyurls.cli import main
from proxyurls.discovery import ClusterService, cluster_service
from proxyurls.errors import ConnectionFailed

from .commands import kubeconfig

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES = json.loads(Path(__file__).with_name("cluster_info.json").read_text(encoding="utf-8"))
Case = dict[str, Any]


def named(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", named(CASES["lines"]))
def test_line(case: Case) -> None:
    found = cluster_service(case["service"], case["host"])
    assert f"{found.display_name} is running at {found.url}" == case["expected_line"]
    meta = case["service"]["metadata"]
    assert (found.name, found.namespace) == (meta["name"], meta["namespace"])


@pytest.mark.parametrize("case", named(CASES["full_output"]))
def test_full_output(
    case: Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def answer(config: object, path: str, **more: object) -> Mapping[str, Any]:
        asked.append(path)
        if case["services"] is None:
            raise ConnectionFailed("can't reach it")
        return {"items": case["services"]}

    monkeypatch.setattr(oneshot, "get_json", answer)
    path = kubeconfig(tmp_path / "kubeconfig", case["host"], namespace="ignored")
    code = main(["cluster-info", "--kubeconfig", str(path)])
    out, err = capsys.readouterr()
    assert out == case["expected_stdout"]
    assert (code, err) == ((1, "error: can't reach it\n") if case["services"] is None else (0, ""))
    assert asked == [
        "/api/v1/namespaces/kube-system/services?labelSelector=kubernetes.io/cluster-service%3Dtrue"
    ]


def test_it_is_a_plain_value() -> None:
    one = ClusterService("KubeDNS", "kube-system", "kube-dns", "https://h/")
    assert one == ClusterService("KubeDNS", "kube-system", "kube-dns", "https://h/")
    assert hash(one) == hash(ClusterService("KubeDNS", "kube-system", "kube-dns", "https://h/"))
    with pytest.raises(AttributeError):
        one.name = "x"  # type: ignore[misc]


def service(spec: Case, *, ingress: list[Case] | None = None) -> Case:
    meta = {"name": "s", "namespace": "kube-system"}
    return {
        "metadata": meta,
        "spec": spec,
        "status": {"loadBalancer": {"ingress": ingress} if ingress else {}},
    }


@pytest.mark.parametrize(
    ("found", "url"),
    [
        pytest.param(service({}), "S/services/s/proxy", id="no ports"),
        pytest.param(service({"ports": None}), "S/services/s/proxy", id="null ports"),
        pytest.param(
            service({"ports": [{"port": 443, "name": "web"}]}),
            "S/services/https:s:web/proxy",
            id="443 under another name",
        ),
        pytest.param(
            service({"ports": [{"port": 53, "protocol": "UDP"}]}),
            "S/services/s/proxy",
            id="UDP has a URL with kubectl",
        ),
        pytest.param(
            service({"ports": [{"port": 80}, {"port": 443}]}, ingress=[{"ip": "2001:db8::1"}]),
            "http://2001:db8::1:80 http://2001:db8::1:443 ",
            id="IPv6 has no brackets with kubectl",
        ),
        pytest.param(
            service({"ports": [{"port": 80}]}, ingress=[{"ip": "192.0.2.1", "hostname": "h.test"}]),
            "http://192.0.2.1:80 ",
            id="IP before host name",
        ),
        pytest.param(service({}, ingress=[{"ip": "192.0.2.1"}]), "", id="balanced without ports"),
    ],
)
def test_odd_ones(found: Case, url: str) -> None:
    root = "https://h/api/v1/namespaces/kube-system"
    assert cluster_service(found, "https://h").url == url.replace("S/", f"{root}/")
