"""WSGI apps. Bodies are buffered both ways.

Source: PEP 3333.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict

App = Callable[..., Any]


async def answer(app: App, request: web.BaseRequest) -> web.StreamResponse:
    """Let an app answer a request, in a thread."""
    body = await request.content.read()
    status, headers, text = await asyncio.to_thread(_call, app, _environ(request, body))
    code, _, reason = status.partition(" ")
    return web.Response(status=int(code), reason=reason, headers=CIMultiDict(headers), body=text)


def _environ(request: web.BaseRequest, body: bytes) -> dict[str, Any]:
    path, _, query = request.raw_path.partition("?")
    host, _, port = request.host.partition(":")
    scheme = "https" if request.secure else "http"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.remote or "",
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name.lower() not in ("content-type", "content-length"):
            key = f"HTTP_{name.upper().replace('-', '_')}"
            glue = "; " if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{glue}{value}" if key in environ else value
    return environ


def _call(app: App, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    started: list[Any] = []
    written: list[bytes] = []

    def start(status: str, headers: Any, *_: object) -> Callable[[bytes], None]:
        started[:] = [status, headers]
        return written.append

    result = app(environ, start)
    try:
        written.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    return started[0], started[1], b"".join(written)
