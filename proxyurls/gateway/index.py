"""The index page: every service with its link, rendered whole and kept current by its script.

The open page asks for itself again every two seconds with its ETag, while it is visible, and takes
over what changed. A stream of events would be no sooner to the eye, and would hold one of the six
connections that Chromium opens to a host: with the seventh tab everything would stand still. A
question and a 304 also survives a restart of the gateway and a laptop that slept.
"""

from __future__ import annotations

import difflib
import time
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.gateway.pages import INDEX_HEADERS, escape, etag_of, frame
from proxyurls.segment import NameSegment
from proxyurls.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from proxyurls.discovery import ServicePort, ServiceRecord
    from proxyurls.gateway.feed import Entry, Snapshot
    from proxyurls.gateway.readiness import Readiness

    Href = Callable[[Target], str]


class Answer(NamedTuple):
    """What a request for the page is answered with."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class IndexPage:
    """The page, rendered when something changed.

    Args:
        snapshot: gives what there is now, as `Feed.snapshot` does, without waiting.
        href: the address of a target's app.
        cluster: what to call the cluster, as the kubeconfig's context does.
        server: the apiserver's base URL.
    """

    def __init__(
        self, snapshot: Callable[[], Snapshot], href: Href, *, cluster: str, server: str
    ) -> None:
        self._snapshot = snapshot
        self._href = href
        self._cluster = cluster
        self._server = server
        self._rendered: tuple[Any, Answer] | None = None
        self._rows: dict[tuple[str, str], _Row] = {}

    def answer(self, query: str = "", if_none_match: str = "") -> Answer:
        """The page, or 304 where the browser has it. Never waits for the apiserver.

        Args:
            query: what to search for (``?q=``), for browsers without the script.
            if_none_match: the request's header of that name.
        """
        snapshot = self._snapshot()
        key = (snapshot.version, query)
        if self._rendered is None or self._rendered[0] != key:
            # Most services are as they were: what was rendered of them is used again.
            known = self._rows
            rows = [
                row if row is not None and row.entry == entry else _row(entry, self._href)
                for entry in snapshot.entries
                for row in [known.get((entry.service.namespace, entry.service.name))]
            ]
            self._rows = {
                (row.entry.service.namespace, row.entry.service.name): row for row in rows
            }
            body = _render(snapshot, rows, self._cluster, self._server, query)
            headers = (*INDEX_HEADERS, ("ETag", etag_of(body)))
            self._rendered = key, Answer(200, headers, body)
        whole = self._rendered[1]
        etag = dict(whole.headers)["ETag"]
        if etag in (tag.strip().removeprefix("W/") for tag in if_none_match.split(",")):
            return Answer(304, whole.headers, b"")
        return whole


class _Row(NamedTuple):
    """A service as HTML: what comes before and behind the attribute ``hidden``."""

    entry: Entry
    text: str
    start: str
    rest: str


def render(snapshot: Snapshot, href: Href, *, cluster: str, server: str, query: str = "") -> bytes:
    """The whole page. What does not fit the query is there, but hidden: the script may show it.

    Args:
        snapshot: what there is.
        href: the address of a target's app.
        cluster: what to call the cluster.
        server: the apiserver's base URL.
        query: words that a service must have, all of them.
    """
    rows = [_row(entry, href) for entry in snapshot.entries]
    return _render(snapshot, rows, cluster, server, query)


def _render(snapshot: Snapshot, rows: list[_Row], cluster: str, server: str, query: str) -> bytes:
    words = query.lower().split()
    hits = [all(word in row.text for word in words) for row in rows]
    sections = "".join(
        _section(namespace, list(group))
        for namespace, group in groupby(
            zip(rows, hits, strict=True), key=lambda pair: pair[0].entry.service.namespace
        )
    )
    body = (
        '<header>\n<div class="bar">\n<h1>Services</h1>\n'
        f'<p class="cluster" title="{escape(server)}">{escape(cluster)}</p>\n'
        '<form role="search" method="get" action="/">\n'
        f'<input type="search" id="q" name="q" value="{escape(query)}" placeholder="Search"'
        ' aria-label="Search by name, namespace, port or type" aria-keyshortcuts="/"'
        ' autocomplete="off" autocapitalize="off" spellcheck="false"><kbd>/</kbd>\n</form>\n'
        f'<p id="count" role="status">{_count(sum(hits), len(hits))}</p>\n</div>\n</header>\n'
        '<main>\n<p id="lost" class="notice bad" role="alert" hidden></p>\n'
        f'<div id="list">\n<div id="notices">{_notices(snapshot, server)}</div>\n'
        f'{sections}</div>\n<p id="nothing"{"" if _nothing(hits) else " hidden"}>'
        "No service has all of these words.</p>\n</main>\n"
    )
    return frame(f"Services of {cluster}", body, script=True, kind="index")


def _nothing(hits: list[bool]) -> bool:
    return bool(hits) and not any(hits)


def _count(shown: int, total: int) -> str:
    plural = "service" if total == 1 else "services"
    return f"{total} {plural}" if shown == total else f"{shown} of {total} {plural}"


def _searchable(service: ServiceRecord) -> str:
    """What the search looks at: what tells services apart, not the reasons, which all have."""
    parts = [service.name, service.namespace, service.display_name, service.type]
    for port in service.ports:
        parts += [str(port.port), port.name, port.protocol, port.scheme or ""]
    return " ".join(dict.fromkeys(part for part in parts if part)).lower()


def _notices(snapshot: Snapshot, server: str) -> str:
    lines = []
    if snapshot.problem:
        if snapshot.loaded:
            head = f"Not current since {_clock(snapshot.seen)}; this is the last list."
        else:
            head = "The services can't be listed."
        lines.append(
            f'<p class="notice bad"><strong>{head}</strong> {escape(snapshot.problem)}</p>'
        )
    elif not snapshot.loaded:
        lines.append(
            f'<p class="notice reading">Reading the services from {escape(server)}…'
            "<noscript> Reload the page to see them.</noscript></p>"
        )
    if snapshot.namespace is not None:
        lines.append(
            '<p class="notice">You may not list the services of all namespaces. These are those '
            f"of <strong>{escape(snapshot.namespace)}</strong>; "
            "<code>proxyurls open NAME.NAMESPACE</code> opens others.</p>"
        )
    if snapshot.loaded and not snapshot.entries:
        lines.append('<p class="notice">There are no services here.</p>')
    if snapshot.endpoints_problem and not snapshot.problem:
        lines.append(
            '<p class="notice"><strong>Which endpoints are ready is not known.</strong> '
            f"{escape(snapshot.endpoints_problem)}</p>"
        )
    return "".join(lines)


def _clock(seen: float) -> str:
    # The gateway's clock is the browser's: they are on one machine.
    local = time.localtime(seen)
    today = time.strftime("%Y%m%d", local) == time.strftime("%Y%m%d")
    shown = time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", local)
    exact = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seen))
    return f'<time datetime="{exact}">{shown}</time>'


def _section(namespace: str, rows: list[tuple[_Row, bool]]) -> str:
    name = escape(namespace)
    items = "".join(f"{row.start}{_hidden(hit)}{row.rest}" for row, hit in rows)
    shown = any(hit for _, hit in rows)
    return (
        f'<section id="n/{name}" aria-labelledby="h/{name}"{_hidden(shown)}>\n'
        f'<h2 id="h/{name}">{name}</h2>\n<ul id="l/{name}">\n{items}</ul>\n</section>\n'
    )


def _hidden(shown: object) -> str:
    return "" if shown else " hidden"


def _row(entry: Entry, href: Href) -> _Row:
    service = entry.service
    name = escape(service.name)
    if service.url:
        # Without scheme and port it means what discovery chose: the same origin whatever that is.
        target = Target("service", service.name, service.namespace)
        address, why = escape(href(target)), escape(service.why)
        head = f'<a class="name" href="{address}" title="{why}">{name}</a>'
    else:
        head = f'<span class="name">{name}</span>'
    if service.display_name.lower() != service.name:
        head += f' <span class="also">{escape(service.display_name)}</span>'
    if service.type != "ClusterIP":
        head += f' <span class="type">{escape(service.type)}</span>'
    if service.ports and service.type != "ExternalName":
        ports = "".join(_ports(service, href))
    else:
        ports = f'<p class="port"><span class="why">{escape(service.why)}</span></p>'
    text = _searchable(service)
    return _Row(
        entry,
        text,
        f'<li class="service" id="s/{escape(service.namespace)}/{name}"'
        f' data-text="{escape(text, 2000)}"',
        f'>\n<div class="who">{head}</div>\n{_ready(service, entry.readiness)}\n'
        f'<div class="ports">{ports}</div>\n</li>\n',
    )


def _ready(service: ServiceRecord, readiness: Readiness | None) -> str:
    if service.type == "ExternalName":
        kind, text = "none", ""
    elif readiness is None:
        kind, text = "none", "not known"
    elif not readiness.total:
        kind, text = "bad", "no endpoints"
    elif readiness.ready == readiness.total:
        kind, text = "good", f"{readiness.ready} ready"
    else:
        kind = "some" if readiness.ready else "bad"
        text = f"{readiness.ready} of {readiness.total} ready"
    return f'<div class="ready {kind}">{text}</div>'


def _ports(service: ServiceRecord, href: Href) -> Iterator[str]:
    reachable = [port for port in service.ports if port.url]
    for port in service.ports:
        label = f"{port.port}"
        if port.name:
            label += f" {escape(port.name)}"
        if port.protocol != "TCP":
            label += f"/{escape(port.protocol)}"
        marks = ""
        if port.url and len(reachable) > 1:
            best = port.url == service.url
            target = (
                Target("service", service.name, service.namespace)
                if best
                else _target(service, port)
            )
            label = (
                f'<a href="{escape(href(target))}" '
                f'aria-label="{escape(service.name)}, port {label}">{label}</a>'
            )
            marks = f'<span class="type" title="{escape(service.why)}">default</span> ' * best
        scheme = f'<span class="scheme">{escape(port.scheme)}</span> ' if port.scheme else ""
        yield (
            f'<p class="port"><span class="number">{label}</span>'
            f'<span class="why">{marks}{scheme}{escape(port.why)}</span>{_copy(service, port)}</p>'
        )


def _target(service: ServiceRecord, port: ServicePort) -> Target:
    segment = NameSegment.parse(port.segment or "")
    return Target(
        "service", service.name, service.namespace, segment.port or None, segment.scheme or None
    )


def _copy(service: ServiceRecord, port: ServicePort) -> str:
    if not port.url:
        return ""
    what = f"Copy the proxy URL of {service.name}, port {port.port}"
    return (
        f'<button type="button" data-url="{escape(port.url, len(port.url))}" '
        f'aria-label="{escape(what)}">Copy URL</button>'
    )


def near(entries: Iterable[Entry], label: str, most: int = 8) -> list[ServiceRecord]:
    """The services whose host names are like one that means nothing, nearest first.

    Args:
        entries: what there is.
        label: the first label of the host that was asked for.
        most: how many at most.
    """
    name, _, namespace = label.lower().partition("--")
    known: dict[str, list[ServiceRecord]] = {}
    for entry in entries:
        if entry.service.url:
            known.setdefault(entry.service.name, []).append(entry.service)
    names = difflib.get_close_matches(name, known, n=most, cutoff=0.6)
    names += sorted(one for one in known if name and name in one and one not in names)
    found = [service for one in names for service in known[one]]
    matcher = difflib.SequenceMatcher(b=namespace)

    def distance(service: ServiceRecord) -> tuple[bool, float]:
        # The right name in another namespace stays before a name that is merely like it.
        matcher.set_seq1(service.namespace)
        return service.name != name, -matcher.ratio()

    found.sort(key=distance)
    return found[:most]
