"""Running an exec plugin: a command that prints an ExecCredential.

Source: plugin/pkg/client/auth/exec/exec.go and the API group client.authentication.k8s.io.
What the plugin prints is never shown, since it may be a token.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from proxyurls.config.files import read_regular
from proxyurls.errors import CredentialError
from proxyurls.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from proxyurls.config.model import Connection, ExecPlugin

# kubectl waits for ever. A plugin that has a terminal may be waiting for a person.
TIME_LIMIT = 60.0
TIME_LIMIT_INTERACTIVE = 600.0
_OUTPUT_LIMIT = 1 << 20
_INFO_LIMIT = 1 << 20
_HALF = re.compile(r"[\ud800-\udfff]")  # half a character, which JSON can spell and UTF-8 can't
_POSIX = os.name == "posix"


class ExecCredential(Record):
    """What a plugin gave."""

    token: str = field(default="", repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether the plugin has to run again. Without a time it never expires."""
        return self.expires is not None and datetime.now(timezone.utc) > self.expires


def run_plugin(
    plugin: ExecPlugin, config: Connection, *, time_limit: float | None
) -> ExecCredential:
    """Run the plugin and read what it prints.

    Args:
        plugin: the command.
        config: what it may be told about the cluster.
        time_limit: in seconds; None for one minute, or ten where a person can answer.

    Raises:
        CredentialError: it is missing, failed, hung, or printed something else.
    """
    interactive = _is_interactive(plugin)
    environ = dict(os.environ if config.environ is None else config.environ)
    # As with os/exec in Go, PATH is that of this process and not that of the plugin's env.
    command = shutil.which(plugin.command, path=environ.get("PATH", os.defpath))
    # As os/exec: nothing out of the current folder, whatever PATH says; it may be anyone's.
    if command is None or not os.path.isabs(command):  # noqa: PTH117
        raise CredentialError(_missing(plugin))
    environ.update(plugin.env)
    environ["KUBERNETES_EXEC_INFO"] = _exec_info(plugin, config, interactive=interactive)
    if time_limit is None:
        time_limit = TIME_LIMIT_INTERACTIVE if interactive else TIME_LIMIT
    output = _run(
        [command, *plugin.args], environ, plugin, interactive=interactive, time_limit=time_limit
    )
    return _parse(output, plugin)


def _is_interactive(plugin: ExecPlugin) -> bool:
    """Whether the plugin gets our standard input (exec.go, isInteractive)."""
    if plugin.interactive_mode == "Never":
        return False
    terminal = os.isatty(0)
    if plugin.interactive_mode == "Always" and not terminal:
        raise CredentialError(
            f"exec plugin {plugin.command} needs a terminal (interactiveMode: Always), "
            "but standard input is none; run this in a terminal, or use another credential"
        )
    return terminal


def _missing(plugin: ExecPlugin) -> str:
    # The hint is the kubeconfig author's text: one line, no escape sequences.
    hint = " ".join(re.sub(r"[^\s\x20-\x7e\xa0-\U0010ffff]", "", plugin.install_hint).split())
    return f"exec plugin {plugin.command} not found; {hint or 'install it, or put it in PATH'}"


def _exec_info(plugin: ExecPlugin, config: Connection, *, interactive: bool) -> str:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.provide_cluster_info:
        spec["cluster"] = _cluster_info(config)
    info = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    text = ""
    try:
        # Piece by piece: ten lines of aliases to aliases are a billion texts in JSON.
        for piece in json.JSONEncoder().iterencode(info):
            text += piece
            if len(text) > _INFO_LIMIT:
                break
        else:
            return text
    except (TypeError, ValueError, RecursionError):  # a date, or an alias to itself
        raise CredentialError(
            f"the extension client.authentication.k8s.io/exec of the cluster {config.server} "
            "holds a value that JSON has no word for; put dates in quotes"
        ) from None
    raise CredentialError(
        f"what exec plugin {plugin.command} is to be told of the cluster {config.server} has more "
        f"than {_INFO_LIMIT} characters; no environment takes that"
    )


def _cluster_info(config: Connection) -> dict[str, Any]:
    """`spec.cluster` (rest/exec.go, ConfigToExecCluster), without what is empty."""
    import base64

    ca = config.tls.ca_data
    if not ca and config.tls.ca_file:
        try:
            ca = read_regular(config.tls.ca_file)
        except OSError as exc:
            raise CredentialError(
                f"certificate-authority {config.tls.ca_file} can't be read: {exc.strerror}"
            ) from exc
    optional = {
        "tls-server-name": config.tls.server_name,
        "insecure-skip-tls-verify": config.tls.insecure,
        "certificate-authority-data": base64.b64encode(ca or b"").decode(),
        "proxy-url": config.proxy_url,
        "disable-compression": config.disable_compression,
        "config": config.exec_config,
    }
    return {"server": config.server, **{key: value for key, value in optional.items() if value}}


