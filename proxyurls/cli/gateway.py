"""What ``serve`` and ``open`` share: the gateway's options, and running it until Ctrl-C."""

from __future__ import annotations

import argparse
import signal

from proxyurls.cli.console import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proxyurls.cli.parser import Parser
    from proxyurls.config import Config
    from proxyurls.gateway.run import Settings


def add_gateway(parser: Parser, *, port: str) -> None:
    """Add the options of both commands.

    Args:
        parser: the command's parser.
        port: what the help says of the port that is used without ``--port``.
    """
    parser.add_argument(
        "-p",
        "--port",
        metavar="PORT",
        type=_port,
        help=f"the port to listen at, 0 for any free one ({port})",
    )
    parser.add_argument(
        "--address",
        metavar="IP",
        default="127.0.0.1",
        help="the address to listen at (127.0.0.1, with ::1)",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="let --address be one that other machines reach",
    )
    parser.add_argument(
        "--no-token",
        action="store_true",
        help="ask for no token: whoever reaches the port uses your credentials",
    )
    parser.add_argument(
        "--upstream-host",
        metavar="WHOSE",
        choices=("browser", "server"),
        default="browser",
        help="the Host to send: the browser's, which apps compare with Origin, or the server's "
        "own, for load balancers that refuse others",
    )


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that these options choose; warnings are printed.

    Raises:
        InvalidConfig: the address may not be used.
    """
    from proxyurls.gateway.run import Settings, check_address

    settings = Settings(
        address=args.address,
        port=args.port,
        allow_remote=args.allow_remote,
        token=not args.no_token,
        server_host=args.upstream_host == "server",
    )
    check_address(settings)
    return settings


def serve(config: Config, settings: Settings, ready: Callable[[str], None]) -> int:
    """Run a gateway until Ctrl-C.

    Args:
        config: the apiserver, and as whom.
        settings: what it is to do.
        ready: called with the address, once requests are answered.

    Raises:
        ListenError: the port or socket can't be had.
        KeyboardInterrupt: Ctrl-C came, and all is closed.
    """
    from proxyurls.gateway.run import run

    def warned(address: str) -> None:
        warning = _warning(settings)
        if warning:
            say("warning", warning)
        ready(address)

    got = run(config, settings, tell=lambda line: say("note", line), ready=warned)
    if got == signal.SIGINT:
        raise KeyboardInterrupt
    return 0


def start_browser(address: str) -> None:
    """Start a browser beside the gateway: one in the terminal ends only when it is left."""
    import threading
    import webbrowser

    def start() -> None:
        if not webbrowser.open(address):
            say("note", "no browser could be started; open the address above")

    threading.Thread(target=start, name="browser", daemon=True).start()


def _warning(settings: Settings) -> str:
    """Who else may use the credentials, or "" for nobody."""
    if settings.unix_socket:
        return ""
    if settings.allow_remote and settings.address not in ("127.0.0.1", "::1"):
        whom = "asks for the token" if settings.token else "ASKS FOR NO TOKEN"
        return (
            f"whoever reaches {settings.address} can try to use your credentials; the gateway "
            f"{whom}, and what passes is not encrypted"
        )
    if not settings.token:
        return "no token: every user and program of this machine may use your credentials"
    return ""


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} is no port; type a number up to 65535, 0 for any free one"
    )
