"""Frozen records, declared as dataclasses are and checked by mypy as dataclasses are.

``dataclasses`` itself imports ``inspect`` and compiles each class's methods: 20 ms of the 90 that
``proxyurls cluster-info`` takes in all.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """Only mypy looks at it."""
        return lambda base: base


class _Field:
    """A default, and where the field does not take part."""

    __slots__ = ("compare", "default", "repr")

    def __init__(self, default: Any, *, repr: bool, compare: bool) -> None:  # noqa: A002
        self.default = default
        self.repr = repr
        self.compare = compare


def field(*, default: Any, repr: bool = True, compare: bool = True) -> Any:  # noqa: A002
    """A field with a default that is left out of the repr or of comparison, as secrets are."""
    return _Field(default, repr=repr, compare=compare)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """The base of frozen records: annotations are its fields, in order, base classes' first."""

    _fields: dict[str, _Field | None] = {}  # noqa: RUF012  (one a class, never changed)

    def __init_subclass__(cls) -> None:
        own = {name: cls.__dict__.get(name) for name in cls.__annotations__}
        fields = {
            name: value
            if isinstance(value, _Field)
            else _Field(value, repr=True, compare=True)
            if name in cls.__dict__
            else None
            for name, value in own.items()
        }
        for name, value in own.items():
            if isinstance(value, _Field):
                setattr(cls, name, value.default)
        cls._fields = {**cls._fields, **fields}

    def __init__(self, *args: Any, **given: Any) -> None:
        names = list(self._fields)
        values = dict(zip(names, args, strict=False))
        if len(args) > len(names) or values.keys() & given.keys() or given.keys() - set(names):
            raise TypeError(f"{type(self).__name__} takes each of {', '.join(names)} once")
        values.update(given)
        for name, declared in self._fields.items():
            if name not in values:
                if declared is None:
                    raise TypeError(f"{type(self).__name__} needs {name}")
                default = declared.default
                values[name] = dict(default) if isinstance(default, dict) else default
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; use replaced({name}=…)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def replaced(self, **changes: Any) -> Self:
        """A copy with other values in these fields."""
        return type(self)(**{**self.__dict__, **changes})

    def _compared(self) -> tuple[object, ...]:
        return tuple(
            self.__dict__[name]
            for name, declared in self._fields.items()
            if declared is None or declared.compare
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), *(_hashable(value) for value in self._compared())))

    def __repr__(self) -> str:
        shown = [
            f"{name}={self.__dict__[name]!r}"
            for name, declared in self._fields.items()
            if declared is None or declared.repr
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _hashable(value: object) -> object:
    return tuple(sorted(value)) if isinstance(value, dict) else value
