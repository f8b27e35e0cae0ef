"""``serve``: the gateway for every service, with its index page."""

from __future__ import annotations

from proxyurls.cli.console import say
from proxyurls.cli.gateway import add_gateway, serve, settings_of
from proxyurls.cli.options import load
from proxyurls.cli.parser import UsageError, examples

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from proxyurls.cli.parser import Parser
    from proxyurls.gateway.filter import Filter

_FILTERS = ("accept_hosts", "accept_paths", "reject_paths", "reject_methods")


def add_arguments(parser: Parser) -> None:
    """Add the gateway's options, and kubectl proxy's."""
    parser.description = (
        "Serve every service of the cluster to the browsers of this machine, each at a root of\n"
        "its own, and print the address of the index page. Ctrl-C ends it. With --api it is also\n"
        "what `kubectl proxy` is, and takes its options."
    )
    parser.epilog = examples(
        "%(prog)s",
        "%(prog)s --port 8080 --context prod",
        "%(prog)s --api --no-token        then: kubectl --server http://localhost:8001 get pods",
        "%(prog)s --api --unix-socket /run/user/1000/k8s.sock",
    )
    add_gateway(parser, port="8001")
    parser.add_argument(
        "-u",
        "--unix-socket",
        metavar="PATH",
        help="listen at a socket that only you may use, instead of a port; it takes no token",
    )
    parser.add_argument("--api", action="store_true", help="also pass on the API itself")
    group = parser.add_argument_group("what of the API passes with --api (as kubectl proxy)")
    for name, text in (
        ("accept-hosts", "hosts that may be asked for (localhost, 127.0.0.1, [::1])"),
        ("accept-paths", "paths that pass (all)"),
        ("reject-paths", "paths that don't, even if accepted (pods' exec and attach)"),
        ("reject-methods", "methods that don't pass (none)"),
    ):
        group.add_argument(f"--{name}", metavar="REGEXPS", help=text)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from proxyurls.gateway.server import FIRST_PORT

    if args.unix_socket and args.port is not None:
        raise UsageError("--unix-socket takes the place of --port; leave one of them out")
    for name in _FILTERS:
        if not args.api and getattr(args, name) is not None:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is about the API, which is passed on with --api alone")
    settings = settings_of(args)._replace(
        port=FIRST_PORT if args.port is None else args.port,
        unix_socket=args.unix_socket or "",
        api=_filter(args) if args.api else None,
        any_host=args.accept_hosts is not None,
    )
    config = load(args)

    def ready(address: str) -> None:
        where = f"at the socket {args.unix_socket}: " if args.unix_socket else ""
        print(f"{where}{address}" if args.unix_socket else address, flush=True)
        what = "its services and its API" if args.api else "its services"
        # With --allow-remote a warning has told who else may come.
        whom = "" if settings.allow_remote and not settings.unix_socket else ", to this machine"
        say("note", f"serving {config.server}: {what}{whom}; Ctrl-C ends it")
        if settings.token and not settings.unix_socket:
            say("note", "the address lets one browser in, once; a fresh one is shown when needed")

    return serve(config, settings, ready)


def _filter(args: argparse.Namespace) -> Filter:
    from proxyurls.gateway.filter import Filter

    given = {name: getattr(args, name) for name in _FILTERS}
    return Filter.of(**{name: value for name, value in given.items() if value is not None})
