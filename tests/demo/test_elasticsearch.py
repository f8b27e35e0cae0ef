"""The demo's Elasticsearch, alone: what it answers follows from what is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyurls.demo.elasticsearch import Elasticsearch
from proxyurls.demo.search import Index, QueryError
from proxyurls.demo.tweets import tweets
from proxyurls.testing import Request

FIELDS = {"who": "keyword", "on": "date", "text": "text", "count": "integer"}
ROWS = {
    "a": {"who": "Ann", "on": "2009-11-15T14:12:12", "text": "the quick brown fox", "count": 3},
    "b": {
        "who": "Bob",
        "on": "2009-11-16T00:00:00",
        "text": "quick, quick: a FOX jumps",
        "count": 30,
    },
    "c": {"who": "Ann", "text": "slow and long as a text may be that has a fox in it", "count": 3},
}


@pytest.fixture
def index() -> Index:
    """Three documents, one without a date."""
    return Index("things", FIELDS, ROWS, shards=2, replicas=1)


def ask(app: Elasticsearch, target: str, body: object = b"", method: str = "GET") -> Any:
    """What it answers: the status, and the JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = app(Request(method, target, {}, raw))
    return answer.status, json.loads(answer.body)


def found(app: Elasticsearch, target: str, body: object = b"", method: str = "GET") -> list[str]:
    """The ids that a search finds, the best first."""
    status, content = ask(app, target, body, method)
    assert status == 200, content
    return [hit["_id"] for hit in content["hits"]["hits"]]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("who:Ann", "a c"),
        ("who:ann", ""),  # a keyword is one piece, as it was typed
        ("text:FOX", "a b c"),  # words have no case; the shorter text is the better hit
        ("fox", "a b c"),
        ("jumps", "b"),
        ("count:3", "a c"),
        ("3", "a c"),
        ("on:2009-11-15", "a"),
        ("on:2009-11", "a b"),
        ("quick slow", "c b a"),
        ("quick OR slow", "c b a"),
        ("quick AND jumps", "b"),
        ("slow OR quick AND brown", "a c"),
        ('"quick brown"', "a"),
        ('text:"brown quick"', ""),
        ('who:"Ann"', "a c"),
        ("ju*", "b"),
        ("who:A*", "a c"),
        ("on:*", "a b"),
        ("*", "a b c"),
        ("*:*", "a b c"),
        ("nothing:x", ""),
        ("", None),
        ("AND fox", None),
        ("fox AND", None),
        ("fox AND OR slow", None),
        ("who:", None),
        ("(fox)", None),
        ("fox~", None),
        ("-fox", None),
        ("NOT(fox)", None),
        ('"fox', None),
        ("on:[1 TO 2]", None),
    ],
)
def test_query_string(index: Index, query: str, ids: str | None) -> None:
    """Lucene's simplest syntax; more of it is refused, and not misunderstood."""
    if ids is None:
        with pytest.raises(QueryError) as refused:
            index.query_string(query)
        assert str(refused.value) == f"Failed to parse query [{query}]"
    else:
        hits = index.search(index.query_string(query))
        assert [document.id for _, document in hits] == ids.split()


