"""``open``: an app in the browser, at a root of its own, through the gateway."""

from __future__ import annotations

from proxyurls.cli.console import say
from proxyurls.cli.gateway import add_gateway, serve, settings_of, start_browser
from proxyurls.cli.options import load, trace
from proxyurls.cli.parser import examples
from proxyurls.cli.url import add_query, compare_servers, look_up, pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from proxyurls.cli.parser import Parser
    from proxyurls.cli.target_text import TargetText
    from proxyurls.cluster import Cluster
    from proxyurls.target import Target


def add_arguments(parser: Parser) -> None:
    """Add TARGET, SUFFIX and the gateway's options."""
    parser.description = (
        "Open TARGET in the browser as if it were no cluster's: at http://NAME--NAMESPACE.localhost,\n"
        "the app's own root. A service is looked up for its scheme and port where TARGET names\n"
        "neither. The gateway serves this one app, until Ctrl-C."
    )
    parser.epilog = examples(
        "%(prog)s grafana.monitoring /d/home",
        "%(prog)s https:dashboard.kube-system:443",
        "%(prog)s pod/web-0 -n shop --no-browser",
        "BROWSER=firefox %(prog)s jupyter.lab",
    )
    parser.add_argument("target", metavar="TARGET", help="a service, pod/NAME, node/NAME, or a URL")
    parser.add_argument(
        "suffix", metavar="SUFFIX", nargs="?", help="path and query, as behind a host name"
    )
    add_query(parser)
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, and start no browser"
    )
    parser.add_argument(
        "--single",
        action="store_true",
        help="at http://localhost itself, at any free port unless --port says which: for browsers "
        "that don't know *.localhost (Safari)",
    )
    add_gateway(parser, port="the first free one from 8001 on")


def run(args: argparse.Namespace) -> int:
    """Open it, and serve until Ctrl-C."""
    from proxyurls.cli.target_text import parse_target
    from proxyurls.cluster import Cluster
    from proxyurls.suffix import clean, with_query

    typed = parse_target(args.target, namespace=args.namespace, resolves=True)
    pairs = [pair(item) for item in args.query]
    suffix = typed.with_suffix(args.suffix)
    suffix = with_query(suffix, pairs) if pairs else clean(suffix or "")
    settings = settings_of(args)
    config = load(args)
    compare_servers(typed.server, config.base_url)
    with Cluster(config, timeout=args.request_timeout or None, trace=trace(args)) as cluster:
        target = _resolve(cluster, typed)
    settings = settings._replace(only=target, path=suffix or "/", single=args.single)
    if args.single and args.port is None:
        # The origin is http://localhost:PORT whatever the app, so it should not be used again.
        settings = settings._replace(port=0)

    def ready(address: str) -> None:
        print(address, flush=True)
        say("note", f"serving {_name(target)} of {config.server}; Ctrl-C ends it")
        if not args.no_browser:
            start_browser(address)

    return serve(config, settings, ready)


def _resolve(cluster: Cluster, typed: TargetText) -> Target:
    """The target whose host name the browser gets.

    A service without port and scheme stays so: the gateway looks them up again whenever they may
    have changed. What is typed in full is looked up too, so that a slip shows here.
    """
    from proxyurls.errors import APIStatusError
    from proxyurls.target import service

    home = cluster.config.namespace
    bare = typed.kind == "service" and typed.port is None and typed.scheme is None
    try:
        found = look_up(cluster, typed, "open")
    except APIStatusError as error:
        if error.status != 403:
            raise
        # Who may proxy to a service may still not be allowed to read it.
        target = typed.target(home)
        say("note", f"it can't be looked up ({error.detail}); trying {target.segment}")
        return target
    say("note", found.why)
    if not bare:
        return found.target
    return service(found.target.name, found.target.namespace or home)


def _name(target: Target) -> str:
    where = f" in namespace {target.namespace!r}" if target.namespace else ""
    return f"{target.kind} {target.name!r}{where}"
