"""The threats of docs/gateway.md: tokens, cookies and the kubeconfig's secrets."""

from __future__ import annotations

import itertools
import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
from contract.fixtures import KINDS
from contract.upstream import arrived

from proxyurls import load_config
from proxyurls.gateway import access
from proxyurls.gateway.connect import Upstream
from proxyurls.gateway.filter import Filter

from .attack import LINK, OTHER, TYPED, nothing_arrives, refused
from .conftest import NAMESPACE, ROOT, WEB, let_in
from .running import running

if TYPE_CHECKING:
    from pathlib import Path

    from proxyurls.config import Config

    from .conftest import Gate, Site
    from .running import Reply, Running

fake = pytest.mark.parametrize("apiserver", ["fake"], indirect=True, scope="session")
both = pytest.mark.parametrize("apiserver", KINDS, indirect=True, scope="session")


def token_of(link: str) -> str:
    return link.partition("token=")[2]


@fake
def test_no_token(site: Site) -> None:
    """Nothing without a cookie; the terminal shows a fresh address, but not for each request."""
    with running(site.config()) as gateway, nothing_arrives(site):
        for target in ("/", "/x", "/?q=web", "/.proxyurls/enter", f"/.proxyurls/open/{WEB}"):
            for label in ("", WEB, "nobody--here"):
                for method in ("GET", "POST"):
                    assert gateway.request(target, method, label=label).status == 403
        assert len(gateway.said) == 1
        assert gateway.enter(gateway.said[0].rpartition(" ")[2]).status == 303


@fake
@pytest.mark.parametrize("wrong", ["", "x", "{0}x", "%00", "{0}&token={0}", "%C3%A9", "a" * 10_000])
def test_a_wrong_token(site: Site, wrong: str) -> None:
    """Neither as a token nor as a cookie; and the right one is not used up by it."""
    with running(site.config()) as gateway, nothing_arrives(site):
        text = wrong.format("A" * 32)
        for target in (f"/?token={text}", f"/.proxyurls/enter?token={text}"):
            got = gateway.request(target, headers=TYPED)
            assert (got.status, got.headers["Set-Cookie"]) == (403, None)
        cookie = f"proxyurls-{gateway.port}={text}"
        assert gateway.request("/", label=WEB, headers={"Cookie": cookie}).status == 403
        assert gateway.enter(gateway.link).status == 303


@fake
def test_a_token_replayed(site: Site) -> None:
    """It is good once, for one host, and leads to an address without it."""
    with running(site.config()) as gateway, nothing_arrives(site):
        token = token_of(gateway.link)
        assert gateway.request(f"/.proxyurls/enter?token={token}", label=WEB).status == 403
        assert gateway.request(f"/?token={token}", "POST").status == 403
        framed = {**LINK, "Sec-Fetch-Dest": "iframe"}
        assert gateway.request(f"/?token={token}", headers=framed).status == 403
        entered = gateway.enter(gateway.link)
        assert (entered.status, entered.headers["Location"]) == (303, "/")
        ticket = gateway.request(f"/.proxyurls/open/{WEB}").headers["Location"]
        gateway.cookies.clear()
        again = gateway.request(f"/?token={token}", headers=TYPED)
        assert (again.status, again.headers["Set-Cookie"]) == (403, None)
        assert "good once" in again.text
        assert gateway.enter(ticket).status == 303
        gateway.cookies.clear()
        assert gateway.enter(ticket).status == 403


def test_a_ticket_that_is_late() -> None:
    """What leads from the index to an app is good for a minute."""
    now = [0.0]
    made = access.Access(b"secret", 8001, random=iter("ab").__next__, clock=lambda: now[0])
    for late, expected in ((59, access.HandOver), (61, access.Refuse)):
        host, _, rest = made.address(WEB, "/d").removeprefix("http://").partition("/")
        path, _, query = f"/{rest}".partition("?")
        now[0] += late
        decision = made.decide(access.Facts("GET", host, path, query))
        assert isinstance(decision, expected)


