"""The table of commands, and how one of them is made ready to run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from proxyurls.cli.parser import Parser

COMMANDS = {
    "url": "print the proxy URL of a service, pod or node",
    "parse": "explain a proxy URL or an in-cluster URL",
    "services": "list services and their URLs",
    "cluster-info": "list the cluster's own services, as kubectl cluster-info does",
    "fetch": "request a URL behind the apiserver with your credentials",
    "open": "open a service, pod or node in the browser, at a root of its own",
    "serve": "serve every service to the browser, with an index page",
    "doctor": "find out why a service, pod or node can't be reached",
    "config": "show which cluster and credentials are used, and why",
    "demo": "run a fake cluster with small apps, to try all this without Kubernetes",
    "completion": "print the shell completion script",
}


def build(prog: str, name: str) -> tuple[Parser, Callable[[argparse.Namespace], int]]:
    """The parser of a command and what runs it.

    Args:
        prog: how the program is called.
        name: the command, one of `COMMANDS`.
    """
    from importlib import import_module

    from proxyurls.cli.options import add_shared
    from proxyurls.cli.parser import Parser

    module = import_module(f"proxyurls.cli.{name.replace('-', '_')}")
    parser = Parser(f"{prog} {name}")
    module.add_arguments(parser)
    add_shared(parser, shown=getattr(module, "NEEDS_CLUSTER", True))
    run: Callable[[argparse.Namespace], int] = module.run
    return parser, run
