"""An exec plugin for the tests: a small Python script, run for real."""

from __future__ import annotations

import json
import os
import stat
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from config.kubeconfigs import one_context

if TYPE_CHECKING:
    from pathlib import Path

    from config.conftest import Load
    from proxyurls.config import Config

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


def answer(*, api_version: str = V1, **status: Any) -> dict[str, Any]:
    return {"kind": "ExecCredential", "apiVersion": api_version, "status": status}


class Plugin:
    """A script that prints an answer and counts its runs."""

    def __init__(self, folder: Path, load: Load) -> None:
        self.path = folder / "plugin"
        self._runs = folder / "runs"
        self._load = load

    def script(self, body: str) -> Plugin:
        count = f"with open({str(self._runs)!r}, 'a') as runs: runs.write('x')"
        text = f"#!{sys.executable}\nimport os, sys, json, time\n{count}\n{textwrap.dedent(body)}"
        self.path.write_text(text)
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        return self

    def prints(self, output: Any) -> Plugin:
        return self.script(f"print({json.dumps(output)!r})")

    @property
    def runs(self) -> int:
        return len(self._runs.read_text()) if self._runs.exists() else 0

    def config(
        self, *, cluster: Any = None, environ: dict[str, str] | None = None, **exec_fields: Any
    ) -> Config:
        plugin = {
            "command": str(self.path),
            "apiVersion": V1,
            "interactiveMode": "Never",
            **exec_fields,
        }
        text = one_context(user={"exec": plugin}, cluster=cluster)
        return self._load(text, environ=environ or dict(os.environ))

    def headers(self, **exec_fields: Any) -> list[tuple[str, str]]:
        return self.config(**exec_fields).credentials().headers()
