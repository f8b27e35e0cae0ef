"""What a fake cluster was asked, and assertions about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from proxyurls.testing.matching import Match
from proxyurls.testing.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Unpack

    from proxyurls.testing.matching import Where

KEPT = 1000  # requests; a demo's cluster runs for days
_SHOWN = 40


class Requests(Sequence[Recorded]):
    """Requests in the order in which they came. A fake cluster keeps its latest 1,000."""

    def __init__(self, found: Iterable[Recorded] = ()) -> None:
        self._found = deque(found, KEPT)

    def add(self, one: Recorded) -> None:
        """Keep one more."""
        self._found.append(one)

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | Sequence[Recorded]:
        return list(self._found.copy())[index]

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Requests: {list(self._found.copy())}>"

    def clear(self) -> None:
        """Forget what came so far."""
        self._found.clear()

    def filter(self, **where: Unpack[Where]) -> Requests:
        """Those that came so far for which all of this holds.

        Args:
            **where: as `Match` has it.

        Raises:
            ValueError: no request could ever be meant.
        """
        return Requests(filter(Match(**where), self._found.copy()))

    def one(self, **where: Unpack[Where]) -> Recorded:
        """The one request for which all of this holds.

        Args:
            **where: as `Match` has it.

        Raises:
            AssertionError: there is none, or more than one; it lists what came.
            ValueError: no request could ever be meant.
        """
        found = self._expect(1, Match(**where))
        return found[0]

    def none(self, **where: Unpack[Where]) -> None:
        """See to it that there is no request for which all of this holds.

        Args:
            **where: as `Match` has it.

        Raises:
            AssertionError: there is; it lists what came.
            ValueError: no request could ever be meant.
        """
        self._expect(0, Match(**where))

    def _expect(self, count: int, match: Match) -> list[Recorded]:
        came = list(self._found.copy())
        found = [one for one in came if match(one)]
        if len(found) == count:
            return found
        wanted = f" with {match}" if str(match) else ""
        head = f"expected {count or 'no'} request{wanted}; {len(found)} of {len(came)} are such"
        marks = {id(one) for one in found}
        lines = [f"{'*' if id(one) in marks else ' '} {one!r}" for one in came[-_SHOWN:]]
        left = [f"  … {len(came) - _SHOWN} before"] if len(came) > _SHOWN else []
        raise AssertionError("\n".join([head, *left, *lines]))
