"""Who may import whom: a file imports lower levels, or its own level without circles.

All imports count, those inside functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import functools
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import proxyurls

PACKAGE = Path(proxyurls.__file__).parent
MOST_LINES = 400

# Modules, and folders with all that is in them. What is planned stands here already.
LEVELS = {
    "errors": 0,
    "record": 0,
    "value": 0,
    "segment": 1,
    "suffix": 1,
    "server": 1,
    "target": 1,
    "urls": 1,
    "config": 2,
    "undo": 2,
    "causes": 3,
    "status": 3,
    "asking": 3,
    "async_client": 3,
    "client": 3,
    "objects": 3,
    "oneshot": 3,
    "connections": 3,
    "exchanges": 3,
    "proxied": 3,
    "transport": 3,
    "paging": 4,
    "discovery": 4,
    "resolve": 4,
    "cluster": 4,
    "async_cluster": 4,
    "doctor": 4,
    "demo": 5,
    "gateway": 5,
    "testing": 5,
    "cli": 6,
    "__main__": 6,
    # Lazy, so it may name all there is; others take from it the version alone.
    "__init__": 7,
}
CORE = 1

# Third-party packages and the modules or folders that may import them.
THIRD_PARTY = {
    "yarl": {"target", "gateway", "testing"},
    "yaml": {"config.yamlfile", "cli.services"},
    "httpx": {
        "doctor.answer",
        "async_client",
        "client",
        "connections",
        "exchanges",
        "transport",
        "cli",
        "testing",
    },
    "anyio": {"async_client", "transport"},
    "aiohttp": {"gateway", "testing"},
    "multidict": {"gateway", "testing"},  # aiohttp's headers
    "tabulate": {"cli"},
    "argcomplete": {"cli"},
    "trustme": {"testing"},
    "pytest": {"testing"},
}
# Others write YAML at most.
YAML_READER = "config.yamlfile"

# The rules of the gateway and of the transports: they decide and rewrite, and whoever calls them
# reads and writes. None of them may load, in however many steps, what does I/O.
PURE = {
    *(f"gateway.{name}" for name in ("access", "filter", "goregexp", "headers", "hosts", "pages")),
    *("gateway.paths", "gateway.readiness", "proxied"),
    *(f"undo.{name}" for name in ("headers", "links", "page", "unprefix")),
}
IMPURE = {
    *("aiohttp", "asyncio", "http.client", "httpx", "os", "pathlib", "socket", "ssl"),
    *("subprocess", "threading", "urllib.request"),
}

# What the core may take from the standard library: nothing that reads, writes or costs time.
CORE_STDLIB = {"__future__", "collections", "functools", "ipaddress", "re", "typing"}


class Import(NamedTuple):
    """One import of one module: its full name, what is taken from it, and how."""

    module: str
    names: tuple[str, ...]
    line: int
    at_start: bool
    for_types: bool


def imports(tree: ast.Module, package: str) -> list[Import]:
    """All imports of a module, wherever they stand."""
    found: list[Import] = []

    def visit(node: ast.AST, *, at_start: bool, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(
                Import(alias.name, (), node.lineno, at_start, for_types) for alias in node.names
            )
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = package.split(".")
                module = ".".join([*parts[: len(parts) - node.level + 1], *module.split(".")])
            names = tuple(alias.name for alias in node.names)
            found.append(Import(module.rstrip("."), names, node.lineno, at_start, for_types))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            at_start = False
        types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.iter_child_nodes(node):
            body = types and isinstance(node, ast.If) and child in node.body
            visit(child, at_start=at_start, for_types=for_types or body)

    visit(tree, at_start=True, for_types=False)
    return found


class Architecture:
    """A copy of the package, read once."""

    def __init__(self, package: Path) -> None:
        self.trees: dict[str, ast.Module] = {}
        self.lines: dict[str, int] = {}
        for path in sorted(package.rglob("*.py")):
            name = ".".join(path.relative_to(package).with_suffix("").parts)
            text = path.read_text(encoding="utf-8")
            self.trees[name] = ast.parse(text, str(path))
            self.lines[name] = len(text.splitlines())
        self.imports = {
            name: imports(tree, ".".join(["proxyurls", *name.split(".")[:-1]]))
            for name, tree in self.trees.items()
        }

    def level(self, name: str) -> int | None:
        """The level of a module, or None where the table does not know it."""
        return LEVELS.get(name.split(".", maxsplit=1)[0])

    def targets(self, one: Import) -> list[str]:
        """The modules of this package that an import loads, by their name in it."""
        parts = one.module.split(".")
        if parts[0] != "proxyurls":
            return []
        base = ".".join(parts[1:])
        if base and base in self.trees:
            return [base]
        prefix = f"{base}." if base else ""
        found = []
        for name in one.names or ("",):
            inner = f"{prefix}{name}"
            known = inner in self.trees
            found.append(inner if known else self.init(inner) or f"{prefix}__init__")
        return found

    def init(self, name: str) -> str | None:
        """The __init__ of a folder."""
        return f"{name}.__init__" if f"{name}.__init__" in self.trees else None

    def problems(self) -> list[str]:
        """All that is wrong, in words."""
        return [
            *self.unknown_modules(),
            *self.long_files(),
            *self.upward_imports(),
            *self.circles(),
            *self.third_parties(),
            *self.core_imports(),
            *self.pure_imports(),
            *self.dynamic_imports(),
        ]

    def unknown_modules(self) -> list[str]:
        return [f"{name}: not in the table" for name in self.trees if self.level(name) is None]

    def long_files(self) -> list[str]:
        return [
            f"{name}: {count} lines, more than {MOST_LINES}"
            for name, count in self.lines.items()
            if count > MOST_LINES
        ]

    def upward_imports(self) -> list[str]:
        found = []
        for name, all_of_it in self.imports.items():
            own = self.level(name)
            for one in all_of_it:
                for target in self.targets(one):
                    if target not in self.trees:
                        found.append(f"{name}:{one.line}: imports {target}, which is not there")
                    if target == "__init__" and one.names == ("__version__",):
                        continue
                    level = self.level(target)
                    if own is not None and level is not None and level > own:
                        found.append(f"{name}:{one.line}: imports {target}, which is above it")
        return found

    def circles(self) -> list[str]:
        found = []
        edges: dict[str, set[str]] = {}
        for name, all_of_it in self.imports.items():
            edges[name] = {target for one in all_of_it for target in self.targets(one)}
        edges["__init__"] = set()
        done: set[str] = set()

        def visit(name: str, trail: tuple[str, ...]) -> None:
            if name in trail:
                found.append("circle: " + " -> ".join((*trail[trail.index(name) :], name)))
            elif name not in done:
                for target in sorted(edges.get(name, ())):
                    visit(target, (*trail, name))
                done.add(name)

        for name in edges:
            visit(name, ())
        return found

    def third_parties(self) -> list[str]:
        found = []
        for name, all_of_it in self.imports.items():
            for one in all_of_it:
                package = one.module.split(".")[0]
                if package in sys.stdlib_module_names or package == "proxyurls":
                    continue
                if package in ("typing_extensions", "_typeshed"):
                    allowed = one.for_types
                else:
                    rooms = THIRD_PARTY.get(package, set())
                    allowed = name in rooms or name.split(".")[0] in rooms
                if not allowed:
                    found.append(f"{name}:{one.line}: imports {package}")
            if name != YAML_READER and any(one.module == "yaml" for one in all_of_it):
                found += [
                    f"{name}:{node.lineno}: yaml.{node.attr}, but YAML is read by {YAML_READER}"
                    for node in ast.walk(self.trees[name])
                    if isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == "yaml"
                    and "dump" not in node.attr.lower()
                ]
        return found

    def core_imports(self) -> list[str]:
        found = []
        for name, all_of_it in self.imports.items():
            if (self.level(name) or 0) > CORE:
                continue
            for one in all_of_it:
                package = one.module.split(".")[0]
                if package == "yarl":
                    fine = name == "target" and (one.for_types or not one.at_start)
                else:
                    fine = one.for_types or package in CORE_STDLIB | {"proxyurls"}
                if not fine:
                    found.append(f"{name}:{one.line}: the core imports {package}")
        return found

    def pure_imports(self) -> list[str]:
        found = []
        for name in sorted(PURE & set(self.trees)):
            seen = {name}
            todo = [name]
            while todo:
                module = todo.pop()
                for one in self.imports[module]:
                    names = {one.module, one.module.split(".")[0]}
                    if names & IMPURE and not one.for_types:
                        found.append(f"{name}: {module}:{one.line} imports {one.module}")
                    inner = {target for target in self.targets(one) if target in self.trees}
                    todo += inner - seen
                    seen |= inner
        return found

    def dynamic_imports(self) -> list[str]:
        """Imports that this test can't read: in the lazy packages and the command line alone."""
        return [
            f"{name}:{node.lineno}: imports what only a run can tell"
            for name, tree in self.trees.items()
            if not name.endswith("__init__") and not name.startswith("cli.")
            for node in ast.walk(tree)
            if isinstance(node, (ast.Name, ast.Attribute))
            and (node.id if isinstance(node, ast.Name) else node.attr)
            in ("import_module", "__import__")
        ]


