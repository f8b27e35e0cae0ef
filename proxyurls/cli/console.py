"""What goes to people: one line at a time, on stderr."""

from __future__ import annotations

import os
import sys

from proxyurls.errors import brief

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
    print(label, brief(str(message)), file=sys.stderr)


def json_text(value: object) -> str:
    r"""A value as indented JSON, with what no terminal should get escaped.

    JSON itself asks for that below U+0020 alone: not for the C1 controls or bidi marks.

    >>> json_text("ä\u202e")
    '"ä\\u202e"'
    """
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
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


def frames(error: BaseException) -> str:
    """The traceback of an unforeseen error and of what led to it, without any error's text."""
    import traceback

    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = traceback.format_tb(error.__traceback__)
    return f"{frames(earlier) if earlier else ''}{''.join(lines)}{type(error).__name__}\n"


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
