"""One import path for each public name: ``proxyurls``."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import proxyurls

SOURCE = Path(proxyurls.__file__).read_text(encoding="utf-8")
CORE = ("errors", "value", "segment", "suffix", "server", "target", "urls")


def named_for_types() -> dict[str, str]:
    """The names under TYPE_CHECKING, each with the module that it comes from."""
    found = {}
    for node in ast.parse(SOURCE).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for one in node.body:
                assert isinstance(one, ast.ImportFrom)
                for alias in one.names:
                    assert alias.asname == alias.name, "only `x as x` is exported to type checkers"
                    found[alias.name] = (one.module or "").removeprefix("proxyurls.")
    return found


def test_one_table() -> None:
    """__all__, the lazy table and the block for type checkers name the same things."""
    assert list(proxyurls.__all__) == sorted(set(proxyurls.__all__))
    assert set(proxyurls.__all__) == set(proxyurls._HOME)
    assert named_for_types() == proxyurls._HOME


def test_what_the_contract_promises_is_there() -> None:
    """The names that programs may rely on."""
    promised = """service pod node NameSegment Target parse_url ProxyURL from_cluster_url
        to_cluster_url alterations load_config Config Cluster AsyncCluster ProxyURLsError
        InvalidInput"""
    assert set(promised.split()) <= set(proxyurls.__all__)


def test_dir() -> None:
    """Tab completion shows the API and nothing else."""
    assert set(dir(proxyurls)) == {*proxyurls.__all__, "__version__"}


@pytest.mark.parametrize("name", proxyurls.__all__)
def test_each_name(name: str) -> None:
    """Each can be imported, is what its own module has, and has a docstring."""
    value = getattr(proxyurls, name)
    home = importlib.import_module(f"proxyurls.{proxyurls._HOME[name]}")
    assert value is getattr(home, name)
    assert inspect.getdoc(value)
    namespace: dict[str, object] = {}
    exec(f"from proxyurls import {name}", namespace)
    assert namespace[name] is value


def test_all_of_them_at_once() -> None:
    """A star import gives __all__."""
    namespace: dict[str, object] = {}
    exec("from proxyurls import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(proxyurls.__all__)


def test_every_error_is_public() -> None:
    """No error is raised that can't be caught by a public name."""
    from proxyurls import errors

    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert defined == {name for name, home in proxyurls._HOME.items() if home == "errors"}


@pytest.mark.parametrize("name", ["nothing", "parse", "__nothing__", "Service"])
def test_unknown_names(name: str) -> None:
    """What is not there is an AttributeError that says so, and an ImportError."""
    with pytest.raises(AttributeError, match=f"'proxyurls' has no attribute '{name}'"):
        getattr(proxyurls, name)
    with pytest.raises(ImportError):
        exec(f"from proxyurls import {name}")


def test_public_functions_take_keywords_by_name() -> None:
    """No public callable of the core has **kwargs."""
    for name, home in proxyurls._HOME.items():
        if home in CORE and home != "errors":
            kinds = {
                p.kind for p in inspect.signature(getattr(proxyurls, name)).parameters.values()
            }
            assert inspect.Parameter.VAR_KEYWORD not in kinds, name


def test_version() -> None:
    """The version is a literal that the build reads, and a version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:\.?(?:a|b|rc|dev)\d+)?", proxyurls.__version__)
    assert f'__version__ = "{proxyurls.__version__}"' in SOURCE


def test_typed() -> None:
    """Type checkers take the annotations of an installed proxyurls."""
    assert Path(proxyurls.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", CORE)
def test_doctests(name: str) -> None:
    """The examples in the core's docstrings are true."""
    module = importlib.import_module(f"proxyurls.{name}")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted > 0 or name in ("errors", "value")
