"""The name segment of a proxy URL: ``NAME``, ``NAME:PORT``, ``SCHEME:NAME:``, ``SCHEME:NAME:PORT``.

Two grammars stand here, side by side:

* `NameSegment.parse` accepts exactly what the apiserver accepts, which is
  ``SplitSchemeNamePort`` in k8s.io/apimachinery, pkg/util/net/port_split.go;
* the ``check_*`` functions accept what can name something that exists, which are the rules
  of k8s.io/apimachinery, pkg/util/validation/validation.go.
"""

from __future__ import annotations

import re
from functools import lru_cache

from proxyurls.errors import InvalidSegment, InvalidTarget, shown
from proxyurls.value import Value

FORMS = "NAME, NAME:PORT, https:NAME: or https:NAME:PORT"
SCHEMES = ("", "http", "https")

# RFC 1123, as IsDNS1123Label and IsDNS1123Subdomain have it.
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*")
# By kind: the pattern and the most characters. "domain" is a part of a DNS domain.
_NAMES = {
    **dict.fromkeys(("service", "namespace", "domain"), (_LABEL, 63)),
    **dict.fromkeys(("pod", "node"), (_SUBDOMAIN, 253)),
}
# A service and its namespace at once: the pair that is looked at most.
is_service = re.compile(f"{_LABEL.pattern}/{_LABEL.pattern}").fullmatch
# RFC 6335, as IsValidPortName has it: a letter somewhere, no hyphen at an end or beside another.
_PORT_NAME = re.compile(r"(?=[^a-z]*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*")
_PORT_NAME_LIMIT = 15
PORT_LIMIT = 65535
_THREE_PARTS = 3


class NameSegment(Value):
    """The part of a proxy URL that names a service, pod or node.

    ``str()`` gives the canonical text: of all the spellings that mean the same, the shortest.

    Args:
        name: the name; any text but "", without a colon.
        port: a port number or name, or "" for none.
        scheme: "http", "https", or "" for the apiserver's default (http; a node's own for nodes).

    Raises:
        InvalidSegment: these three can't stand in one segment.

    >>> NameSegment.parse("https:dashboard:")
    NameSegment('dashboard', '', 'https')
    >>> str(NameSegment.parse(":web:80"))
    'web:80'
    """

    __slots__ = ("_name", "_port", "_scheme")

    def __init__(self, name: str, port: str = "", scheme: str = "") -> None:
        if not name or ":" in name or ":" in port or scheme not in SCHEMES:
            raise InvalidSegment(
                f"no name segment has name {shown(name)}, port {shown(port)} and scheme "
                f"{shown(scheme)}: the name is not empty, no part holds a colon, and the scheme "
                "is http, https or empty"
            )
        self._name = name
        self._port = port
        self._scheme = scheme

    @property
    def name(self) -> str:
        """The name; never empty."""
        return self._name

    @property
    def port(self) -> str:
        """The port's number or name, as text; "" where there is none."""
        return self._port

    @property
    def scheme(self) -> str:
        """The scheme: "http", "https", or "" for none."""
        return self._scheme

    @classmethod
    def parse(cls, text: str) -> NameSegment:
        """Read a name segment exactly as the apiserver does.

        Args:
            text: a decoded segment, so ``https:web:`` and not ``https%3Aweb%3A``.

        Returns:
            its three parts. They need not name anything that can exist: ``My_Service`` parses.

        Raises:
            InvalidSegment: the apiserver answers ``invalid service request`` to it.
        """
        return cls(*split_segment(text))

    def _fields(self) -> tuple[str, str, str]:
        return (self._name, self._port, self._scheme)

    def __str__(self) -> str:
        return join_segment(self._name, self._port, self._scheme)


