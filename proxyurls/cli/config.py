"""``proxyurls config``: which cluster, as whom, and why."""

from __future__ import annotations

from proxyurls.cli.console import json_text
from proxyurls.cli.options import add_output, load
from proxyurls.cli.parser import examples
from proxyurls.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from proxyurls.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add what `run` reads."""
    parser.description = (
        "Show the apiserver and the credentials that the other commands would use, and where\n"
        "each came from. No network is used, no plugin is run, no secret is shown."
    )
    parser.epilog = examples(
        "%(prog)s --context prod",
        "%(prog)s -o json | jq -r .server",
    )
    add_output(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Print the configuration."""
    facts = load(args).as_dict()
    if args.output == "json":
        print(json_text(facts))
        return 0
    sources = facts.pop("sources")
    texts = {key: _text(value) for key, value in facts.items()}
    width = max(len(text) for text in texts.values() if len(text) <= 60)
    for key, text in texts.items():
        source = f"  ({sources[key]})" if key in sources else ""
        print(one_line(f"{f'{key}:':12} {text:{width if source else 0}}{source}"))
    return 0


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(_pairs(value)) or "none"
    return str(value or "none")


def _pairs(value: Mapping[str, object]) -> list[str]:
    """What is set in a group of values: ``ca=/ca.crt, insecure``."""
    pairs = []
    for key, item in value.items():
        if isinstance(item, dict):
            pairs += _pairs({f"{key}.{inner}": what for inner, what in item.items()})
        elif isinstance(item, list):
            pairs += [f"{key}={one}" for one in item]
        elif item is True:
            pairs.append(key)
        elif item:
            pairs.append(f"{key}={item}")
    return pairs
