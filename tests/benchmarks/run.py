"""Measure proxyurls beside others and print one Markdown table.

    python tests/benchmarks/run.py [--only NAME …] [--json FILE]

It takes some ten minutes. It needs the extra ``bench`` (kubernetes, lightkube), kubectl and, for
``cluster``, ``gateway`` and ``transport``, the binaries of an apiserver: KUBEBUILDER_ASSETS
(``setup-envtest use -p path``). ``gateway`` also takes root, nginx, wrk and curl; ``transport``
root and nginx.
A missed figure is no failure; the exit code is 1 if a benchmark could not run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import (  # noqa: E402  (the path first)
    bench_cluster,
    bench_core,
    bench_gateway,
    bench_start,
    bench_transport,
)
from benchmarks.processes import Failed, install  # noqa: E402
from benchmarks.table import machine, render  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.timing import Row


class Bench:
    """The benchmarks by name; what several of them need is made once, when it's needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Callable[[], Iterable[Row]]] = {
            "start": lambda: bench_start.url(folder, self.binaries),
            "build": bench_core.build,
            "parse": bench_core.parse,
            "cluster": lambda: bench_cluster.cluster(folder, self.binaries),
            "gateway": lambda: bench_gateway.gateway(folder, self.binaries),
            "transport": lambda: bench_transport.transport(folder),
        }

    @cached_property
    def binaries(self) -> Path:
        """A plain installation's bin."""
        print("installing the project and its rivals …", file=sys.stderr)
        return install(self.folder / "venv")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks."""
    names = ["start", "build", "parse", "cluster", "gateway", "transport"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAME", choices=names, action="append")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every single run there")
    args = parser.parse_args(argv)
    where, rows, failed = machine(), [], False
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        bench = Bench(Path(folder))
        for name in args.only or names:
            print(f"{name} …", file=sys.stderr)
            try:
                for row in bench.known[name]():
                    rows.append(row)
                    print(f"  {row.work}, {row.against}: {row.ratio:.3g}", file=sys.stderr)
            except Failed as failure:
                failed = True
                print(f"{name} could not run: {failure}", file=sys.stderr)
            except Exception:  # noqa: BLE001  (the other benchmarks go on)
                failed = True
                print(f"{name} could not run:\n{traceback.format_exc()}", file=sys.stderr)
    print(f"{render(rows)}\n\n{where}.")
    if args.json:
        content = {"machine": where, "rows": [row.as_dict() for row in rows]}
        args.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
