"""Run command lines one at a time; tell how long each took and the most memory it had.

A process of its own, since Linux counts what a process held before exec (as a fork of a big
parent) to its peak, and so that a network namespace is entered once and not for every run.
Nothing but the standard library. A line of JSON in, ``{"argv": …, "env": …, "stdout": PATH}``,
gives a line out: ``{"seconds": …, "peak": …, "code": …}``, the peak in MiB.
"""

from __future__ import annotations

import json
import os
import sys
import time


def launch(argv: list[str], env: dict[str, str], stdout: str) -> dict[str, float]:
    """Run one command line."""
    output = os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    errors = os.open(stdout + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, errors, 2),
    ]
    started = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    os.close(output)
    os.close(errors)
    kibibytes = usage.ru_maxrss / 1024 if sys.platform == "darwin" else usage.ru_maxrss
    code = os.waitstatus_to_exitcode(status)
    return {"seconds": seconds, "peak": kibibytes / 1024, "code": code}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(launch(**json.loads(line))), flush=True)
