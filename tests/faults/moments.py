"""Runs ``proxyurls``, and interrupts it at a moment of its run, as Ctrl-C does.

A moment is an audit event of Python's (PEP 578): an import, a file opened, a connection made. They
are counted from the program's first line on, since Python's own start is not ours.
``python moments.py NUMBER FILE WORDS...``: at which one, and where to write how many there were.
"""

from __future__ import annotations

import atexit
import os
import runpy
import signal
import sys
from pathlib import Path

moment, report = int(sys.argv[1]), Path(sys.argv[2])
seen = -1  # not begun


def count(event: str, arguments: tuple[object, ...]) -> None:
    """One more."""
    global seen  # noqa: PLW0603  (a hook has no other place)
    if seen >= 0:
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGINT)
    elif event == "exec":
        file = getattr(arguments[0], "co_filename", "")
        seen = 0 if file.endswith(os.path.join("proxyurls", "__main__.py")) else -1  # noqa: PTH118


atexit.register(lambda: report.write_text(str(seen)))
sys.argv[:3] = ["proxyurls"]
sys.addaudithook(count)
runpy.run_module("proxyurls", run_name="__main__", alter_sys=True)
