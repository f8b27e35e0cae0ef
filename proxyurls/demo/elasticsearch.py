"""An app that answers as Elasticsearch 6 does, over a little data that can't be changed.

It is a subset: ``/``, ``/_cluster/health``, ``/_cat/indices``, ``/INDEX`` (its mapping),
``/INDEX/_doc/ID``, ``/_search`` and ``/INDEX/_search``. A search takes ``q``, ``size`` and
``from``, or a body with ``query`` (match_all, match, term or query_string), of whatever
Content-Type. What it answers is computed from the data, scores included; the health has
the ten fields that it had when "Accessing Clusters" was written. Unlike Elasticsearch it puts
each element of a pretty-printed array on a line of its own.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from proxyurls.demo import search
from proxyurls.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxyurls.testing import Request

    Object = dict[str, Any]
    Answer = tuple[int, object]

CLUSTER = "kubernetes_logging"
_MOST = 10_000  # index.max_result_window
_EVERYWHERE = {"pretty"}
_SEARCHES = {"q", "size", "from"}


class Refusal(Exception):
    """An answer of status 400 or more."""

    def __init__(self, status: int, kind: str, reason: str, **more: object) -> None:
        super().__init__(reason)
        cause = {"type": kind, "reason": reason, **more}
        self.status = status
        self.content = {"error": {"root_cause": [cause], **cause}, "status": status}


class Elasticsearch:
    """The app: call it with a request.

    Args:
        indices: what it knows.
    """

    def __init__(self, indices: Sequence[search.Index]) -> None:
        self._indices = {index.name: index for index in indices}

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        parts = urlsplit(request.target)
        query = {
            key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        pretty = query.get("pretty", "false") != "false"
        try:
            status, content = self._answer(request, parts.path, query)
        except Refusal as refused:
            status, content = refused.status, refused.content
        if isinstance(content, str):
            return Response(content, status, {"Content-Type": "text/plain; charset=UTF-8"})
        marks = (",", " : ") if pretty else (",", ":")
        text = json.dumps(content, indent=2 if pretty else None, separators=marks)
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        return Response(text + "\n" * pretty, status, headers)

    def _answer(self, request: Request, path: str, query: Mapping[str, str]) -> Answer:
        words = [unquote(word) for word in path.split("/") if word]
        answer, methods, known = self._handler(words, request, query)
        if answer is None:
            uri = f"no handler found for uri [{request.target}] and method [{request.method}]"
            return 400, {"error": uri}
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            if len(words) == 1 and words[0] in self._indices:
                reason = "blocked by: [FORBIDDEN/5/index read-only (api)];"
                raise Refusal(403, "cluster_block_exception", reason)
            allowed = ", ".join(methods)
            uri = f"Incorrect HTTP method for uri [{request.target}] and method [{method}]"
            return 405, {"error": f"{uri}, allowed: [{allowed}]", "status": 405}
        strange = sorted(set(query) - known - _EVERYWHERE)
        if strange:
            reason = f"request [{path}] contains unrecognized parameter: [{strange[0]}]"
            raise Refusal(400, "illegal_argument_exception", reason)
        return answer()

    def _handler(
        self, words: list[str], request: Request, query: Mapping[str, str]
    ) -> tuple[Callable[[], Answer] | None, tuple[str, ...], set[str]]:
        """What answers a path, the methods that it takes, and its parameters."""
        get = ("GET",)
        match words:
            case []:
                return self._banner, get, set()
            case ["_cluster", "health"]:
                return self._health, get, set()
            case ["_cat", "indices"]:
                return (lambda: self._cat("v" in query)), get, {"v"}
            case ["_search"]:
                indices = list(self._indices.values())
                return (lambda: _search(indices, query, request.body)), ("GET", "POST"), _SEARCHES
            case [name, "_search"] if name[0] != "_":
                return (
                    (lambda: _search([self._index(name)], query, request.body)),
                    ("GET", "POST"),
                    _SEARCHES,
                )
            case [name, "_doc", id_] if name[0] != "_":
                return (lambda: _document(self._index(name), id_)), get, set()
            case [name] if name[0] != "_":
                return (lambda: _mapping(self._index(name))), get, set()
        return None, (), set()

    def _index(self, name: str) -> search.Index:
        if name not in self._indices:
            more = {"resource.type": "index_or_alias", "resource.id": name, "index": name}
            raise Refusal(404, "index_not_found_exception", "no such index", **more)
        return self._indices[name]

    def _banner(self) -> Answer:
        return 200, {
            "name": "demo",
            "cluster_name": CLUSTER,
            "tagline": "A demonstration by proxyurls, and no Elasticsearch",
        }

    def _health(self) -> Answer:
        """One node has every primary shard; there is none for the replicas."""
        primary = sum(index.shards for index in self._indices.values())
        missing = sum(index.shards * index.replicas for index in self._indices.values())
        return 200, {
            "cluster_name": CLUSTER,
            "status": _status(missing),
            "timed_out": False,
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
            "active_primary_shards": primary,
            "active_shards": primary,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": missing,
        }

    def _cat(self, headed: bool) -> Answer:  # noqa: FBT001
        rows = [["health", "status", "index", "pri", "rep", "docs.count"]] if headed else []
        for index in self._indices.values():
            health = _status(index.shards * index.replicas)
            numbers = map(str, (index.shards, index.replicas, len(index.documents)))
            rows.append([health, "open", index.name, *numbers])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            " ".join(
                cell.rjust(width) if at > 2 else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )
        return 200, "".join(f"{line}\n" for line in lines)


def _status(missing: int) -> str:
    return "yellow" if missing else "green"


def _mapping(index: search.Index) -> Answer:
    properties = {field: {"type": type_} for field, type_ in index.fields.items()}
    return 200, {index.name: {"mappings": {"_doc": {"properties": properties}}}}


def _document(index: search.Index, id_: str) -> Answer:
    about: Object = {"_index": index.name, "_type": "_doc", "_id": id_}
    for document in index.documents:
        if document.id == id_:
            return 200, {**about, "_version": 1, "found": True, "_source": document.source}
    return 404, {**about, "found": False}


def _search(indices: Sequence[search.Index], parameters: Mapping[str, str], body: bytes) -> Answer:
    """Search some indices, by the parameters of the query or by those of the body."""
    began = time.perf_counter()
    asked: Object = {"size": 10, "from": 0, "query": {"match_all": {}}}
    asked |= _parsed(body) if body.strip() else {}
    for name in ("size", "from"):
        if name in parameters:
            asked[name] = _number(name, parameters[name])
        elif type(asked[name]) is not int or asked[name] < 0:
            raise Refusal(400, "parsing_exception", f"[{name}] is no number from 0 on")
    size, start = asked["size"], asked["from"]
    if start + size > _MOST:
        reason = (
            "Result window is too large, from + size must be less than or equal to: "
            f"[{_MOST}] but was [{start + size}]"
        )
        raise Refusal(400, "illegal_argument_exception", reason)
    if "q" in parameters:
        asked["query"] = {"query_string": {"query": parameters["q"]}}
    found = [
        (score, index.name, document)
        for index in indices
        for score, document in index.search(_query(index, asked["query"]))
    ]
    found.sort(key=lambda hit: -hit[0])
    hits = [
        {"_index": name, "_type": "_doc", "_id": doc.id, "_score": score, "_source": doc.source}
        for score, name, doc in found[start : start + size]
    ]
    shards = sum(index.shards for index in indices)
    return 200, {
        "took": round((time.perf_counter() - began) * 1000),
        "timed_out": False,
        "_shards": {"total": shards, "successful": shards, "skipped": 0, "failed": 0},
        "hits": {
            "total": len(found),
            "max_score": found[0][0] if found else None,
            "hits": hits,
        },
    }


def _number(name: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        reason = f"Failed to parse int parameter [{name}] with value [{text}]"
        raise Refusal(400, "illegal_argument_exception", reason) from None
    if number < 0:
        reason = f"[{name}] parameter cannot be negative, found [{number}]"
        raise Refusal(400, "illegal_argument_exception", reason)
    return number


def _parsed(body: bytes) -> Object:
    try:
        asked = json.loads(body)
    except ValueError as error:  # no UTF-8 or no JSON
        raise Refusal(400, "json_parse_exception", f"the body is no JSON: {error}") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "parsing_exception", "Expected [START_OBJECT] at the body's start")
    for key in asked:
        if key not in ("query", "size", "from"):
            raise Refusal(400, "parsing_exception", f"Unknown key [{key}] in the body")
    return asked


def _query(index: search.Index, asked: object) -> search.Query:
    """The query that a body's ``query`` means."""
    match asked:
        case {"match_all": dict()}:
            return search.everything
        case {"match": dict(fields)} if len(fields) == 1:
            field, value = next(iter(fields.items()))
            return index.match(field, _value(value, "query"))
        case {"term": dict(fields)} if len(fields) == 1:
            field, value = next(iter(fields.items()))
            return index.term(field, _value(value, "value"))
        case {"query_string": {"query": str(text)}}:
            try:
                return index.query_string(text)
            except search.QueryError as error:
                raise Refusal(400, "query_shard_exception", str(error)) from None
        case dict() if len(asked) == 1:
            name = next(iter(asked))
            if name not in ("match_all", "match", "term", "query_string"):
                raise Refusal(400, "parsing_exception", f"no [query] registered for [{name}]")
            raise Refusal(400, "parsing_exception", f"[{name}] query malformed")
    raise Refusal(400, "parsing_exception", "[query] malformed, it takes one query")


def _value(value: object, key: str) -> object:
    """``"x"``, or the longer ``{"query": "x"}``."""
    if isinstance(value, dict):
        value = value.get(key)
    if isinstance(value, (dict, list)) or value is None:
        raise Refusal(400, "parsing_exception", f"query malformed, no [{key}] in it")
    return value
