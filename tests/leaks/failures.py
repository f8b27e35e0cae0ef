"""The table of failures, and the command lines that meet them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from .bench import NAMESPACE
from .marks import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from .bench import Bench

    Content = dict[str, Any]

_TYPED = mark("typed")
_URL = f"https://k8s.example/api/v1/namespaces/{NAMESPACE}/services/https:web:443/proxy/x"
# Every command must have its line here: tests/leaks/test_commands.py says so.
COMMANDS: dict[str, list[str]] = {
    "url": ["url", "web", "-n", NAMESPACE, "--resolve", "--curl"],
    "parse": ["parse", _URL],
    "services": ["services", "-n", NAMESPACE, "-o", "wide"],
    "cluster-info": ["cluster-info"],
    "fetch": [
        *("fetch", "web", "/-/html", "-n", NAMESPACE, "-i", "-d", f"password={mark('body')}"),
        *("-H", f"Cookie: session={mark('cookie')}", "-H", f"X-Api-Key: {mark('api-key')}"),
    ],
    "open": ["open", "web", "-n", NAMESPACE, "--port", "0"],
    "serve": ["serve", "--port", "0", "--api"],
    "doctor": ["doctor", "web", "-n", NAMESPACE],
    "config": ["config", "-o", "json"],
    "demo": ["demo", "--open", "--", "PROGRAM"],
    "completion": ["completion", "bash"],
}
# Other lines, which show something else.
LINES = [
    ["url", "web", "--curl"],
    ["url", "https:web:443", "/x", "--curl", "--as", "bob", "--tls-server-name", "web"],
    ["config"],
    ["services", "-A", "-o", "json"],
    ["services", "-A", "-o", "yaml"],
    ["services", "--cluster-services", "-v", "9"],
    ["fetch", "--raw", "/api/v1/namespaces", "-v", "9", "-i"],
    ["fetch", "web", "/-/html", "--save", "page", "-H", f"Cookie: session={mark('cookie')}"],
    ["fetch", "web", "/-/html", "-X", "PUT", "-d", "@-"],
    ["open", "web", "--single", "--no-browser"],
    ["open", "pod/none:80", "--port", "0", "--no-browser"],
    ["serve", "--port", "0", "--no-token"],
    ["serve", "--port", "0", "--upstream-host", "server", "--as", "bob"],
    ["serve", "--unix-socket", "socket", "--api"],
    ["doctor", "web", "-o", "json"],
    ["doctor", "none", "--probe", "-v", "9"],
    ["demo"],
]
# Those that ask the apiserver at once, and so meet what it does.
ASKING = ("url", "services", "cluster-info", "fetch", "open", "doctor")
# Those that read the kubeconfig.
READING = (*ASKING, "serve", "config")
# A function deep inside each, to be broken.
DEEP = {
    "parse": "proxyurls.cli.parse:alterations",
    "config": "proxyurls.config.config:Config.as_dict",
    "demo": "proxyurls.demo.cluster:NameServer",
    "completion": "argcomplete.shell_integration:shellcode",
    "serve": "proxyurls.gateway.connect:Upstream.start",
}
_HEADERS = "proxyurls.config.credentials:Credentials.headers"


class Failure(NamedTuple):
    """One way to fail.

    Attributes:
        name: in a few words.
        says: a part of the error that the commands `of` must show, so that the failure is known to
            have come; "" for none.
        of: those commands.
        cluster: the kubeconfig's cluster to use.
        user: its user; "" for each kind of credential in turn.
        more: words behind the command.
        spoil: what is done to the kubeconfig's content; the file's text.
        how: how a function deep inside fails.
    """

    name: str
    says: str = ""
    of: tuple[str, ...] = ASKING
    cluster: str = "real"
    user: str = ""
    more: tuple[str, ...] = ()
    spoil: Callable[[Content], str] | None = None
    how: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether it is a cluster's or a kubeconfig's, and not a matter of the command line."""
        return bool(self.cluster != "real" or self.user or self.spoil)

    @property
    def slow(self) -> bool:
        """Whether a gateway's pages wait for an apiserver that says nothing."""
        return self.more == _SOON

    def deep(self, command: str) -> str:
        """What breaks in a command."""
        return DEEP.get(command, _HEADERS) if self.how else ""


def _user(**fields: Any) -> Callable[[Content], str]:
    """Change the entry of the user who is used."""

    def spoil(content: Content) -> str:
        name = content["contexts"][0]["context"]["user"]
        (one,) = (one for one in content["users"] if one["name"] == name)
        one["user"].update(fields)
        return json.dumps(content)

    return spoil


def _nameless_env(content: Content) -> str:
    (one,) = (one for one in content["users"] if one["name"] == "exec-token")
    one["user"]["exec"]["env"] = [{"value": _TYPED}]
    return json.dumps(content)


def _cluster(**fields: Any) -> Callable[[Content], str]:
    """Change the entry of the cluster that is used."""

    def spoil(content: Content) -> str:
        (one,) = (one for one in content["clusters"] if one["name"] == "real")
        one["cluster"].update(fields)
        return json.dumps(content)

    return spoil


def _cut(content: Content) -> str:
    """A syntax error right behind a token."""
    text = json.dumps(content)
    return text[: text.index('"token"') + 40]


def _no_utf8(content: Content) -> str:
    return json.dumps(content).replace('"token"', '"token\udcff"', 1)


def _twice(content: Content) -> str:
    content["users"].append(content["users"][0])
    return json.dumps(content)


def _odd_yaml(content: Content) -> str:
    return f"users: !!bool {mark('typed')}\nclusters: [{json.dumps(content)}]\n"


def _list(content: Content) -> str:
    return json.dumps([content])


