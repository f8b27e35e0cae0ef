"""The index page: what it says of each service, where its links lead, what the search hides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyurls.discovery import ServiceRecord
from proxyurls.gateway import index
from proxyurls.gateway.feed import Entry
from proxyurls.gateway.readiness import Readiness

from .entries import SERVER, entry, href, port, snapshot
from .test_pages import XSS, Document

if TYPE_CHECKING:
    from proxyurls.gateway.feed import Snapshot

PROXY = f"{SERVER}/api/v1/namespaces"


def page(*entries: Entry, query: str = "", **changes: Any) -> Document:
    """The page for these services."""
    return Document(rendered(snapshot(entries, **changes), query))


def rendered(shown: Snapshot, query: str = "") -> bytes:
    return index.render(shown, href, cluster="kind-demo", server=SERVER, query=query)


def links(document: Document) -> list[str]:
    return [link["href"] for link in document.named("a")]


def copied(document: Document) -> list[str]:
    return [button["data-url"] for button in document.named("button")]


def test_one_port() -> None:
    """One link by the name, the port, its scheme and why, the readiness, and the proxy URL."""
    document = page(entry("grafana", "monitoring", port(3000)))
    assert links(document) == ["/open/grafana.monitoring"]
    assert copied(document) == [f"{PROXY}/monitoring/services/grafana:3000/proxy/"]
    text = " ".join(document.text.split())
    assert "monitoring grafana 1 ready 3000http nothing says httpsCopy URL" in text


def test_several_ports() -> None:
    """A link for each; the default one is the name's, so that an app has one origin, not two."""
    document = page(
        entry("web", "shop", port(8080, "admin"), port(80, "http"), port(8443, "https"))
    )
    assert links(document) == [
        "/open/web.shop",
        "/open/web:8080.shop",
        "/open/web.shop",
        "/open/https:web:8443.shop",
    ]
    assert [url.rpartition("/services/")[2] for url in copied(document)] == [
        "web:8080/proxy/",
        "web:80/proxy/",
        "https:web:8443/proxy/",
    ]
    assert document.text.count("default") == 1
    names = [link.get("aria-label") for link in document.named("a")][1:]
    assert names == ["web, port 8080 admin", "web, port 80 http", "web, port 8443 https"]


def test_a_number_twice() -> None:
    """DNS has 53 twice: the UDP one says why it has no link, the TCP one goes by its name."""
    document = page(entry("dns", "kube-system", port(53, "dns", "UDP"), port(53, "dns-tcp")))
    assert links(document) == ["/open/dns.kube-system"]
    assert copied(document) == [f"{PROXY}/kube-system/services/dns:dns-tcp/proxy/"]
    assert "53 dns/UDP" in document.text
    assert "not spoken over UDP" in document.text


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (entry("log", "a", port(514, protocol="UDP")), "not spoken over UDP"),
        (entry("db", "a", type="ExternalName", externalName="db.example.com"), "db.example.com"),
        (entry("db", "a", port(5432), type="ExternalName", externalName="x"), "DNS alias for x"),
        (
            Entry(ServiceRecord("a", "b", "b", False, "ClusterIP", None, "bad name", (), ()), None),
            "bad name",
        ),
    ],
)
def test_no_link_says_why(service: Entry, why: str) -> None:
    """What can't be proxied to is listed, with the reason in place of a link."""
    document = page(service)
    assert links(document) == copied(document) == []
    assert service.service.name in document.text
    assert why in document.text


@pytest.mark.parametrize(
    ("readiness", "shown", "kind"),
    [
        (Readiness(3, 3), "3 ready", "good"),
        (Readiness(1, 3), "1 of 3 ready", "some"),
        (Readiness(0, 3), "0 of 3 ready", "bad"),
        (Readiness(0, 0), "no endpoints", "bad"),
        (None, "not known", "none"),
    ],
)
def test_readiness(readiness: Readiness | None, shown: str, kind: str) -> None:
    """In words, not by colour alone."""
    document = page(entry("web", readiness=readiness))
    assert shown in document.text
    assert {"class": f"ready {kind}"} in document.named("div")


