"""Errors: one line, the same from both of our clients, with the server and a remedy."""

from __future__ import annotations

import json
import pickle
import socket
import time
from typing import TYPE_CHECKING

import anyio
import pytest
from discovery.servers import OBJECT, Answer, Blurter, Loopback

from proxyurls import status
from proxyurls.causes import CAUSES
from proxyurls.errors import APIStatusError, ClusterError, ConnectionFailed

from .asking import SECRET, TIME_LIMIT, Authority, always, by_client, same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .asking import Ask, Configure


class TestConnection:
    def test_unknown_host(self, configure: Configure) -> None:
        error = same(configure("https://k8s.invalid:6443"))
        assert isinstance(error, ConnectionFailed)
        assert str(error).startswith(
            "can't reach https://k8s.invalid:6443: the host name is not known"
        )
        assert str(error).endswith("check --server or --context")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_refused(self, configure: Configure, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error = same(configure(f"{scheme}://127.0.0.1:{port}"))
        assert str(error) == (
            f"can't reach {scheme}://127.0.0.1:{port}: connection refused; "
            "is it running there? Check --server or --context"
        )

    @pytest.mark.parametrize(
        ("scheme", "half"), [("http", False), ("https", False), ("http", True)]
    )
    def test_timeout(self, configure: Configure, scheme: str, *, half: bool) -> None:
        """No answer, no TLS handshake, or an answer that stops in its middle."""
        answer = Answer(b"{", headers={"Content-Length": "9"})
        with Loopback(lambda _: answer) if half else Blurter(None) as server:
            started = time.monotonic()
            error = same(configure(f"{scheme}://127.0.0.1:{server.port}"), timeout=TIME_LIMIT)
            assert time.monotonic() - started < 10 * TIME_LIMIT
        assert str(error).startswith(f"can't reach {scheme}://127.0.0.1:{server.port}: ")
        assert "within the time limit" in str(error)
        assert "raise --request-timeout" in str(error)

    def test_untrusted(self, configure: Configure, authority: Authority) -> None:
        with Loopback(lambda _: Answer(), tls=authority.server("127.0.0.1")) as server:
            error = same(configure(server.url))
            assert server.requests == []
        assert str(error) == (
            f"the certificate of {server.url} is not trusted: unable to get local issuer "
            "certificate; check certificate-authority (see `proxyurls config`)"
        )
        assert error.causes == ("unknown-authority",)

    def test_another_name(self, configure: Configure, authority: Authority) -> None:
        with Loopback(lambda _: Answer(), tls=authority.server("other.test")) as server:
            error = same(configure(server.url, cluster=authority.cluster))
            assert server.requests == []
        assert f"the certificate of {server.url} is not trusted: " in str(error)
        assert "--tls-server-name" in str(error)

    def test_tls_spoken_to_plain_http(self, configure: Configure) -> None:
        with always() as server:
            url = server.url.replace("http:", "https:")
            error = same(configure(url))
        assert str(error).startswith(f"can't reach {url}: it does not speak TLS; is it http")

    def test_plain_http_spoken_to_tls(self, configure: Configure, authority: Authority) -> None:
        with Loopback(lambda _: Answer(), tls=authority.server("127.0.0.1")) as server:
            url = server.url.replace("https:", "http:")
            error = same(configure(url))
        assert str(error).startswith(f"can't reach {url}: ")
        assert "https" in str(error)

    @pytest.mark.parametrize(
        "said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1\r\n"]
    )
    def test_no_http(self, configure: Configure, said: bytes) -> None:
        with Blurter(said) as server:
            error = same(configure(f"http://127.0.0.1:{server.port}"))
            assert str(error).startswith(f"can't reach http://127.0.0.1:{server.port}: ")
        assert "is it https://…?" in str(error)

    @pytest.mark.parametrize(
        "said",
        [
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}",
            b"Content-Length: 10\r\n\r\n{}",
        ],
    )
    def test_broken_off(self, configure: Configure, said: bytes) -> None:
        with Blurter(b"HTTP/1.1 200 OK\r\n" + said) as server:
            error = same(configure(f"http://127.0.0.1:{server.port}"))
            assert f"http://127.0.0.1:{server.port}: its answer broke off" in str(error)
            assert error.causes == ("broken-off",)


