"""What the core's values share: equality, order, hash, repr and pickling by their fields.

Hand-written because ``dataclasses`` costs more at start-up than all of the core together.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self


class Value:
    """An immutable value. Its fields are read-only properties over underscored slots."""

    __slots__ = ()

    def _fields(self) -> tuple[object, ...]:
        """The positional arguments that build an equal value."""
        return ()

    def _order(self) -> tuple[str, ...]:
        keys: list[str] = []
        for field in self._fields():
            if isinstance(field, Value):
                keys += field._order()  # noqa: SLF001  (its own class)
            else:  # numbers by their size, and what is missing first
                keys.append(
                    ""
                    if field is None
                    else str(field).rjust(5)
                    if isinstance(field, int)
                    else str(field)
                )
        return tuple(keys)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __lt__(self, other: Self) -> bool:
        return self._order() < other._order() if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self._order() <= other._order() if type(other) is type(self) else NotImplemented

    def __gt__(self, other: Self) -> bool:
        return self._order() > other._order() if type(other) is type(self) else NotImplemented

    def __ge__(self, other: Self) -> bool:
        return self._order() >= other._order() if type(other) is type(self) else NotImplemented

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), self._fields())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._fields()))})"
