"""The command line.

A command is one module of this package, named after it (``cluster-info``: `cluster_info.py`),
and one line of `commands.COMMANDS`. The module has

* ``add_arguments(parser)``: adds the command's own arguments to a `parser.Parser` and sets its
  ``description`` and ``epilog`` (`parser.examples`, at least two);
* ``run(args) -> int``: does it and returns the exit code. Data goes to stdout by print(), what
  is for people to stderr by `console.say`. Errors are raised: any `ProxyURLsError` becomes one
  ``error:`` line and exit code 2 (a ValueError: type something else) or 1 (all others);
* ``NEEDS_CLUSTER = False`` if the shared options (`options.add_shared`) have no effect on it.
  They are accepted all the same, and added by `main`.

Nothing is imported before it is needed: only the module of the command that runs, and no
third-party package until a handler asks for it.

Exit codes: 0 done, 1 the operation failed, 2 wrong usage or input, 130 interrupted, 141 the
reader of stdout went away (as the shell reports it for cat, git or kubectl, which SIGPIPE ends).
"""

from __future__ import annotations

import os
import sys

from proxyurls.cli.commands import COMMANDS, build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the words behind the program's name; those of this process if None.

    Returns:
        the exit code.
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:  # at any moment, while modules are loaded too
        return _interrupted()


def _interrupted() -> int:
    from proxyurls.cli import console

    console.drop_stdout()
    if sys.stderr is not None and sys.stderr.isatty():
        print(file=sys.stderr)  # behind the ^C
    return _INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    """Run a command line; Ctrl-C alone is not made an exit code of."""
    from proxyurls.cli import console
    from proxyurls.errors import ProxyURLsError

    prog = _prog()
    if "_ARGCOMPLETE" in os.environ and "COMP_LINE" in os.environ:
        from proxyurls.cli.completion import complete

        return complete(prog)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:  # a terminal that can't show a character is no reason for a traceback
        reconfigure(errors="backslashreplace")
    try:
        try:
            code = _dispatch(prog, sys.argv[1:] if argv is None else argv)
        except SystemExit as done:  # argparse, after --help and --version
            code = done.code if isinstance(done.code, int) else 0
        except ProxyURLsError as error:
            _flush()
            console.say("error", error)
            code = 2 if isinstance(error, ValueError) else 1
        _flush()
    except BrokenPipeError:
        console.drop_stdout()
        return _BROKEN_PIPE
    except OSError as error:
        console.drop_stdout()
        where = f"{error.filename}: " if error.filename else "writing the output failed: "
        console.say("error", f"{where}{error.strerror or error}")
        return 1
    except Exception as error:  # noqa: BLE001  (the last resort)
        if _hides_interrupt(error):
            return _interrupted()
        # A bug. Its place is no secret; its text may be one.
        if sys.flags.dev_mode and sys.stderr is not None:
            print(console.frames(error), end="", file=sys.stderr)
        console.say("error", f"internal error: {type(error).__name__} {console.place(error)}")
        return 1
    return code


def _hides_interrupt(error: BaseException | None) -> bool:
    """Whether it was Ctrl-C: a compiled module that is being loaded makes an ImportError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _prog() -> str:
    name = os.path.basename(sys.argv[0] if sys.argv else "")  # noqa: PTH119  (start-up)
    return "kubectl proxyurls" if name.startswith("kubectl-proxyurls") else "proxyurls"


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _dispatch(prog: str, argv: Sequence[str]) -> int:
    """Find the command, which any options may precede, and run it."""
    from proxyurls.cli.parser import UsageError

    failure = None
    for name in dict.fromkeys(word for word in argv if word in COMMANDS):
        parser, run = build(prog, name)
        try:
            first = parser.first_word(argv)
        except UsageError as error:
            failure = failure or error
            continue
        if first == name:
            return run(parser.parse(argv, command=name))
    return _without_command(prog, argv, failure)


def _without_command(prog: str, argv: Sequence[str], failure: ValueError | None) -> int:
    from proxyurls.cli.options import add_shared
    from proxyurls.cli.parser import Parser, UsageError, near

    parser = Parser(prog)
    parser.usage = "%(prog)s COMMAND [arguments] [options]"
    parser.description = _overview()
    parser.epilog = (
        "examples:\n"
        "  %(prog)s url grafana -n monitoring\n"
        "  %(prog)s parse http://localhost:8001/api/v1/namespaces/x/services/https:web:/proxy/\n\n"
        "`%(prog)s COMMAND --help` explains a command. Options may stand anywhere."
    )
    add_shared(parser)
    if not argv:
        parser.print_help()
        return 0
    word = parser.first_word(argv) if failure is None else None
    if word == "help":
        names = [name for name in argv if name != "help" and name[:1] != "-"]
        if not names:
            parser.print_help()
            return 0
        if names[0] in COMMANDS:
            build(prog, names[0])[0].print_help()
            return 0
        word = names[0]
    if failure:
        raise failure
    if word is None:
        parser.parse(argv)  # answers --help and --version
        parser.error("no command given")
    hint = near(word, COMMANDS) or f"for its URL, type `{prog} url {word}`"
    raise UsageError(f"unknown command {word!r}; {hint} (`{prog} --help` lists the commands)")


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    rows = "\n".join(f"  {name:{width}}{text}" for name, text in COMMANDS.items())
    return (
        "Kubernetes apiserver proxy URLs: build, explain, list and fetch them.\n\n"
        f"commands:\n{rows}"
    )
