"""Label and field selectors.

Source: k8s.io/apimachinery, pkg/labels/selector.go and pkg/fields/selector.go.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

from proxyurls.testing.refusal import Object, bad_request

Test = Callable[[Object], bool]

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?{_NAME}"
_VALUE = re.compile(rf"(?:{_NAME})?")
_COMMA = re.compile(r",(?![^(]*\))")
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<none>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<sign>==?|!=|[<>])\s*(?P<value>[^\s()!=<>,]*)"
    rf"|\s(?P<word>in|notin)\s*\((?P<values>[^()]*)\))?)\s*"
)
_FIELDS = {"metadata.name": "name", "metadata.namespace": "namespace"}


def tests(query: Mapping[str, str]) -> list[Test]:
    """The tests that the selectors in a query put an object to.

    Raises:
        Refusal: one makes no sense.
    """
    found = labels(query.get("labelSelector", "")), fields(query.get("fieldSelector", ""))
    return [test for test in found if test is not None]


def labels(text: str) -> Test | None:
    """What a label selector chooses; None for an empty one, which chooses all.

    Raises:
        Refusal: it makes no sense.
    """
    if not text.strip():
        return None
    requirements = [_requirement(part, text) for part in _COMMA.split(text)]

    def chosen(item: Object) -> bool:
        found = item["metadata"].get("labels") or {}
        return all(requirement(found) for requirement in requirements)

    return chosen


def _requirement(part: str, text: str) -> Callable[[dict[str, str]], bool]:
    match = _REQUIREMENT.fullmatch(part)
    if match is None:
        raise bad_request(f"unable to parse requirement: {text!r} is no label selector")
    if match["absent"]:
        absent = match["none"]
        return lambda found: absent not in found
    key, sign, word = match["key"], match["sign"], match["word"]
    if not sign and not word:
        return lambda found: key in found
    values = [value.strip() for value in match["values"].split(",")] if word else [match["value"]]
    for value in values:
        if not _VALUE.fullmatch(value):
            raise bad_request(f"unable to parse requirement: invalid label value: {value!r}")
    if sign in ("<", ">"):
        if not values[0].isdecimal():
            raise bad_request("for 'Gt', 'Lt' operators, the value must be an integer")
        compare, limit = operator.gt if sign == ">" else operator.lt, int(values[0])
        return lambda found: found.get(key, "").isdecimal() and compare(int(found[key]), limit)
    if sign == "!=" or word == "notin":
        return lambda found: found.get(key) not in values
    return lambda found: found.get(key) in values


def fields(text: str) -> Test | None:
    """What a field selector chooses: by name and namespace. None for an empty one.

    Raises:
        Refusal: it makes no sense, or names another field.
    """
    if not text:
        return None
    wanted: list[tuple[str, str, bool]] = []
    for part in text.split(","):
        field, sign, value = re.split(r"(!=|==?)", part, maxsplit=1) if "=" in part else (part,) * 3
        if field not in _FIELDS:
            raise bad_request(f"field label not supported: {field}")
        wanted.append((_FIELDS[field], value, sign != "!="))
    return lambda item: all(
        (item["metadata"].get(name, "") == value) is equal for name, value, equal in wanted
    )
