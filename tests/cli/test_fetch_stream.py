"""``fetch``: a GiB either way, in the memory that a MiB takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cli.test_fetch import open_shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.fixtures import Serve

    from cli.test_fetch import Shop

    Measure = Callable[[str, int], "Figures"]

MIB, GIB = 1 << 20, 1 << 30
MARGIN = 15.0  # MiB that a GiB may take more than a MiB
SECONDS = 45.0  # three times what it takes on two cores that do nothing else

# A process that forks from pytest begins with pytest's own peak, so a small one stands between.
METER = """\
import os, sys, time
started = time.monotonic()
child = os.posix_spawn(sys.executable, [sys.executable, "-m", "proxyurls", *sys.argv[2:]],
                       os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as report:
    print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, time.monotonic() - started,
          file=report)
"""


@dataclass(frozen=True)
class Figures:
    """What a run of fetch took."""

    seconds: float
    peak: float  # MiB


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    return open_shop(apiserver, serve, "depot")


@pytest.fixture
def measure(shop: Shop, tmp_path: Path) -> Iterator[Measure]:
    """Transfer so many bytes in a child process: "drained", "saved", "file" or "pipe"."""

    def run(
        *argv: str, stdin: object = subprocess.DEVNULL, stdout: object = subprocess.PIPE
    ) -> tuple[Figures, int]:
        report = tmp_path / "report"
        command = [sys.executable, "-I", "-S", "-c", METER, str(report), "fetch", "web.depot:80"]
        command += [*argv, "--kubeconfig", str(shop.apiserver.kubeconfig)]
        with subprocess.Popen(command, stdin=stdin, stdout=stdout) as process:  # type: ignore[call-overload]
            printed, tail = 0, b""
            while process.stdout and (piece := process.stdout.read1(MIB)):
                printed += len(piece)
                tail = piece
        code, rss, seconds = report.read_text().split()
        assert code == "0"
        figures = Figures(float(seconds), int(rss) / 1024)  # KiB on Linux
        return figures, int(tail) if tail.isdigit() else printed

    def measure(way: str, size: int) -> Figures:
        saved = tmp_path / "saved"
        if way == "drained":
            figures, arrived = run(f"/-/big/{size}")
        elif way == "saved":
            figures, _ = run(f"/-/big/{size}", "--save", str(saved))
            arrived = saved.stat().st_size
        elif way == "file":
            sparse = tmp_path / "sparse"
            with sparse.open("wb") as file:
                file.truncate(size)
            figures, arrived = run("/-/count", "-d", f"@{sparse}")
        else:
            with subprocess.Popen(
                ["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE
            ) as head:
                figures, arrived = run("/-/count", "-d", "@-", stdin=head.stdout)
        assert arrived == size
        return figures

    yield measure
    for path in tmp_path.iterdir():  # pytest would keep it for three sessions
        path.unlink()


@pytest.mark.parametrize("way", ["drained", "saved", "file", "pipe"])
def test_memory_stays_flat(
    measure: Measure, way: str, record_property: Callable[[str, object], None]
) -> None:
    """A download to a pipe or a file; an upload of a file or through a pipe."""
    small, large = measure(way, MIB), measure(way, GIB)
    figures = (
        f"{way}: 1 MiB {small.peak:.1f} MiB in {small.seconds:.2f} s, "
        f"1 GiB {large.peak:.1f} MiB in {large.seconds:.2f} s"
    )
    record_property("figures", figures)
    print(figures)
    assert small.peak > 10, "nothing was measured"
    assert large.peak - small.peak < MARGIN, figures
    assert large.seconds < SECONDS, figures