def _run(
    command: list[str],
    environ: Mapping[str, str],
    plugin: ExecPlugin,
    *,
    interactive: bool,
    time_limit: float,
) -> bytes:
    # A group of its own lets us kill the plugin's children too. Not where it talks to a
    # person: in another session it could neither read the terminal nor get Ctrl-C.
    own_group = _POSIX and not interactive
    try:
        process = subprocess.Popen(  # noqa: S603  (running this command is what was asked for)
            command,
            env=environ,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=own_group,
        )
    except OSError as exc:
        raise CredentialError(f"exec plugin {plugin.command} can't be run: {exc.strerror}") from exc
    deadline = time.monotonic() + time_limit
    output: list[bytes] = []
    # A thread, because only it can read a pipe with a time limit on Windows as well.
    reader = threading.Thread(target=_read, args=(process, output), daemon=True)
    reader.start()
    hangs = False
    try:
        reader.join(time_limit)
        hangs = reader.is_alive()  # it still holds its standard output open, or a child of it does
        if not hangs and len(output[0]) > _OUTPUT_LIMIT:
            raise CredentialError(  # noqa: TRY301
                f"exec plugin {plugin.command} printed more than {_OUTPUT_LIMIT} bytes; "
                "it must print one ExecCredential"
            )
        if not hangs:
            process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        hangs = True  # raised below, without the original error, which holds the plugin's arguments
    except BaseException:  # Ctrl-C as well
        _kill(process, own_group=own_group)
        raise
    if hangs:
        _kill(process, own_group=own_group)
        raise CredentialError(
            f"exec plugin {plugin.command} gave no answer within {time_limit:g} s and was "
            "stopped; run it by hand to see what it waits for"
        )
    if process.returncode:
        raise CredentialError(
            f"exec plugin {plugin.command} failed with exit code {process.returncode}; "
            "run it by hand to see why"
        )
    return output[0]


def _read(process: subprocess.Popen[bytes], output: list[bytes]) -> None:
    if process.stdout is not None:
        with process.stdout as pipe:
            output.append(pipe.read(_OUTPUT_LIMIT + 1))


def _kill(process: subprocess.Popen[bytes], *, own_group: bool) -> None:
    # It may have ended in the meantime (macOS says PermissionError of a group of zombies).
    with suppress(ProcessLookupError, PermissionError):
        if own_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _parse(output: bytes, plugin: ExecPlugin) -> ExecCredential:
    name = f"exec plugin {plugin.command}"
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None  # raised below, without the original error, which holds the output
        message = f"{name} printed no JSON ({len(output)} bytes); it must print an ExecCredential"
    else:
        message = f"{name} printed JSON, but not of kind ExecCredential"
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise CredentialError(message)
    if answer.get("apiVersion") != plugin.api_version:
        raise CredentialError(
            f"{name} is configured to use apiVersion {plugin.api_version}, but answered with "
            f"another; set apiVersion in the kubeconfig to what the plugin speaks"
        )
    status = answer.get("status")
    if not isinstance(status, dict):
        raise CredentialError(f"{name} didn't return a status field")
    token = _text(status, "token", name)
    certificate = _text(status, "clientCertificateData", name).encode()
    key = _text(status, "clientKeyData", name).encode()
    if not (token or certificate or key):
        raise CredentialError(f"{name} didn't return a token or cert/key pair")
    if bool(certificate) != bool(key):
        raise CredentialError(f"{name} returned only certificate or key, not both")
    if re.search(r"[\x00-\x1f\x7f]", token):
        raise CredentialError(f"{name} returned a token with a control character in it")
    return ExecCredential(
        token=token,
        certificate=certificate or None,
        key=key or None,
        expires=_timestamp(_text(status, "expirationTimestamp", name), name),
    )


def _text(status: dict[str, Any], key: str, name: str) -> str:
    value = status.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or _HALF.search(value):
        raise CredentialError(f"{name} returned a {key} that is not text")
    return value


_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def _timestamp(text: str, name: str) -> datetime | None:
    """RFC 3339; Python 3.10's fromisoformat knows neither Z nor Go's nine digits."""
    if not text:
        return None
    match = _RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError  # noqa: TRY301  (one message for both)
        date, clock, sign, hours, minutes = match.groups(default="0")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(-offset if sign == "-" else offset)
        return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=zone)
    except ValueError:
        raise CredentialError(
            f"{name} returned expirationTimestamp {text[:40]!r}, which is no RFC 3339 time"
        ) from None
