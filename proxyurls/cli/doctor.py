"""``doctor``: why a target can't be reached, step by step."""

from __future__ import annotations

import sys
from contextlib import closing

from proxyurls.causes import CAUSES
from proxyurls.cli.console import json_text, wants_colour
from proxyurls.cli.options import add_output, load, trace
from proxyurls.cli.parser import examples
from proxyurls.cli.url import SUFFIX_HELP, TARGET_HELP, add_query, pair
from proxyurls.errors import brief, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from proxyurls.cli.parser import Parser
    from proxyurls.doctor import Step

_MARKS = {"ok": "✓", "failed": "✗", "skipped": "–"}
_ASCII_MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "-"}
_COLOURS = {"ok": "32", "failed": "31;1", "skipped": "2"}
_CHOOSING = (
    *("kubeconfig", "context", "cluster", "user", "server"),
    *("certificate-authority", "client-certificate", "client-key", "tls-server-name"),
)
# For one request, unless --request-timeout says so: longer than the ten that the apiserver waits
# for an app to speak TLS, so that it is the one who says so.
_SECONDS = 15.0


def add_arguments(parser: Parser) -> None:
    """Add what `run` reads."""
    parser.description = (
        "Find out why TARGET can't be reached, or does not work: configuration, connection,\n"
        "authentication, authorization, the object, its port, its protocol, its endpoints, the\n"
        "scheme, and what it answers. It stops at the first cause, and says what to type. It\n"
        "changes nothing: it sends GET, and asks the apiserver what you may. A request may take\n"
        "15 seconds, or what --request-timeout says. Exit code: 0 all is well, 1 a cause was\n"
        "found, 2 wrong usage."
    )
    parser.epilog = examples(
        "%(prog)s grafana.monitoring",
        "%(prog)s https:web.shop:443 /login --probe",
        "%(prog)s pod/web-0:8080 -n shop -o json | jq -r .cause.name",
    )
    parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    parser.add_argument("suffix", metavar="SUFFIX", nargs="?", help=SUFFIX_HELP)
    add_query(parser)
    parser.add_argument(
        "--probe",
        action="store_true",
        help="where the scheme may be wrong, ask the app for / in the other one too",
    )
    add_output(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Print the steps, the cause and its remedy; 1 if there is a cause."""
    from proxyurls.cli.target_text import parse_target
    from proxyurls.cli.url import compare_servers
    from proxyurls.doctor import Case, examine
    from proxyurls.suffix import clean, with_query

    typed = parse_target(args.target, namespace=args.namespace, resolves=True)
    suffix = typed.with_suffix(args.suffix)
    pairs = [pair(item) for item in args.query]
    suffix = with_query(suffix, pairs) if pairs else clean(suffix)
    case = Case(
        lambda: load(args),
        typed.kind,
        typed.name,
        namespace=typed.namespace,
        port=typed.port,
        scheme=typed.scheme,
        suffix=suffix,
        probe=args.probe,
        timeout=args.request_timeout or _SECONDS,
        trace=trace(args),
        options=_options(args),
    )
    with closing(case):
        steps = examine(case)
        if args.output == "json":
            return _print_json(args.target, steps)
        last = None
        for last in steps:
            _print_step(last)
        if typed.server and "config" in vars(case):
            compare_servers(typed.server, case.config.base_url)
    return _print_end(last)


def _options(args: argparse.Namespace) -> str:
    """The options that chose cluster and user, as they can be typed again. No secret is one."""
    from shlex import join

    words = []
    for name in _CHOOSING:
        value = getattr(args, name.replace("-", "_"))
        if value and "@" not in value.partition("://")[2]:  # a server with a password in it
            words += [f"--{name}", value]
    if args.as_user:
        words += ["--as", args.as_user]
    for group in args.as_groups:
        words += ["--as-group", group]
    if args.insecure_skip_tls_verify:
        words.append("--insecure-skip-tls-verify")
    return join(words)


def _print_step(step: Step) -> None:
    out = sys.stdout
    mark = _marks()[step.result]
    if wants_colour(out):
        mark = f"\x1b[{_COLOURS[step.result]}m{mark}\x1b[0m"
    width = max(map(len, _marks().values()))
    padding = " " * (width - len(_marks()[step.result]))
    # What exactly it is stands at the end, behind "cause:".
    text = CAUSES[step.cause].text if step.cause else step.text
    print(f"{mark}{padding} {step.name:15} {brief(text)}", flush=True)


def _marks() -> dict[str, str]:
    """The signs for a step's result, in letters where the terminal or file has none."""
    try:
        "".join(_MARKS.values()).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII_MARKS
    return _MARKS


def _print_end(last: Step | None) -> int:
    if last is None or last.cause is None:
        print("\nhealthy: nothing stands in the way")
        return 0
    print(f"\ncause:  {brief(last.text)} ({last.cause})")
    remedy = last.remedy or ""
    if not remedy.startswith("apiVersion: "):
        print(f"remedy: {one_line(remedy)}")
        return 1
    print("remedy:")
    for line in remedy.splitlines():  # unindented, so that a manifest can be piped to kubectl
        print(one_line(line))
    return 1


def _print_json(target: str, steps: Iterable[Step]) -> int:
    done = list(steps)
    last = done[-1]
    cause = None
    if last.cause is not None:
        cause = {"name": last.cause, "text": last.text, "remedy": last.remedy}
    shown = {
        "target": target,
        "healthy": cause is None,
        "steps": [{"name": s.name, "result": s.result, "text": s.text} for s in done],
        "cause": cause,
    }
    print(json_text(shown))
    return int(cause is not None)