def test_a_token_among_many_tickets() -> None:
    """Whoever asks for tickets, which takes no cookie, doesn't make the terminal's token go."""
    numbers = itertools.count()
    made = access.Access(b"secret", 8001, random=lambda: str(next(numbers)))
    token = token_of(made.link())
    asking = access.Facts("GET", made.host(WEB), "/", mode="navigate", dest="document", site="none")
    for _ in range(2 * access._MOST_TICKETS):
        assert isinstance(made.decide(asking), access.HandOver)
    assert (len(made._tickets), len(made._vias)) == (1, access._MOST_TICKETS)
    entered = made.decide(access.Facts("GET", made.host(), "/", f"token={token}"))
    assert isinstance(entered, access.HandOver)
    assert entered.cookie


@fake
def test_a_token_leaves_no_trace(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in the address that stays, a Referer, a log, a page, a cookie or an app's request."""
    caplog.set_level(logging.DEBUG)
    with running(site.config()) as gateway:
        opened = [gateway.enter(gateway.link), gateway.request(f"/.proxyurls/open/{WEB}")]
        link = opened[1].headers["Location"]
        opened.append(gateway.enter(link))
        for got in opened:
            assert got.status == 303
            assert got.headers["Referrer-Policy"] == "no-referrer"
            assert got.headers["Cache-Control"] == "no-store"
        secrets = [token_of(gateway.link), token_of(link)]
        assert all(len(secret) >= 22 for secret in secrets)  # 128 bits
        assert not [secret for secret in secrets if secret in repr((opened[0], opened[2]))]
        for got in (opened[0], opened[2]):
            value, *attributes = got.headers["Set-Cookie"].split("; ")
            assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
            secrets.append(value.partition("=")[2])
        host = gateway.host(WEB)
        mixed = f"a=1; {gateway.cookies[host]}; b=2; proxyurls-1=old; =proxyurls-2=x"
        seen = arrived(gateway.request("/x", label=WEB, headers={"Cookie": mixed}).body)
        assert seen.values("Cookie") == ["a=1; b=2"]
        logged = [record.getMessage() for record in caplog.records]
        for place in (seen, logged, gateway.said, capfd.readouterr()):
            assert not [secret for secret in secrets if secret in repr(place)]
        assert "proxyurls" not in repr(seen).lower()


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cookie by hmac.compare_digest alone; a token not at all, but found by its HMAC."""
    made = access.Access(b"secret", 8001, random=lambda: "the-token")
    host = made.host(WEB)
    entered = made.decide(access.Facts("GET", host, access.ENTER, token_query(made)))
    assert isinstance(entered, access.HandOver)
    good = entered.cookie.partition(";")[0]
    compared: list[tuple[bytes, bytes]] = []

    def decided_by(answer: bool) -> access.Decision:  # noqa: FBT001
        def compare(left: bytes, right: bytes) -> bool:
            compared.append((left, right))
            return answer

        monkeypatch.setattr("hmac.compare_digest", compare)
        cookie = "proxyurls-8001=wrong" if answer else good
        return made.decide(access.Facts("GET", host, "/", cookie=cookie))

    # Nothing else decides: it is believed where it errs, too.
    assert isinstance(decided_by(False), access.Refuse)
    assert isinstance(decided_by(True), access.Forward)
    assert [left for left, _ in compared] == [good.partition("=")[2].encode(), b"wrong"]
    made.link()
    assert [len(key) for key in made._tickets] == [32]
    assert "the-token" not in repr(list(made._tickets))


def token_query(made: access.Access) -> str:
    return made.link(WEB).partition("?")[2]


@both
def test_the_kubeconfigs_token_stays_here(
    site: Site,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In no answer, page, log, message or repr, and in no app's request; nor when all fails."""
    caplog.set_level(logging.DEBUG)
    secret = site.apiserver.admin_token
    config = site.config("token")
    answers: list[Reply] = []

    def ask(gateway: Running) -> None:
        for headers in ({}, TYPED, LINK):
            for label in (WEB, "", OTHER, "nobody--here"):
                answers.extend(
                    gateway.request(target, label=label, headers=headers)
                    for target in ("/", "/no", "/.proxyurls/x", "/api/v1/secrets?limit=1", "/\0")
                )

    with running(config, api=Filter.of()) as gateway:
        let_in(gateway)
        ask(gateway)
        assert {got.status for got in answers} >= {200, 400, 403, 404}
        said = list(gateway.said)
        monkeypatch.setattr(Upstream, "send", _breaks(secret))
        ask(gateway)
        assert answers[-1].status in (400, 500)
    gone = _elsewhere(site, tmp_path, "https://127.0.0.1:1")
    with running(gone) as gateway:
        gateway.enter(gateway.link)
        ask(gateway)
    reprs = [repr(one) for one in (config, config.credentials(), Upstream(config), gateway)]
    logged = [record.getMessage() + str(record.exc_info) for record in caplog.records]
    everything = repr((answers, said, gateway.said, reprs, logged, capfd.readouterr()))
    assert secret not in everything
    assert secret not in repr([got.headers.items() for got in answers])
    assert secret not in repr([one.headers for one in site.web.requests])


def _breaks(secret: str) -> object:
    async def send(*_: object, **__: object) -> object:
        raise RuntimeError(f"a bug that speaks of {secret}")

    return send


def _elsewhere(site: Site, folder: Path, server: str) -> Config:
    content = json.loads(site.apiserver.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = server
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return load_config(str(path), context="token")


@both
def test_a_client_that_says_who_it_is(gate: Gate) -> None:
    """What the apiserver or an app might believe of a client is dropped, however it is spelt."""
    claims = {
        "Authorization": "Bearer x",
        "Impersonate-User": "admin",
        "impersonate-group": "system:masters",
        "Impersonate_Extra_x": "y",
        "X-Remote-User": "admin",
        "X_Remote_Group": "system:masters",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=1.2.3.4",
        "Proxy-Authorization": "Basic x",
    }
    seen = gate.echo(headers={**claims, "X-Mine": "stays"})
    assert seen.values("X-Mine") == ["stays"]
    given = {name.lower().replace("_", "-") for name, _ in seen.headers}
    assert not given & {name.lower().replace("_", "-") for name in claims}


@both
def test_a_client_of_one_who_impersonates(site: Site) -> None:
    """A gateway that acts as somebody with fewer rights does so whatever its clients say."""
    config = site.config(as_user="nobody", as_groups=("system:authenticated",))
    path = f"{ROOT.rpartition('/')[0]}/services"
    with running(config, api=Filter.of(), token=False) as gateway:
        for claims in ({}, {"Impersonate-User": "x", "Impersonate-Group": "system:masters"}):
            got = gateway.request(path, headers=claims)
            assert got.status == 403
            assert re.search(r'User \\"nobody\\" cannot list', got.text), got.text
    with running(site.config(), api=Filter.of(), token=False) as gateway:
        claims = {"Impersonate-User": "x", "Impersonate-Group": "system:masters"}
        assert gateway.request(path, headers=claims).status == 200  # kubectl --as


@fake
def test_names_of_services_are_told_to_nobody(gate: Gate) -> None:
    """A host name that stands for no service says no more without the token than any other."""
    known, unknown = (
        gate.gateway.request("/", host=gate.gateway.host(label), headers={"Cookie": ""})
        for label in (OTHER, f"nobody--{NAMESPACE}")
    )
    assert (known.status, known.body) == (unknown.status, unknown.body)
    assert refused(gate, host=gate.gateway.host(OTHER), headers={"Cookie": ""}).status == 403
