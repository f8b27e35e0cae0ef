"""What goes to people: one line at a time, on stderr."""

from __future__ import annotations

import os
import sys

_COLOURS = {"error": "31;1", "warning": "33;1", "note": "36;1"}


def say(kind: str, message: object) -> None:
    """Print ``kind: message`` on stderr, as one line whatever the message holds.

    Args:
        kind: "error", "warning" or "note"; coloured on a terminal.
        message: what to say, an exception for example.
    """
    if sys.stderr is None:  # started with 2>&-; print() would then turn to stdout
        return
    label = f"{kind}:"
    if wants_colour(sys.stderr):
        label = f"\x1b[{_COLOURS[kind]}m{label}\x1b[0m"
    print(label, one_line(str(message)), file=sys.stderr)


def one_line(text: str) -> str:
    r"""The text with line breaks, control characters and half characters escaped.

    >>> one_line("a\nb")
    'a\\nb'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def wants_colour(stream: object) -> bool:
    """Whether colour and progress belong on a stream: a terminal, and no NO_COLOR."""
    isatty = getattr(stream, "isatty", None)
    return bool(
        isatty
        and isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "any") not in ("", "dumb")
    )


def place(error: BaseException) -> str:
    """Where an unforeseen error came from, and how to see more of it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return "somewhere"
    file = os.path.basename(trace.tb_frame.f_code.co_filename)  # noqa: PTH119  (start-up)
    return (
        f"at {file}:{trace.tb_lineno}; please report it, with what "
        "`python -X dev -m proxyurls …` shows"
    )


def drop_stdout() -> None:
    """Point stdout at nothing, so that leaving Python does not try to write the rest again."""
    if sys.stdout is None:
        return
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # no file behind it, or closed
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
