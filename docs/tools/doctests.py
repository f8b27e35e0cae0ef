# ruff: noqa: INP001  (no package: griffe loads it by its path)
"""What griffe asks of us: the examples in docstrings are code, also without a heading of their own.

To Markdown, ``[('a', 'b')]`` behind a prompt would be a link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from griffe import Extension

if TYPE_CHECKING:
    from griffe import Object

_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Doctests(Extension):
    """Fences each example of each docstring."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
