"""Exec plugins that hang, and how long what they give is good."""

from __future__ import annotations

import os
import time
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxyurls.config import Credentials
from proxyurls.config.exec_plugin import _timestamp
from proxyurls.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.plugins import Plugin

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the plugins are #! scripts")


def wait_until_gone(pid: int) -> None:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists():
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":  # nobody has reaped it: dead all the same
                return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


HANGS: dict[str, Callable[[str], str]] = {
    "itself": lambda pid: f"open({pid!r}, 'w').write(str(os.getpid())); time.sleep(60)",
    # The child keeps standard output open after the plugin has gone.
    "its child": lambda pid: (
        f"""
        child = os.fork()
        if child:
            open({pid!r}, 'w').write(str(child))
            os._exit(0)
        time.sleep(60)
    """
    ),
    "with output closed": lambda pid: (
        f"""
        open({pid!r}, 'w').write(str(os.getpid()))
        os.close(1)
        time.sleep(60)
    """
    ),
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_hanging_plugin_is_killed_with_its_children(
    plugin: Plugin, hang: str, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    config = plugin.script(HANGS[hang](str(pid_file))).config()
    started = time.monotonic()
    with pytest.raises(CredentialError, match=r"no answer within 2 s and was stopped"):
        Credentials(config, plugin_time_limit=2.0).headers()
    assert time.monotonic() - started < 10
    wait_until_gone(int(pid_file.read_text()))


def test_a_hanging_plugin_that_has_a_terminal_is_killed_too(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.isatty", lambda _: True)
    pid_file = tmp_path / "pid"
    plugin.script(HANGS["itself"](str(pid_file)))
    config = plugin.config(interactiveMode="IfAvailable")
    with pytest.raises(CredentialError, match=r"no answer within 2 s"):
        Credentials(config, plugin_time_limit=2.0).headers()
    wait_until_gone(int(pid_file.read_text()))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05+00:00"),
        ("2030-01-02t03:04:05z", "2030-01-02T03:04:05+00:00"),
        ("2030-01-02T03:04:05.123456789Z", "2030-01-02T03:04:05+00:00"),
        ("2030-01-02T03:04:05+02:00", "2030-01-02T01:04:05+00:00"),
        ("2030-01-02T03:04:05-05:30", "2030-01-02T08:34:05+00:00"),
    ],
)
def test_timestamps(text: str, utc: str) -> None:
    parsed = _timestamp(text, "x")
    assert parsed is not None
    assert parsed.astimezone(timezone.utc).isoformat() == utc


@pytest.mark.parametrize(
    "text",
    ["2030-01-02", "2030-01-02T03:04:05", "2030-13-02T03:04:05Z", "2030-01-02T03:04:05+99:00"],
)
def test_bad_timestamps(text: str) -> None:
    with pytest.raises(CredentialError, match="RFC 3339"):
        _timestamp(text, "x")