_SOON = ("--request-timeout", "400ms")
ANSWERS = (
    Failure("success"),
    Failure("another CA", "is not trusted", cluster="wrong-ca"),
    Failure("connection refused", "connection refused", cluster="closed"),
    Failure("unknown host", "host name is not known", cluster="unknown"),
    Failure("status 401", "401 Unauthorized", user="wrong"),
    Failure("status 403", "forbid", user="reader", of=("services", "cluster-info", "fetch")),
    Failure("status 404", "not-there", of=("fetch", "open", "url"), more=("not-there",)),
    Failure("status 500", "500 Internal Server Error", cluster="broken"),
    Failure("a login page", "no apiserver", cluster="login-page"),
    Failure("a redirect elsewhere", "302", cluster="redirects"),
    Failure("half an answer", "can't reach", cluster="cut", more=_SOON),
    Failure("no JSON", "not with an API object", cluster="no-json"),
    Failure("http spoken to https", "does not speak TLS", cluster="plain"),
    Failure("no answer", "time limit", cluster="hangs", more=_SOON),
    Failure("a closed connection", "can't reach", cluster="hangs-up"),
    Failure("a server in the clear", "credentials withheld", cluster="in-the-clear", of=READING),
    Failure("a proxy that wants a password", "407 Proxy Authentication", cluster="by-proxy"),
    Failure("a proxy that is not there", "connection refused", cluster="by-no-proxy"),
    Failure("a password that breaks its URL", "proxy-url", cluster="by-odd-proxy"),
)
CREDENTIALS = (
    Failure("a plugin that fails", "failed with exit code 3", user="plugin-fails"),
    Failure("a plugin that babbles", "printed no JSON", user="plugin-babbles"),
    Failure("a plugin that prints no text", "printed no JSON", user="plugin-spills"),
    Failure("a token file that is no text", "is not text", user="file-no-text"),
    Failure("a token file of two lines", "more than one line", user="file-two-lines"),
    Failure("a key without its certificate", "not a PEM pair", user="key-alone"),
    Failure("a key that is none", "not a PEM pair", user="key-no-pem"),
)
KUBECONFIGS = tuple(
    Failure(f"kubeconfig: {name}", says, READING, user=user, spoil=spoil)
    for name, says, user, spoil in (
        ("cut off", "not valid YAML", "token", _cut),
        ("no UTF-8", "not UTF-8 text", "token", _no_utf8),
        ("a name twice", "duplicate name", "token", _twice),
        ("an odd tag", "can't be read", "token", _odd_yaml),
        ("a list", "is no kubeconfig", "token", _list),
        ("a token that is a list", "token must be text", "token", _user(token=[_TYPED])),
        ("a token of two lines", "line break", "token", _user(token=f"{_TYPED}\n{_TYPED}")),
        ("two credentials", "more than one", "token", _user(username="a", password=_TYPED)),
        (
            "a key, no base64",
            "is not base64",
            "key-data",
            _user(**{"client-key-data": "?" + _TYPED}),
        ),
        (
            "a password in the server",
            "holds a user",
            "token",
            _cluster(server=f"https://a:{_TYPED}@h"),
        ),
        ("a wrong proxy", "proxy-url", "token", _cluster(**{"proxy-url": f"x://a:{_TYPED}@h"})),
        ("a nameless env", "env variable", "exec-token", _nameless_env),
    )
)
TYPED = (
    Failure("a token typed before a stray word", more=("--token", _TYPED, "a", "b", "c")),
    *(
        Failure(
            f"typed wrongly: {words[0].replace(_TYPED, '…')}", "option", tuple(COMMANDS), more=words
        )
        for words in (
            (f"--tokne={_TYPED}",),
            ("--tokne", _TYPED),
            (f"-token={_TYPED}",),
            (f"--token{_TYPED}",),
            (f"--tokne{_TYPED}",),
            (f"--password={_TYPED}",),
            (f"--password:{_TYPED}",),
            (f"-{_TYPED}",),
            ("--as", f"--token={_TYPED}"),
        )
    ),
    *(
        Failure(
            f"a header typed wrongly: {text.replace(_TYPED, '…')}",
            "-H",
            ("fetch",),
            more=("-H", text),
        )
        for text in (
            f"Authorization: Bearer {_TYPED}",
            f"Authorization Bearer {_TYPED}",
            f"Cookie=session={_TYPED}",
            f"Bearer {_TYPED}: x",
            f"X-Key: {_TYPED}é",
            _TYPED,
        )
    ),
    *(
        Failure(f"a URL with a password: {words[0]} {at}", "", more=words)
        for words, at in (
            (("--server", f"https://ann:{_TYPED}@127.0.0.1"), "as the server"),
            (("--server", f"ann:{_TYPED}@127.0.0.1"), "without a scheme"),
        )
    ),
)
BUGS = (
    Failure("a bug", "internal error: RuntimeError", tuple(COMMANDS), how="bug"),
    Failure("Ctrl-C", how="interrupt"),
    Failure("level 6", more=("-v", "6")),
    Failure("level 9", "500 Internal Server Error", cluster="broken", more=("-v", "9")),
)
FAILURES = {one.name: one for one in (*ANSWERS, *CREDENTIALS, *KUBECONFIGS, *TYPED, *BUGS)}


def words(bench: Bench, command: str, failure: Failure) -> list[str]:
    """The command line that meets the failure."""
    line = list(COMMANDS[command])
    more = list(failure.more)
    if more == ["not-there"]:  # another name for the service
        line = ["not-there" if word == "web" else word for word in line]
        more = []
    if "--" in line:
        at = line.index("--")
        program = str(bench.folder / "program")
        return [*line[:at], *more, *line[at:-1], program]
    return [*line, *more]
