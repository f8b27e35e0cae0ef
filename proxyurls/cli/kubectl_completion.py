"""``kubectl_complete-proxyurls``: what kubectl, from 1.26 on, runs to complete our plugin's words.

It gets the words behind the plugin's name, the last of which is being typed, and prints the
candidates, each on a line with a tab and what it does, and a line with cobra's directive.
Source: k8s.io/kubectl, pkg/cmd/plugin/plugin_completion.go.
"""

from __future__ import annotations

import os
import shlex
import sys

_NO_SPACE, _NO_FILES = 2, 4  # cobra's ShellCompDirective
_OPEN_ENDED = ("/", ":", "=")


def main() -> int:
    """Print the candidates for the last of this process's words.

    Returns:
        0. What can't be told is not completed, without a word.
    """
    from io import StringIO

    import argcomplete

    from proxyurls.cli.completion import whole_parser

    *words, prefix = sys.argv[1:] or [""]
    line = f"{shlex.join(['kubectl-proxyurls', *words])} {shlex.quote(prefix) if prefix else ''}"
    # fish's way to ask is kubectl's: nothing is quoted, and a tab stands before descriptions.
    os.environ.update(
        {
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": "fish",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_DFS": "\t",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        }
    )
    answer = StringIO()
    argcomplete.autocomplete(
        whole_parser("kubectl proxyurls", words),
        always_complete_options=False,
        exit_method=lambda _: None,
        output_stream=answer,
    )
    found = [text for text in answer.getvalue().split("\n") if text]
    go_on = any(text.partition("\t")[0].endswith(_OPEN_ENDED) for text in found)
    print(*found, f":{_NO_FILES + _NO_SPACE * go_on}", sep="\n")
    return 0
