"""What a real apiserver lets pass: apps' answers, annotations, words of ours in its messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cli.test_fetch import answering, open_shop
from discovery.commands import PROXYURLS, environment, kubeconfig, on_terminal, run
from discovery.servers import Answer, Asked, Loopback

from .cluster import SHOWN, put, service
from .payloads import PAYLOADS, check_messages, harmless

if TYPE_CHECKING:
    from pathlib import Path

    from cli.test_fetch import Shop
    from contract.cluster import APIServer
    from contract.fixtures import Serve

SPACE = "hostile"
TEXTS = [one.text for one in PAYLOADS if len(one.text) < 1000 and "\0" not in one.text]
BODY = "\n".join(TEXTS).encode(errors="surrogatepass") + b"\xff\x1b[31m\x9b31m"


@pytest.fixture(scope="module")
def shop(apiserver: APIServer, serve: Serve) -> Shop:
    return open_shop(apiserver, serve, SPACE)


@pytest.fixture
def env(shop: Shop, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, KUBECONFIG=str(shop.apiserver.kubeconfig), NO_COLOR="1")


def test_a_body_on_a_terminal(env: dict[str, str]) -> None:
    """As text: line ends and tabs pass, all else that a terminal would obey is shown."""
    asked = ("fetch", f"web.{SPACE}", *answering(BODY, status=500))
    seen = on_terminal(*PROXYURLS, *asked, env=env)
    body, _, error = seen.text.rpartition("error: ")
    assert seen.code == 1
    assert error == "the app behind service 'web' answered 500 Internal Server Error\n"
    assert harmless(body, layout="\n\t")
    assert "\\x1b]52;c;cm0gLXJmIH4=\\x07" in body
    assert "\\u202egpj.exe" in body
    assert "evil\ngood" in body  # a bare CR would have hidden the evil
    assert "\\xff\\x1b[31m\\x9b31m\n" in body
    assert (
        "größe ✓ 日本"
        in on_terminal(
            *PROXYURLS, "fetch", f"web.{SPACE}", *answering("größe ✓ 日本".encode()), env=env
        ).text
    )


def test_a_body_in_a_pipe(env: dict[str, str]) -> None:
    """The app's bytes, as curl gives them: whoever reads them knows what they are."""
    done = run(*PROXYURLS, "fetch", f"web.{SPACE}", *answering(BODY), env=env)
    assert (done.code, done.out, done.err) == (0, BODY, b"")


def test_no_text_on_a_terminal(env: dict[str, str]) -> None:
    """As curl: what holds a zero byte is not shown, and what to do is said; a pipe gets it."""
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    asked = ("fetch", f"web.{SPACE}", *answering(picture))
    seen = on_terminal(*PROXYURLS, *asked, env=env)
    assert (seen.code, seen.text) == (
        2,
        (
            "error: the answer is no text, and stdout is a terminal; save it with --save FILE, or "
            "pipe it into something that reads it\n"
        ),
    )
    assert run(*PROXYURLS, *asked, env=env).out == picture


def test_headers(env: dict[str, str]) -> None:
    """What Go lets pass in a header's value comes out escaped with -i, piped or not."""
    odd = [("X-Odd", "\x9b31mred"), ("X-Tab", "a\tb"), ("X-Word", "größe")]
    asked = ("fetch", f"web.{SPACE}", "-i", *answering(b"ok", headers=odd))
    done = run(*PROXYURLS, *asked, env=env)
    assert done.code == 0
    head = done.out.decode().partition("\n\n")[0]
    assert harmless(head)
    assert "X-Odd: \\x9b31mred\n" in head
    assert "X-Tab: a\\tb\n" in head
    assert harmless(on_terminal(*PROXYURLS, *asked, env=env).text)


def test_where_it_redirects_to(env: dict[str, str]) -> None:
    """The note about it is one line."""
    where = [("Location", "https://evil.example/\x9b31m$(touch owned)")]
    done = run(*PROXYURLS, "fetch", f"web.{SPACE}", *answering(status=302, headers=where), env=env)
    assert done.code == 0
    check_messages(done.err.decode())
    assert b"evil.example" in done.err


