"""catalog.py: links in a catalogue of software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .conftest import EXAMPLES, App, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from proxyurls.testing import FakeCluster

    from .conftest import Run

SAMPLE = EXAMPLES / "catalog-info.yaml"
GRAFANA = {"kubernetes.io/name": "grafana"}


def entity(**annotations: str) -> str:
    names = {
        f"backstage.io/kubernetes-{name.replace('_', '-')}": value
        for name, value in annotations.items()
    }
    return yaml.safe_dump({"kind": "Component", "metadata": {"name": "x", "annotations": names}})


def links(text: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = yaml.safe_load(text)["metadata"]["links"]
    return made


def test_links(
    fake_cluster: FakeCluster, run: Run, follow: Callable[[str], httpx.Response], tmp_path: Path
) -> None:
    """A link to each of the selected services; the entity's own ones stay."""
    app = App({"/": "<p>Grafana"})
    add = fake_cluster.add_service
    ports = {"gossip": 9094, "http": 3000}
    add("monitoring-grafana", "kube-system", ports=ports, upstream=app, labels=GRAFANA)
    add("tls", "kube-system", ports={"https": 3443}, upstream=app, labels=GRAFANA)
    add("other", "kube-system", upstream=app)
    done = run("catalog.py", str(SAMPLE))
    assert (done.returncode, done.stderr) == (0, "")
    root = f"{fake_cluster.url}/api/v1/namespaces/kube-system/services"
    sample = yaml.safe_load(SAMPLE.read_text())
    made, ours = yaml.safe_load(done.stdout), {"type": "apiserver-proxy"}
    assert made.pop("metadata") == {
        **sample.pop("metadata"),
        "links": [
            {"url": "https://wiki.example/dashboards", "title": "Runbook"},
            {"url": f"{root}/monitoring-grafana:3000/proxy/", "title": "grafana", **ours},
            {"url": f"{root}/https:tls:3443/proxy/", "title": "grafana", **ours},
        ],
    }
    assert made == sample
    assert follow(links(done.stdout)[1]["url"]).text == "<p>Grafana"
    assert app.targets == ["/"]
    written = tmp_path / "with-links.yaml"
    written.write_text(done.stdout)
    assert run("catalog.py", str(written)).stdout == done.stdout


def test_entities_that_ask_for_nothing(run: Run, tmp_path: Path) -> None:
    """They stay as they are, each a document."""
    file = tmp_path / "catalog-info.yaml"
    text = "kind: User\nmetadata:\n  name: jané\n---\nkind: Group\nmetadata:\n  annotations: {}\n"
    file.write_text(text, "utf-8")
    assert run("catalog.py", str(file)).stdout == text


def test_links_that_are_stale(run: Run, tmp_path: Path) -> None:
    """Where nothing is selected any more, ours go."""
    made = yaml.safe_load(entity(label_selector="app=none"))
    made["metadata"]["links"] = [{"url": "x", "type": "apiserver-proxy"}, {"url": "y"}]
    file = tmp_path / "catalog-info.yaml"
    file.write_text(yaml.safe_dump(made))
    assert links(run("catalog.py", str(file)).stdout) == [{"url": "y"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "expected the node content"),
        ("- 1", "an entity is a mapping that has metadata"),
        ("kind: User", "an entity is a mapping that has metadata"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        (entity(label_selector="a=b", namespace="../../secrets"), "invalid namespace name"),
        (entity(label_selector="a b c"), "answered 400 Bad Request"),
    ],
)
def test_wrong_files(run: Run, tmp_path: Path, text: str, said: str) -> None:
    """One line, be it the file's fault or that of what is in it."""
    file = tmp_path / "catalog-info.yaml"
    file.write_text(text)
    assert said in refusal(run("catalog.py", str(file)))


def test_no_file(run: Run) -> None:
    """One line."""
    assert "No such file" in refusal(run("catalog.py", "nothing.yaml"))
