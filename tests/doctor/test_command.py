"""What ``proxyurls doctor`` prints, and for which usage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxyurls.cli import main

if TYPE_CHECKING:
    from contract.cluster import APIServer

ROOT = Path(__file__).parents[2]
STEPS = ("configuration", "connection", "authentication", "authorization", "existence")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, apiserver: APIServer) -> None:
    """A kubeconfig, and a terminal without colours."""
    monkeypatch.setenv("KUBECONFIG", str(apiserver.kubeconfig))
    monkeypatch.setenv("NO_COLOR", "1")


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A line a step, then the cause and the remedy, all of it data."""
    assert main(["doctor", "nowhere.doctor-command", "--context", "token"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    steps, end = out.split("\n\n")
    assert [line.split()[:2] for line in steps.splitlines()] == [
        *(["✓", name] for name in STEPS[:-1]),
        ["✗", "existence"],
    ]
    cause, remedy = end.splitlines()
    assert cause.startswith("cause:  ")
    assert cause.endswith((" (no-such-service)", " (no-such-namespace)"))
    assert remedy.startswith("remedy: ")
    assert remedy.endswith(" --context token"), "it would ask another cluster without it"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same for tools."""
    assert main(["doctor", "nowhere.doctor-command", "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["target"] == "nowhere.doctor-command"
    assert found["healthy"] is False
    assert [step["name"] for step in found["steps"]] == list(STEPS)
    assert [step["result"] for step in found["steps"]] == ["ok"] * 4 + ["failed"]
    assert found["cause"]["name"] in ("no-such-service", "no-such-namespace")
    assert found["cause"]["text"] == found["steps"][-1]["text"]
    assert not found["cause"]["remedy"].endswith("--context token")


@pytest.mark.parametrize(
    ("environ", "marks"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, ("✓", "✗")),
        ({"PYTHONIOENCODING": "ascii"}, ("ok", "FAILED")),
    ],
)
def test_marks(environ: dict[str, str], marks: tuple[str, str]) -> None:
    """In letters where the output's encoding has no such signs."""
    done = subprocess.run(
        [sys.executable, "-m", "proxyurls", "doctor", "nowhere.doctor-command"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    first = [line.split()[0] for line in done.stdout.decode().split("\n\n")[0].splitlines()]
    assert first == [marks[0]] * 4 + [marks[1]]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "TARGET"),
        (["web", "../../secrets"], "climb above"),
        (["https:web"], "did you mean 'https:web:'?"),
        (["web", "-o", "yaml"], "'yaml'"),
        (["web.a", "-n", "b"], "leave one of them out"),
        (["web", "-q", "x"], "type -q KEY=VALUE"),
        (["web", "--probes"], "did you mean --probe?"),
        (["deploy/web"], "services, pods and nodes alone"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    """One error line and exit code 2, before anything is asked."""
    assert main(["doctor", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_wrong_configuration_is_a_cause(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other commands call it wrong usage; here it is what was asked for."""
    assert main(["doctor", "web", "--context", "nope"]) == 1
    assert "(wrong-config)" in capsys.readouterr().out
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG")
    assert main(["doctor", "web", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["cause"]["name"] == "no-config"


def test_closed_stdout(apiserver: APIServer) -> None:
    """Nobody wants to read it: the exit code tells."""
    words = [sys.executable, "-m", "proxyurls", "doctor", "nowhere.doctor-command"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *words],
        env={**os.environ, "KUBECONFIG": str(apiserver.kubeconfig)},
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, b"")
