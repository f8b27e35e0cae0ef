"""A small web app that knows nothing of any prefix: rooted links, cookies, forms, a router.

It runs on a thread of the test process and keeps what arrived, so that a test can say what an
upstream never got to see.
"""

from __future__ import annotations

import asyncio
import html
import threading
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web
from contract.upstream import Arrived

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from typing_extensions import Self

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EVENTS = 3
COOKIE = "session"

HOME = """<!doctype html>
<html lang="en"><head><title>{name}</title>
<link rel="stylesheet" href="/style.css">
<script src="/app.js" defer></script></head>
<body>
<h1>{name}</h1>
<p id="mention">The proxy's path is {prefix}/, as text.</p>
<nav>
<a id="rooted" href="/second">rooted</a>
<a id="relative" href="second">relative</a>
<a id="absolute" href="http://{host}/second">absolute</a>
<a id="redirect" href="/redirect">redirect</a>
</nav>
<img id="image" src="/image.svg" alt="a square">
<form id="post" method="post" action="/form"><input name="text"><button>send</button></form>
<form id="login" method="post" action="/login"><button>log in</button></form>
<output id="fetched"></output>
</body></html>"""

SCRIPT = """
fetch("/data.json?a=1").then(answer => answer.json()).then(data => {
  document.getElementById("fetched").textContent = data.app + " " + data.query;
});
"""

# A single-page app, whatever its path: it knows where it is by its base, and moves by pushState.
ROUTED = """<!doctype html>
<html lang="en"><head><title>{name}</title><base href="/routed/">
<script src="router.js" defer></script></head>
<body><a id="user" href="users/7">user 7</a> <a id="out" href="/second">out</a>
<main></main></body></html>"""

ROUTER = """
const base = new URL(document.baseURI).pathname;
function show() {
  const inside = location.pathname.startsWith(base);
  const route = inside ? location.pathname.slice(base.length) : "not below " + base;
  document.querySelector("main").textContent = "route: " + route;
}
document.getElementById("user").addEventListener("click", event => {
  event.preventDefault();
  history.pushState(null, "", event.currentTarget.getAttribute("href"));
  show();
});
addEventListener("popstate", show);
show();
"""

WORKER = """
addEventListener("install", event => event.waitUntil(skipWaiting()));
addEventListener("activate", event => event.waitUntil(clients.claim()));
addEventListener("fetch", event => {
  if (new URL(event.request.url).pathname === "/from-worker") {
    event.respondWith(new Response("the worker of " + registration.scope));
  }
});
"""

IMAGE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5">'
    '<rect width="7" height="5"/></svg>'
)


class App:
    """The app on a listening socket, from the ``with`` to its end.

    Args:
        listener: where it is served.
        name: what its pages say, and the value of its cookie.
        prefix: the proxy's path of it, which one of its pages mentions.
    """

    def __init__(self, listener: socket.socket, name: str, prefix: str = "") -> None:
        host, port = listener.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self.name = name
        self.requests: list[Arrived] = []
        self.close_codes: list[int | None] = []  # of the WebSockets that ended
        self._prefix = prefix
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(20):
            raise AssertionError("the app didn't start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def paths(self) -> list[str]:
        """The path of every request, in order."""
        return [request.path for request in self.requests]

    def to(self, path: str) -> list[Arrived]:
        """The requests to one path."""
        return [request for request in self.requests if request.path == path]

    def _run(self) -> None:
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.SockSite(runner, self._listener).start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._remember])
        application.router.add_routes(
            [
                web.get("/", self._home),
                web.get("/second", self._second),
                web.get("/data.json", self._data),
                web.get("/redirect", self._redirect),
                web.post("/form", self._form),
                web.post("/login", self._login),
                web.get("/private", self._private),
                web.get("/routed/router.js", _text(ROUTER, "text/javascript")),
                web.get("/routed/{route:.*}", self._routed),
                web.get("/socket", self._socket),
                web.get("/events", self._events),
                web.get("/app.js", _text(SCRIPT, "text/javascript")),
                web.get("/worker.js", _text(WORKER, "text/javascript")),
                web.get("/style.css", _text("h1 { color: rgb(1, 2, 3) }", "text/css")),
                web.get("/image.svg", _text(IMAGE, "image/svg+xml")),
            ]
        )
        return application

    @web.middleware
    async def _remember(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        target = request.raw_path
        headers = list(request.headers.items())
        self.requests.append(Arrived(request.method, target, headers, await request.read()))
        return await handler(request)

    async def _home(self, request: web.Request) -> web.Response:
        return _page(HOME.format(name=self.name, host=request.host, prefix=self._prefix))

    async def _routed(self, _: web.Request) -> web.Response:
        return _page(ROUTED.format(name=self.name))

    async def _second(self, _: web.Request) -> web.Response:
        return _page(
            f"<title>second</title><p>the second page of {self.name}</p>"
            '<a id="back" href="/">back</a>'
        )

    async def _data(self, request: web.Request) -> web.Response:
        return web.json_response({"app": self.name, "query": request.query_string})

    async def _redirect(self, _: web.Request) -> web.Response:
        raise web.HTTPFound("/second?redirected=1")

    async def _form(self, request: web.Request) -> web.Response:
        text = str((await request.post())["text"])
        return _page(f"<title>form</title><p>you sent: {html.escape(text)}</p>")

    async def _login(self, _: web.Request) -> web.Response:
        answer = web.HTTPSeeOther("/private")
        answer.set_cookie(COOKIE, self.name, path="/", httponly=True)
        raise answer

    async def _private(self, request: web.Request) -> web.Response:
        who = request.cookies.get(COOKIE, "nobody")
        return _page(f"<title>private</title><p>you are {html.escape(who)}</p>")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=["second.example"])
        await answer.prepare(request)
        async for message in answer:
            if message.data == "bye":
                await answer.close(code=4001, message=b"as you wish")
            elif message.type is WSMsgType.TEXT:
                await answer.send_str(f"{self.name}: {message.data}")
            elif message.type is WSMsgType.BINARY:
                await answer.send_bytes(message.data)
        self.close_codes.append(answer.close_code)
        return answer

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number in range(EVENTS):
            await answer.write(f"data: {self.name} {number}\n\n".encode())
            await asyncio.sleep(0.2)
        return answer


def _page(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


def _text(text: str, kind: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return answer
