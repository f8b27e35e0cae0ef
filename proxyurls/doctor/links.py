"""Where links lead: into the target, to another service, out of the cluster. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from proxyurls.errors import InvalidInput
from proxyurls.record import Record
from proxyurls.urls import from_cluster_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.target import Target

_LINKS = ("href", "src", "action")


class Place(Record):
    """Where a link leads.

    Attributes:
        url: the absolute URL.
        path: the path on the server, without the server's own; "" if that is not the target's.
        service: a service and the suffix, where only the cluster's DNS knows the URL's host.
    """

    url: str
    path: str = ""
    service: tuple[Target, str] | None = None


def leads_to(
    link: str, *, server: str, path: str, root: str, namespace: str | None = None
) -> Place:
    """Where a link on a page leads.

    Args:
        link: a URL, absolute or not.
        server: the apiserver's base URL.
        path: the path of the page, below the server's own.
        root: the path of the target, below the server's own, up to ``/proxy/``.
        namespace: the app's, in which it finds the names that have none.
    """
    server = server.rstrip("/")
    try:
        url = urljoin(server + path, link)
        parts = urlsplit(url)
    except ValueError:  # brackets that are no address
        return Place(link)
    rest = url[len(f"{parts.scheme}://{parts.netloc}") :].partition("#")[0]
    # The apiserver writes its own address, and does not know of that of a proxy in front of it
    # (`kubectl proxy`), nor of a path that such a one takes off.
    for lead in dict.fromkeys((urlsplit(server).path, "")):
        if rest.startswith(lead + root):
            return Place(url, rest[len(lead) :])
    return Place(url, service=in_cluster(url, namespace))


def in_cluster(url: str, namespace: str | None = None) -> tuple[Target, str] | None:
    """The service and suffix that a URL means, if only the cluster's DNS knows its host.

    Args:
        url: an absolute URL.
        namespace: that of a host without one; None is "default".
    """
    host = re.match(r"https?://([^/?#:@\[\]]+)", url)
    labels = host[1].rstrip(".").split(".") if host else []
    bare = len(labels) == 1 and labels[0] != "localhost" and not labels[0].isdigit()
    if not bare and labels[2:3] != ["svc"]:
        return None
    try:
        found, suffix = from_cluster_url(url)
    except InvalidInput:
        return None
    if bare and namespace:
        found = type(found)(found.kind, found.name, namespace, found.port, found.scheme)
    return found, suffix


def in_page(body: bytes) -> list[str]:
    """The absolute URLs that the attributes of a page's tags hold, in order."""
    found = _Links()
    with suppress(AssertionError):  # as Python's parser has it of some broken declarations
        found.feed(body.decode(errors="replace"))
    return found.links


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag's links."""
        del tag
        for name, value in attrs:
            if name in _LINKS and value and re.match(r"https?://", value):
                self.links.append(value)
