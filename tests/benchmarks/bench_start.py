"""Start-up: the shortest command, whole process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .processes import kubectl, launcher
from .timing import Row, take_turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def url(folder: Path, binaries: Path, rounds: int = 40) -> Iterator[Row]:
    """Print a URL without a kubeconfig."""
    with launcher(folder) as run:
        taken = take_turns(
            {
                "ours": run.turn([binaries / "proxyurls", "url", "web", "--server", "https://h"]),
                "theirs": run.turn([kubectl()[0], "version", "--client"]),
            },
            rounds,
        )
    against = "`kubectl version --client`"
    yield Row("`url web --server …`", against, 0.7, "0.7 x or less", taken["ours"], taken["theirs"])
