"""What a browser sees of a gateway that a command has started."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LINK = re.compile(r"http://[^/ ]+/[^ ]*[?&]token=([\w-]+)")


@dataclass
class Visit:
    """All answers, and the secrets by which they were got.

    Attributes:
        pages: heads and bodies, but for what is the browser's own: cookies, and tickets.
        secrets: those, by what they are.
    """

    pages: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    _cookies: dict[str, str] = field(default_factory=dict)

    def follow(self, address: str) -> str:
        """Go to an address; where its answer leads to, or ""."""
        parts = urlsplit(address)
        host = parts.netloc
        for token in re.findall(r"token=([\w-]+)", address):
            self.secrets[f"ticket {len(self.secrets)}"] = token
        connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=20)
        headers = {"Host": host, "Cookie": self._cookies.get(host, ""), "Sec-Fetch-Site": "none"}
        target = f"{parts.path or '/'}?{parts.query}".rstrip("?")
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        if given := answer.headers.get("Set-Cookie"):
            self._cookies[host] = given.partition(";")[0]
            self.secrets[f"cookie {host}"] = self._cookies[host].partition("=")[2]
        head = re.sub(r"(?m)^(Set-Cookie|Location): .*$", r"\1", str(answer.headers))
        self.pages.append(head + answer.read().decode(errors="replace"))
        connection.close()
        return answer.headers.get("Location", "")


def visit(line: str, *, slow: bool = False) -> Visit:
    """Enter by the address that a command has printed, and look around.

    Args:
        line: what it printed.
        slow: the apiserver says nothing, so most pages would have to be waited for.
    """
    seen = Visit()
    found = LINK.search(line)
    if found is None and not line.startswith("http://"):
        return seen  # a socket, or the demo's instructions
    address = found[0] if found else line
    seen.follow(address)
    origin = address.partition("/.proxyurls")[0].partition("/?")[0].rstrip("/")
    if slow:
        return seen
    for path in ("/", "/-/html", "/api/v1/nope"):
        seen.follow(origin + path)
    app = seen.follow(f"{origin}/.proxyurls/open/web--hushed?path=/-/html")
    if app.startswith("http://web--hushed."):
        seen.follow(app)
        seen.follow(app.partition("/.proxyurls")[0] + "/-/html")
    return seen
