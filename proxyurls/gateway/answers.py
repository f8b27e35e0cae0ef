"""What the gateway answers by itself: pages for people, lines for programs, redirects."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from multidict import CIMultiDict

from proxyurls.errors import brief
from proxyurls.gateway import pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxyurls.gateway.access import HandOver

STRANGER = (
    "Not yours",
    "Another user of this machine runs the gateway, and its token is for that user's browser.",
)
NO_SERVICE = "This host name means no service, pod or node."
OF_THE_API = (
    "Not from here",
    "An app's page can't be shown on the API's own address, where it could use the API.",
    "Open it at its own address: the index page has it.",
)
REFUSALS = {
    "host": (
        "Not a name of this gateway",
        "The request was for the host {0!r}, and this is {1}.",
        "Type the address that the terminal shows.",
    ),
    "site": (
        "Asked by another site",
        "A page of another site made this request. Nothing was sent to the cluster.",
        "",
    ),
    "token": (
        "This browser has not been let in",
        "The gateway gives access to a cluster, so it asks for a token first.",
        "Open the address that the terminal shows now.",
    ),
    "stale": (
        "This address was good once",
        "Its token is used up, or of another run of the gateway.",
        "Open the address that the terminal shows now.",
    ),
    "path": ("No such page", "There is nothing at this address.", ""),
}


def redirect(status: int, location: str) -> web.Response:
    """Another address, which is told to nobody else."""
    headers = {"Location": location, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return web.Response(status=status, headers=headers)


def hand_over(decision: HandOver) -> web.StreamResponse:
    """What `access.HandOver` asks for."""
    made = redirect(303, decision.location)
    if decision.by_page:
        link = escape(decision.location)
        # With an icon of ours: without one, browsers may ask the app for its own.
        icon = f'<link rel="icon" href="{pages.ASSETS}icon.svg">'
        head = f'{icon}<meta http-equiv="refresh" content="0;url={link}">'
        body = f'<!doctype html>{head}<title>One moment</title><a href="{link}">Continue</a>'
        made = web.Response(body=body.encode(), headers=CIMultiDict(pages.HEADERS))
    if decision.cookie:
        made.headers["Set-Cookie"] = decision.cookie
    return made


def failed(request: web.BaseRequest, status: int, title: str, text: str) -> web.StreamResponse:
    """A page for what may be better the next time."""
    return page(request, status, title, text, "Try again: the gateway goes on by itself.")


def page(
    request: web.BaseRequest, status: int, title: str, text: str, remedy: str = ""
) -> web.Response:
    """A page for a person, a line for a program."""
    if is_for_people(request):
        body = pages.error(status, title, text, remedy=remedy)
        return response(request, status, pages.HEADERS, body)
    line = brief(f"{title}: {text}{' ' * bool(remedy)}{remedy}")
    return web.Response(status=status, text=f"{line}\n", headers={"Cache-Control": "no-store"})


def is_for_people(request: web.BaseRequest) -> bool:
    """Whether a person will see the answer, as far as the request tells."""
    return "text/html" in request.headers.get("Accept", "")


def response(
    request: web.BaseRequest, status: int, headers: Iterable[tuple[str, str]], body: bytes
) -> web.Response:
    """An answer with these headers; without its body where there is none to be sent."""
    if status == HTTPStatus.NOT_MODIFIED or request.method == "HEAD":
        return web.Response(status=status, headers=CIMultiDict(headers))
    return web.Response(status=status, headers=CIMultiDict(headers), body=body)
