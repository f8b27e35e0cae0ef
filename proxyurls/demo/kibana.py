"""A page that searches Elasticsearch, in Kibana's place.

Its links and its form are plain HTML, so the bare apiserver proxy, which rewrites those, is enough
for it. (The real Kibana is an app of JavaScript, as the dashboard is.)
"""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from proxyurls.demo import static
from proxyurls.testing import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

_HTML = {"Content-Type": "text/html; charset=utf-8"}
_PAGE = "/app/kibana"


class Kibana:
    """The app: call it with a request.

    Args:
        elasticsearch: what it searches, an app itself.
    """

    def __init__(self, elasticsearch: Callable[[Request], Response]) -> None:
        self._elasticsearch = elasticsearch

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        parts = urlsplit(request.target)
        if request.method not in ("GET", "HEAD"):
            return Response("405: only GET\n", 405, {"Content-Type": "text/plain"})
        if parts.path == "/":
            return Response(status=302, headers={"Location": _PAGE})
        if parts.path == "/static/app.css":
            return static.file("app.css")
        if parts.path != _PAGE:
            return Response("404: no such page\n", 404, {"Content-Type": "text/plain"})
        query = parse_qs(parts.query).get("q", ["*"])[0]
        target = "/_search?" + urlencode({"q": query, "size": 50})
        answer = self._elasticsearch(Request("GET", target, {}, b""))
        content = json.loads(answer.body)
        page = Template(static.text("kibana.html"))
        text = page.substitute(query=escape(query), found=_found(answer.status, content))
        return Response(text, headers=_HTML)


def _found(status: int, content: Any) -> str:
    """What Elasticsearch answered, as HTML."""
    if status != HTTPStatus.OK:
        return f"<p role=alert>{escape(content['error']['reason'])}</p>"
    hits = content["hits"]
    count = hits["total"]
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape(str(value))}</td>" for value in hit["_source"].values())
        + f"<td>{hit['_score']:.2f}</td></tr>"
        for hit in hits["hits"]
    )
    heads = "".join(
        f"<th scope=col>{escape(field)}</th>"
        for field in (*(hits["hits"][0]["_source"] if count else ()), "score")
    )
    table = f"<div class=wide><table><tr>{heads}</tr>{rows}</table></div>" if count else ""
    return f"<p>{count} hit{'s' * (count != 1)}</p>{table}"