def test_scores_are_bm25() -> None:
    """One case by hand: N=2, both have the word, of 1 and 3 words, so of 2 on the average."""
    index = Index("i", {"t": "text"}, {"x": {"t": "fox"}, "y": {"t": "a fox runs"}})
    scores = {document.id: score for score, document in index.search(index.match("t", "fox"))}
    # The rarity is ln(1 + 0.5 / 2.5), and what divides it 1 + 1.2 * (0.25 + 0.75 * length / 2).
    assert scores == pytest.approx({"x": 0.182322 * 2.2 / 1.75, "y": 0.182322 * 2.2 / 2.65}, 1e-4)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"match_all": {}}, "a b c"),
        ({"match": {"text": "slow jumps"}}, "b c"),
        ({"match": {"text": {"query": "slow"}}}, "c"),
        ({"term": {"text": "fox"}}, "a b c"),
        ({"term": {"text": "FOX"}}, ""),  # a term is not taken apart, nor lowered
        ({"term": {"count": 3}}, "a c"),
        ({"term": {"count": {"value": 30}}}, "b"),
        ({"query_string": {"query": "who:Bob"}}, "b"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_search_by_body(index: Index, query: object, ids: str, method: str) -> None:
    """The query of a body, whatever the method."""
    app = Elasticsearch([index])
    assert found(app, "/_search", {"query": query}, method) == ids.split()


@pytest.mark.parametrize(
    ("target", "body", "ids"),
    [
        ("/things/_search?size=2", {}, "a b"),
        ("/_search?size=2&from=2", {}, "c"),
        ("/_search?from=3", {}, ""),
        ("/_search?size=0", {}, ""),
        ("/_search", {"size": 1, "from": 1}, "b"),
        ("/_search?q=who:Bob", {"query": {"match_all": {}}}, "b"),
    ],
)
def test_pages(index: Index, target: str, body: object, ids: str) -> None:
    """The total is that of all hits, whatever part of them is asked for."""
    app = Elasticsearch([index])
    assert found(app, target, body) == ids.split()
    _, content = ask(app, target, body)
    assert content["hits"]["total"] == (1 if "q=" in target else 3)
    assert content["_shards"] == {"total": 2, "successful": 2, "skipped": 0, "failed": 0}
    assert isinstance(content["took"], int)


def test_indices_are_searched_together(index: Index) -> None:
    """``/_search`` looks into all of them."""
    other = Index("other", {"text": "text"}, {"z": {"text": "fox"}})
    app = Elasticsearch([index, other])
    _, content = ask(app, "/_search?q=fox&size=20")
    assert sorted((hit["_index"], hit["_id"]) for hit in content["hits"]["hits"]) == [
        *(("other", "z"), ("things", "a"), ("things", "b"), ("things", "c"))
    ]
    assert content["hits"]["max_score"] == max(hit["_score"] for hit in content["hits"]["hits"])
    assert found(app, "/other/_search") == ["z"]


def test_health_is_the_document_s() -> None:
    """To the letter as it's printed in "Accessing Clusters", and counted from the indices."""
    answer = Elasticsearch([tweets()])(Request("GET", "/_cluster/health?pretty=true", {}, b""))
    assert (
        answer.body
        == """\
{
  "cluster_name" : "kubernetes_logging",
  "status" : "yellow",
  "timed_out" : false,
  "number_of_nodes" : 1,
  "number_of_data_nodes" : 1,
  "active_primary_shards" : 5,
  "active_shards" : 5,
  "relocating_shards" : 0,
  "initializing_shards" : 0,
  "unassigned_shards" : 5
}
"""
    )


def test_health_follows_the_data(index: Index) -> None:
    """Other indices, other numbers."""
    whole = Index("whole", {}, {}, shards=1, replicas=0)
    _, content = ask(Elasticsearch([index, whole]), "/_cluster/health")
    assert (content["active_primary_shards"], content["unassigned_shards"]) == (3, 2)
    _, content = ask(Elasticsearch([whole]), "/_cluster/health?pretty=false")
    assert (content["status"], content["active_shards"]) == ("green", 1)


def test_cat_indices(index: Index) -> None:
    """A table, with a head if it's asked for."""
    app = Elasticsearch([index, Index("whole", {}, {}, shards=1, replicas=0)])
    answer = app(Request("GET", "/_cat/indices?v", {}, b""))
    assert answer.body == (
        "health status index  pri rep docs.count\n"
        "yellow open   things   2   1          3\n"
        "green  open   whole    1   0          0\n"
    )
    bare = app(Request("GET", "/_cat/indices", {}, b""))
    assert bare.body == "yellow open things 2 1 3\ngreen  open whole  1 0 0\n"


def test_documents_and_mappings(index: Index) -> None:
    """By id, and by the types of the fields; the banner says what it is."""
    app = Elasticsearch([index])
    status, content = ask(app, "/things/_doc/a")
    assert (status, content["found"], content["_source"]) == (200, True, ROWS["a"])
    about = {"_index": "things", "_type": "_doc", "_id": "z"}
    assert ask(app, "/things/_doc/z") == (404, {**about, "found": False})
    _, content = ask(app, "/things")
    assert content["things"]["mappings"]["_doc"]["properties"]["who"] == {"type": "keyword"}
    assert "no Elasticsearch" in ask(app, "/")[1]["tagline"]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (("GET", "/none", b""), (404, "index_not_found_exception", "no such index")),
        (("GET", "/none/_search", b""), (404, "index_not_found_exception", "no such index")),
        (("GET", "/none/_doc/1", b""), (404, "index_not_found_exception", "no such index")),
        (("PUT", "/things", b"{}"), (403, "cluster_block_exception", "read-only")),
        (("GET", "/_search?qq=x", b""), (400, "illegal_argument_exception", "parameter: [qq]")),
        (
            ("GET", "/_search?size=x", b""),
            (400, "illegal_argument_exception", "[size] with value [x]"),
        ),
        (("GET", "/_search?from=-1", b""), (400, "illegal_argument_exception", "negative")),
        (("GET", "/_search?size=10001", b""), (400, "illegal_argument_exception", "[10001]")),
        (
            ("GET", "/_search?q=(x", b""),
            (400, "query_shard_exception", "Failed to parse query [(x]"),
        ),
        (("POST", "/_search", b"{"), (400, "json_parse_exception", "no JSON")),
        (("POST", "/_search", b"\xff"), (400, "json_parse_exception", "no JSON")),
        (("POST", "/_search", b"[]"), (400, "parsing_exception", "START_OBJECT")),
        (("POST", "/_search", b'{"sort": 1}'), (400, "parsing_exception", "[sort]")),
        (("POST", "/_search", b'{"size": "1"}'), (400, "parsing_exception", "[size]")),
        (("POST", "/_search", b'{"from": true}'), (400, "parsing_exception", "[from]")),
        (("POST", "/_search", b'{"query": 1}'), (400, "parsing_exception", "malformed")),
        (("POST", "/_search", b'{"query": {"fuzzy": {}}}'), (400, "parsing_exception", "[fuzzy]")),
        (("POST", "/_search", b'{"query": {"match": {}}}'), (400, "parsing_exception", "[match]")),
        (
            ("POST", "/_search", b'{"query": {"term": {"a": {}}}}'),
            (400, "parsing_exception", "value"),
        ),
        (
            ("POST", "/_search", b'{"query": {"match": {"a": [1]}}}'),
            (400, "parsing_exception", "no [query] in it"),
        ),
    ],
)
def test_refusals(index: Index, asked: tuple[str, str, bytes], error: tuple[int, str, str]) -> None:
    """Shaped as Elasticsearch's."""
    method, target, body = asked
    status, kind, reason = error
    code, content = ask(Elasticsearch([index]), target, body, method)
    assert (code, content["status"], content["error"]["type"]) == (status, status, kind)
    assert reason in content["error"]["reason"]
    assert content["error"]["root_cause"][0]["reason"] == content["error"]["reason"]


def test_unknown_paths_and_methods(index: Index) -> None:
    """Those are told in one text, as by Elasticsearch 6."""
    app = Elasticsearch([index])
    no_handler = "no handler found for uri [/_x/y?a] and method [GET]"
    assert ask(app, "/_x/y?a") == (400, {"error": no_handler})
    status, content = ask(app, "/_search", method="DELETE")
    assert status == 405
    assert content["error"].endswith("method [DELETE], allowed: [GET, POST]")


def test_the_document_s_example() -> None:
    """The document asks for ``_search?q=user:kimchy``."""
    _, content = ask(Elasticsearch([tweets()]), "/_search?q=user:kimchy")
    users = {hit["_source"]["user"] for hit in content["hits"]["hits"]}
    assert (content["hits"]["total"], users) == (3, {"kimchy"})
