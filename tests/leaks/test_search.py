"""The search can fail: a secret that is let out is found, whatever the way and the spelling."""

from __future__ import annotations

import base64
import html
import json
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from .browser import visit
from .marks import Search, mark
from .recorder import PLANTS, Job
from .runs import run

if TYPE_CHECKING:
    from pathlib import Path

SECRET = mark("planted")
ODD = f'{mark("a")[:16]}"\\é%{mark("b")[:16]}'
SEARCH = Search({"planted": SECRET, "odd": ODD})
# What shows by one channel may show by another too: a file's text is in no other, for example.
CHANNELS = {"callback": "log", "left file": "file"}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_leak_is_found(plant: str, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"]}
    line = ["url", "web", "--path"]
    if plant == "page":
        line = ["serve", "--port", "0", "--server", "http://127.0.0.1:1"]
    job = Job(line, environ, tmp_path, secret=SECRET, plant=plant)
    leaks = run(job, serving=visit if plant == "page" else None).leaks(SEARCH)
    if plant == "page":
        leaks.pop("repr")  # of what keeps the page
    assert leaks == {CHANNELS.get(plant, plant): {"planted"}}


def test_nothing_planted_nothing_found(tmp_path: Path) -> None:
    job = Job(["url", "web", "--path"], {"PATH": os.environ["PATH"]}, tmp_path, secret=SECRET)
    outcome = run(job)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "/api/v1/namespaces/default/services/web/proxy/\n"
    assert outcome.leaks(SEARCH) == {}


@pytest.mark.parametrize("secret", [SECRET, ODD])
@pytest.mark.parametrize(
    "spell",
    [
        str,
        repr,
        json.dumps,
        quote,
        html.escape,
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"ann:{text}".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"??{text}>>".encode()).decode(),
        lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
        lambda text: text[:13] + "..." + text[-4:],
        lambda text: "..." + text[-13:],
        lambda text: repr(text.encode()),
    ],
)
def test_every_spelling_is_found(secret: str, spell: object) -> None:
    assert callable(spell)
    assert SEARCH.names(f"<{spell(secret)}>") == {"planted" if secret == SECRET else "odd"}


def test_a_certificate_beside_its_key_is_no_secret() -> None:
    both = mark("shared")
    search = Search({"key": both + mark("private")}, public=both)
    assert search.names(both) == set()
    assert search.names(mark("private")) == {"key"}
