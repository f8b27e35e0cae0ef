"""Typed access to the mappings of a kubeconfig, with errors that say where.

kubectl decodes YAML through JSON into Go structs, so a number where text is due is an
error and not a conversion (apimachinery, runtime/serializer/json); null is the same as
absent; unknown keys are ignored. Messages never hold a value: it may be a secret.
"""

from __future__ import annotations

from proxyurls.errors import InvalidConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_TYPE_NAMES = {
    bool: "true/false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    bytes: "binary data",
}


def type_name(value: object) -> str:
    """What a YAML value is, in words."""
    return _TYPE_NAMES.get(type(value), "a date")


class Fields:
    """One mapping of a kubeconfig and the place it stands at."""

    __slots__ = ("_mapping", "where")

    def __init__(self, value: object, *, where: str) -> None:
        if value is not None and not isinstance(value, dict):
            raise InvalidConfig(f"{where} must be a mapping (key: value), not {type_name(value)}")
        self._mapping: dict[object, Any] = value or {}
        self.where = where

    def __contains__(self, key: str) -> bool:
        return self._mapping.get(key) is not None

    def raw(self, key: str) -> Any:
        """The value, whatever it is."""
        return self._mapping.get(key)

    def text(self, key: str) -> str:
        """The text, or "" where there is none."""
        value = self._mapping.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(key, "text", value, remedy="; put it in quotes")
        return value

    def flag(self, key: str) -> bool:
        """The boolean, or False where there is none."""
        value = self._mapping.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def base64(self, key: str) -> bytes | None:
        """The decoded bytes, or None where there are none (an empty text counts as none)."""
        text = self.text(key)
        if not text:
            return None
        import base64

        try:
            # A folded YAML text brings blanks along.
            return base64.b64decode("".join(text.split()).encode(), validate=True)
        except ValueError:
            raise InvalidConfig(
                f"{self.where}: {key} is not base64; encode the PEM text with `base64 -w0 FILE`"
            ) from None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._list(key)
        for value in values:
            if not isinstance(value, str):
                raise self._wrong(f"an item of {key}", "text", value, remedy="; put it in quotes")
        return tuple(values)

    def text_lists(self, key: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """A mapping of text to lists of text, in the order of the file."""
        inner = self.child(key)
        names = self._mapping.get(key) or ()
        return tuple((_key(name, inner), inner.texts(name)) for name in names)

    def child(self, key: str) -> Fields:
        """The mapping inside."""
        return Fields(self._mapping.get(key), where=f"{self.where}: {key}")

    def items(self, key: str) -> Iterator[Fields]:
        """The mappings in a list."""
        for number, value in enumerate(self._list(key), start=1):
            yield Fields(value, where=f"{self.where}: item {number} of {key}")

    def named(self, key: str, inner: str) -> Iterator[tuple[str, Fields]]:
        """The pairs of a list `[{name: …, INNER: {…}}, …]` of mappings."""
        for name, value in self.named_raw(key, inner):
            yield name, Fields(value, where=f'{self.where}: {inner} "{name}"')

    def named_raw(self, key: str, inner: str) -> Iterator[tuple[str, Any]]:
        """The same with values of any type.

        Source: clientcmd/api/v1/conversion.go, which refuses a name that comes twice.
        """
        seen: set[str] = set()
        for item in self.items(key):
            name = item.text("name")
            if name in seen:
                raise InvalidConfig(
                    f'{self.where}: duplicate name "{name}" in list {key}; remove or rename one'
                )
            seen.add(name)
            yield name, item.raw(inner)

    def _list(self, key: str) -> list[Any]:
        value = self._mapping.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list", value)
        return value

    def _wrong(self, key: str, wanted: str, value: object, *, remedy: str = "") -> InvalidConfig:
        return InvalidConfig(
            f"{self.where}: {key} must be {wanted}, not {type_name(value)}{remedy}"
        )


def _key(name: Any, fields: Fields) -> str:
    if not isinstance(name, str):
        raise InvalidConfig(f"{fields.where}: a key must be text, not {type_name(name)}")
    return name
