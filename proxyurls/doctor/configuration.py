"""Step 1: which file, context, server and credential are used, and who said so."""

from __future__ import annotations

import re
from shlex import join as join_words

from proxyurls.config.server import mask_password
from proxyurls.doctor.case import Case, Found
from proxyurls.errors import ConfigError, ConfigNotFound, InvalidURL
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.config import Config

_KINDS = {
    "token": "a token",
    "token-file": "the token in a file",
    "client-certificate": "a client certificate",
    "basic": "a user name and password",
    "exec": "an exec plugin",
}


def check(case: Case) -> str:
    """Load the configuration, and tell what was chosen; no secret of it is shown.

    Args:
        case: gets its ``config`` and ``credentials``.

    Raises:
        Found: "no-config" or "wrong-config".
    """
    try:
        case.config = case.load()
        join(case.config.base_url, "/")  # which takes less than a kubeconfig does
    except ConfigNotFound as error:
        raise _nothing(str(error)) from error
    except (ConfigError, InvalidURL) as error:
        text, _, remedy = str(error).partition("; ")
        raise Found("wrong-config", text, remedy) from error
    case.credentials = case.config.credentials()
    return "".join((described(case.config), *(f"; {one}" for one in case.config.warnings)))


def _nothing(message: str) -> Found:
    """What is said where there is no server."""
    text, _, why = message.partition("; ")
    unchosen = re.fullmatch(r"(no current-context in (.*)): choose with --context \((.*)\)", why)
    if unchosen is None:
        return Found("no-config", f"{text} ({why})")
    command = ["kubectl", "config", "use-context", unchosen[3].split(", ")[0]]
    if ", " not in unchosen[2]:
        command += ["--kubeconfig", unchosen[2]]
    return Found(
        "no-config",
        f"no apiserver is chosen: no current-context in {unchosen[2]}",
        f"choose with --context ({unchosen[3]}), or for good: {join_words(command)}",
    )


def described(config: Config) -> str:
    """A configuration in a sentence: each value with its source.

    Args:
        config: it is shown as `Config.as_dict` does.
    """
    sources = [config.sources.get(key, "") for key in ("server", "context", "credential")]
    usual = max(sources, key=sources.count)
    if sources.count(usual) == 1 or usual.startswith("-"):  # a flag is named beside its value
        usual = ""

    def of(key: str) -> str:
        return "" if config.sources.get(key) == usual else _source(config, key)

    parts = [f"server {config.server}{of('server')}"]
    if config.context:
        parts.append(f'context "{config.context}"{of("context")}')
    parts.append(f'namespace "{config.namespace}"')
    parts.append(credential(config, usual))
    if config.impersonate:
        parts.append(f'acting as "{config.impersonate.user}"{of("impersonate")}')
    if config.proxy_url:
        parts.append(f"through the proxy {mask_password(config.proxy_url)}{of('proxy_url')}")
    return f"from {usual}: {', '.join(parts)}" if usual else ", ".join(parts)


def credential(config: Config, known: str = "") -> str:
    """What kind of credential it is, of which user, and where that stands.

    Args:
        config: where it is from.
        known: a source that need not be told.
    """
    what = _KINDS.get(config.credential.kind, "no credential")
    if config.credential.kind == "token-file":
        what = f"the token in {config.credential.token_file}"
    if config.credential.exec and config.credential.kind == "exec":
        what = f"the exec plugin {config.credential.exec.command}"
    source = config.sources.get("credential", "")
    if config.user and config.credential.kind != "none" and not source.startswith("--"):
        what += f' of user "{config.user}"'
    return what if source == known else what + _source(config, "credential")


def _source(config: Config, key: str) -> str:
    source = config.sources.get(key, "")
    return f" ({source})" if source else ""
