"""Scripts that are run in a page, with an end to their patience: Playwright's own has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from browser.conftest import TIME_LIMIT

if TYPE_CHECKING:
    from playwright.sync_api import Page

_BOUNDED = """argument => Promise.race([
  (%s)(argument),
  new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("nothing came of it in time")), %d);
  }),
])"""


def run(page: Page, script: str, argument: object = None) -> Any:
    """Run a function in a page, and return what it, or its promise, comes to."""
    return page.evaluate(_BOUNDED % (script, TIME_LIMIT), argument)
