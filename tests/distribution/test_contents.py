"""What is in the wheel and in the sdist."""

from __future__ import annotations

import re
import tarfile
import zipfile
from email.parser import HeaderParser
from typing import TYPE_CHECKING

import proxyurls

from .installed import ROOT

if TYPE_CHECKING:
    from pathlib import Path

INFO = f"proxyurls-{proxyurls.__version__}.dist-info"
MOST_BYTES = 500_000  # a file that does not belong there would be seen


def test_the_wheel_is_the_package_and_nothing_else(wheel: Path) -> None:
    """Each file of proxyurls/, the typing marker and the gateway's and the demo's assets too."""
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "proxyurls").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    told = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    assert names == package | told | {f"{INFO}/licenses/LICENSE"}
    assert "proxyurls/py.typed" in names
    assert {name.rpartition(".")[2] for name in names} >= {"css", "js", "svg", "html"}
    assert wheel.stat().st_size < MOST_BYTES


def test_the_wheel_is_for_every_python_and_platform(wheel: Path) -> None:
    """No compiled code."""
    assert wheel.name == f"proxyurls-{proxyurls.__version__}-py3-none-any.whl"


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    """Version, Pythons, README and licence, and what it depends on without any extra."""
    archive = zipfile.ZipFile(wheel)
    told = HeaderParser().parsestr(archive.read(f"{INFO}/METADATA").decode())
    assert told["Version"] == proxyurls.__version__
    assert told["Requires-Python"] == ">=3.10"
    assert told["License-Expression"] == "Apache-2.0"
    assert told.get_payload() == (ROOT / "README.md").read_text("utf-8")
    needed = [line for line in told.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = sorted(re.split(r"[^\w-]", line)[0] for line in needed)
    assert names == ["aiohttp", "anyio", "argcomplete", "httpx", "pyyaml", "tabulate", "yarl"]


def test_the_sdist_builds_the_same_wheel(wheel: Path, wheel_of_sdist: Path) -> None:
    """To the byte."""
    assert wheel_of_sdist.name == wheel.name
    assert wheel_of_sdist.read_bytes() == wheel.read_bytes()


def test_the_sdist_has_what_it_takes_to_test_it(sdist: Path) -> None:
    """Tests, documents, examples and licence; nothing that a tool left behind."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO"} <= names
    assert {"docs/library.md", "tests/test_exports.py", "examples/catalog.py"} <= names
    left = re.compile(r"(^|/)(\.git|__pycache__|\.venv|dist|site|\.\w+_cache|\.hypothesis)(/|$)")
    assert [name for name in names if left.search(name)] == []
