"""Running jobs, each in a process that is forked off one that has loaded everything."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import recorder
from .browser import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from .marks import Search
    from .recorder import Job

TIME_LIMIT = 30.0
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("httpx", "aiohttp", "argcomplete", "proxyurls.cluster", "proxyurls.gateway.run"),
        *("proxyurls.demo.cluster", "proxyurls.demo.browsing", "yaml", "tabulate", "webbrowser"),
    ]
)


@dataclass
class Outcome:
    """What one run let out, channel by channel."""

    code: int
    channels: dict[str, str]
    files: list[dict[str, Any]]
    children: list[dict[str, Any]]
    visit: Visit = field(default_factory=Visit)

    @property
    def out(self) -> str:
        return self.channels["stdout"]

    @property
    def err(self) -> str:
        return self.channels["stderr"]

    def leaks(
        self, search: Search, allowed: dict[str, frozenset[str]] | None = None
    ) -> dict[str, set[str]]:
        """The secrets found, by channel.

        Args:
            search: for what.
            allowed: what may be where.
        """
        channels = {
            **self.channels,
            "file": "\n".join(one["text"] for one in self.files),
            "argv": json.dumps([one["argv"] for one in self.children], ensure_ascii=False),
            "environ": json.dumps([one["environ"] for one in self.children], ensure_ascii=False),
            "page": "\n".join(self.visit.pages),
        }
        found = {
            channel: search.names(text, allowed=(allowed or {}).get(channel, frozenset()))
            for channel, text in channels.items()
        }
        return {channel: names for channel, names in found.items() if names}


def run(job: Job, *, serving: Callable[[str], Visit] | None = None) -> Outcome:
    """Run a job to its end.

    Args:
        job: the command line.
        serving: what to do with a gateway, once the first line of stdout is there. It is ended by
            Ctrl-C then.
    """
    process = _CONTEXT.Process(target=recorder.run, args=(job,))
    process.start()
    seen = Visit()
    deadline = time.monotonic() + TIME_LIMIT
    try:
        if serving is not None:
            while process.is_alive() and "\n" not in _read(job, "out"):
                assert time.monotonic() < deadline, _read(job, "err")
                time.sleep(0.01)
            if process.is_alive():
                seen = serving(_read(job, "out").partition("\n")[0])
                assert process.pid is not None
                os.kill(process.pid, signal.SIGINT)
        process.join(max(0.0, deadline - time.monotonic()))
        assert not process.is_alive(), f"it hangs: {_read(job, 'err')}"
    finally:
        process.kill()
        process.join()
    report = json.loads(job.file("report.json").read_text())
    assert isinstance(report["code"], int), _read(job, "err")
    channels = {
        "stdout": _read(job, "out"),
        "stderr": _read(job, "err"),
        "log": _read(job, "log"),
        "error": "\n".join(report["errors"]),
        "repr": "\n".join(report["reprs"]),
    }
    return Outcome(report["code"], channels, report["files"], report["children"], seen)


def _read(job: Job, name: str) -> str:
    file = job.file(name)
    return file.read_text(errors="replace") if file.exists() else ""
