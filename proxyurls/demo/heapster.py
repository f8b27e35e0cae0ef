"""An app that answers as Heapster does, about the one process that there is: the demo's own.

A subset: ``/healthz``, ``/api/v1/model/metrics`` and the cluster's own metrics behind it; and
``/``, which Heapster hasn't. The numbers are measured, once a second at most, and only while
somebody asks.
"""

from __future__ import annotations

import json
import time
from collections import deque
from datetime import datetime, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.testing import Response

if TYPE_CHECKING:
    from proxyurls.testing import Request

METRICS = ("cpu/usage", "cpu/usage_rate", "uptime")  # ns; thousandths of a core; ms
_ROOT = "/api/v1/model/metrics"
_KEPT = 120
_SECOND = 1_000_000_000


class Sample(NamedTuple):
    """What was measured at a time, all in nanoseconds."""

    when: int
    cpu: int


class Heapster:
    """The app: call it with a request."""

    def __init__(self) -> None:
        self._began = time.time_ns()
        self._samples = deque([Sample(self._began, time.process_time_ns())], maxlen=_KEPT)

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        path = request.target.partition("?")[0].rstrip("/")
        if request.method not in ("GET", "HEAD"):
            return Response("405: Method Not Allowed\n", 405, {"Content-Type": "text/plain"})
        if not path:
            text = f"Heapster's model is at {_ROOT}, the demo's own process is what it measures\n"
            return Response(text, headers={"Content-Type": "text/plain"})
        if path == "/healthz":
            return Response("ok", headers={"Content-Type": "text/plain"})
        if path == _ROOT:
            return _json(METRICS)
        name = path.removeprefix(f"{_ROOT}/")
        if name in METRICS:
            return _json(self._metric(name))
        return Response("404: Page Not Found\n", 404, {"Content-Type": "text/plain"})

    def _metric(self, name: str) -> object:
        latest = self._samples[-1]
        if (now := time.time_ns()) - latest.when >= _SECOND:
            self._samples.append(Sample(now, time.process_time_ns()))
        samples = list(self._samples)
        points = []
        for before, sample in pairwise(samples):
            values = {
                "cpu/usage": sample.cpu,
                "cpu/usage_rate": (sample.cpu - before.cpu) * 1000 // (sample.when - before.when),
                "uptime": (sample.when - self._began) // 1_000_000,
            }
            points.append({"timestamp": _text(sample.when), "value": values[name]})
        return {"metrics": points, "latestTimestamp": _text(samples[-1].when)}


def _text(when: int) -> str:
    moment = datetime.fromtimestamp(when / _SECOND, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(content: object) -> Response:
    return Response(json.dumps(content), headers={"Content-Type": "application/json"})
