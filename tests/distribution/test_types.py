"""The types that users see: `tests/typing_api.py`, checked against the installed wheel."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

import proxyurls
import proxyurls.testing

from .installed import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from .installed import Installed

API = ROOT / "tests" / "typing_api.py"
VERSIONS = ["3.10", "3.13"]
# Each line but the first is a mistake.
WRONG = """\
import proxyurls
proxyurls.service('web', 'prod', 80)
proxyurls.service(1)
proxyurls.node('n').name = 'm'
x: int = proxyurls.parse_url('u').server
proxyurls.nothing
proxyurls.load_config(contxt='prod')
"""
MISTAKES = {2, 3, 4, 5, 6, 7}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a user's right and wrong code, far from our sources."""
    shutil.copy(API, tmp_path / "right.py")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    return tmp_path


def test_the_user_s_code_uses_every_public_name() -> None:
    """A name that is new must be used there."""
    text = API.read_text("utf-8")
    names = [*proxyurls.__all__, *proxyurls.testing.__all__]
    assert [name for name in names if len(re.findall(rf"\b{name}\b", text)) < 2] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_mypy(installed: Installed, code: Path, version: str) -> None:
    """The right code passes --strict; each mistake is seen."""
    pytest.importorskip("mypy")
    done = installed.run(
        *("python", "-m", "mypy", "--strict", "--no-error-summary", "--config-file="),
        *("--python-version", version, "right.py", "wrong.py"),
        cwd=code,
    )
    found = re.findall(r"^(\w+)\.py:(\d+): error:", done.stdout, re.MULTILINE)
    assert {name for name, _ in found} == {"wrong"}, done.stdout + done.stderr
    assert {int(line) for _, line in found} == MISTAKES, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_pyright(installed: Installed, code: Path, version: str) -> None:
    """The same, with pyright's strict rules."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is in the extra dev")
    config = {"typeCheckingMode": "strict", "pythonVersion": version, "include": ["."]}
    (code / "pyrightconfig.json").write_text(json.dumps(config))
    done = installed.run(
        *("python", "-m", "pyright", "--pythonpath", installed.python, "--outputjson"), cwd=code
    )
    said = json.loads(done.stdout)["generalDiagnostics"]
    found = [
        (one["file"].rpartition("/")[2], one["range"]["start"]["line"] + 1)
        for one in said
        if one["severity"] == "error"
    ]
    assert {name for name, _ in found} == {"wrong.py"}, done.stdout
    assert {line for _, line in found} == MISTAKES, done.stdout


def test_the_installed_types_are_what_is_checked(installed: Installed) -> None:
    """The venv has one proxyurls, ours, marked as typed."""
    found = installed.run("python", "-c", "import proxyurls as p; print(p.__file__)").stdout.strip()
    assert found == str(installed.packages / "proxyurls" / "__init__.py")
    assert (installed.packages / "proxyurls" / "py.typed").exists()
