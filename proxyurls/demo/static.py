"""The files of the demo's web apps, which are part of the package."""

from __future__ import annotations

from importlib import resources

from proxyurls.testing import Response

_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript"}


def text(name: str) -> str:
    """The text of a file of ``static/``."""
    return (resources.files("proxyurls.demo") / "static" / name).read_text("utf-8")


def file(name: str) -> Response:
    """A file of ``static/`` as an answer."""
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(text(name), headers={"Content-Type": f"{kind}; charset=utf-8"})
