"""Every fault of ``table.txt``, caused, and met by every command and library call."""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from proxyurls import paging, status
from proxyurls.cli import completion
from proxyurls.gateway import connect

from .injected import FAULTS, LIMIT, REFUSED
from .reading import BEGIN, END, PAGE, read, rendered
from .subjects import BODY, BROWSERS, COMPLETION, PAGE_SIZE, SUBJECTS, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Lead
    from .reading import Expected
    from .subjects import Outcome
    from .wire import Fault, Wire

PATIENCE = 1.0  # how much longer than its time limit anything may take, on a busy machine
TRAILER = "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n"
ROWS = read()


@pytest.fixture(scope="module", autouse=True)
def longest() -> Iterator[dict[str, float]]:
    """How long each subject outlived its time limit; PROXYURLS_FIGURES=FILE keeps the longest."""
    found: dict[str, float] = {}
    yield found
    path = os.environ.get("PROXYURLS_FIGURES")
    if path and found:
        who = max(found, key=lambda name: found[name])
        with open(path, "a") as file:  # noqa: PTH123
            print(f"longest time past a time limit: {found[who]:.3f} s ({who})", file=file)


def leading(wire: Wire, fault: Fault) -> str:
    """The URL at which the fault happens."""
    if fault is not REFUSED:
        return wire.break_by(fault)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"https://127.0.0.1:{listener.getsockname()[1]}"


def hurry(monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    """Small pages and answers, and time limits as the fault has them."""
    monkeypatch.setattr(paging, "PAGE_SIZE", PAGE_SIZE)
    monkeypatch.setattr(status, "ANSWER_LIMIT", LIMIT)
    monkeypatch.setattr(completion, "_TIME_LIMIT", min(limit, 2.0))
    monkeypatch.setattr(connect, "HANG_SECONDS", limit)
    monkeypatch.setattr(connect, "CONNECT_SECONDS", limit)


@pytest.mark.parametrize("name", FAULTS)
def test_fault(
    name: str,
    wire: Wire,
    lead: Lead,
    longest: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each subject says just what its line says, in time, and leaves nothing half done."""
    fault = FAULTS[name]
    hurry(monkeypatch, fault.limit)
    wrong = []
    for subject in SUBJECTS:
        server = leading(wire, fault)
        outcome = run(subject, lead(server), fault.limit)
        if subject not in BROWSERS:  # an app may take its time: whoever waits decides
            longest[f"{subject}: {name}"] = late = outcome.seconds - fault.limit
            if late > PATIENCE:
                wrong.append(f"{subject} took {outcome.seconds:.1f} s")
        expected = None if subject == COMPLETION else ROWS[name].of(subject)
        wrong += [
            f"{subject}: {problem}: {outcome}"[:1000]
            for problem in problems(subject, outcome, expected, server)
        ]
    assert not wrong, "\n".join(wrong)


def problems(
    subject: str, outcome: Outcome, expected: Expected | None, server: str
) -> Iterator[str]:
    """What is wrong with an outcome."""
    if "Traceback" in outcome.err or "internal error" in outcome.err:
        yield "a bug shows"
    if expected is None:
        if outcome.code != "silent":
            yield "completion is not silent"
        return
    said, out = outcome.said, outcome.out
    if outcome.code == "1" and outcome.err.count("\n") != 1:
        yield "stderr is not one line"
    if subject == "fetch --save":
        if outcome.files != (("file",) if outcome.code == "0" else ()):
            yield f"--save left {outcome.files}"
        said = re.sub(r"; [^;]*/file was not written$", "", said)
    if subject == "cluster-info" and outcome.code == "1":
        out = out.removeprefix(TRAILER)
    wanted = expected.result
    if outcome.code in ("0", "1") and not wanted.isdigit():
        wanted = "0" if wanted == "fine" else "1"
    if outcome.code != wanted:
        yield f"{wanted} was expected"
    if not expected.says(said, server):
        yield f"it says {said!r}, and should say {expected.said!r}"
    saved = subject == "fetch --save" and (outcome.code == "0" or expected.out != "answer")
    if not printed(subject, out, "nothing" if saved else expected.out):
        yield f"{expected.out} should stand on stdout, and these are {len(out)} bytes"


def printed(subject: str, out: str, what: str) -> bool:
    """Whether what was printed is nothing, a part, the whole or another answer."""
    if what == "nothing":
        return not out
    if subject in ("fetch", "fetch -d", *BROWSERS) and what != "answer":
        return out == "\0" * BODY if what == "whole" else 0 < len(out) < BODY
    if subject == "fetch --raw" and what != "answer":
        return _is_json(out) == (what == "whole") and bool(out)
    return bool(out)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_the_table_is_whole() -> None:
    """It has just the faults that are caused."""
    assert list(ROWS) == list(FAULTS)


def test_the_page_is_the_table() -> None:
    """docs/faults.md has it, word for word; `python -m faults.reading` in tests/ writes it."""
    assert PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip() == rendered().strip()
