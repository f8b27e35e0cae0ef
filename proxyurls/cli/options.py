"""The options that all commands share: kubectl's, for the cluster and the credentials."""

from __future__ import annotations

import argparse
import re

from proxyurls.cli.console import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proxyurls.cli.parser import Parser
    from proxyurls.config import Config

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # as Go: the micro sign and the Greek letter
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DURATION = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"


def add_shared(parser: Parser, *, shown: bool = True) -> None:
    """Add the options that every command takes.

    Args:
        parser: the command's parser.
        shown: whether its help lists them; commands that look at no cluster take them silently,
            so that `alias pu="proxyurls --context prod"` works with all commands.
    """
    group = parser.add_argument_group("which cluster, and as whom (as kubectl)")

    def add(*names: str, metavar: str, help: str, **more: object) -> None:  # noqa: A002
        text = help if shown else argparse.SUPPRESS
        group.add_argument(*names, metavar=metavar, help=text, **more)  # type: ignore[arg-type]

    add("--kubeconfig", metavar="FILE", help="the kubeconfig file, instead of $KUBECONFIG")
    add("--context", metavar="NAME", help="the kubeconfig context")
    add("--cluster", metavar="NAME", help="the kubeconfig cluster")
    add("--user", metavar="NAME", help="the kubeconfig user")
    add("-n", "--namespace", metavar="NAME", help="the namespace, instead of the context's")
    add("-s", "--server", metavar="URL", help="the apiserver's URL")
    add("--token", metavar="TOKEN", help="a bearer token")
    add("--as", metavar="USER", help="impersonate a user", dest="as_user")
    add("--as-uid", metavar="UID", help="impersonate a UID")
    add(
        "--as-group",
        metavar="GROUP",
        help="impersonate a group; may be repeated",
        action="append",
        default=[],
        dest="as_groups",
    )
    add(
        "--certificate-authority",
        metavar="FILE",
        help="the CA of the server's certificate",
    )
    add("--client-certificate", metavar="FILE", help="a client certificate")
    add("--client-key", metavar="FILE", help="its key")
    add(
        "--insecure-skip-tls-verify",
        metavar="=BOOL",
        help="do not check the server's certificate",
        nargs="?",
        const=True,
        type=_boolean,
    )
    add("--tls-server-name", metavar="NAME", help="the name to check the server's certificate for")
    add(
        "--request-timeout",
        metavar="TIME",
        help="give up on a request after 5, 30s, 2m or 1h30m; 0 is never",
        type=duration,
    )
    add(
        "-v",
        "--v",
        metavar="LEVEL",
        help="how much to tell on stderr about what is done, a number (6: requests)",
        type=_level,
        default=0,
        dest="verbosity",
    )
    from proxyurls import __version__

    parser.add_argument(
        "--version",
        action="version",
        version=f"proxyurls {__version__}",
        help="show the version" if shown else argparse.SUPPRESS,
    )


def load(args: argparse.Namespace) -> Config:
    """The Config that the shared options choose; its warnings are printed.

    Raises:
        ConfigError: as for `proxyurls.load_config`.
    """
    from proxyurls.config import load_config

    config = load_config(
        args.kubeconfig,
        context=args.context,
        cluster=args.cluster,
        user=args.user,
        namespace=args.namespace,
        server=args.server,
        token=args.token,
        as_user=args.as_user,
        as_uid=args.as_uid,
        as_groups=args.as_groups,
        certificate_authority=args.certificate_authority,
        client_certificate=args.client_certificate,
        client_key=args.client_key,
        insecure_skip_tls_verify=args.insecure_skip_tls_verify,
        tls_server_name=args.tls_server_name,
    )
    for warning in config.warnings:
        say("warning", warning)
    return config


def trace(args: argparse.Namespace) -> Callable[[str], None] | None:
    """What to call with a line about each request: from ``-v 6`` on, as with kubectl."""
    return (lambda line: say("note", line)) if args.verbosity >= 6 else None


def add_output(parser: Parser, *formats: str) -> None:
    """Add ``-o/--output`` with these formats, the first being the default."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="FORMAT",
        choices=formats,
        default=formats[0],
        help=f"the output format: {', '.join(formats)}",
    )


def duration(text: str) -> float:
    """Kubectl's ``--request-timeout`` in seconds: a number of them, or Go's ``1h30m``.

    Raises:
        argparse.ArgumentTypeError: it is neither.

    >>> duration("1m30s"), duration("5"), duration("250ms")
    (90.0, 5.0, 0.25)
    """
    if text.isascii() and text.isdigit():
        return float(text)
    parts = re.findall(_DURATION, text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; type 5, 30s, 2m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _boolean(text: str) -> bool:
    # strconv.ParseBool
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _level(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise argparse.ArgumentTypeError(f"{text!r} is no level; type a number, 6 for example")
    return int(text)
