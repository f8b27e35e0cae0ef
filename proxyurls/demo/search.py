"""A little full-text search: typed fields, Lucene's simplest queries, and its ranking (BM25)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    # A document's score, 0 where it does not match.
    Query = Callable[["Document"], float]

# A word may hold what means something to Lucene elsewhere only where it can't be mistaken.
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<operator>AND|OR)(?=\s|$)
    | (?:(?P<field>\w+|\*):)? (?: "(?P<phrase>[^"]*)" | (?P<word>[^\s"()\[\]{}~^:\\!?*/+<>=-]
      [^\s"()\[\]{}~^:\\!?*]*)? (?P<star>\*)? )
    )""",
    re.VERBOSE,
)
_FIRST_NUMBER, _NORMALISATION = 1.2, 0.75  # k1 and b, Lucene's defaults


class QueryError(ValueError):
    """A query in words that this search does not know."""


class Document(NamedTuple):
    """What was indexed, and its id."""

    id: str
    source: Mapping[str, Any]


class Index:
    """Documents of one shape.

    Args:
        name: its name.
        fields: the type of each field: text (taken apart into words), keyword (one piece), date
            (ISO 8601, found by any beginning of it) or integer.
        documents: what is in it, by id.
        shards: how many primary shards it says it has.
        replicas: how many copies of each it would have, were there nodes for them.
    """

    def __init__(
        self,
        name: str,
        fields: Mapping[str, str],
        documents: Mapping[str, Mapping[str, Any]],
        *,
        shards: int = 5,
        replicas: int = 1,
    ) -> None:
        self.name = name
        self.fields = fields
        self.documents = [Document(id, source) for id, source in documents.items()]  # noqa: A001
        self.shards = shards
        self.replicas = replicas

    def words(self, field: str, value: object) -> list[str]:
        """The words of a value, as they are indexed and as they are looked up."""
        if self.fields.get(field) == "text":
            return re.findall(r"\w+", str(value).lower())
        return [str(value)]

    def term(self, field: str, word: object) -> Query:
        """Documents with a word, as it is indexed."""
        type_, wanted = self.fields.get(field), str(word)
        if type_ in ("date", "integer"):

            def point(document: Document) -> float:
                value = str(document.source.get(field, ""))
                found = value.startswith(wanted) if type_ == "date" else value == wanted
                return float(found and wanted != "")

            return point
        lists = {doc.id: self._indexed(field, doc) for doc in self.documents}
        having = sum(wanted in words for words in lists.values())
        average = sum(map(len, lists.values())) / (len(lists) or 1)
        rarity = math.log(1 + (len(lists) - having + 0.5) / (having + 0.5))

        def score(document: Document) -> float:
            words = lists[document.id]
            count = words.count(wanted)
            if not count:
                return 0.0
            length = 1 - _NORMALISATION + _NORMALISATION * len(words) / average
            return rarity * count * (_FIRST_NUMBER + 1) / (count + _FIRST_NUMBER * length)

        return score

    def prefix(self, field: str, start: str) -> Query:
        """Documents with a word that starts so; with "" those that have the field."""
        start = start.lower() if self.fields.get(field) == "text" else start

        def score(document: Document) -> float:
            return float(any(word.startswith(start) for word in self._indexed(field, document)))

        return score

    def match(self, field: str, text: object) -> Query:
        """Documents with any word of a text."""
        return total([self.term(field, word) for word in self.words(field, text)])

    def phrase(self, field: str, text: str) -> Query:
        """Documents with all words of a text, one behind the other."""
        wanted = self.words(field, text)
        if len(wanted) == 1:
            return self.term(field, wanted[0])
        score = self.match(field, text)

        def scored(document: Document) -> float:
            words = self._indexed(field, document)
            starts = range(len(words) - len(wanted) + 1)
            found = wanted and any(words[at : at + len(wanted)] == wanted for at in starts)
            return score(document) if found else 0.0

        return scored

    def query_string(self, text: str) -> Query:
        """Lucene's query string: ``word``, ``wor*``, ``"a phrase"``, ``field:word``, AND and OR.

        A blank is an OR; AND binds closer. A word without a field is looked for in all of them.

        Raises:
            QueryError: it's empty, or has more of Lucene's syntax than that.
        """
        groups: list[list[Query]] = []
        joined = operator = ""
        at, end = 0, len(text.rstrip())
        while at < end:
            token = _TOKEN.match(text, at, end)
            if token is None or token.end() == at:
                raise QueryError(f"Failed to parse query [{text}]")
            at = token.end()
            operator = token["operator"] or ""
            if operator:
                if joined or not groups:
                    raise QueryError(f"Failed to parse query [{text}]")
                joined = operator
                continue
            clause = self._clause(token, text)
            if joined == "AND":
                groups[-1].append(clause)
            else:
                groups.append([clause])
            joined = ""
        if operator or not groups:
            raise QueryError(f"Failed to parse query [{text}]")
        return total([every(group) for group in groups])

    def _clause(self, token: re.Match[str], text: str) -> Query:
        field, word, phrase = token["field"], token["word"] or "", token["phrase"]
        if phrase is None and not word and not token["star"]:
            raise QueryError(f"Failed to parse query [{text}]")

        def of(field: str) -> Query:
            if phrase is not None:
                return self.phrase(field, phrase)
            return self.prefix(field, word) if token["star"] else self.match(field, word)

        if field == "*" or (field is None and token["star"] and not word):
            return everything
        return of(field) if field else best([of(field) for field in self.fields])

    def _indexed(self, field: str, document: Document) -> list[str]:
        return self.words(field, document.source[field]) if field in document.source else []

    def search(self, query: Query) -> list[tuple[float, Document]]:
        """The documents that match, the best first, each with its score."""
        scored = [(query(document), document) for document in self.documents]
        return sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])


def everything(_: Document) -> float:
    """Match every document alike."""
    return 1.0


def total(queries: Sequence[Query]) -> Query:
    """Match what any of them matches, and add up their scores."""
    return lambda document: sum(query(document) for query in queries)


def best(queries: Sequence[Query]) -> Query:
    """Match what any of them matches, with the highest of their scores."""
    return lambda document: max((query(document) for query in queries), default=0.0)


def every(queries: Sequence[Query]) -> Query:
    """Match what all of them match, and add up their scores."""

    def score(document: Document) -> float:
        scores = [query(document) for query in queries]
        return sum(scores) if all(scores) else 0.0

    return score