def split_segment(text: str) -> tuple[str, str, str]:
    """Split a segment into (name, port, scheme), as `NameSegment.parse` does.

    Raises:
        InvalidSegment: as for `NameSegment.parse`.
    """
    parts = text.split(":")
    if len(parts) == 1:
        name, port, scheme = text, "", ""
    elif len(parts) == 2:
        # Two parts are always NAME:PORT, so "https:web" is a service named "https".
        (name, port), scheme = parts, ""
    elif len(parts) == _THREE_PARTS:
        scheme, name, port = parts
    else:
        raise _refusal(text, parts)
    if not name or scheme not in SCHEMES:
        raise _refusal(text, parts)
    return name, port, scheme


def join_segment(name: str, port: object, scheme: str | None) -> str:
    """Format a segment (``JoinSchemeNamePort`` in port_split.go).

    >>> join_segment("web", "", "https")
    'https:web:'
    """
    if scheme:
        return f"{scheme}:{name}:{port}"
    return f"{name}:{port}" if port else name


def _refusal(text: str, parts: list[str]) -> InvalidSegment:
    """Say why the apiserver would refuse this segment, where, and what to type instead."""
    head = f"invalid name segment {shown(text)}"
    if len(parts) > _THREE_PARTS:
        start = len(":".join(parts[:_THREE_PARTS]))
        return InvalidSegment(
            f"{head}: it has {len(parts)} parts and three are the most "
            f"(too much from character {start + 1}, {shown(text[start:])}); type {FORMS}",
            text=text,
            span=(start, len(text)),
        )
    scheme, name, port = parts if len(parts) == _THREE_PARTS else ("", *[*parts, ""][:2])
    if scheme not in SCHEMES:
        lower = scheme.lower()
        known = lower in SCHEMES
        instead = join_segment(name or "NAME", port, lower if known else "")
        rule = "is written in lower case" if known else "can only be http or https"
        return InvalidSegment(
            f"{head}: the scheme {shown(scheme)} (characters 1 to {len(scheme)}) {rule}; "
            f"did you mean {shown(instead)}?",
            text=text,
            span=(0, len(scheme)),
        )
    start = len(scheme) + 1 if len(parts) == _THREE_PARTS else 0
    remedy = f"type {FORMS}"
    if ":" in text and name == "":
        remedy = f"did you mean {shown(join_segment('NAME', port, scheme))}?"
    return InvalidSegment(
        f"{head}: the name is missing (at character {start + 1}); {remedy}",
        text=text,
        span=(start, start),
    )


def check_name(kind: str, name: str) -> None:
    """Refuse a name that no object of this kind can have.

    Args:
        kind: "service", "namespace" or "domain" (RFC 1123 labels), "pod" or "node" (RFC 1123
            subdomains).
        name: the name.

    Raises:
        InvalidTarget: with the rule that it breaks and, if there is one, the likely name.
    """
    pattern, limit = _NAMES[kind]
    if not pattern.fullmatch(name) or len(name) > limit:
        raise _name_refusal(kind, name)


def _name_refusal(kind: str, name: str) -> InvalidTarget:
    pattern, limit = _NAMES[kind]
    label = pattern is _LABEL
    if not name:
        instead = "leave it out for the default" if kind == "namespace" else f"type the {kind}'s"
        return InvalidTarget(f"the {kind} name is empty; {instead}", text=name, span=(0, 0))
    if len(name) > limit:
        return InvalidTarget(
            f"invalid {kind} name {shown(name)}: it has {len(name)} characters "
            f"and {limit} are the most",
            text=name,
            span=(limit, len(name)),
        )
    if kind == "service" and all(map(_LABEL.fullmatch, name.split("."))):
        parts = name.split(".")
        return InvalidTarget(
            f"invalid service name {name!r}: '.' (at character {len(parts[0]) + 1}) can't stand in "
            f"it; did you mean service {parts[0]!r} in namespace {parts[1]!r}?",
            text=name,
            span=(len(parts[0]), len(parts[0]) + 1),
        )
    start, end = _first_wrong(name, "-" if label else "-.")
    allowed = "lower-case letters, digits and '-'" + ("" if label else " and '.'")
    ends = "both ends" if label else "the ends of each part"
    guess = re.sub(r"[^a-z0-9]+" if label else r"[^a-z0-9.]+", "-", name.lower())
    guess = guess.strip("-") if label else ".".join(p.strip("-") for p in guess.split(".") if p)
    close = name.isascii() and pattern.fullmatch(guess)
    remedy = f"did you mean {guess!r}?" if close else f"type the {kind}'s name"
    return InvalidTarget(
        f"invalid {kind} name {shown(name)}: {name[start:end]!r} (at character {start + 1}) "
        f"can't stand there, it takes {allowed}, with a letter or digit at {ends} (RFC 1123); "
        f"{remedy}",
        text=name,
        span=(start, end),
    )


