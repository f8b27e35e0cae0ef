"""What these tests need from the machine."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from browser.conftest import unavailable


def package(name: str) -> None:
    """Need a package of the extra ``apps``."""
    if importlib.util.find_spec(name) is None:
        unavailable(f"{name} isn't installed: pip install 'proxyurls[apps]'")


def program(name: str) -> Path:
    """Need a program that Debian has a package of."""
    found = shutil.which(name)
    if found is None:
        unavailable(f"{name} isn't installed: apt-get install {name}")
    return Path(found)
