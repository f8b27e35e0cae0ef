"""Property: no secret of a kubeconfig is ever shown, whatever else is in it."""

from __future__ import annotations

import base64
import json
import pickle
import string
import tempfile
import traceback
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from leaks.recorder import chain

from proxyurls.config import load_config, load_kubeconfig
from proxyurls.errors import ConfigError

# Long enough not to be part of a message by chance, and marked to be told from names.
secrets = st.text(alphabet=string.ascii_letters + string.digits, min_size=8, max_size=20).map(
    lambda text: f"zQ{text}"
)
oddities = st.sampled_from(["", "\n", "\t", " ", "@", ":", "/", "#", "?", "'", '"', "é", "\x01"])
odd_secrets = st.tuples(secrets, oddities, secrets).map("".join)
PLUGIN = {"command": "no-such", "apiVersion": "client.authentication.k8s.io/v1"}


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def users(secret: str) -> st.SearchStrategy[dict[str, Any]]:
    """Users in which every secret field, where present, holds the secret, in any mixture."""
    plugin = {
        **PLUGIN,
        "args": [f"--token={secret}"],
        "env": [{"name": "TOKEN", "value": secret}],
    }
    return st.fixed_dictionaries(
        {},
        optional={
            "token": st.sampled_from([secret, [secret], {secret: secret}]),
            "username": st.just("ann"),
            "password": st.sampled_from([secret, [secret]]),
            "client-certificate-data": st.just(encode("cert")),
            "client-key-data": st.sampled_from([encode(secret), secret, {"a": secret}]),
            "exec": st.sampled_from(
                [plugin, {**plugin, "interactiveMode": "Never"}, {**plugin, "args": {secret: 1}}]
            ),
            "auth-provider": st.just({"name": "oidc", "config": {"id-token": secret}}),
            "as": st.just("bob"),
        },
    )


def clusters(secret: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "server": st.sampled_from(
                ["https://h", "http://h", "localhost:1", f"https://ann:{secret}@h", f"u:{secret}@h"]
            )
        },
        optional={
            "proxy-url": st.sampled_from(
                [f"http://u:{secret}@p:1", f"x://u:{secret}@p", f"u:{secret}@p"]
            ),
            "extensions": st.just(
                [{"name": "client.authentication.k8s.io/exec", "extension": {"key": secret}}]
            ),
        },
    )


@st.composite
def kubeconfigs(draw: st.DrawFn) -> tuple[str, str]:
    """A secret and a kubeconfig with it."""
    secret = draw(odd_secrets)
    content = {
        "clusters": [{"name": "c", "cluster": draw(clusters(secret))}],
        "users": [{"name": "u", "user": draw(users(secret))}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    text = json.dumps(content)
    if draw(st.booleans()):  # cut off: a syntax error next to a secret
        text = text[: draw(st.integers(1, len(text)))]
    return secret, text


def told(error: ConfigError) -> str:
    """All that an error tells, and what led to it, which a traceback may leave out."""
    texts = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join(texts) + "".join(f"{one!r} {one.args!r}" for one in chain(error))


def shown_text(path: Path, flags: dict[str, Any]) -> str:
    """Everything about a kubeconfig that a person may get to see."""
    try:
        kube = load_kubeconfig(path, environ={})
        config = load_config(path, environ={"PATH": ""}, **flags)
    except ConfigError as exc:
        return told(exc)
    credentials = config.credentials()
    shown = [
        repr(kube),
        repr(config),
        str(config),
        json.dumps(config.as_dict()),
        repr(credentials),
        *config.warnings,
    ]
    assert pickle.loads(pickle.dumps(config)) == config
    try:
        credentials.headers()
        credentials.ssl_context()
    except ConfigError as exc:
        shown.append(told(exc))
    return "\n".join(shown)


@settings(max_examples=300, deadline=None)
@given(case=kubeconfigs(), by_flag=st.booleans())
def test_no_secret_is_ever_shown(case: tuple[str, str], *, by_flag: bool) -> None:
    secret, text = case
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_text(text, encoding="utf-8")
        shown = shown_text(path, {"token": secret} if by_flag else {})
    parts = [part for part in secret.split("zQ") if part]
    for part in (secret, encode(secret), *(f"zQ{part[:8]}" for part in parts)):
        assert part not in shown
