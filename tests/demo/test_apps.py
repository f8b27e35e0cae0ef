"""The demo's other apps, alone: dashboard, Kibana, Heapster and the name server."""

from __future__ import annotations

import json
import re
import socket
import time
from importlib import resources
from typing import Any

import pytest

from proxyurls.demo.dashboard import Dashboard
from proxyurls.demo.dns import NameServer
from proxyurls.demo.elasticsearch import Elasticsearch
from proxyurls.demo.heapster import METRICS, Heapster
from proxyurls.demo.kibana import Kibana
from proxyurls.demo.tweets import tweets
from proxyurls.testing import Request, Response


def ask(
    app: Any, target: str, method: str = "GET", body: bytes = b"", cookie: str = ""
) -> Response:
    """An app's answer."""
    answer = app(Request(method, target, {"Cookie": cookie}, body))
    assert isinstance(answer, Response)
    return answer


def read(answer: Response) -> Any:
    """The JSON of an answer."""
    assert answer.headers["Content-Type"] == "application/json"
    return json.loads(answer.body)


# heapster


def test_heapster_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates are what was used between two looks, a second or more apart."""
    clock, cpu = [1_000_000_000_000], [500]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0])
    monkeypatch.setattr(time, "process_time_ns", lambda: cpu[0])
    heapster = Heapster()
    path = "/api/v1/model/metrics"
    assert read(ask(heapster, path)) == list(METRICS)
    assert read(ask(heapster, f"{path}/uptime"))["metrics"] == []
    clock[0] += 2_000_000_000
    cpu[0] += 500_000_000
    rate = read(ask(heapster, f"{path}/cpu/usage_rate"))
    when = "1970-01-01T00:16:42.000Z"
    assert rate == {"metrics": [{"timestamp": when, "value": 250}], "latestTimestamp": when}
    clock[0] += 999_999_999  # too soon for another sample
    assert read(ask(heapster, f"{path}/cpu/usage"))["metrics"][-1]["value"] == 500_000_500
    assert [one["value"] for one in read(ask(heapster, f"{path}/uptime"))["metrics"]] == [2000]


def test_heapster_has_no_more() -> None:
    """Health, and answers to what it has not got."""
    heapster = Heapster()
    assert ask(heapster, "/healthz?x").body == "ok"
    assert ask(heapster, "/api/v1/model/metrics/nothing").status == 404
    assert "/api/v1/model/metrics" in str(ask(heapster, "/").body)
    assert ask(heapster, "/x").status == 404
    assert ask(heapster, "/healthz", "POST").status == 405


# dashboard


@pytest.fixture
def dashboard() -> Dashboard:
    """With numbers from a Heapster of its own."""
    return Dashboard(Heapster())


def test_pages_of_the_dashboard(dashboard: Dashboard) -> None:
    """Its root leads to the first page; all pages are one file, whose router does the rest."""
    root = ask(dashboard, "/")
    assert (root.status, root.headers["Location"]) == (303, "/d/home")
    page = ask(dashboard, "/d/home?a=b")
    assert ask(dashboard, "/d/other").body == ask(dashboard, "/login").body == page.body
    links = re.findall(r'(?:href|src|action)="(/[^"]+)"', str(page.body))
    assert len(links) >= 6
    for link in links:
        method = "POST" if link == "/logout" else "GET"
        assert ask(dashboard, link, method).status < 400, link
    assert ask(dashboard, "/static/dashboard.html").status == 404
    assert ask(dashboard, "/static/../dashboard.py").status == 404


def test_what_the_script_asks_for(dashboard: Dashboard) -> None:
    """Every path that app.js fetches is there, and every element that it names in the page."""
    script = str(ask(dashboard, "/static/app.js").body)
    page = str(ask(dashboard, "/d/home").body)
    paths = re.findall(r'get\("(/api/[^"]+)"\)', script)
    assert len(paths) == 3
    for path in paths:
        assert read(ask(dashboard, path)) is not None
    names = set(re.findall(r'\$\("#(\w+)', script))
    assert len(names) >= 5
    assert names <= set(re.findall(r'id="(\w+)"', page))
    assert ask(dashboard, "/api/metrics?name=nothing").status == 404


def test_login(dashboard: Dashboard) -> None:
    """A name gets a cookie, the cookie gets the name, signing out ends it."""
    answer = ask(dashboard, "/login", "POST", b"name=+J%C3%B6rg+")
    assert (answer.status, answer.headers["Location"]) == (303, "/d/home")
    session = answer.headers["Set-Cookie"].partition(";")[0]
    cookie = f"other=a:b; {session}; x"
    assert read(ask(dashboard, "/api/user", cookie=cookie)) == {"name": "Jörg"}
    assert read(ask(dashboard, "/api/user", cookie="dashboard_session=guess")) == {"name": None}
    assert "Max-Age=0" in ask(dashboard, "/logout", "POST", cookie=cookie).headers["Set-Cookie"]
    assert read(ask(dashboard, "/api/user", cookie=cookie)) == {"name": None}
    nameless = ask(dashboard, "/login", "POST", b"name=+")
    assert (nameless.headers["Location"], "Set-Cookie" in nameless.headers) == ("/login", False)


def test_sessions_do_not_pile_up(dashboard: Dashboard) -> None:
    """The oldest of a hundred goes first."""
    cookies = [
        ask(dashboard, "/login", "POST", b"name=n").headers["Set-Cookie"] for _ in range(101)
    ]
    names = [read(ask(dashboard, "/api/user", cookie=one))["name"] for one in cookies]
    assert names == [None] + ["n"] * 100


def test_the_dashboard_says_what_it_has_not(dashboard: Dashboard) -> None:
    """By JSON, with the path."""
    answer = ask(dashboard, "/x", "DELETE")
    assert answer.status == 404
    assert "DELETE /x" in read(answer)["message"]


# kibana


def test_kibana_searches() -> None:
    """What is typed is searched for, and shown again, as text."""
    kibana = Kibana(Elasticsearch([tweets()]))
    assert ask(kibana, "/").headers["Location"] == "/app/kibana"
    everything = str(ask(kibana, "/app/kibana").body)
    assert "6 hits" in everything
    assert "1 hit<" in str(ask(kibana, "/app/kibana?q=user:elastic").body)
    assert "0 hits" in str(ask(kibana, "/app/kibana?q=nobody").body)
    assert "Failed to parse query [(&quot;&lt;b&gt;$found]" in str(
        ask(kibana, "/app/kibana?q=(%22<b>$found").body
    )
    assert 'value="(&quot;&lt;b&gt;$found"' in str(ask(kibana, "/app/kibana?q=(%22<b>$found").body)
    for link in re.findall(r'(?:href|action)="(/[^"]+)"', everything):
        assert ask(kibana, link).status == 200, link
    assert ask(kibana, "/nothing").status == 404
    assert ask(kibana, "/app/kibana", "POST").status == 405


# all


def test_the_files_are_few_and_small() -> None:
    """All of HTML, script and style is part of the package, and less than 150 lines."""
    files = list((resources.files("proxyurls.demo") / "static").iterdir())
    assert {file.name for file in files} == {"app.css", "app.js", "dashboard.html", "kibana.html"}
    assert sum(file.read_text("utf-8").count("\n") for file in files) < 150


def test_the_name_server_hangs_up() -> None:
    """On HTTP, on a client that leaves first, and at its own end."""
    with NameServer() as names:
        socket.create_connection(names.address).close()
        with socket.create_connection(names.address, timeout=5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(10) == b""
        address = names.address
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
