"""What is said to do harm, and the one rule of what may come of it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple


class Payload(NamedTuple):
    """A text and what it would do."""

    name: str
    text: str


PAYLOADS = [
    Payload(*one)
    for one in (
        ("colour", "\x1b[31;1mred"),
        ("clear", "\x1b[2J\x1b[H"),
        ("title", "\x1b]0;owned\x07"),
        ("clipboard", "\x1b]52;c;cm0gLXJmIH4=\x07"),  # OSC 52
        ("hyperlink", "\x1b]8;;https://evil.example\x1b\\web\x1b]8;;\x1b\\"),  # OSC 8
        ("answerback", "\x1bP$q\x1b\\\x05\x1b[6n"),  # asks the terminal to type
        ("8-bit CSI", "\x9b31m"),
        ("8-bit OSC", "\x9d52;c;eA==\x9c"),
        ("next line", "a\x85b"),
        ("backspaces", "evil\b\b\b\bgood"),
        ("delete", "a\x7fb"),
        ("nul", "a\0b"),
        ("line feed", "web\nnote: all is well"),
        ("carriage return", "evil\rgood"),
        ("both", "web\r\nSet-Cookie: a=b"),
        ("tab", "a\tb"),
        ("separators", "a\u2028b\u2029c"),
        ("override", "\u202egpj.exe"),
        ("isolate", "\u2066\u2067abc\u2069"),
        ("marks", "\u200e\u200f\u061cabc"),
        ("zero width", "we\u200bb\u200c\u200d\ufeff\u2060"),
        ("tags", "web\U000e0061\U000e0062"),  # invisible letters
        ("interlinear", "\ufff9a\ufffab\ufffb"),
        ("lone surrogate", "a\ud800b"),
        ("private use", "\ue000\U0010fffd"),
        ("script", '"><script>alert(1)</script>'),
        ("handler", "' onmouseover='alert(1)"),
        ("javascript", "javascript:alert(1)"),
        ("substitution", "$(touch owned)"),
        ("backticks", "`touch owned`"),
        ("semicolon", "web;touch owned"),
        ("pipe", "web|touch owned&"),
        ("quotes", "'\";touch owned;'\""),
        ("option", "--kubeconfig=/dev/zero"),
        ("braces", "{a,touch}~*?[x]"),
        ("format", "%s%n{0}{}"),
        ("climbing", "../../secrets/x"),
        ("encoded", "%2e%2e%2fsecrets%0d%0a"),
        ("megabyte", "a" * 1_000_000),
    )
]
# Each of these is of another kind. All the others come too with PROXYURLS_HOSTILE=1.
_KINDS = (
    *("clipboard", "8-bit CSI", "nul", "both", "override", "zero width", "lone surrogate"),
    *("script", "substitution", "quotes", "megabyte"),
)
CHOSEN = [one for one in PAYLOADS if one.name in _KINDS or os.environ.get("PROXYURLS_HOSTILE")]
IDS = [one.name for one in CHOSEN]
# A name of Kubernetes; whatever else stands where one must is refused.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_MESSAGE = 5_000


def harmless(text: str, *, layout: str = "\n") -> bool:
    """The rule: a terminal gets printable characters and line ends, and nothing else.

    Args:
        text: all that was written.
        layout: what is allowed beside them.
    """
    return all(char.isprintable() or char in layout for char in text)


def check_messages(err: str) -> None:
    """What stands on stderr: our own lines, none of which the cluster could begin or lengthen."""
    assert harmless(err), err
    assert "Traceback" not in err
    assert "internal error" not in err, err
    for line in err.splitlines():
        assert line.startswith(("error: ", "note: ", "warning: ")), line
        assert len(line) < _LONGEST_MESSAGE, len(line)
