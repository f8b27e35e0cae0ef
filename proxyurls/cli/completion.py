"""``proxyurls completion``, and the completion itself, by argcomplete.

The shell runs the program with ``_ARGCOMPLETE`` set; `main` then calls `complete`. What the
cluster or the kubeconfig does not tell within two seconds is not completed, without a word.
"""

from __future__ import annotations

import argparse
import os
import re

from proxyurls.cli.parser import examples
from proxyurls.cli.target_text import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proxyurls.cli.parser import Parser

    Completer = Callable[..., list[str]]

NEEDS_CLUSTER = False
_SHELLS = ("bash", "zsh", "fish")
_PROGRAMS = ["proxyurls", "kubectl-proxyurls"]
_TIME_LIMIT = 2.0
_LIMIT = 500


def add_arguments(parser: Parser) -> None:
    """Add what `run` reads."""
    parser.description = (
        "Print the script that teaches a shell to complete commands, options, contexts,\n"
        "namespaces, and the services of the cluster."
    )
    parser.epilog = examples(
        'eval "$(%(prog)s bash)"        # in ~/.bashrc',
        'eval "$(%(prog)s zsh)"         # in ~/.zshrc, behind compinit',
        "%(prog)s fish > ~/.config/fish/completions/proxyurls.fish",
    )
    parser.add_argument(
        "shell", metavar="SHELL", choices=_SHELLS, help=f"one of {', '.join(_SHELLS)}"
    )


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(_PROGRAMS, shell=args.shell))
    return 0


def complete(prog: str) -> int:
    """Answer the shell: the candidates for the word at the cursor, through argcomplete.

    Args:
        prog: how the program is called.
    """
    import argcomplete

    parser = whole_parser(prog, os.environ.get("COMP_LINE", "").split())
    argcomplete.autocomplete(parser, always_complete_options=False)
    return 1  # not reached: it leaves the process


def whole_parser(prog: str, words: list[str]) -> argparse.ArgumentParser:
    """One parser for all: the options, the commands, and the arguments of those in `words`.

    Args:
        prog: how the program is called.
        words: those of the line that is completed.
    """
    from importlib import import_module

    from proxyurls.cli.commands import COMMANDS
    from proxyurls.cli.options import add_shared
    from proxyurls.cli.parser import Parser

    root = Parser(prog)
    add_shared(root)
    commands = root.add_subparsers(parser_class=Parser)
    for name, text in COMMANDS.items():
        parser = commands.add_parser(name, help=text)
        if name in words:
            import_module(f"proxyurls.cli.{name.replace('-', '_')}").add_arguments(parser)
            add_shared(parser)
            _attach(parser)
    _attach(root)
    return root


def _attach(parser: argparse.ArgumentParser) -> None:
    """Give the arguments whose values can be known their completers."""
    completers: dict[str, Completer] = {
        "context": lambda **found: _names("contexts", found["parsed_args"]),
        "cluster": lambda **found: _names("clusters", found["parsed_args"]),
        "user": lambda **found: _names("users", found["parsed_args"]),
        "namespace": lambda **found: _objects("namespaces", found["parsed_args"]),
        "target": lambda **found: _targets(found["prefix"], found["parsed_args"]),
        "suffix": lambda **_: [],
    }
    for action in parser._actions:  # noqa: SLF001  (argparse has no public list of them)
        if action.option_strings:
            # A command's default must not hide what stands before the command.
            action.default = argparse.SUPPRESS
        if action.dest in completers:
            action.completer = completers[action.dest]  # type: ignore[attr-defined]
        elif action.choices is None and action.metavar != "FILE":
            action.completer = lambda **_: []  # type: ignore[attr-defined]


def _names(what: str, args: argparse.Namespace) -> list[str]:
    """The names of a kubeconfig's contexts, clusters or users."""
    from proxyurls.config import load_kubeconfig
    from proxyurls.errors import ProxyURLsError

    try:
        names = getattr(load_kubeconfig(getattr(args, "kubeconfig", None)), what)
        # A shell shows the others raw, and reads a line feed as the end of one.
        return [name for name in names if name.isprintable()]
    except ProxyURLsError:
        return []


def _targets(prefix: str, args: argparse.Namespace) -> list[str]:
    """What may stand for TARGET: KIND/NAME, or a service's name, with a scheme before it or not.

    Behind a service's name and a dot, its namespaces are looked for.
    """
    kind, slash, _ = prefix.rpartition("/")
    if slash and kind not in KINDS:
        return []
    scheme = re.match(r"https?:", prefix[len(kind + slash) :])
    lead = f"{kind}{slash}{scheme[0] if scheme else ''}"
    what = f"{KINDS.get(kind, 'service')}s"
    named, dot, _ = prefix[len(lead) :].partition(".")
    names = _objects(what, args, named if dot and what == "services" else "")
    found = [f"{lead}{name}{':' if scheme else ''}" for name in names]
    return found if slash else [*found, "svc/", "pod/", "node/"]


def _objects(what: str, args: argparse.Namespace, named: str = "") -> list[str]:
    """The names of services or pods in the namespace, of nodes or of namespaces; [] if late.

    With `named`, NAME.NAMESPACE of each that has this name in any namespace.
    """
    from threading import Thread

    names: list[str] = []
    # A thread, since neither a name server nor a credential plugin can be told to hurry.
    thread = Thread(target=_list, args=(what, args, named, names), daemon=True)
    thread.start()
    thread.join(_TIME_LIMIT)
    return list(names)


def _list(what: str, args: argparse.Namespace, named: str, names: list[str]) -> None:
    from urllib.parse import quote

    from proxyurls.config import load_config
    from proxyurls.errors import ProxyURLsError
    from proxyurls.objects import NAMED, NAMESPACED, items_of
    from proxyurls.oneshot import get_json

    keys = (
        "context cluster user namespace server token as_user as_uid as_groups "
        "certificate_authority client_certificate client_key insecure_skip_tls_verify "
        "tls_server_name"
    )
    given = {key: getattr(args, key) for key in keys.split() if hasattr(args, key)}
    try:
        config = load_config(getattr(args, "kubeconfig", None), **given)
        everywhere = named or what in ("nodes", "namespaces")
        scope = "" if everywhere else f"namespaces/{config.namespace}/"
        chosen = f"&fieldSelector=metadata.name%3D{quote(named, safe='')}" if named else ""
        path = f"/api/v1/{scope}{what}?limit={_LIMIT}{chosen}"
        answer = get_json(config, path, timeout=_TIME_LIMIT)
        items = items_of(answer, NAMESPACED if named else NAMED, config.server)
    except (ProxyURLsError, OSError):
        return
    parts = ("name", "namespace") if named else ("name",)
    names += [".".join(item["metadata"][part] for part in parts) for item in items[:_LIMIT]]
