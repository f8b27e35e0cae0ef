"""The wheel, installed: what a user of it runs and imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import proxyurls

if TYPE_CHECKING:
    from pathlib import Path

    from .installed import Installed

EVERY_MODULE = """
import importlib, pkgutil, proxyurls
names = [one.name for one in pkgutil.walk_packages(proxyurls.__path__, "proxyurls.")]
for name in names:
    if name != "proxyurls.__main__":  # it runs
        importlib.import_module(name)
print(len(names), proxyurls.__file__)
"""
USER_S_TEST = """
import httpx
from proxyurls import service

def test_mine(fake_cluster):
    fake_cluster.add_service("web", upstream=lambda request: "hello")
    url = service("web").url(fake_cluster.url)
    headers = {"Authorization": f"Bearer {fake_cluster.admin.token}"}
    assert httpx.get(str(url), headers=headers, trust_env=False).text == "hello"
"""


@pytest.mark.parametrize(
    "command",
    [("proxyurls",), ("kubectl-proxyurls",), ("python", "-m", "proxyurls")],
    ids=" ".join,
)
def test_each_way_to_start_it(installed: Installed, command: tuple[str, ...]) -> None:
    """All are there, and tell the version."""
    done = installed.run(*command, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] == proxyurls.__version__


def test_every_module_without_a_warning(installed: Installed) -> None:
    """Each is imported from the venv; a warning would be an error."""
    done = installed.run("python", "-W", "error", "-c", EVERY_MODULE)
    assert (done.returncode, done.stderr) == (0, "")
    number, file = done.stdout.split()
    assert int(number) > 100
    assert file == str(installed.packages / "proxyurls" / "__init__.py")


@pytest.mark.parametrize(
    "line",
    [
        "services -A",
        "cluster-info",
        "fetch elasticsearch-logging.kube-system _cluster/health",
        "config",
        "url grafana --resolve",
    ],
)
def test_commands_without_a_warning(installed: Installed, line: str) -> None:
    """On the demo's cluster, whose own process has none either."""
    with_demo = ("proxyurls", "demo", "--", "proxyurls", *line.split())
    done = installed.run(*with_demo, PYTHONWARNINGS="error")
    assert done.returncode == 0, done.stderr
    assert [text for text in done.stderr.splitlines() if not text.startswith("note: ")] == []
    assert done.stdout


def test_a_warning_would_be_seen(installed: Installed) -> None:
    """The check above can fail: Python heeds the variable."""
    code = "import warnings; warnings.warn('x', DeprecationWarning)"
    done = installed.run("python", "-c", code, PYTHONWARNINGS="error")
    assert done.returncode == 1
    assert "DeprecationWarning: x" in done.stderr


def test_the_fixture_is_there_without_a_word(installed: Installed, tmp_path: Path) -> None:
    """The wheel's entry point brings pytest's `fake_cluster`."""
    (tmp_path / "test_mine.py").write_text(USER_S_TEST)
    done = installed.run(
        *("python", "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_fixture_costs_nothing_unless_used(installed: Installed, tmp_path: Path) -> None:
    """A test without it loads the plugin alone: nothing of a third party, no fake cluster."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    assert 'proxyurls.testing.pytest_plugin' in sys.modules\n"
        "    ours = {name for name in sys.modules if name.startswith('proxyurls')}\n"
        "    assert ours == {'proxyurls', 'proxyurls.testing', 'proxyurls.testing.pytest_plugin'}\n"
        "    slow = {'aiohttp', 'httpx', 'yarl', 'yaml', 'trustme', 'multidict', 'tabulate'}\n"
        "    assert slow.isdisjoint(sys.modules)\n"
    )
    done = installed.run(*("python", "-m", "pytest", "-q", "-p", "no:cacheprovider"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout
