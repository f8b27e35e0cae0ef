"""Targets as host names: one DNS label each, in front of ``.localhost``.

::

    NAME--NAMESPACE [--pod] [--SCHEME] [--PORT | --port--PORTNAME]
    NAME--cluster--node     [--SCHEME] [--PORT]

``grafana--monitoring`` is a service without scheme and port, which discovery finds;
``dashboard--kube-system--https--443``, ``web-0--prod--pod--8080`` and
``web--prod--port--admin`` are what they say. Two hyphens separate, three are a dot, and a run
of two or more hyphens inside a name grows by two; names begin and end with a letter or digit
(RFC 1123), so that can be read in one way only. Nothing but letters, digits and hyphens is used,
since some apps refuse a Host with an underscore.

A label has at most 63 characters, and browsers take one that begins with ``xn--`` for punycode.
A target whose label would be such a one gets a name with a hash, known for the run alone. It
holds no two hyphens side by side, so it is never mistaken for one of the above; and since every
label holds a hyphen, single words are free for other uses.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from proxyurls.errors import InvalidTarget
from proxyurls.target import Target

LABEL_LIMIT = 63  # RFC 1035, 2.3.4

_JOINT = "--"
_DOT = "---"
_PUNYCODE = "xn--"
# Nodes have no namespace; this stands in its place.
_NO_NAMESPACE = "cluster"
_KINDS = ("pod", "node")
_SCHEMES = ("http", "https")
_PORT = "port"
_RUN = re.compile("--+")
_SEPARATOR = re.compile("(?<!-)--(?!-)")
_GROWN = re.compile("---+")
_NOT_PLAIN = re.compile("[-.]+")
_HASH_BYTES = 20  # 32 characters of base 32
_HASH_LENGTH = 32


def label(target: Target) -> str | None:
    """The label that says all of a target, or None where none can.

    Args:
        target: any target.

    Returns:
        a label that `parse_label` turns back into the same target; None if it would be longer
        than 63 characters, or begin with ``xn--``.

    >>> label(Target("service", "dashboard", "kube-system", 443, "https"))
    'dashboard--kube-system--https--443'
    """
    text = _spelt(target)
    return None if len(text) > LABEL_LIMIT or text.startswith(_PUNYCODE) else text


@lru_cache(maxsize=1024)  # every request asks for one, and there are few
def parse_label(text: str) -> Target | None:
    """The target that a label says, or None if it says none.

    Args:
        text: a label in lower case.

    Returns:
        the target whose `label` is exactly this text.

    >>> parse_label("web-0--prod--pod--8080")
    Target('pod', 'web-0', 'prod', 8080, None)
    """
    if len(text) > LABEL_LIMIT or text.startswith(_PUNYCODE):
        return None
    name, *others = [_GROWN.sub(_shrunk, part) for part in _SEPARATOR.split(text)]
    if not others:
        return None
    namespace, *others = others
    kind = others.pop(0) if others and others[0] in _KINDS else "service"
    scheme = others.pop(0) if others and others[0] in _SCHEMES else None
    if len(others) == 2 and others[0] == _PORT:
        del others[0]
    port = others.pop(0) if others else None
    if others or (kind == "node" and namespace != _NO_NAMESPACE):
        return None
    try:
        target = Target(kind, name, None if kind == "node" else namespace, port, scheme)
    except InvalidTarget:
        return None
    # One spelling each: what reads the same but is spelt otherwise would be a second origin.
    return target if _spelt(target) == text else None


class Hosts:
    """The labels of one run: those that speak for themselves, and those with a hash."""

    def __init__(self) -> None:
        self._hashed: dict[str, Target] = {}

    def label(self, target: Target) -> str:
        """The label of a target, always the same for the same target.

        Where the target's own label does not fit, one with a hash is made, and known to
        `target` from then on.
        """
        text = label(target)
        if text is None:
            text = _with_hash(target)
            self._hashed[text] = target
        return text

    def target(self, label: str) -> Target | None:
        """The target of a label, in lower case; None if it has none in this run."""
        return parse_label(label) or self._hashed.get(label)


def _spelt(target: Target) -> str:
    parts = [_grown(target.name), _grown(target.namespace or _NO_NAMESPACE)]
    if target.kind != "service":
        parts.append(target.kind)
    if target.scheme:
        parts.append(target.scheme)
    if isinstance(target.port, str):
        parts.append(_PORT)
    if target.port:
        parts.append(str(target.port))
    return _JOINT.join(parts)


def _grown(name: str) -> str:
    return _RUN.sub(lambda run: run[0] + "--", name).replace(".", _DOT)


def _shrunk(run: re.Match[str]) -> str:
    return "." if run[0] == _DOT else run[0][2:]


def _with_hash(target: Target) -> str:
    digest = hashlib.blake2b(target.path().encode(), digest_size=_HASH_BYTES).digest()
    room = LABEL_LIMIT - _HASH_LENGTH - 1
    name = _NOT_PLAIN.sub("-", target.name)[:room].rstrip("-")
    return f"{name}-{base64.b32encode(digest).decode().lower()}"
