"""argparse with options that may stand anywhere, the same on every Python.

``parse_args`` wants the positional arguments in one piece, ``parse_intermixed_args`` differs
between Python versions. So `split` sorts the words into options and positionals by the
parser's own table, as kubectl's pflag does, and argparse sees them in the one order that it
never misreads: ``--option=value … -- positional …``.
"""

from __future__ import annotations

import argparse
import os
import re

from proxyurls.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import NoReturn

    from _typeshed import SupportsWrite

_WIDEST = 100


class UsageError(InvalidInput):
    """A command line that no command understands."""


class Parser(argparse.ArgumentParser):
    """The parser of one command. Wrong usage raises `UsageError`.

    Attributes:
        runs: whether what follows ``--`` is another program's command line. It becomes the
            attribute ``program`` of what `parse` returns, None where there's no ``--``.
    """

    runs = False

    def __init__(self, prog: str) -> None:
        super().__init__(prog=prog, allow_abbrev=False, formatter_class=_Formatter)
        self._positionals.title = "arguments"

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`; argparse calls it too."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")

    def format_help(self) -> str:
        """The help text, with a usage line that does not list each option."""
        self.usage = self.usage or f"%(prog)s {self._words()}[options]"
        return super().format_help()

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help text; argparse's own would hide that the disk is full."""
        print(self.format_help(), end="", file=file)

    def parse(self, argv: Sequence[str], *, command: str = "") -> argparse.Namespace:
        """Parse the words of a command line, its options in any place.

        Args:
            argv: the words behind the program's name.
            command: the first of them that is no option, if it is still there.

        Raises:
            UsageError: they are wrong.
            SystemExit: --help or --version has been answered.
        """
        options: list[str] = []
        words: list[str] = []
        argv, program = self._parted(argv)
        for is_option, text in self.split(argv):
            (options if is_option else words).append(text)
            if self.runs and words not in ([], [command]):
                self.error(f"to run {text!r}, type `--` before it: `{self.prog} -- {text} …`")
        if command:
            words.remove(command)
        if "--" in words:
            # Pythons before 3.13 drop it wherever it stands.
            self.error("'--' can't be an argument itself; as a SUFFIX, type '/--'")
        args, extra = self.parse_known_args([*options, "--", *words])
        extra = [word for word in extra if word != "--"]
        if extra:
            self.error(f"unexpected argument {extra[0]!r}: the command takes {self._takes()}")
        if self.runs:
            args.program = program
        return args

    def _parted(self, argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
        """The command line up to the first ``--`` behind the command, and what follows it."""
        for at, word in enumerate(argv):
            if self.runs and word == "--" and self.first_word(argv[:at]):
                return argv[:at], argv[at + 1 :]
        return argv, None

    def first_word(self, argv: Sequence[str]) -> str | None:
        """The first word that is no option and no option's value.

        Raises:
            UsageError: an unknown option stands before it.
        """
        return next((text for is_option, text in self.split(argv) if not is_option), None)

    def split(self, argv: Sequence[str]) -> Iterator[tuple[bool, str]]:
        """The command line as (is it an option, text), options as ``--option=value``.

        Raises:
            UsageError: an option is unknown or its value is missing.
        """
        known = self._option_string_actions
        words = iter(argv)
        for word in words:
            if word == "--":
                yield from ((False, rest) for rest in words)
            elif word == "-" or not word.startswith("-"):
                yield False, word
            elif word.startswith("--"):
                name, equals, _ = word.partition("=")
                if name not in known:
                    self._unknown(name)
                if equals or not _takes_value(known[name]):
                    yield True, word
                else:
                    yield True, f"{name}={self._value(name, words)}"
            else:
                for name, value in self._cluster(word, words):
                    yield True, name if value is None else f"{name}={value}"

    def _cluster(self, word: str, words: Iterator[str]) -> Iterator[tuple[str, str | None]]:
        """``-Ank``, which is ``-A -n k``: short options, of which the last may take a value."""
        for at, char in enumerate(word[1:], start=1):
            name = f"-{char}"
            action = self._option_string_actions.get(name)
            if action is None:
                self._unknown(name, word)
            rest = word[at + 1 :]
            if _takes_value(action):
                yield name, rest.removeprefix("=") if rest else self._value(name, words)
                return
            if rest[:1] == "=":
                self.error(f"option {name} takes no value")
            yield name, None

    def _value(self, name: str, words: Iterator[str]) -> str:
        value = next(words, None)
        if value is None:
            self.error(f"option {name} needs a value")
        if value == "--" or value.partition("=")[0] in self._option_string_actions:
            shown = value.partition("=")[0]
            equals = "" if name[1] != "-" else "="
            self.error(
                f"option {name} needs a value, and {shown!r} is an option; "
                f"if it is meant, type {name}{equals}{shown}"
            )
        return value

    def _unknown(self, name: str, word: str = "") -> NoReturn:
        """Refuse an option. What may be its value, a token for example, is not repeated."""
        from difflib import get_close_matches

        # "-token=x" is nearer to --token than to -t.
        wanted = f"-{word.partition('=')[0]}" if len(word) > 2 else name
        known = [option for option in self._option_string_actions if option[:2] == "--"]
        close = get_close_matches(wanted, known, n=1, cutoff=0.7)
        glued = [option for option in known if len(option) > 4 and wanted.startswith(option)]
        if not close and not glued:
            kept = re.sub(r"[^a-z-].*", "", name[:12], flags=re.DOTALL)
            shown = name if name in (kept, name[:2]) else f"{kept}…"
            self.error(
                f"unknown option {shown!r} (an argument that starts with '-' goes behind '--')"
            )
        meant = (close or glued)[0]
        tail = "…" if len(wanted) > len(meant) else ""
        shown = f"{meant}{tail}" if wanted.startswith(meant) else wanted
        self.error(f"unknown option {shown[1:] if word else shown!s}; did you mean {meant}?")

    def _slots(self) -> list[argparse.Action]:
        return self._get_positional_actions()

    def _words(self) -> str:
        pieces = []
        for action in self._slots():
            name = str(action.metavar or action.dest.upper())
            shapes = {"?": f"[{name}] ", "*": f"[{name} …] "}
            pieces.append(shapes.get(str(action.nargs), f"{name} "))
        return "".join(pieces)

    def _takes(self) -> str:
        return f"{self._words().strip()} and options" if self._slots() else "options alone"


def _takes_value(action: argparse.Action) -> bool:
    """Whether the next word is this option's value: not so for flags and optional values."""
    return action.nargs not in (0, "?")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, without loading shutil for it.

    (argparse makes a formatter whenever an argument is added, so that is on the start-up path.)
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=_width())

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """``-n, --namespace NAME``, with the value named once."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}".replace(" [=", "[=")


def _width() -> int:
    try:
        columns = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size().columns
    except (ValueError, OSError):
        columns = 80
    return max(40, min(columns, _WIDEST) - 2)


def examples(*lines: str) -> str:
    """The part of a help text with examples.

    Args:
        lines: command lines that start with ``%(prog)s``, or what they print.
    """
    return "examples:\n" + "\n".join(f"  {line}" for line in lines)


def near(word: str, known: Iterable[str]) -> str:
    """A ``did you mean`` for a mistyped word, or ""."""
    from difflib import get_close_matches

    found = get_close_matches(word.lower(), list(known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""