def test_by_namespace() -> None:
    """A heading for each namespace, and its services below."""
    document = page(entry("a", "one"), entry("b", "one"), entry("c", "two"))
    assert [section["aria-labelledby"] for section in document.named("section")] == [
        "h/one",
        "h/two",
    ]
    assert [heading["id"] for heading in document.named("h2")] == ["h/one", "h/two"]
    ids = [attrs["id"] for _, attrs in document.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_display_name() -> None:
    """Shown where it tells more than the name."""
    shown = {"kubernetes.io/name": "CoreDNS"}
    assert "CoreDNS" in page(entry("kube-dns", labels=shown)).text
    same = page(entry("grafana", labels={"kubernetes.io/name": "Grafana"})).text
    assert "Grafana" not in same


SHOP = (
    entry("web", "shop", port(80, "http"), type="LoadBalancer"),
    entry("web", "staging", port(8443)),
    entry("dns", "kube-system", port(53, protocol="UDP"), labels={"kubernetes.io/name": "CoreDNS"}),
)


@pytest.mark.parametrize(
    ("query", "names", "count"),
    [
        ("", ["web", "web", "dns"], "3 services"),
        ("  ", ["web", "web", "dns"], "3 services"),
        ("web", ["web", "web"], "2 of 3 services"),
        ("WEB Shop", ["web"], "1 of 3 services"),
        ("coredns", ["dns"], "1 of 3 services"),
        ("udp", ["dns"], "1 of 3 services"),
        ("8443", ["web"], "1 of 3 services"),
        ("loadbalancer", ["web"], "1 of 3 services"),
        ("https", ["web"], "1 of 3 services"),  # the scheme, not "nothing says https"
        ("web dns", [], "0 of 3 services"),
    ],
)
def test_search_without_script(query: str, names: list[str], count: str) -> None:
    """All words must be there; what has them not is hidden, and so is a namespace without hits."""
    document = page(*SHOP, query=query)
    shown = [row for row in document.named("li") if "hidden" not in row]
    assert [row["id"].rpartition("/")[2] for row in shown] == names
    sections = [section for section in document.named("section") if "hidden" not in section]
    assert len(sections) == len(names)
    assert count in document.text
    [nothing] = [p for p in document.named("p") if p.get("id") == "nothing"]
    assert ("hidden" in nothing) == bool(names)
    [box] = document.named("input")
    assert box["value"] == query


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loaded": False}, f"Reading the services from {SERVER}…"),
        ({"loaded": False, "problem": "connection refused"}, "can't be listed. connection refused"),
        ({}, "There are no services here."),
        ({"namespace": "shop"}, "These are those of shop;"),
        ({"endpoints_problem": "forbidden"}, "Which endpoints are ready is not known. forbidden"),
    ],
)
def test_notices(changes: dict[str, Any], said: str) -> None:
    """What the page can't show, it says."""
    assert said in page(**changes).text


def test_stale() -> None:
    """An apiserver that is gone: the last list stays, with the time from when on it's old."""
    document = page(entry("web"), problem="connection refused", seen=1_700_000_000.0)
    assert links(document) == ["/open/web.default"]
    assert re.search(r"Not current since 2023-11-1[45] \d\d:\d\d:20; .*connection", document.text)
    assert {"datetime": "2023-11-14T22:13:20Z"} in document.named("time")


def test_all_is_well() -> None:
    """Then nothing is said."""
    assert not [p for p in page(entry("web")).named("p") if p.get("class", "") == "notice"]


def hostile(text: str) -> Entry:
    """A service with a text in every place that a cluster, or who poses as one, can fill."""
    return entry(
        "web",
        "shop",
        port(80, text, appProtocol=text),
        port(81, "b", text),
        port(82, "c"),
        labels={"kubernetes.io/name": text},
        type=text or "ClusterIP",
    )


