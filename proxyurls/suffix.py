"""The suffix of a proxy URL: what is typed behind the target, and what becomes of it on the way.

A suffix is already-typed URL text: ``%41`` stays, a space becomes ``%20``, nothing is encoded
twice. It never leaves its target: an embedding tool may append its user's input.

The facts about the apiserver are tests in tests/contract/; its code is
``JoinPreservingTrailingSlash`` in k8s.io/apimachinery, pkg/util/net/http.go, and
pkg/util/proxy/upgradeaware.go beside it.
"""

from __future__ import annotations

import re

from proxyurls.errors import InvalidSuffix, shown
from proxyurls.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    # A value is text, a number, or a list or tuple of them. (A closer type would make mypy
    # refuse literals such as {"q": "a", "page": 2}.)
    Query = Mapping[str, object] | Iterable[tuple[str, object]]

# RFC 3986: pchar without percent-encoding; a query and a fragment may also hold "/" and "?".
# Square brackets in a query are left alone, as browsers do: many apps read them.
_PCHAR = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
# What needs no encoding, and with no dot segment in its path can't leave its target.
_is_common = re.compile(rf"(?!\.)[{_PCHAR}/]*(?:\?[{_PCHAR}/?%\[\]]*)?").fullmatch
_PATH_UNSAFE = re.compile(rf"[^{_PCHAR}/%]+|%(?![0-9A-Fa-f]{{2}})")
_QUERY_UNSAFE = re.compile(rf"[^{_PCHAR}/?%\[\]]+")
_FRAGMENT_UNSAFE = re.compile(rf"[^{_PCHAR}/?%]+")
_PARTS = re.compile(r"([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# The apiserver puts the path into a header, X-Forwarded-Uri: a tab may stand there, these not.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Without one of these nothing can become a dot segment, a separator or a control character: a dot
# at the start of a segment (or behind a space, which clients may drop), or an escape of "%", ".",
# "/", a backslash or a control character.
_SUSPECT = re.compile(r"(?:^|/|%20)\.|%(?:[01]|2[5EFef]|5[Cc]|7[Ff])")
# Browsers drop tab, newline and white space at the ends.
_DROPPED = re.compile(r"[\x00-\x20\x7f]")
_DECODINGS = 10
_COLLAPSES = re.compile(r"/(?:/|\.{1,2}(?:/|$))")
_DOT = re.compile("%2e", re.IGNORECASE)
_SLASH = re.compile("%2f", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Alteration(Value):
    """One thing that the apiserver changes in a suffix before the app sees it.

    Its kind is "encoded-slash", "empty-segment", "dot-segment", "empty-query", "fragment" or
    "websocket-query".
    """

    __slots__ = ("_after", "_before", "_kind", "_reason", "_remedy")

    def __init__(self, kind: str, before: str, after: str, reason: str, remedy: str) -> None:
        self._kind = kind
        self._before = before
        self._after = after
        self._reason = reason
        self._remedy = remedy

    @property
    def kind(self) -> str:
        """Which of the kinds above."""
        return self._kind

    @property
    def before(self) -> str:
        """The part as it is sent."""
        return self._before

    @property
    def after(self) -> str:
        """What the app gets in its place."""
        return self._after

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        return self._reason

    @property
    def remedy(self) -> str:
        """What to do about it, in one sentence."""
        return self._remedy

    def _fields(self) -> tuple[str, str, str, str, str]:
        return (self._kind, self._before, self._after, self._reason, self._remedy)


def clean(suffix: str) -> str:
    """Bring a suffix to its canonical text.

    Args:
        suffix: path, query and fragment as one would type them behind a host name; the
            leading slash may be missing.

    Returns:
        "" for the target's root, else text that starts with "/" and is safe in a URL.

    Raises:
        InvalidSuffix: it would leave the target, holds a control character, or is no valid Unicode.

    >>> clean("d/café?q=a b")
    '/d/caf%C3%A9?q=a%20b'
    """
    if _is_common(suffix) and "/." not in suffix:
        if suffix[:1] != "/":
            return f"/{suffix}" if suffix else ""
        return suffix if suffix != "/" else ""
    lone = _SURROGATE.search(suffix)
    if lone:
        raise InvalidSuffix(
            f"invalid suffix {shown(suffix)}: {lone[0]!r} (at character {lone.start() + 1}) is "
            "half a character; percent-encode the byte that you mean, as in %FF",
            text=suffix,
            span=lone.span(),
        )
    path, query, fragment = split(suffix)
    path = _PATH_UNSAFE.sub(_quote, path.removeprefix("/"))
    _refuse_leaving(path, suffix)
    query = query and "?" + _QUERY_UNSAFE.sub(_quote, query[1:])
    fragment = fragment and "#" + _FRAGMENT_UNSAFE.sub(_quote, fragment[1:])
    return f"/{path}{query}{fragment}" if path or query or fragment else ""


def split(suffix: str) -> tuple[str, str, str]:
    """The suffix as (path, "?query" or "", "#fragment" or "")."""
    match = _PARTS.fullmatch(suffix)
    path, query, fragment = match.groups("") if match else (suffix, "", "")
    return path, query, fragment


def _quote(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _unquote(text: str) -> str:
    # One character a byte: enough to look for ASCII, and total for any bytes.
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _refuse_leaving(path: str, suffix: str) -> None:
    """Refuse a path that climbs above its start, whoever decodes it and in whatever order.

    The apiserver decodes once and then resolves dots; a browser takes %2e for a dot but not %2F
    for a slash, and a backslash for a slash; a load balancer may decode a second time. A wrong
    guess would turn an appended suffix into a way to read Secrets, so each segment counts
    for the worst that any of them could make of it.
    """
    if not _SUSPECT.search(path):
        return
    control = _CONTROL.search(_unquote(path))
    if control:
        raise InvalidSuffix(
            f"invalid suffix {shown(suffix)}: its path holds the control character "
            f"%{ord(control[0]):02X}, to which the apiserver answers with status 500; leave it out",
            text=suffix,
            span=(0, len(suffix)),
        )
    depth = 0
    for segment in path.split("/"):
        readings = [_names(one) for one in _decodings(segment, suffix)]
        climbs = max(names.count("..") for names in readings)
        if climbs:
            depth -= climbs
        elif all(set(names) - {"", "."} for names in readings):
            depth += 1
        if depth < 0:
            raise InvalidSuffix(
                f"invalid suffix {shown(suffix)}: its '..' can climb above the target's /proxy/; "
                "type the path from the app's own root",
                text=suffix,
                span=(0, len(suffix)),
            )


def _names(segment: str) -> list[str]:
    """What may be the names in a segment, to one who takes a backslash for a slash."""
    parts = _DROPPED.sub("", segment).replace("\\", "/").split("/")
    # "..;x", ".;x": what urljoin and Java servers cut off behind a semicolon.
    return [part.partition(";")[0] for part in parts]


def _decodings(segment: str, suffix: str) -> list[str]:
    """A segment, and what each round of decoding makes of it until nothing is left to decode."""
    found = [segment]
    for _ in range(_DECODINGS):
        decoded = _unquote(found[-1])
        if decoded == found[-1]:
            return found
        found.append(decoded)
    raise InvalidSuffix(
        f"invalid suffix {shown(suffix)}: it is percent-encoded more than "
        f"{_DECODINGS - 1} times over; encode it once",
        text=suffix,
        span=(0, len(suffix)),
    )


def with_query(suffix: str, query: Query) -> str:
    """Append raw names and values to a suffix's query, encoded.

    Args:
        suffix: a suffix; what it already has as a query stays in front.
        query: pairs or a mapping. A value is text, a number (written as Python writes it), or
            a list or tuple of them.

    Returns:
        the canonical suffix.

    Raises:
        InvalidSuffix: as for `clean`, or a value is neither text nor number.

    >>> with_query("d?from=now", {"q": "a&b", "n": [1, 2]})
    '/d?from=now&q=a%26b&n=1&n=2'
    """
    if isinstance(query, (str, bytes)):
        raise InvalidSuffix(
            f"invalid query {shown(query)}: it takes pairs or a mapping; text goes into the suffix"
        )
    encoded = []
    for key, value in query.items() if hasattr(query, "items") else query:
        values = value if isinstance(value, (list, tuple)) else (value,)
        encoded += [f"{_quote_pair(key)}={_quote_pair(item)}" for item in values]
    path, old, fragment = split(clean(suffix))
    joined = "&".join(part for part in (old[1:], *encoded) if part)
    return clean(f"{path}?{joined}{fragment}" if joined else f"{path}{old}{fragment}")


def _quote_pair(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise InvalidSuffix(
            f"invalid query value {shown(raw)}: it takes text or a number; "
            "write true and false as text, as the app expects them"
        )
    try:
        text = str(raw)
    except ValueError as error:  # Python writes no number of more than some thousand digits
        raise InvalidSuffix(
            f"invalid query value {shown(raw)}: the number has too many digits; write it as text"
        ) from error
    if _SURROGATE.search(text):
        raise InvalidSuffix(
            f"invalid query value {shown(raw)}: it holds half a character; "
            "percent-encode the byte that you mean in the suffix itself, as in %FF",
            text=text,
        )
    return re.sub(r"[^A-Za-z0-9\-._~]+", _quote, text)


def received(suffix: str, *, websocket: bool = False) -> str:
    """The request target that the app behind the proxy gets, except for its spelling.

    Spelling may differ where the meaning does not: ``'`` may arrive as ``%27``.

    Args:
        suffix: a suffix.
        websocket: whether the request is a WebSocket upgrade.

    >>> received("a%2Fb//c/?x#top")
    '/a/b/c/?x'
    """
    path, query, _ = split(clean(suffix))
    decoded = _DOT.sub(".", _SLASH.sub("/", path))
    parts: list[str] = []
    for part in decoded.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    tail = "/" if parts and decoded.endswith("/") else ""
    return "/" + "/".join(parts) + tail + ("" if websocket or query == "?" else query)


def collapses(suffix: str) -> bool:
    """Whether the apiserver takes double slashes or dot segments out of a suffix.

    It then computes a wrong prefix for the page's links (tests/contract/test_body.py), so whoever
    undoes that sends what is `received`.
    """
    path = _SLASH.sub("/", _DOT.sub(".", split(suffix)[0]))
    return _COLLAPSES.search(path) is not None


def alterations(suffix: str, *, websocket: bool = False) -> list[Alteration]:
    """What the apiserver will change in a suffix on its way to the app.

    Args:
        suffix: a suffix, as for `Target.path`.
        websocket: whether the request is a WebSocket upgrade.

    Returns:
        one entry for each kind of change; [] when the app gets what was sent.

    Raises:
        InvalidSuffix: as for `Target.path`.

    >>> [(a.kind, a.before, a.after) for a in alterations("files/a%2Fb")]
    [('encoded-slash', '/files/a%2Fb', '/files/a/b')]
    """
    path, query, fragment = split(clean(suffix))
    found = []
    after = split(received(suffix))[0]
    lowered = path.lower()
    if "%2f" in lowered:
        found.append(
            Alteration(
                "encoded-slash",
                path,
                after,
                "the apiserver decodes %2F, so the app sees one more path segment",
                "pass the value in the query, where %2F survives, or use kubectl port-forward",
            )
        )
    decoded = lowered.replace("%2f", "/").replace("%2e", ".")
    collapses = "the apiserver may then rewrite the page's links with a wrong prefix"
    if "//" in decoded:
        found.append(
            Alteration(
                "empty-segment",
                path,
                after,
                f"the apiserver collapses // to /; {collapses}",
                "write single slashes, or pass a URL inside the query",
            )
        )
    if any(part in (".", "..") for part in decoded.split("/")):
        found.append(
            Alteration(
                "dot-segment",
                path,
                after,
                f"the apiserver resolves . and .., also as %2e, as most clients do; {collapses}",
                f"write the path that is meant: {after}",
            )
        )
    if query == "?":
        found.append(
            Alteration(
                "empty-query",
                "?",
                "",
                "the apiserver drops a question mark with nothing behind it",
                "leave it out",
            )
        )
    if fragment:
        found.append(
            Alteration(
                "fragment",
                fragment,
                "",
                "a fragment stays in the browser and is never sent",
                "nothing, if a page's script reads it; else write # as %23",
            )
        )
    if websocket and len(query) > 1:
        found.append(
            Alteration(
                "websocket-query",
                query,
                "",
                "the apiserver drops the query of a WebSocket upgrade (kubernetes#77142)",
                "pass the values in the path or in the first message, or use kubectl port-forward",
            )
        )
    return found
