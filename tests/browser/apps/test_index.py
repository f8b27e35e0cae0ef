"""The index page of ``serve``, fed by the real apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.cluster import Port

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer
    from playwright.sync_api import Page

    from .conftest import Site
    from .gateway import Gateway


def test_a_link_leads_to_the_app(visitor: Page, gateway: Gateway, site: Site) -> None:
    """As a person would go there; and back to the index."""
    visitor.goto(f"{gateway.origin}/")
    visitor.get_by_role("link", name="two", exact=True).first.click()
    visitor.wait_for_url(f"{gateway.app('two', 'site')}/")
    assert visitor.title() == "two"
    visitor.go_back()
    visitor.wait_for_url(f"{gateway.origin}/")
    visitor.get_by_role("link", name="two", exact=True).first.wait_for()


def test_a_new_service_appears(
    visitor: Page, gateway: Gateway, site: Site, apiserver: APIServer, artefacts: Path
) -> None:
    """While the page is open; and its link works at once."""
    visitor.goto(f"{gateway.origin}/")
    visitor.get_by_role("link", name="one", exact=True).first.wait_for()
    link = visitor.get_by_role("link", name="newcomer", exact=True).first
    assert link.count() == 0
    apiserver.add_service("newcomer", "site", ports=[Port(8080)], upstream=site.one.address)
    link.wait_for()
    visitor.screenshot(path=artefacts / "index-real.png")
    link.click()
    visitor.wait_for_url(f"{gateway.app('newcomer', 'site')}/")
    assert visitor.title() == "one"
