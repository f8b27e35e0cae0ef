"""Fuzz for as long as you like, one target after the other, and say what was run and found.

    python tests/fuzz/run.py [TARGET …] [--seconds 600] [--seed 1] [--found DIR]

With atheris (the extra ``fuzz``; Python 3.11 and later) inputs are chosen by the code that they
reach, else at random like those of the tests. Each finding's input is written to ``DIR/TARGET/``:
mend the cause, then move it to ``tests/fuzz/corpus/TARGET/`` under a name that says what it is.
Exit code 1 where anything was found.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from fuzz.mutate import LARGEST, mutate  # noqa: E402  (the path first)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuzz.registry import FuzzTarget

PLACES = "places.json"  # what a target's own process found, for the one that prints
SLOW = 10  # seconds for one input: that is a finding too


@dataclass
class Findings:
    """What failed, once for each place that it failed at."""

    fuzzed: FuzzTarget
    folder: Path
    places: dict[str, str] = field(default_factory=dict)

    def check(self, data: bytes) -> None:
        """Try an input; keep it if it fails as none did before."""
        try:
            self.fuzzed.check(data)
        except Exception as error:  # noqa: BLE001  (whatever it is, it's a finding)
            frames = traceback.extract_tb(error.__traceback__)
            names = [f"{Path(one.filename).name}:{one.lineno}" for one in frames[-1:]]
            place = f"{type(error).__name__} at {' '.join(names)}"
            if place in self.places:
                return
            name = f"found-{hashlib.sha256(data).hexdigest()[:8]}"
            self.places[place] = f"{place}: {str(error)[:200]!r} ({name})"
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
            (self.folder / PLACES).write_text(json.dumps(list(self.places.values())))


def at_random(findings: Findings, seconds: float, seed: int) -> int:
    """Inputs like those of the corpus and of each other, chosen blindly; gives how many."""
    known = list(findings.fuzzed.corpus().values())
    chance, end, count = random.Random(seed), time.monotonic() + seconds, 0
    for data in known:
        findings.check(data)
    while time.monotonic() < end:
        count += 1
        data = mutate(chance.choice(known), [*findings.fuzzed.tokens, *known[:50]], chance)
        findings.check(data)
        if count % 50 == 0 and len(known) < 2000:
            known.append(data)
    return count + len(known)


def by_coverage(findings: Findings, atheris: Any, options: Sequence[str]) -> None:
    """Inputs that reach new code are kept and changed further. Ends the process."""
    known = [*findings.fuzzed.tokens, *findings.fuzzed.corpus().values()]

    def changed(data: bytes, largest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.4:
            return bytes(atheris.Mutate(data, largest))
        return mutate(data, known, chance)[:largest]

    atheris.Setup([sys.argv[0], *options], findings.check, custom_mutator=changed)
    atheris.Fuzz()


def one(name: str, folder: Path, options: Sequence[str]) -> None:
    """Fuzz one target in this process, whose libFuzzer ends it."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["proxyurls"]):
        targets = importlib.import_module("fuzz.targets").TARGETS
    by_coverage(Findings(targets[name], folder), atheris, options)


def fuzz(fuzzed: FuzzTarget, seconds: int, seed: int, found: Path) -> tuple[int, list[str]]:
    """Fuzz one target; gives the executions, and a line for each finding."""
    folder = found / fuzzed.name
    if importlib.util.find_spec("atheris") is None:
        findings = Findings(fuzzed, folder)
        count = at_random(findings, seconds, seed)
        (folder / PLACES).unlink(missing_ok=True)
        return count, list(findings.places.values())
    with tempfile.TemporaryDirectory(prefix="fuzz-") as kept:
        folder.mkdir(parents=True, exist_ok=True)
        options = [
            *(f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={2 * LARGEST}"),
            *(f"-timeout={SLOW}", "-rss_limit_mb=1500", "-print_final_stats=1", "-verbosity=1"),
            *(f"-artifact_prefix={folder}/", kept, str(corpus_of(fuzzed))),
        ]
        command = [sys.executable, __file__, "--one", fuzzed.name, "--found", str(folder), *options]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, errors="replace"
        )
    places = folder / PLACES
    lines: list[str] = json.loads(places.read_text()) if places.exists() else []
    places.unlink(missing_ok=True)
    counted = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    if done.returncode:
        lines.append(f"libFuzzer ended with {done.returncode}:\n{done.stderr[-2000:]}")
    if not any(folder.iterdir()):
        folder.rmdir()
    return int(counted[1]) if counted else 0, lines


def corpus_of(fuzzed: FuzzTarget) -> Path:
    """The folder of a target's corpus."""
    from fuzz.registry import CORPUS

    return CORPUS / fuzzed.name


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz the targets that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="*", help="all, unless some are named")
    parser.add_argument("--seconds", type=int, default=600, help="for each target (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"), metavar="DIR")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args, options = parser.parse_known_args(argv)
    if args.one:
        one(args.one, args.found, [*options, *args.target])
        return 0
    targets: dict[str, FuzzTarget] = importlib.import_module("fuzz.targets").TARGETS
    unknown = {*args.target} - {*targets}
    if unknown or options:
        wrong = ", ".join([*unknown, *options])
        parser.error(f"no such target: {wrong}; type some of {' '.join(targets)}")
    total = failed = 0
    for name in args.target or targets:
        count, lines = fuzz(targets[name], args.seconds, args.seed, args.found)
        print(f"{name:12} {count:12,} executions, {len(lines)} findings", flush=True)
        for line in lines:
            print(f"    {line}", flush=True)
        total, failed = total + count, failed + len(lines)
    print(f"{'all':12} {total:12,} executions, {failed} findings")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
