"""``proxyurls demo``: a fake cluster to try things on, for as long as it runs."""

from __future__ import annotations

import argparse
import errno

from proxyurls.cli.console import say
from proxyurls.cli.gateway import start_browser
from proxyurls.cli.parser import examples

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.cli.parser import Parser

NEEDS_CLUSTER = False
_PLAINLY = "this is a demonstration and no Kubernetes: a fake cluster with small apps in it"
_TRY = (
    "cluster-info",
    "services -A",
    "fetch elasticsearch-logging.kube-system '_cluster/health?pretty=true'",
    "fetch elasticsearch-logging.kube-system '_search?q=user:kimchy&pretty=true'",
    "url grafana --resolve",
)
_TRY_KUBECTL = ("cluster-info",)
_REASONS = {
    errno.EADDRINUSE: "something listens there already; choose another --port, or none for a "
    "free one",
    errno.EACCES: "you may not; choose a --port from 1024 on, or none for a free one",
}


def add_arguments(parser: Parser) -> None:
    """Add --port, and what follows ``--``."""
    parser.usage = "%(prog)s [options] [-- PROGRAM [ARGUMENT …]]"
    parser.description = (
        'Run a fake cluster with the five services of Kubernetes\' page "Accessing Clusters" and\n'
        "small apps behind them, and the gateway that shows them to a browser. It is a\n"
        "demonstration and no Kubernetes; it listens on loopback alone, and whoever can reach it\n"
        "there may do everything in it, without a password.\n\n"
        "By itself it says what to try, and runs until Ctrl-C. With a PROGRAM behind `--` it runs\n"
        "that with $KUBECONFIG set, ends with it, and has its exit code. Your own kubeconfig is\n"
        "neither read nor written."
    )
    parser.epilog = examples(
        "%(prog)s",
        "%(prog)s --open",
        "%(prog)s -- proxyurls services -A",
        "%(prog)s -- kubectl cluster-info",
    )
    parser.runs = True
    parser.add_argument(
        "--open", action="store_true", help="open the page with its services in the browser"
    )
    parser.add_argument(
        "--port", metavar="PORT", type=_port, default=0, help="where to listen; else a free port"
    )


def run(args: argparse.Namespace) -> int:
    """Run it; the exit code is the program's, or 128 and the number of the signal that ended it."""
    from contextlib import ExitStack

    from proxyurls.cli.parser import UsageError
    from proxyurls.demo.process import NotStarted, Signals, environment

    if args.program is not None and not any(args.program):
        raise UsageError(
            "nothing follows '--'; type a program behind it (`-- proxyurls services -A`), or "
            "leave it out"
        )
    with Signals() as signals, ExitStack() as stack:
        from proxyurls.demo.browsing import browsable
        from proxyurls.demo.cluster import running

        try:
            cluster = stack.enter_context(running(args.port))
        except OSError as error:
            if error.errno not in _REASONS:
                raise
            say("error", f"can't listen at port {args.port}: {_REASONS[error.errno]}")
            return 1
        kubeconfig = cluster.kubeconfig
        page = stack.enter_context(browsable(kubeconfig, lambda line: say("note", line)))
        if args.program is None:
            print(_instructions(cluster.url, page, str(kubeconfig)), flush=True)
        else:
            say("note", f"{_PLAINLY}; it ends with the program")
            say("note", f"until then a browser finds the apps at {page}")
        if args.open:
            start_browser(page)
        if args.program is None:
            return signals.wait()
        try:
            return signals.run(args.program, environment(kubeconfig))
        except NotStarted as error:
            say("error", f"can't run {args.program[0]!r}: {error}")
            return error.code


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; type a number from 1 to 65535")


def _instructions(url: str, page: str, kubeconfig: str) -> str:
    """What to try, in commands that work when they are pasted."""
    import shutil
    import sys
    from shlex import quote

    from proxyurls.demo.process import on_path, own_script

    script = own_script()
    word = f"{quote(sys.executable)} -m proxyurls"
    if script is not None:
        word = script.name if on_path(script) else quote(str(script))
    tried = [f"{word} {line}" for line in _TRY]
    if shutil.which("kubectl"):
        tried += [f"kubectl {line}" for line in _TRY_KUBECTL]
    lines = "\n".join(f"  {line}" for line in tried)
    return (
        f"{_PLAINLY[0].upper()}{_PLAINLY[1:]}.\n"
        f"It listens at {url}, for this machine alone and without a password.\n\n"
        f"Its apps in a browser:\n\n  {page}\n\n"
        f"In another terminal:\n\n  export KUBECONFIG={quote(kubeconfig)}\n\n{lines}\n\n"
        "Ctrl-C ends it."
    )
