"""``proxyurls url``: print a proxy URL."""

from __future__ import annotations

import re

from proxyurls.cli.console import say
from proxyurls.cli.parser import UsageError, examples
from proxyurls.cli.target_text import parse_target
from proxyurls.suffix import with_query
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from proxyurls.cli.parser import Parser
    from proxyurls.cli.target_text import TargetText
    from proxyurls.cluster import Cluster
    from proxyurls.config import Config
    from proxyurls.resolve import Resolved
    from proxyurls.target import Target

TARGET_HELP = (
    "a service (grafana, web:80, https:web:), svc/…, pod/…, node/…, NAME.NAMESPACE, "
    "or a URL: in-cluster, or a proxy URL to point elsewhere"
)
SUFFIX_HELP = "path, query and fragment behind it, as in a browser"
_LOOPBACK = r"https?://(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?(?:/|$)"


def add_arguments(parser: Parser) -> None:
    """Add what `run` reads."""
    parser.description = (
        "Print the URL by which the apiserver proxies to a service, pod or node.\n"
        "No network is used, unless --resolve asks for it."
    )
    parser.epilog = examples(
        "%(prog)s grafana /d/home -n monitoring",
        "%(prog)s https:dashboard.kube-system: -q 'q=a b'",
        "%(prog)s pod/web-0:8080 /metrics --via http://localhost:8001",
        "%(prog)s http://grafana.monitoring.svc:3000/d/home",
        "%(prog)s grafana --resolve --curl",
    )
    parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    parser.add_argument("suffix", metavar="SUFFIX", nargs="?", help=SUFFIX_HELP)
    add_query(parser)
    parser.add_argument(
        "--via", metavar="BASE", help="another base, that of a kubectl proxy: http://localhost:8001"
    )
    parser.add_argument("--path", action="store_true", help="print the path alone")
    parser.add_argument(
        "--resolve",
        action="store_true",
        help="look the service up in the cluster: its namespace, port and scheme",
    )
    parser.add_argument(
        "--curl",
        action="store_true",
        help="print the curl command that requests it; secrets are named, not shown",
    )


def run(args: argparse.Namespace) -> int:
    """Print the URL, the path or the curl command."""
    if args.path and (args.via or args.curl):
        other = "--via" if args.via else "--curl"
        raise UsageError(f"--path prints no server and {other} needs one; leave one of them out")
    text = parse_target(args.target, namespace=args.namespace, resolves=args.resolve)
    suffix = text.with_suffix(args.suffix)
    if args.query:
        suffix = with_query(suffix, [pair(item) for item in args.query])
    base = args.via or (_checked(args.server) if args.server else None)
    if args.via and "://" not in args.via:
        base = f"http://{args.via}"  # a kubectl proxy speaks nothing else
    config = _config(args, text)
    target = _target(args, text, config)
    path = target.path(suffix)
    if text.removed:
        say("note", "the pasted URL has a form that Kubernetes 1.10 removed; this is today's")
    if args.path:
        print(path)
        return 0
    if base is None and config is not None:
        base = config.base_url
        compare_servers(text.server, base)
    url = join(base or "", path)
    if args.curl:
        from proxyurls.cli.curl import print_curl

        print_curl(url, None if args.via else config, args)
    else:
        print(url)
    return 0


def look_up(cluster: Cluster, text: TargetText, command: str) -> Resolved:
    """Find in the cluster what a TARGET leaves open.

    Args:
        cluster: the cluster.
        text: the TARGET.
        command: what was typed in front of it, for the commands that an error suggests.

    Raises:
        ResolveError: none, or several fit.
    """
    from proxyurls.errors import AmbiguousService

    try:
        return cluster.resolve(
            text.name, text.namespace, kind=text.kind, port=text.port, scheme=text.scheme
        )
    except AmbiguousService as error:
        commands = [f"`proxyurls {command} {name}`" for name in error.candidates[:5]]
        raise AmbiguousService(
            f"{len(error.candidates)} services fit {text.name!r}; type {' or '.join(commands)}",
            candidates=error.candidates,
        ) from None


def add_query(parser: Parser) -> None:
    """Add ``-q``, of which `pair` splits each."""
    parser.add_argument(
        "-q",
        "--query",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="append a query parameter, as it is and encoded here; may be repeated",
    )


def pair(item: str) -> tuple[str, str]:
    """KEY=VALUE of -q, split.

    Raises:
        UsageError: it is not of that form.
    """
    key, equals, value = item.partition("=")
    if not key or not equals:
        raise UsageError(f"invalid query {item!r}; type -q KEY=VALUE")
    return key, value


def _checked(server: str) -> str:
    """The base URL of --server, which kubectl takes without a scheme too."""
    if server.startswith(("https://", "http://")):
        return server  # `join` checks it
    from proxyurls.config.server import check_server

    return check_server(server, source="--server")[1]


def _config(args: argparse.Namespace, text: TargetText) -> Config | None:
    """The Config if it is needed, since reading a kubeconfig loads a YAML parser."""
    offline = args.path or args.via or (args.server and not args.curl)
    namespace = text.namespace or text.kind == "node"
    # Where nobody pointed at a kubeconfig, its namespace isn't worth the time.
    if args.resolve or not (offline and (namespace or not (args.context or args.kubeconfig))):
        from proxyurls.cli.options import load

        return load(args)
    return None


def _target(args: argparse.Namespace, text: TargetText, config: Config | None) -> Target:
    if not args.resolve or config is None or text.kind == "node":
        return text.target(config.namespace if config else "default")
    from proxyurls.cli.options import trace
    from proxyurls.cluster import Cluster

    timeout = args.request_timeout or None
    with Cluster(config, timeout=timeout, trace=trace(args)) as cluster:
        found = look_up(cluster, text, "url --resolve")
    say("note", found.why)
    return found.target


def compare_servers(pasted: str, used: str) -> None:
    """Tell whoever pasted a URL of another cluster that this one's is printed."""
    if "://" not in pasted or re.match(_LOOPBACK, pasted):
        return
    if _plain(pasted) != _plain(used):
        say(
            "warning",
            f"the URL was of {pasted}, and this is of the context's {used}; "
            f"choose with --context, or keep it with --server {pasted}",
        )


def _plain(server: str) -> str:
    """A server without what makes no difference."""
    scheme, _, rest = server.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    port = ":443" if scheme.lower() == "https" else ":80"
    return f"{scheme.lower()}://{host.lower().removesuffix(port)}{slash}{path}"
