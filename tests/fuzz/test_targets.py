"""Each target can fail: it notices when what it watches over is taken out of proxyurls."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from .mutate import mutate
from .targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .registry import FuzzTarget

_NEVER = re.compile("(?!)")
_ANYTHING = re.compile(".*", re.DOTALL)


def _nothing(*_: object, **__: object) -> None:
    """A check that checks nothing."""


# By target: what is replaced, and by what.
BROKEN: dict[str, tuple[str, Any]] = {
    "segment": ("proxyurls.segment.join_segment", lambda name, port, _: f"{name}:{port}"),
    "suffix": ("proxyurls.suffix._refuse_leaving", _nothing),
    "url": ("proxyurls.urls.ProxyURL.__str__", lambda url: url.server + url.target.path()),
    "cluster-url": ("fuzz.core.to_cluster_url", lambda found, _: f"http://{found.name}/"),
    "server": ("proxyurls.server._PATH", _ANYTHING),
    "kubeconfig": ("proxyurls.config.validate._CONTROL", _NEVER),
    "services": ("proxyurls.paging.check", _nothing),
    "nodes": ("proxyurls.objects.check", _nothing),
    "index": ("proxyurls.paging.check", _nothing),
    "answer": ("proxyurls.status.parse_status", json.loads),
    "html": ("proxyurls.undo.unprefix._TAIL", 1),
    "hosts": ("proxyurls.gateway.hosts._grown", str),
    "paths": ("proxyurls.gateway.paths.collapses", lambda _: False),
    "headers": ("proxyurls.gateway.headers.is_gateways", lambda _: False),
    "http1": ("proxyurls.gateway.http1._TARGET", _ANYTHING),
    "access": ("proxyurls.gateway.access.Access._foreign", lambda *_: False),
    "line": ("fuzz.words.one_line", str),
    "page": ("html.escape", str),
}


def inputs(fuzzed: FuzzTarget) -> Iterator[bytes]:
    """The corpus, and some thousands like it."""
    known = list(fuzzed.corpus().values())
    yield from known
    chance = random.Random(fuzzed.name)
    for _ in range(5000):
        yield mutate(chance.choice(known), [*fuzzed.tokens, *known], chance)


def failed(check: Callable[[bytes], None], data: bytes) -> bool:
    """Whether an input is a finding."""
    try:
        check(data)
    except Exception:  # noqa: BLE001  (whatever it is, it was noticed)
        return True
    return False


@pytest.mark.parametrize("fuzzed", TARGETS.values(), ids=TARGETS)
def test_it_notices(fuzzed: FuzzTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a rule taken out, some input fails."""
    place, instead = BROKEN[fuzzed.name]
    monkeypatch.setattr(place, instead)
    assert any(failed(fuzzed.check, data) for data in inputs(fuzzed))


@pytest.mark.parametrize("fuzzed", TARGETS.values(), ids=TARGETS)
def test_it_says_what_holds(fuzzed: FuzzTarget) -> None:
    """Its invariant is one sentence."""
    assert fuzzed.invariant.startswith("Whatever ")
    assert fuzzed.invariant.count(". ") == 0
    assert fuzzed.invariant.endswith(".")
