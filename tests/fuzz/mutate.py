"""Other inputs out of known ones: byte by byte, token by token, and JSON value by value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

LARGEST = 4096
# Each has meant something else than it looks like to some program or other.
COMMON = [
    *(b"\0", b"\n", b"\r\n", b"\t", b" ", b"\x1b[2J", b"\x7f", b"\xff", b"\xc0\xae", b"%", b"%00"),
    *("é".encode(), "²".encode(), "١".encode(), b"K", "İ".encode(), "\u202e".encode()),
    *("\u2028".encode(), "\ufeff".encode(), "😀".encode(), b"\xed\xa0\x80", b"\xed\xb0\x80"),
    *(b"0", b"-1", b"65536", b"9" * 25, b"9" * 4301, b"1e400", b"NaN", b"true", b"null", b"~"),
    *(b"'", b'"', b"<", b">", b"&", b"\\", b"{}", b"[]", b"..", b"//", b"http://", b"@", b"#"),
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 80, 443, 65536, 2**63, 10**400, 1.5, 80.0, float("nan")),
    *(float("inf"), "", "x", "443", "https", "TCP", "\0", "\n", "\ud800", "a" * 300, "²", "١"),
    *("<b>", "\u202e", "\x1b[2J", "2001-01-01", [], [None], [[]], ["x"], {}, {"": None}, {"x": {}}),
]


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Another input like a known one.

    Args:
        data: the known one.
        others: tokens, and other inputs to take parts of.
        chance: decides; the same for the same.
    """
    value = _parsed(data)
    if isinstance(value, (dict, list)) and chance.random() < 0.8:
        for _ in range(chance.choice([1, 1, 1, 2, 4])):
            value = _changed(value, chance)
        return json.dumps(value).encode()[: 4 * LARGEST]
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        data = _once(data, others, chance)
    return data[: 2 * LARGEST]


def _once(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """One change of some bytes."""
    start = chance.randint(0, len(data))
    end = min(len(data), start + chance.choice([0, 0, 1, 2, 5, 20, len(data)]))
    token = chance.choice([*others, *COMMON])
    way = chance.randrange(7)
    if way == 0:  # leave out
        return data[:start] + data[end:]
    if way == 1:  # any byte
        return data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
    if way == 2:  # twice
        return data[:end] + data[start:end] + data[end:]
    if way == 3:  # many times
        return data[:start] + token[:64] * chance.choice([3, 17, 64, 200]) + data[start:]
    if way == 4:  # swap
        return data[end:] + data[start:end] + data[:start]
    return data[:start] + token + data[start if way == 5 else end :]


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _changed(value: Any, chance: random.Random) -> Any:
    """A JSON value with one place in it changed."""
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        keys = list(range(len(value)))
    if not keys or chance.random() < 0.15:
        return _other(value, chance)
    key = chance.choice(keys)
    made = value.copy()
    if chance.random() < 0.06:
        del made[key]
    else:
        made[key] = _changed(value[key], chance)
    return made


def _other(value: Any, chance: random.Random) -> Any:
    """A value to stand in another's place."""
    way = chance.randrange(8)
    if way == 0:
        return [value]
    if way == 1:
        return {chance.choice(["x", "name", "<<", "", "0"]): value}
    if way == 2 and isinstance(value, list):
        return value * 2
    if way == 3 and isinstance(value, str):
        at = chance.randint(0, len(value))
        odd = chance.choice([one for one in ODD if isinstance(one, str)])
        return value[:at] + odd + value[at:]
    if way == 4:
        for _ in range(chance.choice([5, 50, 200])):
            value = [value] if chance.random() < 0.5 else {"x": value}
        return value
    return chance.choice(ODD)
