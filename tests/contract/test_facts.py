"""The lists of facts can't go stale between the runs of `mutations`."""

from __future__ import annotations

import re

import pytest

from .mutations import PROJECT, Fact, facts


@pytest.mark.parametrize("fact", facts(), ids=lambda fact: fact.text[:60])
def test_it_can_be_taken_out(fact: Fact) -> None:
    """What is to be changed stands once in its file, and the test that is to notice is there."""
    assert (PROJECT / "proxyurls" / fact.file).read_text("utf-8").count(fact.old) == 1
    assert fact.old != fact.new
    file, name = fact.test.split("::")
    text = (PROJECT / "tests" / "contract" / file).read_text("utf-8")
    assert re.search(rf"^ *def {re.escape(name)}\(", text, re.MULTILINE)
