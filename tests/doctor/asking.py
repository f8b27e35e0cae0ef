"""Asking ``proxyurls doctor``, and doing what it says."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from proxyurls.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Doctor:
    """``proxyurls doctor`` in this process; None is the kubeconfig that it finds by itself."""

    kubeconfig: Path | None
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *argv: str) -> Report:
        """Run it."""
        self.capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            if self.kubeconfig:
                patch.setenv("KUBECONFIG", str(self.kubeconfig))
            code = main(["doctor", *argv, "-o", "json"])
        out, err = self.capsys.readouterr()
        assert code in (0, 1), (code, out, err)
        found = json.loads(out)
        assert code == int(not found["healthy"])
        return Report(found, argv)

    def remedied(self, report: Report) -> Report:
        """Type the TARGET that the remedy says, with the options of before."""
        words = shlex.split(str(report.cause["remedy"]))
        assert words[:2] == ["proxyurls", "fetch"], words
        options = [word for word in report.argv if word.startswith("--")]
        return self(*words[2:], *options)


@dataclass
class Report:
    """What it found."""

    content: dict[str, Any]
    argv: tuple[str, ...]

    @property
    def cause(self) -> dict[str, str]:
        """The cause, which there is."""
        cause: dict[str, str] | None = self.content["cause"]
        assert cause is not None, self.content
        return cause

    @property
    def healthy(self) -> bool:
        """Whether there is no cause."""
        return bool(self.content["healthy"])

    def step(self, name: str) -> tuple[str, str]:
        """A step's result and text."""
        for one in self.content["steps"]:
            if one["name"] == name:
                return one["result"], one["text"]
        raise AssertionError(f"no step {name}: {self.content}")


def option(remedy: str, name: str) -> tuple[str, str]:
    """The option that a remedy says to give, as it is to be typed."""
    found = re.search(rf"{name}[ =](\S+)", remedy)
    assert found, remedy
    return name, found[1]
