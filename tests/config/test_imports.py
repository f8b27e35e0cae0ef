"""Imports are a feature: `proxyurls url` starts in the time it takes to read a kubeconfig."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import proxyurls.config
from config.kubeconfigs import one_context

PACKAGE = Path(proxyurls.config.__file__).parent
HEAVY = {"yaml", "ssl", "subprocess", "tempfile", "httpx", "aiohttp", "yarl", "pathlib", "email"}


def modules_after(code: str, *arguments: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{PACKAGE.parents[1]}"},
    )
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def bare() -> set[str]:
    return modules_after("")


def test_the_package_itself_costs_nothing(bare: set[str]) -> None:
    loaded = modules_after("import proxyurls.config") - bare
    assert {name for name in loaded if not name.startswith("proxyurls")} <= {"__future__"}


def test_a_token_kubeconfig_adds_yaml_alone(bare: set[str], tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(one_context())
    code = (
        "from proxyurls.config import load_config\n"
        "config = load_config(sys.argv[1], environ={})\n"
        "assert config.as_dict()\n"
        "assert config.credentials().headers()"
    )
    loaded = modules_after(code, str(path)) - bare
    assert loaded & HEAVY == {"yaml"}
    assert "ipaddress" not in loaded


def test_no_file_no_yaml(bare: set[str]) -> None:
    code = (
        "from proxyurls.config import load_config\n"
        "load_config(server='https://h', token='t', environ={})"
    )
    assert not (modules_after(code) - bare) & HEAVY


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_yaml_is_imported_in_one_module() -> None:
    assert [path.name for path in PACKAGE.glob("*.py") if "yaml" in imported(path)] == [
        "yamlfile.py"
    ]


def test_public_names() -> None:
    for name in proxyurls.config.__all__:
        assert getattr(proxyurls.config, name).__name__ == name
    assert dir(proxyurls.config) == sorted(proxyurls.config.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = proxyurls.config.nope
    with pytest.raises(ImportError):
        from proxyurls.config import nope  # noqa: F401