def _first_wrong(name: str, joiners: str) -> tuple[int, int]:
    """Where a name that is no RFC 1123 name goes wrong first."""
    before = ""
    for at, char in enumerate(name):
        letter = char in "abcdefghijklmnopqrstuvwxyz0123456789"
        if not letter and char not in joiners:
            return at, at + 1
        if not letter and (before in ("", ".") or (char == "." and before == "-")):
            return at, at + 1
        before = char
    return len(name) - 1, len(name)


@lru_cache(maxsize=256, typed=True)  # the same few ports, over and over; typed, as True == 1
def check_port(kind: str, port: int | str) -> int | str:
    """Refuse a port that can't work for this kind of target.

    Args:
        kind: "service", "pod" or "node".
        port: a number from 1 to 65535, as int or text; for a service also an IANA service name.

    Returns:
        the number as int, or the port name.

    Raises:
        InvalidTarget: with the rule that it breaks. A named port on a pod is refused because
            the apiserver does not look it up: it dials the name and panics.
    """
    if isinstance(port, int) and not isinstance(port, bool):
        if 1 <= port <= PORT_LIMIT:
            return port
    elif isinstance(port, str):
        if port.isascii() and port.isdigit():
            if len(port) <= len(str(PORT_LIMIT)) and port[0] != "0" and int(port) <= PORT_LIMIT:
                return int(port)
        elif kind == "service" and len(port) <= _PORT_NAME_LIMIT and _PORT_NAME.fullmatch(port):
            return port
    # Not str(): Python refuses to write numbers of thousands of digits.
    text = port if isinstance(port, str) else repr(port) if port in range(-9999, 999999) else "…"
    raise InvalidTarget(_port_refusal(kind, text), text=text, span=(0, len(text)))


def _port_refusal(kind: str, text: str) -> str:
    head = f"invalid {kind} port {shown(text)}"
    if text == "…" or (text.lstrip("-").isdigit() and text.isascii()):
        stripped = text.lstrip("0")
        if text[0] == "0" and stripped and len(stripped) < 6 and int(stripped) <= PORT_LIMIT:
            return f"{head}: a port number has no leading zero; did you mean {stripped!r}?"
        return f"{head}: a port number is from 1 to {PORT_LIMIT}; type the {kind}'s port number"
    if kind != "service":
        return (
            f"{head}: a {kind}'s port is a number, the apiserver looks up no port names for it; "
            f"type the number (kubectl get {kind} NAME -o yaml shows it)"
        )
    rule = (
        f"a port name is at most {_PORT_NAME_LIMIT} lower-case letters, digits and single '-' "
        "between them, with at least one letter (RFC 6335)"
    )
    guess = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(guess) <= _PORT_NAME_LIMIT and _PORT_NAME.fullmatch(guess):
        return f"{head}: {rule}; did you mean {guess!r}?"
    return f"{head}: {rule}; type the port's number, or its name as the service has it"


def check_scheme(scheme: str) -> str:
    """Refuse a scheme that the apiserver does not know, and give back the one that it does.

    Raises:
        InvalidTarget: it is neither "http" nor "https".
    """
    if scheme in ("http", "https"):
        return scheme
    guess = str(scheme).lower()
    remedy = f"did you mean {guess!r}?" if guess in ("http", "https") else "type http or https"
    raise InvalidTarget(
        f"invalid scheme {shown(scheme)}: the apiserver knows http and https, in lower case; "
        f"{remedy}",
        text=str(scheme),
        span=(0, len(str(scheme))),
    )
