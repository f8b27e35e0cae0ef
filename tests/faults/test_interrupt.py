"""Ctrl-C at any moment: exit code 130, no traceback, no file that is not whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .injected import in_body
from .subjects import APP, BODY, NAMESPACE, WEB
from .wire import Act, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Lead, Start
    from .wire import Wire

# How many moments of each command.
MOMENTS = int(os.environ.get("PROXYURLS_MOMENTS", "6"))
SCRIPT = str(Path(__file__).with_name("moments.py"))
TIME_LIMIT = 30.0
RUNS: dict[str, tuple[str, ...]] = {
    "cluster-info": ("cluster-info",),
    "services": ("services",),
    "url": ("url", "--resolve", f"web.{NAMESPACE}"),
    "fetch": ("fetch", WEB, APP),
    "download": ("fetch", WEB, APP, "--save", "saved"),
    "upload": ("fetch", WEB, "/-/count", "-d", "@upload"),
    "parse": ("parse", "/api/v1/namespaces/x/services/y/proxy/"),
    "serve": ("serve", "--port", "0"),
}


@pytest.mark.parametrize("name", RUNS)
def test_any_moment(name: str, wire: Wire, lead: Lead, start: Start) -> None:
    """Moments spread over the whole run: while modules are loaded, while it asks, at its end."""
    wire.mend()
    folder = lead(wire.url)

    def run(moment: int) -> subprocess.Popen[bytes]:
        report = folder / f"moments-{moment}"
        config = ("--kubeconfig", "kubeconfig")
        return start(SCRIPT, str(moment), str(report), *RUNS[name], *config, cwd=folder)

    def end(moment: int) -> tuple[int, int, bytes]:
        process = run(moment)
        err = process.communicate(timeout=TIME_LIMIT)[1]
        return moment, process.returncode, err

    undisturbed = run(0)
    if name == "serve":
        assert undisturbed.stdout is not None
        undisturbed.stdout.readline()
        undisturbed.send_signal(signal.SIGINT)
    undisturbed.communicate(timeout=TIME_LIMIT)
    assert undisturbed.returncode == (130 if name == "serve" else 0)
    total = int((folder / "moments-0").read_text())
    (folder / "saved").unlink(missing_ok=True)
    assert total > MOMENTS
    with ThreadPoolExecutor(2) as pool:
        moments = [1 + number * (total - 1) // MOMENTS for number in range(MOMENTS)]
        outcomes = list(pool.map(end, moments))
    for moment, code, err in outcomes:
        assert code == 130, (moment, total, err)
        said = [line for line in err.decode().splitlines() if not line.startswith("note: ")]
        assert all(line.startswith("error: interrupted after ") for line in said), (moment, said)
    assert not list(folder.glob(".*.part"))
    if (folder / "saved").exists():
        assert (folder / "saved").stat().st_size == BODY


WAITS: dict[str, tuple[str, ...]] = {
    **{name: RUNS[name] for name in ("cluster-info", "services", "url", "fetch", "download")},
    "upload": ("fetch", WEB, "/-/count", "-d", "@-"),
    "open": ("open", f"web.{NAMESPACE}", "--no-browser"),
}


@pytest.mark.parametrize("name", WAITS)
def test_while_it_waits(name: str, wire: Wire, lead: Lead, start: Start) -> None:
    """In the middle of an answer that does not go on, or of an upload that nobody ends."""
    folder = lead(wire.break_by(Fault(in_body(Act.STALL))))
    process = start(
        *("-m", "proxyurls", *WAITS[name], "--kubeconfig", "kubeconfig"),
        cwd=folder,
        stdin=subprocess.PIPE,
    )
    wait_until(lambda: wire.targets)
    time.sleep(0.2)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=TIME_LIMIT)[1].decode()
    assert time.monotonic() - began < 2
    assert process.returncode == 130
    assert err == "" or (err.startswith("error: interrupted after ") and err.count("\n") == 1), err
    assert not (folder / "saved").exists()
    assert not list(folder.glob(".*.part"))


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + TIME_LIMIT
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
