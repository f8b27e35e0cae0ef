"""link_bot.py: what people type never leaves the target."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxyurls import parse_url, service

from .conftest import EXAMPLES, App

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from contract.cluster import APIServer
    from contract.fixtures import Serve
    from contract.upstream import Upstream

    from proxyurls.testing import FakeCluster

NAMESPACE = "bot-example"
BOT = EXAMPLES / "link_bot.py"


def bot(*messages: str) -> list[str]:
    """What the bot answers, in a process of its own that has no cluster."""
    done = subprocess.run(
        [sys.executable, str(BOT)],
        input="".join(f"{message}\n" for message in messages),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_as_documented() -> None:
    """The session in its docstring."""
    found = re.findall(
        r"\$ echo '(.*)' \| python examples/link_bot.py\n +(.*)\n", BOT.read_text("utf-8")
    )
    assert len(found) == 2
    for message, answer in found:
        (said,) = bot(message)
        assert said.startswith(answer.removesuffix("…"))


def test_answers() -> None:
    """A link, a link with a remark, a refusal, and a question back."""
    root = "https://k8s.example/api/v1/namespaces/monitoring/services/grafana:3000/proxy/"
    assert bot("grafana", "grafana d/x y=a&b z=ü", "grafana a%2Fb") == [
        root,
        f"{root}d/x?y=a%26b&z=%C3%BC",
        f"{root}a%2Fb",
        "Mind that the apiserver decodes %2F, so the app sees one more path segment.",
    ]
    (refusal,) = bot("grafana ../../../../secrets")
    assert refusal.startswith("No link: invalid suffix '../../../../secrets': ")
    assert bot("vault", "") == ["I know dashboard, grafana. Which one?"] * 2


def test_links_lead_there(
    fake_cluster: FakeCluster, follow: Callable[[str], httpx.Response]
) -> None:
    """The app gets the page and the query of a link."""
    app = App({"/d/home": "home"})
    fake_cluster.add_service("grafana", "monitoring", ports=3000, upstream=app)
    (link,) = bot("grafana d/home orgId=1 q=a&b")
    assert follow(link.replace("https://k8s.example", fake_cluster.url)).text == "home"
    assert app.targets == ["/d/home?orgId=1&q=a%26b"]


def test_loads_no_client() -> None:
    """It asks no cluster: neither an HTTP client nor a YAML parser is even loaded."""
    code = (
        f"import runpy, sys; runpy.run_path({str(BOT)!r})['answer']('grafana x');"
        "print([name for name in ('httpx', 'yaml', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "[]\n"


HOSTILE = [
    "..",
    "../..",
    "../../../../secrets",
    "%2e%2e/%2E%2e/x",
    "%252e%252e/%252e%252e/x",
    "a/..;/../../x",
    "..\\..\\x",
    "..%5c..%5cx",
    "..%2f..%2fx",
    "//k8s.example/api/v1/secrets",
    "https://k8s.example/api/v1/secrets",
    "/api/v1/namespaces/kube-system/secrets",
    "@k8s.example/x",
    ":443/x",
    "?a#../../x",
    "x%00y",
    "x%0d%0aHost:evil",
    "%zz",
    "/./.././../x",
]


@pytest.fixture(scope="module")
def grafana(apiserver: APIServer, serve: Serve) -> Upstream:
    """A Grafana on the real apiserver."""
    app = serve()
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("grafana", NAMESPACE, upstream=app.address)
    return app


@pytest.mark.parametrize("words", HOSTILE)
def test_never_leaves_its_target(apiserver: APIServer, grafana: Upstream, words: str) -> None:
    """Whatever is typed: no link, or one that the target's own app gets, and nobody else."""
    example = runpy.run_path(str(BOT))
    target = service("grafana", NAMESPACE)
    example["APPS"]["grafana"] = target
    link = example["answer"](f"grafana {words}").splitlines()[0]
    if link.startswith("No link: "):
        return
    assert parse_url(link).target == target
    path = link.removeprefix(example["SERVER"]).partition("#")[0]
    before = len(grafana.requests)
    answer = apiserver.get(path)
    assert len(grafana.requests) == before + 1 or answer.status in (400, 500)


def test_hostile_words_are_of_both_kinds() -> None:
    """Some are refused, and some are harmless below /proxy/: the test above saw both."""
    answers = bot(*(f"grafana {words}" for words in HOSTILE))
    refused = [line for line in answers if line.startswith("No link: ")]
    assert len(refused) >= 8
    assert len(answers) - len(refused) >= 6
