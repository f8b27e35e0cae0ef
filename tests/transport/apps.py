"""Apps for the SDKs to talk to: functions of a request, served where an apiserver reaches them."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

from proxyurls.demo.elasticsearch import Elasticsearch
from proxyurls.demo.tweets import tweets
from proxyurls.testing import Request, Response

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    App = Callable[[Request], Response]

REPLY = "It goes through the apiserver."


@contextlib.contextmanager
def served(listener: socket.socket, app: App) -> Iterator[tuple[str, int]]:
    """Serve an app on a listening socket, as long as the context lasts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = app(Request(self.command, self.path, dict(self.headers), body))
            content = answer.body if isinstance(answer.body, bytes) else str(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {**dict(answer.headers), "Content-Length": len(content)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

    server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        host, port = listener.getsockname()[:2]
        yield host, port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def elasticsearch() -> App:
    """The demo's Elasticsearch, with the header by which the SDK knows the real one."""
    app = Elasticsearch([tweets()])

    def answer(request: Request) -> Response:
        found = app(request)
        headers = {**dict(found.headers), "X-Elastic-Product": "Elasticsearch"}
        return Response(found.body, found.status, headers)

    return answer


def model(request: Request) -> Response:
    """What vLLM, Ollama and others answer to OpenAI's SDK and to Ollama's own, with one reply."""
    if request.target == "/api/tags":
        return _json({"models": [{"model": "tiny", "size": 1}]})
    if request.target != "/v1/chat/completions":
        return _json({"error": {"message": f"no such path: {request.target}"}}, 404)
    asked = json.loads(request.body)
    about = {"id": "1", "created": 0, "model": asked["model"]}
    if asked.get("stream"):
        events = [
            {**about, "object": "chat.completion.chunk", "choices": [_choice("delta", word)]}
            for word in REPLY.split(" ")
        ]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        headers = {"Content-Type": "text/event-stream"}
        return Response("".join(lines) + "data: [DONE]\n\n", 200, headers)
    choice = {**_choice("message", REPLY), "finish_reason": "stop"}
    return _json({**about, "object": "chat.completion", "choices": [choice]})


def _choice(name: str, text: str) -> dict[str, Any]:
    return {"index": 0, name: {"role": "assistant", "content": text}, "finish_reason": None}


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, {"Content-Type": "application/json"})
