"""Fixtures that more than one folder of tests uses."""

import signal
import sys

import pytest

pytest_plugins = ["contract.fixtures", "proxyurls.testing.pytest_plugin"]

# Whoever started the tests may ignore these (nohup, a shell's background), and what is ignored is
# inherited by the commands that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """Python 3.10 calls a TLS connection that its peer has ended an unclosed one; 3.11 doesn't."""
    if sys.version_info < (3, 11):
        line = "ignore:unclosed transport <asyncio.sslproto:ResourceWarning"
        config.addinivalue_line("filterwarnings", line)
