"""One kubeconfig file as plain Python values. The only module that reads YAML."""

# os.path and open(), since loading pathlib would show at start-up.
# ruff: noqa: PTH123

from __future__ import annotations

import codecs
import re

from proxyurls.errors import InvalidConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# PyYAML's constructors leak more than YAMLError for odd but well-formed scalars:
# `!!bool x` is a KeyError, `!!int ''` an IndexError, `!!timestamp x` an AttributeError,
# 2001-99-99 a ValueError.
_CONSTRUCTOR_ERRORS = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
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
        with open(path, "rb") as file:
            data = file.read()
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
        raise InvalidConfig(
            f"{name}, line {line}: not UTF-8 text; save the kubeconfig as UTF-8"
        ) from None  # the original error holds the file's bytes


def _parse(text: str, *, name: str) -> Any:
    import yaml

    loader_type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = loader_type(text)
        try:
            return loader.get_data() if loader.check_data() else None
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        where, problem = _explain(exc, text)
        # `from None`: PyYAML's own message quotes the line, which may hold a token.
        raise InvalidConfig(f"{name}{where}: not valid YAML: {problem}") from None
    except _CONSTRUCTOR_ERRORS as exc:
        raise InvalidConfig(
            f"{name}: holds a YAML value that can't be read ({type(exc).__name__})"
        ) from None


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