@pytest.mark.parametrize("typed", ["%1b%5b31m", "%e2%80%ae", "%0d%0aerror:%20x", "%9b31m", "%00"])
def test_our_words_in_its_messages(typed: str, env: dict[str, str]) -> None:
    """A path that the apiserver quotes as it decoded it."""
    for path in (
        f"/api/v1/namespaces/{typed}/services/x",
        f"/api/v1/namespaces/{SPACE}/services/{typed}/proxy/",
        f"/api/v1/namespaces/{SPACE}/services?labelSelector={typed}",
        f"/{typed}",
    ):
        seen = on_terminal(*PROXYURLS, "fetch", "--raw", path, "-v", "6", env=env)
        assert seen.code in (0, 1)
        assert harmless(seen.text, layout="\n\t"), seen.text


def test_a_selector_that_is_quoted(env: dict[str, str]) -> None:
    """The same by -l, -n and TARGET, which no real apiserver takes."""
    for text in TEXTS[:7]:  # a process each; the fake one hears them all
        for argv in (("services", f"-l={text}"), ("services", f"--namespace={text}")):
            done = run(*PROXYURLS, *argv, env=env)
            check_messages(done.err.decode())
            assert harmless(done.out.decode())


def test_annotations(shop: Shop, env: dict[str, str]) -> None:
    """As much as a real one keeps (256 KiB), with anything in it, is never shown."""
    texts = {f"x/{n}": text for n, text in enumerate(TEXTS) if "\ud800" not in text}
    shop.apiserver.add_service(
        "noted",
        SPACE,
        labels={"kubernetes.io/cluster-service": "true"},
        annotations={**texts, "big": "\x1b[31mHIDDEN" + "a" * 200_000},
        endpoints=False,
    )
    for form in ("table", "wide", "json", "yaml", "name", "url"):
        done = run(*PROXYURLS, "services", "-n", SPACE, "-o", form, env=env)
        assert done.code == 0, done.err
        assert harmless(done.text)
        assert b"HIDDEN" not in done.out
    info = run(*PROXYURLS, "cluster-info", "-n", SPACE, env=env)
    theirs = run(str(shop.apiserver.kubectl), "cluster-info", "-n", SPACE, env=env)
    assert (info.code, info.out) == (theirs.code, theirs.out)
    assert b"noted is running" in info.out


@pytest.mark.parametrize("place", ["label", "ip"])
def test_kubectl_prints_raw(place: str, shop: Shop, tmp_path: Path) -> None:
    """Where no real apiserver could say it, `cluster-info` differs from kubectl: it escapes.

    A proxy between kubectl and a real apiserver says it.
    """
    apiserver = shop.apiserver
    path = SHOWN[place]

    def answer(asked: Asked) -> Answer:
        accept = asked.headers.get("accept", "*/*")
        said = apiserver.request(asked.method, asked.target, headers={"Accept": accept})
        kind = said.headers.get("Content-Type", "text/plain")
        if "/services" not in asked.target:
            return Answer(said.body, said.status, {"Content-Type": kind})
        found = {"kind": "ServiceList", "apiVersion": "v1", "metadata": {}, "items": items}
        return Answer(json.dumps(found).encode(), 200, {"Content-Type": "application/json"})

    with Loopback(answer) as between:
        env = environment(tmp_path, KUBECONFIG=str(kubeconfig(tmp_path / "k", between.url)))
        items = [put(service(), path, "Web")]
        ours = run(*PROXYURLS, "cluster-info", env=env)
        theirs = run(str(apiserver.kubectl), "cluster-info", env=env)
        assert (ours.out, ours.code) == (theirs.out, theirs.code)
        items = [put(service(), path, "\x1b]52;c;eA==\x07")]
        ours = run(*PROXYURLS, "cluster-info", env=env)
        theirs = run(str(apiserver.kubectl), "cluster-info", env=env)
        assert b"\x1b]52;c;eA==\x07" in theirs.out
        assert ours.out == theirs.out.replace(b"\x1b", b"\\x1b").replace(b"\x07", b"\\x07")
        assert harmless(ours.text)
