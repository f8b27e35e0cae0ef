"""Go's regular expressions, in Python's: what both know means the same, and the rest is refused.

Source: the syntax of Go's regexp/syntax package (RE2), https://pkg.go.dev/regexp/syntax.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\[:\^?\w*:\]|\\.|[^\]\\])*\])"
    r"|(?P<group>\(\?(?:P?<(?=\w)|[is]+(?:-[is]+)?[:)]|-[is]+[:)]|:))"
    # Look-around and the like; what repeats without going back (Python 3.11's "a++").
    r"|(?P<foreign>\(\?|(?:[*+?]|\{\d+(?:,\d*)?\})\+)"
    r"|(?P<end>\$)"
    r"|(?P<brace>\{,)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ESCAPES = re.compile(r"\\(?:[AbBdDsSwWafnrtv]|x(?![{])|[^A-Za-z0-9])", re.DOTALL)
_IN_SET = re.compile(r"\[:(?P<name>\w*):\]|(?P<escape>\\.)|(?P<special>[\[&|~])", re.DOTALL)
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression of Go's, to be searched for.

    "$" is the end of the text, where Python's may stand before a newline, too.

    Raises:
        ValueError: it is none, or uses what Python doesn't know, such as ``(?U)``.
    """
    try:
        return re.compile(_TOKEN.sub(_translated, pattern), re.ASCII)
    except re.error as error:
        raise ValueError(str(error)) from None


def _translated(token: re.Match[str]) -> str:
    kind, text = token.lastgroup, token[0]
    if kind == "quoted":
        return re.escape(token["quoted"])
    if kind == "end":
        return r"\Z"
    if kind == "brace":  # no repetition in Go
        return r"\{,"
    if kind == "group":
        return text.replace("(?<", "(?P<")
    if kind == "set":
        return text[0] + _IN_SET.sub(_translated_in_set, text[1:])
    if kind == "escape":
        return _escape(text)
    if kind == "foreign":
        raise ValueError(f"{text!r} at character {token.start() + 1} is not supported")
    return text


def _translated_in_set(token: re.Match[str]) -> str:
    if token["escape"]:
        return _escape(token[0])
    if token["special"]:  # Python would warn of what it may mean one day
        return "\\" + token[0]
    if token["name"] not in _CLASSES:
        raise ValueError(f"there is no class {token[0]!r}")
    return _CLASSES[token["name"]]


def _escape(text: str) -> str:
    if text == r"\z":
        return r"\Z"
    if not _ESCAPES.match(text):
        raise ValueError(f"{text!r} is not supported")
    return text
