"""Headless Chromium, driven by Playwright: the fixtures ``browser``, ``context`` and ``page``.

It needs the extra ``browser`` and a Chromium. Without them the tests are skipped and say so, or
fail where ``PROXYURLS_REQUIRE_BROWSER=1`` says that they must run.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

TIME_LIMIT = 10_000.0  # ms, for whatever a test waits for
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing is looked up or fetched but what a test asks for. The sandbox can't be had as root.
FLAGS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # Names that an attacker would let resolve to this machine.
    "--host-resolver-rules=MAP *.evil.example 127.0.0.1",
)


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where PROXYURLS_REQUIRE_BROWSER says that it must run."""
    if os.environ.get("PROXYURLS_REQUIRE_BROWSER"):
        pytest.fail(f"PROXYURLS_REQUIRE_BROWSER is set, but {reason}", pytrace=False)
    pytest.skip(reason)


# No longer than this folder's tests: Playwright's event loop runs in the main thread meanwhile,
# and the tests that come after could not start one of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A running Chromium; each test has a context of its own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("Playwright isn't installed: pip install 'proxyurls[browser]'")
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        unavailable("Chromium isn't installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that was nowhere yet: no cookies, no history."""
    made = browser.new_context()
    made.set_default_timeout(TIME_LIMIT)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A blank page of that browser."""
    return context.new_page()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: the folder that PROXYURLS_ARTIFACTS names, or a temporary one."""
    named = os.environ.get("PROXYURLS_ARTIFACTS")
    folder = Path(named).absolute() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