@functools.cache
def present() -> Architecture:
    """The package as it is."""
    return Architecture(PACKAGE)


def test_the_package() -> None:
    """The package keeps to the table."""
    assert present().problems() == []


def test_the_table_is_not_empty() -> None:
    """The walk finds the files and their imports, inside functions too."""
    package = present()
    assert {"errors", "segment", "target", "urls", "config.__init__"} <= set(package.trees)
    inside = [one for one in package.imports["target"] if one.module == "yarl"]
    assert [(one.at_start, one.for_types) for one in inside] == [(True, True), (False, False)]
    assert any(one.names == ("clean", "with_query") for one in package.imports["target"])


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("segment", "from proxyurls.config import Config", "imports config.__init__, which is abo"),
        (
            "segment",
            "def f():\n    from proxyurls.client import x",
            "imports client, which is abov",
        ),
        ("segment", "if TYPE_CHECKING:\n    import proxyurls.cli.url", "imports cli.url, which is"),
        ("segment", "from proxyurls import cli", "imports cli.__init__, which is above"),
        ("segment", "from .cli import url", "imports cli.url, which is above"),
        ("segment", "from . import client", "imports client, which is above"),
        ("config.load", "from ..discovery import x", "imports discovery, which is above"),
        ("config.load", "from proxyurls import load_config", "imports __init__, which is above"),
        ("discovery", "class A:\n    def f(s):\n        import proxyurls.cli", "cli.__init__"),
        ("segment", "from proxyurls.nowhere import x", "which is not there"),
        ("segment", "from proxyurls.target import Target", "circle: "),
        ("suffix", "def f():\n    from proxyurls.urls import join", "circle: "),
        ("errors", "from proxyurls.errors import InvalidURL", "circle: errors -> errors"),
        ("target", "def f():\n    from proxyurls.urls import parse_url", "circle: "),
        ("segment", "import yarl", "segment:3: imports yarl"),
        ("target", "import yarl", "target:3: the core imports yarl"),
        ("urls", "def f():\n    import httpx", "imports httpx"),
        ("urls", "import requests", "imports requests"),
        ("config.tls", "import httpx", "imports httpx"),
        ("config.load", "import yaml", "imports yaml"),
        ("client", "def f():\n    from yaml import safe_load", "imports yaml"),
        ("cli.services", "import yaml\nyaml.safe_load('')", "yaml.safe_load, but YAML is read by"),
        ("cli.url", "import yaml", "imports yaml"),
        ("cli.url", "import aiohttp", "imports aiohttp"),
        ("segment", "import os", "the core imports os"),
        ("segment", "def f():\n    from pathlib import Path", "the core imports pathlib"),
        ("value", "import dataclasses", "the core imports dataclasses"),
        ("undo.links", "def f():\n    import aiohttp", "links:4 imports aiohttp"),
        ("gateway.hosts", "from asyncio import sleep", "gateway.hosts:3 imports asyncio"),
        ("suffix", "import os", "gateway.paths: suffix:3 imports os"),
        ("segment", "from typing_extensions import Self", "imports typing_extensions"),
        ("discovery", "__import__('proxyurls.cli')", "imports what only a run can tell"),
        ("utils", "x = 1", "utils: not in the table"),
        ("tools.paths", "x = 1", "tools.paths: not in the table"),
        ("value", "x = 1\n" * 400, "403 lines, more than 400"),
    ],
)
def test_the_check_catches(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """Each sin, planted in a copy of the package, is found."""
    copy = shutil.copytree(PACKAGE, tmp_path / "proxyurls")
    path = copy.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"TYPE_CHECKING = False\n\n{text}\n", encoding="utf-8")
    new = set(Architecture(copy).problems()) - set(present().problems())
    assert any(problem in one for one in new), new
