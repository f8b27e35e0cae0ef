"""Frozen records: what dataclasses would do, without what they cost."""

from __future__ import annotations

import pickle

import pytest

from proxyurls.record import Record, field


class Point(Record):
    """A record with a default, a secret and a field that is not compared."""

    x: int
    y: int = 2
    secret: str = field(default="", repr=False)
    seen: dict[str, int] = field(default={}, compare=False)


class Named(Point):
    """Fields of the base class come first."""

    name: str = "origin"


def test_fields_by_place_and_by_name() -> None:
    assert (Point(1).x, Point(1).y) == (1, 2)
    assert Point(1, 3) == Point(y=3, x=1)
    assert Named(1, name="a").name == "a"
    assert list(Named._fields) == ["x", "y", "secret", "seen", "name"]


@pytest.mark.parametrize(
    ("args", "given", "wrong"),
    [
        ((), {}, "needs x"),
        ((1,), {"x": 1}, "once"),
        ((1,), {"z": 1}, "once"),
        ((1,) * 5, {}, "onc"),
    ],
)
def test_wrong_fields(args: tuple[int, ...], given: dict[str, int], wrong: str) -> None:
    with pytest.raises(TypeError, match=wrong):
        Point(*args, **given)  # type: ignore[arg-type]


def test_frozen() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    assert point.replaced(x=5) == Point(5)
    assert point == Point(1)


def test_equality_and_hash() -> None:
    assert Point(1) != Point(1, 3)
    assert Point(1) == Point(1, seen={"a": 1})
    assert Point(1, secret="a") != Point(1, secret="b")
    assert Point(1) != Named(1)
    assert len({Point(1), Point(1, seen={"b": 2}), Named(1)}) == 2


def test_secrets_are_not_shown() -> None:
    assert repr(Point(1, secret="s3cret")) == "Point(x=1, y=2, seen={})"


def test_pickle() -> None:
    named = Named(1, secret="s", name="n")
    assert pickle.loads(pickle.dumps(named)) == named


def test_a_mutable_default_is_not_shared() -> None:
    Point(1).seen["a"] = 1
    assert Point(1).seen == {}
