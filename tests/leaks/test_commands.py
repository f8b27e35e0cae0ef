"""Every command and every failure, with secrets of every kind: none of them gets out.

One kind of credential after the other is used, and what is a kubeconfig's fault is for those
commands that read one; ``PROXYURLS_ALL_SECRETS=1`` runs each with each, which takes ten minutes.
"""

from __future__ import annotations

import functools
import http.client
import itertools
import json
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from proxyurls.cli.commands import COMMANDS as KNOWN

from .bench import KINDS
from .failures import COMMANDS, FAILURES, READING, words
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
LINK = re.compile(r"http://[^/ ]+(/[^ ]*[?&]token=([\w-]+))")


def kinds(number: int, failure: Failure) -> list[str]:
    """The credentials to use: all, or the next one."""
    if failure.user:
        return [failure.user]
    fitting = [kind for kind in KINDS if kind != "pod" or failure.cluster == "real"]
    if ALL:
        return fitting
    return [fitting[number % len(fitting)]]


def job(bench: Bench, place: Path, command: str, failure: Failure, kind: str) -> Job:
    """The run of a command that meets a failure."""
    place.mkdir()
    environ = {"PATH": os.environ["PATH"], "BROWSER": str(bench.folder / "browser")}
    line = words(bench, command, failure)
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
        line[1:1] = ["--token", bench.apiserver.admin_token]
    return Job(
        line,
        environ,
        place,
        broken=failure.deep(command),
        how=failure.how,
        secret=bench.apiserver.admin_token,
        account=account,
    )


def pages(line: str, *, slow: bool) -> list[str]:
    """What a gateway answers to the browser that it lets in."""
    found = LINK.search(line)
    assert found, line
    parts = urlsplit(found[0])
    answers = []
    cookie = ""
    asked = [found[1], "/", "/.proxyurls/open/web--hushed", "/api/v1/nope", "/-/html"]
    for path in asked[: 1 if slow else None]:
        connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=20)
        headers = {"Host": parts.netloc, "Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        head = str(answer.headers)
        given = answer.headers.get("Set-Cookie", "")
        cookie = given.partition(";")[0] or cookie
        # A cookie goes to the browser, and a ticket to an app's host: that is what they are for.
        head = re.sub(r"(?m)^(Set-Cookie|Location): .*$", r"\1", head)
        answers.append(head + answer.read().decode(errors="replace"))
        connection.close()
    answers.append(f"the cookie: {cookie.partition('=')[2]}")
    return answers


def check(bench: Bench, outcome: Outcome, failure: Failure, kind: str) -> None:
    """No secret is anywhere."""
    allowed = {}
    if kind.startswith(("exec", "plugin")):
        allowed = {"argv": PLUGIN, "environ": PLUGIN}
    if failure.how == "bug":  # the error is the test's own, and asyncio's debug mode logs errors
        allowed = {**allowed, "error": frozenset(("token",)), "log": frozenset(("token",))}
    assert outcome.leaks(bench.search, allowed) == {}
    cookie = outcome.pages.pop().removeprefix("the cookie: ") if outcome.pages else ""
    if cookie:
        found = LINK.search(outcome.out)
        assert found
        search = Search({"run token": found[2], "cookie": cookie})
        leaks = outcome.leaks(search)
        # The address is for the person at the terminal and for the browser.
        assert leaks.pop("stdout") == {"run token"}
        assert leaks.pop("argv", {"run token"}) == {"run token"}
        assert leaks == {}
    for one in outcome.files:
        assert one["mode"] & 0o077 == 0 or not bench.search.names(one["text"])


def test_every_command_is_run() -> None:
    assert set(KNOWN) <= set(COMMANDS)


@pytest.mark.parametrize("name", FAILURES)
def test_no_secret_gets_out(bench: Bench, tmp_path: Path, name: str) -> None:
    failure = FAILURES[name]
    numbers = itertools.count(list(FAILURES).index(name))
    for command in KNOWN:
        if command not in READING and failure.elsewhere and not ALL:
            continue  # it reads no kubeconfig, and asks nobody
        for kind in kinds(next(numbers), failure):
            one = job(bench, tmp_path / f"{command}-{kind}", command, failure, kind)
            serving = None
            if command in ("open", "serve"):
                serving = functools.partial(pages, slow=failure.slow)
            outcome = run(one, serving=serving)
            assert outcome.code in (0, 1, 2, 130), outcome.err
            assert "Traceback" not in outcome.err
            check(bench, outcome, failure, kind)
            if command in failure.of:
                met = failure.says in outcome.err
                # It has words of its own for a cause, on stdout.
                assert met or (command == "doctor" and outcome.code == 1), (command, outcome.err)
    assert not bench.elsewhere.requests
    arrived = repr([(one.target, one.headers) for one in bench.app.requests])
    assert bench.search.names(arrived) <= {"cookie of ours", "api-key of ours"}  # as was typed
