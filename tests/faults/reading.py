"""Reads ``table.txt``, and writes what of it stands in docs/faults.md.

``python -m faults.reading`` in the folder of tests writes that page anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

TABLE = Path(__file__).with_name("table.txt")
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- from tests/faults/table.txt -->", "<!-- end -->"
API = (
    *("cluster-info", "services", "services -A", "url --resolve"),
    *("Cluster.services", "Cluster.resolve", "APIClient.get_json"),
)
FETCH = ("fetch", "fetch --save", "fetch -d", "fetch --raw")
GROUPS = {"api": API, "fetch": FETCH}
PLACEHOLDERS = {"{n}": r"\d+", "{s}": r"[\d.]+", "{reason}": r"[^;]+", "{advice}": r"[^;]+"}


@dataclass(frozen=True)
class Expected:
    """What a row says of a subject.

    Attributes:
        result: the exit code, the page's status or the error's class.
        out: what stands on stdout: "nothing", "part", "whole" or "answer".
        said: the error, with placeholders.
    """

    result: str
    out: str
    said: str

    def says(self, text: str, server: str) -> bool:
        """Whether a text is the error."""
        pattern = re.escape(self.said.replace("{server}", server))
        for name, meaning in PLACEHOLDERS.items():
            pattern = pattern.replace(re.escape(name), meaning)
        return re.fullmatch(pattern, text) is not None


@dataclass
class Row:
    """A fault, what it is, and what each subject makes of it."""

    name: str
    what: str
    lines: dict[str, Expected] = field(default_factory=dict)  # as in the file

    def of(self, subject: str) -> Expected:
        """What is expected of a subject: its own line, or that of its group."""
        if subject in self.lines:
            return self.lines[subject]
        group = next(name for name, members in GROUPS.items() if subject in members)
        return self.lines[group]


def read() -> dict[str, Row]:
    """The rows by their faults."""
    rows: dict[str, Row] = {}
    texts: dict[str, str] = {}
    row = Row("", "")
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            key, _, text = line.partition("=")
            texts[key.strip()] = text.strip()
            continue
        if line.startswith("["):
            name, _, what = line[1:].partition("] ")
            row = rows[name] = Row(name, what)
            continue
        subjects, result, out, said = (cell.strip() for cell in line.split("|", 3))
        said = re.sub(r"^@[a-z-]+", lambda key: texts[key[0]], said)
        for subject in subjects.split(", "):
            row.lines[subject] = Expected(result, out, said)
    return rows


def rendered() -> str:
    """The table for people."""
    text = []
    for row in read().values():
        text.append(
            f"**{row.name}**: {row.what}\n\n| who | result | stdout | says |\n|---|---|---|---|"
        )
        merged: dict[Expected, list[str]] = {}
        for subject, expected in row.lines.items():
            merged.setdefault(expected, []).append(_SHOWN.get(subject, f"`{subject}`"))
        for expected, names in merged.items():
            said = f"`{expected.said}`" if expected.said else ""
            text.append(f"| {', '.join(names)} | {expected.result} | {expected.out} | {said} |")
        text.append("")
    return "\n".join(text)


_SHOWN = {
    "api": "commands that ask the API, the library",
    "fetch": "`fetch`",
    "gateway": "browser",
    "gateway look-up": "browser, while the service is looked up",
}


def main() -> None:
    """Put the table into the page."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{rendered()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
