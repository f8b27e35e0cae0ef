"""Does each fact have a test that forces it? Take one after the other out of the fake cluster.

Run it by hand: ``python tests/contract/mutations.py [WORD]`` (WORD chooses the facts that hold it).
It works in a copy of the project, and ends with 1 where a fact's own test did not notice.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

FACTS = [Path(__file__).with_name(name) for name in ("facts.txt", "facts_api.txt")]
PROJECT = FACTS[0].parents[2]
TIME_LIMIT = 120


class Fact(NamedTuple):
    """A fact, the test that forces it, and how to take it out of the fake cluster."""

    text: str
    test: str
    file: str
    old: str
    new: str


def facts() -> list[Fact]:
    """All facts."""
    texts = [path.read_text("utf-8").split("\n# ")[1:] for path in FACTS]
    found = []
    for block in itertools.chain(*texts):
        text, places, old, new = block.strip().splitlines()
        test, file = places.split()
        found.append(Fact(text, test, file, old.removeprefix("- "), new.removeprefix("+ ")))
    return found


def passes(project: Path, tests: list[str]) -> bool:
    """Whether tests pass on the fake cluster.

    Raises:
        RuntimeError: there is no such test, or it can't be run.
    """
    named = [f"tests/contract/{test}" for test in tests]
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-k", "fake"]
    try:
        done = subprocess.run(
            [*command, *named],
            cwd=project,  # which comes first on the path of a module that is run
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    word = {0: " passed", 1: " failed"}.get(done.returncode, "\0")
    if word not in done.stdout:
        raise RuntimeError(f"{' '.join(named)}\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def survives(project: Path, fact: Fact) -> bool:
    """Whether a fact's test does not notice that the fact is gone.

    Raises:
        RuntimeError: what is to be changed isn't there once.
    """
    path = project / "proxyurls" / fact.file
    text = path.read_text("utf-8")
    if text.count(fact.old) != 1:
        raise RuntimeError(f"{fact.file} has {text.count(fact.old)} times: {fact.old}")
    path.write_text(text.replace(fact.old, fact.new), "utf-8")
    try:
        return passes(project, [fact.test])
    finally:
        path.write_text(text, "utf-8")


def main(word: str) -> int:
    """Try the facts that hold a word."""
    chosen = [fact for fact in facts() if word in fact.text]
    with tempfile.TemporaryDirectory(prefix="proxyurls-mutations-") as named:
        project = Path(named) / "project"
        skipped = shutil.ignore_patterns(".*", "__pycache__")
        for folder in ("proxyurls", "tests"):
            shutil.copytree(PROJECT / folder, project / folder, ignore=skipped)
        shutil.copy(PROJECT / "pyproject.toml", project)
        if not passes(project, sorted({fact.test for fact in chosen})):
            raise RuntimeError("the tests fail before anything is changed")
        survivors = 0
        for number, fact in enumerate(chosen, 1):
            survived = survives(project, fact)
            survivors += survived
            print(f"{number:3} {'SURVIVED' if survived else 'killed'}  {fact.text}", flush=True)
    print(f"{len(chosen)} facts, {len({fact.test for fact in chosen})} tests, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
