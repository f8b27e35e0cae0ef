"""Each snippet of README.md and docs/ is run, parsed or looked at by some test.

``console`` blocks, ``text`` blocks with a server and ``python`` blocks with prompts are run by
test_docs.py, README's ``bash`` blocks by test_newcomer.py.
"""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from .pages import PAGES, Snippet, snippets

ALL = [snippet for page in PAGES for snippet in snippets(page)]
KINDS = {"console", "console offline", "text", "python", "bash", "yaml", "json"}


def of(*kinds: str) -> list[object]:
    """The snippets of some kinds, as test cases."""
    return [pytest.param(one, id=one.name) for one in ALL if one.how in kinds]


def test_there_is_no_other_kind() -> None:
    """One that no test knows would be one that nobody runs."""
    assert {one.how for one in ALL} <= KINDS, [one.name for one in ALL if one.how not in KINDS]
    assert len(ALL) > 40


@pytest.mark.parametrize("snippet", of("python"))
def test_python_is_run(snippet: Snippet) -> None:
    """It has prompts, so that test_docs.py runs it."""
    assert snippet.text.startswith((">>> ", "... "))


@pytest.mark.parametrize("snippet", of("console", "console offline"))
def test_commands_are_run(snippet: Snippet) -> None:
    """It has prompts, so that test_docs.py runs it."""
    assert snippet.text.startswith("$ ")


@pytest.mark.parametrize("snippet", of("bash"))
def test_bash_is_bash(snippet: Snippet) -> None:
    """What can't be run here can be read by bash."""
    done = subprocess.run(
        ["bash", "-n"], input=snippet.text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("snippet", of("yaml", "json"))
def test_data_can_be_read(snippet: Snippet) -> None:
    """Manifests have a kind, and JSON is JSON."""
    if snippet.how == "json":
        assert json.loads(snippet.text)
        return
    for document in yaml.safe_load_all(snippet.text):
        assert isinstance(document, dict)
        assert "kind" not in document or {"apiVersion", "metadata"} <= set(document)
