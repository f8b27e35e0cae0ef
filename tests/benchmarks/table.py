"""The figures as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .processes import Failed, kubectl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .timing import Row

HEADERS = (
    "work",
    "against",
    "ours ÷ theirs",
    "middle half",
    "of the minima",
    "wanted",
    "verdict",
    "ours",
    "theirs",
    "runs",
)
PACKAGES = ("proxyurls", "kubernetes", "lightkube", "yarl")
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (0.0, "ns"))


def render(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [HEADERS, ["---"] * len(HEADERS), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row) -> list[str]:
    low, high = row.spread
    alone = not row.theirs
    factor = 1 / row.limit
    limit = f"{row.says} (≤ {row.limit:g})" if not alone and factor > 1.5 else row.says
    return [
        row.work,
        row.against or "—",
        "—" if alone else f"{row.ratio:.2f}",
        f"{low:.1f} to {high:.1f} {row.unit}" if alone else f"{low:.2f} to {high:.2f}",
        "—" if alone else f"{row.ratio_of_minima:.2f}",
        limit,
        "met" if row.met else "**missed**",
        _shown(statistics.median(row.ours), row.unit),
        "—" if alone else _shown(statistics.median(row.theirs), row.unit),
        str(len(row.ours)),
    ]


def _shown(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:.1f} {unit}"
    size, name = next((size, name) for size, name in UNITS if value >= size)
    return f"{value / (size or 1e-9):.3g} {name}"


def machine() -> str:
    """Where the figures come from, and with what."""
    lines = [
        f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()} {platform.release()}",
        f"{platform.python_implementation()} {platform.python_version()}",
    ]
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"no {name}")
    try:
        lines.append(f"kubectl {kubectl()[1]}")
    except Failed as failure:
        lines.append(str(failure))
    load = f"load before: {os.getloadavg()[0]:.1f}"
    return "; ".join([*lines, load])
