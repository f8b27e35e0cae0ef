"""The data of the demo's Elasticsearch: a few tweets, as in its own old tutorial."""

from __future__ import annotations

from proxyurls.demo.search import Index

FIELDS = {"user": "keyword", "post_date": "date", "message": "text", "likes": "integer"}
_ROWS = (
    ("kimchy", "2009-11-15T14:12:12", "trying out Elasticsearch", 3),
    ("kimchy", "2009-11-15T14:15:51", "another tweet, will it be indexed?", 1),
    ("elastic", "2009-11-16T09:30:00", "you know, for search", 12),
    ("kimchy", "2009-11-17T08:01:07", "searching Elasticsearch through the apiserver proxy", 8),
    ("heapster", "2016-03-01T12:00:00", "memory is fine, CPU is bored", 0),
    ("grafana", "2016-03-01T12:00:30", "a dashboard is worth a thousand logs", 5),
)


def tweets() -> Index:
    """The index ``twitter``."""
    documents = {
        str(number): dict(zip(FIELDS, row, strict=True)) for number, row in enumerate(_ROWS, 1)
    }
    return Index("twitter", FIELDS, documents)
