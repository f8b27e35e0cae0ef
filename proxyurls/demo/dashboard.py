"""A small dashboard, in Grafana's place, made as such apps are: unaware of any path prefix.

Its pages are drawn in the browser by a router that knows ``/d/home``, its script fetches
``/api/…``, and a login is a cookie. At its own root (through a port-forward, or a gateway that
gives it one) all of that works. Through the bare apiserver proxy the page, its stylesheet and its
script arrive, as the proxy rewrites links in HTML; the router does not know where it is, and what
the script fetches is asked of the apiserver.
"""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from proxyurls.demo import static
from proxyurls.testing import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

_JSON = {"Content-Type": "application/json"}
_COOKIE = "dashboard_session"
_LONGEST = 40
_SESSIONS = 100


class Dashboard:
    """The app: call it with a request.

    Args:
        heapster: where its numbers come from, an app itself.
    """

    def __init__(self, heapster: Callable[[Request], Response]) -> None:
        self._heapster = heapster
        self._names: dict[str, str] = {}  # by session

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        path, _, query = request.target.partition("?")
        method = "GET" if request.method == "HEAD" else request.method
        match method, path.split("/")[1:]:
            case "GET", [""]:
                return _redirect("/d/home")
            case "GET", ["d", _] | ["login"]:
                return static.file("dashboard.html")
            case "GET", ["static", ("app.css" | "app.js") as name]:
                return static.file(name)
            case "GET", ["api", "user"]:
                return Response(json.dumps({"name": self._name(request)}), headers=_JSON)
            case "GET", ["api", "metrics"]:
                # In the query, since the apiserver decodes the slash of a name in the path.
                metric = parse_qs(query).get("name", [""])[0]
                target = f"/api/v1/model/metrics/{metric}"
                return self._heapster(Request("GET", target, {}, b""))
            case "POST", ["login"]:
                return self._login(request)
            case "POST", ["logout"]:
                self._names.pop(_session(request), None)
                return _redirect("/d/home", f"{_COOKIE}=; Max-Age=0; Path=/")
        message = {"message": f"{method} {path} is nothing that this dashboard has"}
        return Response(json.dumps(message), HTTPStatus.NOT_FOUND, _JSON)

    def _name(self, request: Request) -> str | None:
        return self._names.get(_session(request))

    def _login(self, request: Request) -> Response:
        """Any name will do; there's no password, and nothing to protect."""
        form = parse_qs(request.body.decode("utf-8", "replace"))
        name = form.get("name", [""])[0].strip()[:_LONGEST]
        if not name:
            return _redirect("/login")
        while len(self._names) >= _SESSIONS:
            del self._names[next(iter(self._names))]
        session = secrets.token_urlsafe()
        self._names[session] = name
        return _redirect("/d/home", f"{_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax")


def _session(request: Request) -> str:
    pairs = (one.strip().partition("=") for one in request.headers.get("Cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == _COOKIE), "")


def _redirect(path: str, cookie: str = "") -> Response:
    headers = {"Location": quote(path)}
    if cookie:
        headers["Set-Cookie"] = cookie
    return Response(status=HTTPStatus.SEE_OTHER, headers=headers)