@pytest.mark.parametrize("text", XSS)
def test_markup_is_text(text: str) -> None:
    """Nothing from the cluster, nor from the query, becomes markup."""
    tags = [tag for tag, _ in page(hostile("plain"), query="plain").elements]
    for document in (
        page(hostile(text), query=text),
        Document(
            index.render(snapshot([hostile(text)]), href, cluster=text, server=SERVER, query=text)
        ),
    ):
        assert [tag for tag, _ in document.elements] == tags
        assert text in document.text
        assert document.named("input")[0]["value"] == text
        for tag, attrs in document.elements:
            allowed = {"script": ["defer", "src"], "link": ["href", "rel"]}
            assert not [name for name in attrs if name.startswith("on") or name == "style"]
            if tag in allowed:
                assert sorted(attrs) == allowed[tag]
    assert text in page(hostile(text), problem=text, namespace=text).text


@given(st.text(min_size=1))
def test_any_text(text: str) -> None:
    """The page keeps its shape whatever is in it, lone surrogates and bidi marks too."""
    document = page(hostile(text), query=text, endpoints_problem=text)
    assert document.open == []
    assert len(document.named("li")) == 1
    raw = rendered(snapshot([hostile(text)]), text).decode()
    assert not re.search(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", raw
    )


class Still:
    """A feed whose snapshot a test sets."""

    def __init__(self, shown: Snapshot) -> None:
        self.shown = shown

    def snapshot(self) -> Snapshot:
        return self.shown


def test_answers() -> None:
    """The whole page; 304 to who has it; another tag when something changed."""
    feed = Still(snapshot([entry("web")]))
    made = index.IndexPage(feed.snapshot, href, cluster="c", server=SERVER)
    first = made.answer()
    tag = dict(first.headers)["ETag"]
    assert first.status == 200
    assert first.body == index.render(feed.shown, href, cluster="c", server=SERVER)
    for given_tag in (tag, f"W/{tag}", f'"other", {tag}'):
        assert made.answer("", given_tag)[::2] == (304, b"")
    assert made.answer("", '"other"').status == 200
    assert made.answer("web", tag).status == 200

    feed.shown = snapshot([entry("web", readiness=Readiness(0, 1)), entry("xyz")], version=(1, 2))
    second = made.answer("", tag)
    assert second.status == 200
    assert second.body == index.render(feed.shown, href, cluster="c", server=SERVER)
    feed.shown = snapshot([entry("xyz")], version=(2, 2))
    assert b"web" not in made.answer("", tag).body


def test_a_version_without_news_keeps_its_tag() -> None:
    """The tag is the content's: an event that changes nothing shown costs no transfer."""
    feed = Still(snapshot([entry("web")]))
    made = index.IndexPage(feed.snapshot, href, cluster="c", server=SERVER)
    tag = dict(made.answer().headers)["ETag"]
    feed.shown = feed.shown._replace(version=(9, 9))
    assert made.answer("", tag).status == 304


def test_two_thousand_services() -> None:
    """All of them are there, each once."""
    many = [entry(f"svc-{n:04}", f"team-{n // 50:02}", port(80), port(81)) for n in range(2000)]
    document = page(*many)
    assert len(document.named("li")) == 2000
    assert len(set(links(document))) == 4000
    assert len(document.named("section")) == 40


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("grafna--monitoring", ["grafana.monitoring", "grafana.shop"]),
        ("grafana--shopp", ["grafana.shop", "grafana.monitoring"]),
        ("grafana", ["grafana.monitoring", "grafana.shop"]),
        ("GRAFANA--SHOP", ["grafana.shop", "grafana.monitoring"]),
        ("prom--monitoring", ["prometheus-operated.monitoring"]),
        ("syslog--kube-system", []),  # it has no link
        ("zzz--monitoring", []),
        ("", []),
        ("--", []),
    ],
)
def test_near(label: str, expected: list[str]) -> None:
    """Names that are like it, the right namespace first; none that has no link."""
    known = [
        entry("grafana", "monitoring"),
        entry("grafana", "shop"),
        entry("prometheus-operated", "monitoring"),
        entry("syslog", "kube-system", port(514, protocol="UDP")),
    ]
    assert [f"{one.name}.{one.namespace}" for one in index.near(known, label)] == expected


def test_near_is_bounded() -> None:
    """A page of them, not all."""
    known = [entry("web", f"ns-{n}") for n in range(50)]
    assert len(index.near(known, "web--ns-7")) == 8
    assert index.near(known, "web--ns-7")[0].namespace == "ns-7"
