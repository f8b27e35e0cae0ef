"""``doctor``, of a cluster that says anything anywhere: what it prints and what it says to type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cli.conftest import ROOT
from discovery.commands import environment as environment_of
from discovery.commands import kubeconfig

from proxyurls.doctor import STEPS

from .cluster import put
from .examined import CAUSES, HTML, WORLDS, Examined, world
from .payloads import PAYLOADS, check_messages, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Result, Run

    from .cluster import Place

# Everything that means something to a shell, all of it printable; and all the other payloads.
SHELL = "x $(touch owned)`touch owned`;touch owned|touch owned&'\"\\{a,b}~*?[x]#!:=%>owned<(:)"
AT_ONCE = "".join(one.text for one in PAYLOADS if len(one.text) < 1000)
ALL = bool(os.environ.get("PROXYURLS_HOSTILE"))
TEXTS = [SHELL, AT_ONCE, "a\ud800", "a" * 100_000]
_STEP = re.compile(r"(✓|✗|–) ([a-z]+) +\S")
_NAMES = {step.__name__.rpartition(".")[2] for step in STEPS}
_LONGEST = 5_000
_MEMBERS = {"apiVersion", "kind", "metadata", "rules", "roleRef", "subjects", "subsets"}
_COMMANDS = ("kubectl ", "proxyurls ", "curl ")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Examined]:
    """A hostile cluster, which $KUBECONFIG names."""
    with Examined() as one:
        path = kubeconfig(tmp_path / "kubeconfig", one.url, namespace="shop")
        monkeypatch.setenv("KUBECONFIG", str(path))
        monkeypatch.chdir(tmp_path)
        yield one


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """Every place in a world, from the whole of an object down."""
    if at:
        yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*at, number))


def texts(value: Any) -> list[Place]:
    """Those where a text stands, or a mapping, whose keys are texts."""
    found = []
    for place in places(value):
        at = value
        for key in place:
            at = at[key]
        if isinstance(at, str) or place[-1] in ("labels", "selector"):
            found.append(place)
    return found


def check_text(got: Result) -> None:
    """Lines of our own alone: steps, cause and remedy; none that the cluster began."""
    check_messages(got.err)
    assert got.code in (0, 1), got
    assert harmless(got.out), got.out
    steps, _, end = got.out.partition("\n\n")
    for line in steps.splitlines():
        found = _STEP.match(line)
        assert found, line
        assert found[2] in _NAMES
        assert len(line) < _LONGEST, line[:200]
    if got.code == 0:
        assert end == "healthy: nothing stands in the way\n"
    elif not got.err:
        cause, _, remedy = end.partition("\n")
        assert cause.startswith("cause:  ")
        assert len(cause) < _LONGEST
        first, _, rest = remedy.partition("\n")
        if first == "remedy:":
            check_manifest(rest)
        else:
            assert rest == ""
            check_remedy(first.removeprefix("remedy: "))


def check_manifest(text: str) -> list[dict[str, Any]]:
    """YAML of objects as we make them, whatever the texts in them."""
    made = list(yaml.safe_load_all(text))
    for one in made:
        kind = one["kind"]
        assert set(one) <= _MEMBERS
        assert kind in ("Endpoints", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
        assert set(one["metadata"]) <= {"name", "namespace"}
    return made


def check_remedy(remedy: str) -> None:
    """A command runs itself and nothing else; a sentence has no words of the cluster's to run."""
    assert len(remedy) < _LONGEST
    if not remedy.startswith(_COMMANDS):
        assert "touch owned" not in remedy, remedy
        return
    stands_in = "".join(f"{name.strip()}() {{ :; }}; " for name in (*_COMMANDS, "base64 "))
    done = subprocess.run(
        ["/bin/bash", "-c", f"PATH=; {stands_in}touch() {{ echo RAN; }}; {remedy}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), remedy


def check_json(got: Result) -> dict[str, Any] | None:
    """Escaped, whole, and with the same remedy."""
    check_messages(got.err)
    assert harmless(got.out), got.out
    if got.err and not got.out:
        return None
    found: dict[str, Any] = json.loads(got.out)
    assert found["healthy"] == (got.code == 0)
    assert {step["name"] for step in found["steps"]} <= _NAMES
    return found


@pytest.mark.parametrize("case", WORLDS)
def test_worlds(cluster: Examined, run: Run, case: str) -> None:
    """Without harm, each comes to what it is there for, or the others would try nothing."""
    words, make = WORLDS[case]
    cluster.world = make()
    found = check_json(run("doctor", *words, "-o", "json"))
    assert found is not None
    assert (found["cause"] or {}).get("name") == CAUSES.get(case, case), found
    check_text(run("doctor", *words))


@pytest.mark.parametrize("case", WORLDS)
def test_texts(cluster: Examined, run: Run, case: str) -> None:
    """A text in any place: nothing raw, no line of its own, and no word that a shell runs."""
    words, make = WORLDS[case]
    for number, place in enumerate(place for place in texts(make()) if "headers" not in place):
        # One text after the other; all of them in each place where all is to be tried.
        for text in TEXTS if ALL else [TEXTS[number % len(TEXTS)]]:
            value: object = {text: text} if place[-1] in ("labels", "selector") else text
            cluster.world = put(make(), place, value)
            check_text(run("doctor", *words))
            if ALL or text == AT_ONCE:
                check_json(run("doctor", *words, "-o", "json"))


WRONG: list[object] = [None, 7, -1, 1.5, True, "x", [], [None], [[]], {}, {"x": None}]


@pytest.mark.parametrize("case", WORLDS)
def test_wrong_types(cluster: Examined, run: Run, case: str) -> None:
    """A value of any type in any place: it works or is refused in one line, and is no bug."""
    words, make = WORLDS[case]
    for number, place in enumerate(place for place in places(make()) if place[0] != "proxy"):
        # The places are the same in many worlds, so a few of them have one each.
        chosen = WRONG[number % len(WRONG) :][: number % 4 == len(case) % 4]
        for value in WRONG if ALL else chosen:
            cluster.world = put(make(), place, value)
            check_text(run("doctor", *words))


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +999999999999",
        "\u00b2 Jan",
    ],
)
def test_dates(cluster: Examined, run: Run, text: str) -> None:
    """A Date that no clock shows is no reason to fail."""
    cluster.date = text
    found = check_json(run("doctor", "web:http", "-o", "json"))
    assert found is not None
    assert (found["cause"] or {"name": "wrong-clock"})["name"] == "wrong-clock"


