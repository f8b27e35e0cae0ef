"""Every command and every failure, with secrets of every kind: none of them gets out.

One kind of credential after the other is used, and what is a kubeconfig's fault is for those
commands that read one; ``PROXYURLS_ALL_SECRETS=1`` runs each with each, which takes ten minutes.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from proxyurls.cli.commands import COMMANDS as KNOWN

from .bench import KINDS
from .browser import LINK, visit
from .failures import COMMANDS, FAILURES, LINES, READING, words
from .marks import Search
from .recorder import Job
from .runs import run

if TYPE_CHECKING:
    from pathlib import Path

    from .bench import Bench
    from .failures import Failure
    from .runs import Outcome

# What must be where, since it is what was asked for.
PLUGIN = frozenset(("exec-arg of ours", "exec-env of ours", "proxy-password"))
ALL = bool(os.environ.get("PROXYURLS_ALL_SECRETS"))


def kinds(number: int, failure: Failure) -> list[str]:
    """The credentials to use: all, or the next one."""
    if failure.user:
        return [failure.user]
    fitting = [kind for kind in KINDS if kind != "pod" or failure.cluster == "real"]
    if ALL:
        return fitting
    return [fitting[number % len(fitting)]]


def job(bench: Bench, place: Path, line: list[str], failure: Failure, kind: str) -> Job:
    """The run of a command line that meets a failure."""
    place.mkdir()
    environ = {"PATH": os.environ["PATH"], "BROWSER": str(bench.folder / "browser")}
    account = ""
    if kind == "pod":
        parts = urlsplit(bench.apiserver.server)
        account = str(bench.account)
        environ["KUBERNETES_SERVICE_HOST"] = str(parts.hostname)
        environ["KUBERNETES_SERVICE_PORT"] = str(parts.port)
    else:
        content = bench.kubeconfig(failure.cluster, kind)
        spoil = failure.spoil
        text = json.dumps(content) if spoil is None else spoil(content)
        file = place / "kubeconfig"
        file.write_bytes(text.encode(errors="surrogateescape"))
        environ["KUBECONFIG"] = str(file)
    if kind == "flag":
        line = [line[0], "--token", bench.apiserver.admin_token, *line[1:]]
    return Job(
        line,
        environ,
        place,
        broken=failure.deep(line[0]),
        how=failure.how,
        secret=bench.apiserver.admin_token,
        account=account,
    )


def arrived(bench: Bench) -> str:
    """The requests as the app saw them."""
    return repr([(one.target, one.headers) for one in bench.app.requests])


def check(bench: Bench, outcome: Outcome, failure: Failure, kind: str) -> None:
    """No secret is anywhere."""
    allowed = {}
    if kind.startswith(("exec", "plugin")):
        allowed = {"argv": PLUGIN, "environ": PLUGIN}
    if failure.how == "bug":  # the error is the test's own, and asyncio's debug mode logs errors
        allowed = {**allowed, "error": frozenset(("token",)), "log": frozenset(("token",))}
    assert outcome.leaks(bench.search, allowed) == {}
    if outcome.visit.secrets:
        search = Search(outcome.visit.secrets)
        leaks = outcome.leaks(search)
        # The address is for the person at the terminal and for the browser.
        told = {"ticket 0"} if LINK.search(outcome.out) else set()  # not with --no-token
        assert leaks.pop("stdout", set()) == told
        assert leaks.pop("argv", {"ticket 0"}) == {"ticket 0"}
        assert leaks == {}
        assert search.names(arrived(bench)) == set()
    for one in outcome.files:
        assert one["mode"] & 0o077 == 0 or not bench.search.names(one["text"])


def test_every_command_is_run() -> None:
    assert set(KNOWN) <= set(COMMANDS)


def once(bench: Bench, place: Path, line: list[str], failure: Failure, kind: str) -> Outcome:
    """Run a command line, and find no secret."""
    serving = None
    if line[0] in ("open", "serve") or line == ["demo"]:
        serving = functools.partial(visit, slow=failure.slow)
    outcome = run(job(bench, place, line, failure, kind), serving=serving)
    assert outcome.code in (0, 1, 2, 130), outcome.err
    assert "Traceback" not in outcome.err
    check(bench, outcome, failure, kind)
    return outcome


@pytest.mark.parametrize("name", FAILURES)
def test_no_secret_gets_out(bench: Bench, tmp_path: Path, name: str) -> None:
    failure = FAILURES[name]
    numbers = itertools.count(list(FAILURES).index(name))
    for command in KNOWN:
        if command not in READING and failure.elsewhere and not ALL:
            continue  # it reads no kubeconfig, and asks nobody
        line = words(bench, command, failure)
        for kind in kinds(next(numbers), failure):
            outcome = once(bench, tmp_path / f"{command}-{kind}", line, failure, kind)
            if command in failure.of:
                # doctor has words of its own for a cause; no real apiserver knows passwords.
                met = failure.says in outcome.err or (command == "doctor" and outcome.code == 1)
                nobody = kind == "basic" and re.search(r"answered 40[13] ", outcome.err)
                assert met or nobody, (command, outcome.err)
    assert not bench.elsewhere.requests
    typed = {"cookie of ours", "api-key of ours"}
    assert bench.search.names(arrived(bench)) <= typed


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_other_lines(bench: Bench, tmp_path: Path, line: list[str]) -> None:
    """With every kind of credential, on the real apiserver; and with one on a broken one."""
    success, broken = FAILURES["success"], FAILURES["status 500"]
    cases = [(success, kind) for kind in (KINDS if ALL or line[0] == "url" else KINDS[::3])]
    for failure, kind in [*cases, (broken, "token")]:
        once(bench, tmp_path / f"{failure.cluster}-{kind}", line, failure, kind)
