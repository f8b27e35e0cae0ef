"""One kubeconfig file as plain Python values. The only module that reads YAML."""

from __future__ import annotations

import codecs
import re

from proxyurls.config.files import read_any
from proxyurls.errors import InvalidConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# PyYAML's constructors leak more than YAMLError for odd but well-formed scalars:
# `!!bool x` is a KeyError, `!!int ''` an IndexError, `!!timestamp x` an AttributeError,
# 2001-99-99 a ValueError.
_CONSTRUCTOR_ERRORS = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_LONGEST_NUMBER = 100
# A parser's words that quote punctuation at most: "did not find expected ',' or ']'".
_HARMLESS = re.compile(r"""(?:[^'"]|'[^\w'"]{1,2}'|'<[a-z ]+>')*""")


def read_yaml(path: str, *, name: str) -> Any:
    """The first YAML document of a file, or None where it is empty.

    As kubectl, which decodes the first document alone.

    Args:
        path: the file.
        name: how messages call it.

    Raises:
        FileNotFoundError: there is no such file; what that means is the caller's to say.
        InvalidConfig: it can't be read, or is not YAML.
    """
    try:
        data = read_any(path)
    except FileNotFoundError:
        raise
    except IsADirectoryError as exc:
        raise InvalidConfig(f"{name} is a directory: name the kubeconfig file in it") from exc
    except OSError as exc:
        raise InvalidConfig(f"{name} can't be read: {exc.strerror}") from exc
    return _parse(_decode(data, name=name), name=name)


def _decode(data: bytes, *, name: str) -> str:
    """Text of a YAML stream: UTF-8 or, with a byte order mark, UTF-16 (YAML 1.2, 5.2)."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
    # Out here it has no context: the original error holds the file's bytes.
    raise InvalidConfig(f"{name}, line {line}: not UTF-8 text; save the kubeconfig as UTF-8")


def _parse(text: str, *, name: str) -> Any:
    import yaml

    loader_type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        known = loader_type.yaml_constructors
        ours = {**known, **{tag: _short(known[tag]) for tag in _NUMBERS}}
        loader = type("Loader", (loader_type,), {"yaml_constructors": ours})(text)
        try:
            return loader.get_data() if loader.check_data() else None
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        where, problem = _explain(exc, text)
        message = f"{name}{where}: not valid YAML: {problem}"
    except _CONSTRUCTOR_ERRORS as exc:
        message = f"{name}: holds a YAML value that can't be read ({type(exc).__name__})"
    # Out here it has no context: PyYAML's own errors quote the line, which may hold a token.
    raise InvalidConfig(message)


def _short(construct: Callable[..., Any]) -> Callable[..., Any]:
    """A constructor that takes no endless number: 1:1:1:… (base 60) costs its length squared."""

    def bounded(loader: Any, node: Any) -> Any:
        if len(node.value) > _LONGEST_NUMBER:
            raise ValueError
        return construct(loader, node)

    return bounded


def _explain(exc: Exception, text: str) -> tuple[str, str]:
    """Where a YAML error is and what is wrong, without a word of the file itself."""
    mark = getattr(exc, "problem_mark", None)
    position = getattr(exc, "position", None)
    if mark is not None:
        where = f", line {mark.line + 1}"
    elif isinstance(position, int):  # a ReaderError knows an offset alone
        where = f", line {text.count(chr(10), 0, position) + 1}"
    else:
        where = ""
    problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "unreadable"
    if not _HARMLESS.fullmatch(problem):
        problem = re.sub(r"""\s*(['"]).*\1""", "", problem, flags=re.DOTALL)
    return where, problem
