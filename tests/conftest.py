"""Fixtures that more than one folder of tests uses."""

import signal

pytest_plugins = ["contract.fixtures", "proxyurls.testing.pytest_plugin"]

# Whoever started the tests may ignore these (nohup, a shell's background), and what is ignored is
# inherited by the commands that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
