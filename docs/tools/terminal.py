# ruff: noqa: INP001, S603, S607  (no package: a program; what it runs stands below)
"""Draws docs/terminal.svg: what a terminal shows of some commands, run on the demo's cluster.

    python docs/tools/terminal.py [FILE]

The commands run at a pseudo-terminal, so colours are what people see. Of their output nothing is
changed but the port and the folder of the fake apiserver, which are others each time.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from html import escape
from pathlib import Path
from typing import NamedTuple

from proxyurls.demo.cluster import running

COMMANDS = (
    "proxyurls services -n shop",
    "proxyurls fetch elasticsearch-logging.kube-system '_cat/indices?v'",
    "proxyurls url https:dashboard -n shop",
    "proxyurls doctor https:dashboard.shop:8080",
)
_COLUMNS = 112
_EACH_TIME = ((r"(?<=127\.0\.0\.1:)\d+", "43163"), (r"/\S*/proxyurls-fake-\w+/", "/tmp/demo/"))  # noqa: S108
_WIDTH, _HEIGHT = 8.4, 19  # of a character, of a line
_LEFT, _TOP = 20, 62  # where the first one stands
_COLOURS = {"31": "#ff7b72", "33": "#e3b341", "36": "#76e3ea", "32": "#7ee787"}
_PLAIN, _PROMPT, _TYPED = "#c9d1d9", "#7ee787", "#ffffff"
_SGR = re.compile(r"\x1b\[([\d;]*)m")


class Run(NamedTuple):
    """Some characters of one colour."""

    text: str
    colour: str
    bold: bool


def at_a_terminal(command: str, environ: dict[str, str]) -> str:
    """What a command shows at a terminal, escape sequences included."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, _COLUMNS, 0, 0))
    with subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=environ
    ):
        os.close(its)
        shown = b""
        while more := _read(ours):
            shown += more
    os.close(ours)
    # Progress is written over: what stands before an erased line is gone.
    return re.sub(r"^.*\r\x1b\[K", "", shown.decode().replace("\r\n", "\n"), flags=re.MULTILINE)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # on Linux, the end: nobody has the other side open
        return b""


def lines(shown: str) -> list[list[Run]]:
    """The output as a terminal breaks it into lines, in runs of one colour."""
    rows: list[list[Run]] = []
    for line in shown.rstrip("\n").split("\n"):
        runs: list[Run] = []
        colour, bold, room = _PLAIN, False, _COLUMNS
        for number, part in enumerate(_SGR.split(line)):
            if number % 2:
                codes = part.split(";")
                bold = "1" in codes
                colour = next((_COLOURS[code] for code in codes if code in _COLOURS), _PLAIN)
                continue
            rest = part
            while rest:
                if not room:
                    rows.append(runs)
                    runs, room = [], _COLUMNS
                runs.append(Run(rest[:room], colour, bold))
                room, rest = room - len(runs[-1].text), rest[room:]
        rows.append(runs)
    return rows


def svg(rows: list[list[Run]]) -> str:
    """The picture of a window. Each run is as wide as its characters, whatever the font."""
    width = round(_COLUMNS * _WIDTH) + 2 * _LEFT
    height = _TOP + len(rows) * _HEIGHT
    said = "\n".join("".join(run.text for run in row) for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img"',
        f'viewBox="0 0 {width} {height}">',
        f"<title>proxyurls in a terminal</title><desc>{escape(said)}</desc>",
        f'<rect width="{width}" height="{height}" rx="10" fill="#0d1117" stroke="#30363d"/>',
    ]
    for x, colour in ((22, "#ff5f56"), (42, "#ffbd2e"), (62, "#27c93f")):
        parts.append(f'<circle cx="{x}" cy="22" r="6" fill="{colour}"/>')
    parts.append(
        '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" '
        'font-size="14">'
    )
    for number, row in enumerate(rows):
        column = 0
        for text, colour, bold in row:
            weight = ' font-weight="bold"' if bold else ""
            # What two spaces part is two: SVG has them as one, at the start as none.
            for piece in re.finditer(r"\S+(?: \S+)*", text):
                left, y = _LEFT + (column + piece.start()) * _WIDTH, _TOP + number * _HEIGHT
                parts.append(
                    f'<text x="{left:.1f}" y="{y}" fill="{colour}"{weight} '
                    f'textLength="{len(piece[0]) * _WIDTH:.1f}">{escape(piece[0])}</text>'
                )
            column += len(text)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def picture() -> str:
    """Run the commands and draw them."""
    rows: list[list[Run]] = []
    with running(0) as cluster:
        environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "HOME": "/nonexistent",
            "KUBECONFIG": str(cluster.kubeconfig),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }
        for command in COMMANDS:
            rows.append([Run("$ ", _PROMPT, bold=True), Run(command, _TYPED, bold=True)])
            shown = at_a_terminal(command, environ)
            for pattern, text in _EACH_TIME:
                shown = re.sub(pattern, text, shown)
            rows += [*lines(shown), []]
    return svg(rows[:-1])


if __name__ == "__main__":
    file = Path(sys.argv[1] if sys.argv[1:] else Path(__file__).parents[1] / "terminal.svg")
    file.write_text(picture(), "utf-8")