LINKS = [
    "http://[x",
    "http://a]b/",
    "//[",
    "http://\u2100/",
    "http://db:99999/x",
    "http://db.shop.svc/$(touch owned)';touch owned;'",
    "http://db.shop.svc/\u202e\x9b31m",
    "http://db.shop.svc/" + "a" * 4_000,
    "mailto:a",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: repr(link)[:40])
def test_links(cluster: Examined, run: Run, link: str) -> None:
    """In a page, and in a redirect."""
    page = {"status": 200, "body": f'<a href="{link}">', "headers": HTML}
    where = {"status": 302, "headers": {"Location": link.encode().decode("iso-8859-1")}}
    for said in (page, where):
        cluster.world = put(world(), ("proxy",), said)
        check_text(run("doctor", "web:http"))
        check_json(run("doctor", "web:http", "-o", "json"))


def test_cookies(cluster: Examined, run: Run) -> None:
    """Of a redirect: those that can't be sent again are no bug."""
    for cookie in ('a="\xe9\x9b"', 'a="\\012b"', "a=\xff", "=;=", '$Path="x"', "a=" + "b" * 50_000):
        headers = {"Location": "/x", "Set-Cookie": cookie}
        cluster.world = put(world(), ("proxy",), {"status": 302, "headers": headers})
        check_text(run("doctor", "web:http"))


SIZE = 300_000
PAGES = ["<", "<a ", "<!--", "<![foo[x", "</", "<script></s", "<a href='http://x' "]


@pytest.mark.parametrize("seed", PAGES)
def test_pages(cluster: Examined, run: Run, seed: str) -> None:
    """Broken ones, as long as a page is looked at: no bug, and no minute."""
    page = {"status": 200, "body": seed * (SIZE // len(seed)), "headers": HTML}
    cluster.world = put(world(), ("proxy",), page)
    begin = time.process_time()
    check_text(run("doctor", "web:http"))
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "seed", ['User "', "error trying to reach service", 'no endpoints available for service "a:b']
)
def test_long_messages(cluster: Examined, run: Run, seed: str) -> None:
    """Of a refusal: whatever is looked for in them, it takes no minute; nor does ``fetch``."""
    said = {"status": 403, "message": f"services is forbidden: {seed * (SIZE // len(seed))}"}
    cluster.world = put(world(), ("proxy",), said)
    access = ("selfsubjectaccessreviews", "status", "allowed")
    begin = time.process_time()
    for allowed in (True, False):
        cluster.world = put(cluster.world, access, value=allowed)
        check_text(run("doctor", "web:http"))
    check_messages(run("fetch", "web:http").err)
    assert time.process_time() - begin < 5


HUGE: dict[str, tuple[Place, object]] = {
    "annotation": (("services", 0, "metadata", "annotations", "x"), "a" * 10_000_000),
    "annotation of a pod": (("pods", 0, "metadata", "annotations"), {"x": "a" * 10_000_000}),
    "label": (("pods", 0, "metadata", "labels", "app"), "a" * 50_000),
    "selector": (("services", 0, "spec", "selector", "app"), "a" * 50_000),
    "body": (("proxy", "body"), "a" * 30_000_000),
    "page": (("proxy",), {"status": 200, "body": "<a>" * 10_000_000, "headers": HTML}),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("what", HUGE)
def test_what_is_huge(cluster: Examined, tmp_path: Path, what: str) -> None:
    """No more memory than an answer takes a few times over, and no minute."""
    words, make = WORLDS["selector-mismatch" if "of a pod" in what else "healthy"]
    cluster.world = put(make(), *HUGE[what])
    code = (
        "import os, sys; from proxyurls.cli import main; code = main(sys.argv[1:]);"
        "(peak,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(peak.split()[1], os.times().user, file=sys.stderr); sys.exit(code)"
    )
    env = environment_of(tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig"), PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", *words],
        env=env,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr
    assert len(done.stdout) < 2 * _LONGEST
    kib, seconds = map(float, done.stderr.split()[-2:])
    assert kib < 200_000, kib
    assert seconds < 5, seconds