ANSWERS = {
    "login page": Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
    "list": Answer(b"[]"),
    "null": Answer(b"null"),
    "another object": Answer(b'{"error": "sign in"}'),
    "an object without a kind": Answer(b"{}"),
    "half": Answer(b'{"a":'),
    "empty": Answer(b""),
    "not UTF-8": Answer(b'{"a": "\xff"}'),
    "too deep": Answer(b'{"a":' + b"[" * 100_000),
}


class TestAnswer:
    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
    def test_not_json(self, configure: Configure, answer: Answer) -> None:
        with Loopback(lambda _: answer) as server:
            error = same(configure(server.url))
        assert isinstance(error, APIStatusError)
        assert error.status == 200
        assert str(error).startswith(f"{server.url} answered 200 OK, but not with ")
        assert "login page" in str(error)
        assert "check --server or --context" in str(error)

    def test_not_compressed_as_it_says(self, configure: Configure, ask: Ask) -> None:
        with (
            always(b"junk", Content_Encoding="gzip") as server,
            pytest.raises(ClusterError) as caught,
        ):
            ask(configure(server.url), "/x")
        assert server.url in str(caught.value)
        if ask is by_client:  # the other one asks for no compression, so that it is no JSON
            assert caught.value.causes == ("wrong-compression",)

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_sent_to_a_login_page(self, configure: Configure, code: int) -> None:
        with always(b"", code, Location=f"https://login.test/?x={SECRET}") as server:
            error = same(configure(server.url))
        assert f"{server.url} answered {code} " in str(error)
        assert "login page" in str(error)

    def test_a_status_object(self, configure: Configure) -> None:
        content = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": "token"},
            "status": "Failure",
            "message": "two\nlines",
            "reason": "Expired",
            "code": 410,
        }
        with always(json.dumps(content).encode(), 410) as server:
            error = same(configure(server.url))
        assert isinstance(error, APIStatusError)
        assert (error.status, error.reason, error.continue_token) == (410, "Expired", "token")
        assert str(error) == f"the apiserver at {server.url} answered 410 Gone: two lines"

    def test_a_gateway_s_own_words(self, configure: Configure) -> None:
        with always(b"<html>\n<h1>Bad</h1>\n" + b"x" * 5000, 502) as server:
            error = same(configure(server.url))
        assert f"{server.url} answered 502 Bad Gateway" in str(error)
        assert len(str(error)) < 500

    def test_an_unknown_status(self, configure: Configure) -> None:
        with always(b"what", 599) as server:
            assert "answered 599" in str(same(configure(server.url)))

    @pytest.mark.parametrize("code", [429, 503])
    def test_busy(
        self, configure: Configure, ask: Ask, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(time, "sleep", slept.append)
        monkeypatch.setattr(anyio, "sleep", sleep)
        answers = [Answer(b"no", code, {"Retry-After": "3"}), Answer()]
        with Loopback(lambda _: answers.pop(0)) as server:
            assert ask(configure(server.url), "/x") == json.loads(OBJECT)
        assert slept == [3]

    @pytest.mark.parametrize("after", [{}, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}])
    def test_busy_without_a_number(
        self, configure: Configure, ask: Ask, after: Mapping[str, str]
    ) -> None:
        with (
            Loopback(lambda _: Answer(b"no", 503, after)) as server,
            pytest.raises(APIStatusError, match="503 Service Unavailable"),
        ):
            ask(configure(server.url), "/x")
        assert len(server.requests) == 1


class TestCauses:
    """What an error may come from, by names that doctor and the docs use."""

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionFailed("x", causes=["refused"]),
            APIStatusError("x", status=503, detail="d", causes=["no-such-port", "pods-not-ready"]),
        ],
    )
    def test_kept(self, error: ClusterError) -> None:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))

    def test_all_are_in_the_table(self) -> None:
        assert {name for name, _ in status._SIGNS} <= CAUSES.keys()

    def test_named(self, configure: Configure, authority: Authority) -> None:
        for server, cluster, cause in (
            (
                Loopback(lambda _: Answer(), tls=authority.server("127.0.0.1")),
                {},
                "unknown-authority",
            ),
            (
                Loopback(lambda _: Answer(), tls=authority.server("other.test")),
                authority.cluster,
                "wrong-certificate-name",
            ),
            (always(b"<html>", 403), {}, "no-apiserver"),
            (always(b"[]"), {}, "no-apiserver"),
        ):
            with server:
                assert same(configure(server.url, cluster=cluster)).causes == (cause,)
        assert same(configure("https://k8s.invalid")).causes == ("unknown-host",)
