"""``fetch``: a request with the kubeconfig's credentials, streamed both ways."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

from proxyurls.cli.console import say
from proxyurls.cli.options import load, trace
from proxyurls.cli.parser import UsageError, examples

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import BinaryIO

    import httpx

    from proxyurls.cli.parser import Parser
    from proxyurls.cli.progress import Transfer
    from proxyurls.cli.target_text import TargetText
    from proxyurls.cluster import Cluster
    from proxyurls.target import Target

_CHUNK = 64 * 1024
_STATUS_LIMIT = 64 * 1024  # a Status object is smaller, and a larger body is the app's
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def add_arguments(parser: Parser) -> None:
    """Add TARGET, SUFFIX and the request's own options."""
    parser.description = (
        "Request TARGET and print what it answers. A service is looked up for its scheme and\n"
        "port where TARGET names neither. The exit code is 1 from status 400 on; the body is\n"
        "printed all the same."
    )
    parser.epilog = examples(
        "%(prog)s elasticsearch-logging.kube-system '_cluster/health?pretty=true'",
        "%(prog)s web -n shop /orders -X PUT -H 'Content-Type: application/json' -d @order.json",
        "%(prog)s files /backup.tar --save backup.tar",
        "%(prog)s --raw /api/",
    )
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="a service, pod/NAME, node/NAME, or a URL"
    )
    parser.add_argument(
        "suffix", metavar="SUFFIX", nargs="?", help="path and query, as behind a host name"
    )
    parser.add_argument("--raw", metavar="PATH", help="a path of the API itself, instead of TARGET")
    parser.add_argument(
        "-q",
        "--query",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="add to the query, encoded; may be repeated",
    )
    parser.add_argument("-X", "--request", metavar="METHOD", help="the method (GET; POST with -d)")
    parser.add_argument(
        "-H",
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="add a header; may be repeated",
    )
    parser.add_argument(
        "-d",
        "--data",
        metavar="TEXT",
        help="the body: text, @FILE as it is, or @- for stdin",
    )
    parser.add_argument(
        "-i", "--include", action="store_true", help="print the status and headers first"
    )
    parser.add_argument("--save", metavar="FILE", help="write the body to a file, once it is whole")


def run(args: argparse.Namespace) -> int:
    """Send the request; 1 if the answer's status is 400 or more, or it breaks off."""
    from proxyurls.cluster import Cluster

    method, headers = _method(args), _headers(args)
    typed = _typed(args)
    if args.save and Path(args.save).is_dir():
        raise UsageError(f"--save {args.save!r} is a directory; type a file's name")
    with _body(args.data) as (body, size):
        if size is not None:
            headers.append(("Content-Length", str(size)))
        config = load(args)
        with Cluster(config, timeout=args.request_timeout or None, trace=trace(args)) as cluster:
            who, path = _locate(cluster, typed, args)
            with cluster.client.stream(method, path, headers=headers, body=body) as response:
                return _receive(response, who, args)


def _typed(args: argparse.Namespace) -> TargetText | None:
    """The TARGET; None with --raw."""
    from proxyurls.cli.target_text import parse_target

    if args.raw is not None:
        if args.target is not None:
            raise UsageError(f"--raw takes the place of TARGET; leave {args.target!r} out")
        if not args.raw.startswith("/") or not args.raw.isascii() or not args.raw.isprintable():
            raise UsageError(
                f"--raw {args.raw!r} is no path of the API: it starts with '/' and is already "
                "encoded, as /api/v1/namespaces"
            )
        if " " in args.raw:
            raise UsageError(f"--raw {args.raw!r} holds a space; type %20")
        return None
    if args.target is None:
        raise UsageError(
            "TARGET is missing; type a service's name, pod/NAME, node/NAME or --raw PATH"
        )
    return parse_target(args.target, namespace=args.namespace, resolves=True)


def _locate(
    cluster: Cluster, typed: TargetText | None, args: argparse.Namespace
) -> tuple[str, str]:
    """Who will answer, in words, and the path to ask."""
    from proxyurls.cli.url import compare_servers, pair
    from proxyurls.suffix import with_query

    pairs = [pair(item) for item in args.query]
    if typed is None:
        query = with_query("", pairs)[1:]
        return "", args.raw + (query.replace("?", "&", 1) if "?" in args.raw else query)
    compare_servers(typed.server, cluster.config.base_url)
    suffix = typed.with_suffix(args.suffix)
    suffix = with_query(suffix, pairs) if pairs else suffix
    target = _resolve(cluster, typed, verbose=args.verbosity > 0)
    return f"the app behind {target.kind} {target.name!r}", target.path(suffix)


def _resolve(cluster: Cluster, typed: TargetText, *, verbose: bool) -> Target:
    """Look up what TARGET leaves open, as far as the user may."""
    from proxyurls.cli.url import look_up
    from proxyurls.errors import APIStatusError

    named_port = isinstance(typed.port, str) and typed.kind == "pod"
    if typed.kind == "service" and typed.port is None and typed.scheme is None:
        try:
            found = look_up(cluster, typed, "fetch")
        except APIStatusError as error:
            if error.status != 403:
                raise
            # Who may proxy to a service may still not be allowed to read it.
            target = typed.target(cluster.config.namespace)
            say("note", f"services can't be looked up ({error.detail}); trying {target.segment}")
            return target
    elif named_port:
        found = look_up(cluster, typed, "fetch")
    else:
        return typed.target(cluster.config.namespace)
    moved = (found.target.name, found.target.namespace) != (
        typed.name,
        typed.namespace or cluster.config.namespace,
    )
    if verbose or moved:
        say("note", found.why)
    return found.target


def _method(args: argparse.Namespace) -> str:
    method: str = args.request or ("POST" if args.data is not None else "GET")
    if not _TOKEN.fullmatch(method):
        raise UsageError(f"-X {method!r} is no HTTP method; type GET, POST, PUT, PATCH or DELETE")
    return method.upper()


def _headers(args: argparse.Namespace) -> list[tuple[str, str]]:
    found = []
    for text in args.header:
        name, colon, value = text.partition(":")
        value = value.strip()
        if not colon or not _TOKEN.fullmatch(name):
            raise UsageError(f"-H {name!r} is no header; type 'NAME: VALUE'")
        if not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the value of -H {name!r} is not plain ASCII text; encode it")
        if name.lower() == "authorization":
            raise UsageError(
                "-H 'Authorization' would never reach the app: the apiserver reads it and "
                "removes it; for the apiserver itself, use --token or a kubeconfig's user"
            )
        found.append((name, value))
    names = {name.lower() for name, _ in found}
    if "accept-encoding" not in names:
        found.append(("Accept-Encoding", "identity"))  # what comes is printed as it is
    if args.data is not None and "content-type" not in names:
        found.append(("Content-Type", "application/x-www-form-urlencoded"))  # as curl -d
    return found


@contextmanager
def _body(data: str | None) -> Iterator[tuple[bytes | BinaryIO | None, int | None]]:
    """The body and, for a file that has one, its size."""
    if data is None or not data.startswith("@"):
        yield (None if data is None else data.encode(errors="surrogateescape")), None
    elif data == "@-":
        yield sys.stdin.buffer, None
    else:
        try:
            file = Path(data[1:]).open("rb")  # noqa: SIM115  (closed below)
        except OSError as error:
            raise UsageError(
                f"-d {data!r}: can't read the file ({error.strerror}); "
                "for a text that starts with @, type -d @- and pipe it in"
            ) from error
        with file:
            info = os.fstat(file.fileno())
            yield file, info.st_size if _is_regular(info.st_mode) else None


def _is_regular(mode: int) -> bool:
    import stat

    return stat.S_ISREG(mode)


def _receive(response: httpx.Response, who: str, args: argparse.Namespace) -> int:
    from proxyurls.cli.progress import Transfer

    failed = response.status_code >= 400
    length = response.headers.get("Content-Length", "")
    bodiless = response.request.method == "HEAD" or response.status_code in (204, 304)
    transfer = Transfer(int(length) if length.isdigit() and not bodiless else None)
    if args.include:
        _print_head(response)
    if args.save and not failed:
        _save(response, Path(args.save), transfer)
        return 0
    head = _print_body(response, transfer)
    if failed:
        _say_failure(response, who, head)
    return int(failed)


def _print_head(response: httpx.Response) -> None:
    print(f"{response.http_version} {response.status_code} {response.reason_phrase}")
    for name, value in response.headers.raw:
        print(f"{name.decode('latin-1')}: {value.decode('latin-1')}")
    print(flush=True)


def _chunks(response: httpx.Response, transfer: Transfer) -> Iterator[bytes]:
    """The body as it comes. What breaks off is an error that counts its bytes."""
    import httpx

    from proxyurls.errors import ConnectionFailed

    try:
        for chunk in response.iter_raw(_CHUNK):
            yield chunk
            transfer.add(len(chunk))
    except httpx.TransportError as error:
        transfer.clear()
        why = " ".join(str(error).split())
        raise ConnectionFailed(
            f"the answer broke off after {transfer.counts()}: {why}; what came is not whole"
        ) from error
    transfer.clear()


def _print_body(response: httpx.Response, transfer: Transfer) -> bytes:
    """Print the body, and give back its beginning, by which an apiserver's Status is known."""
    out = sys.stdout.buffer
    sys.stdout.flush()
    head = b""
    live = sys.stdout.isatty()
    for chunk in _chunks(response, transfer):
        out.write(chunk)
        out.flush()
        if live:
            transfer.quiet()
        head = head + chunk if len(head) < _STATUS_LIMIT else head
    return head


def _save(response: httpx.Response, path: Path, transfer: Transfer) -> None:
    """Write the body beside the file and move it there once it is whole."""
    path = path.resolve()  # a link stays, and its file is replaced
    if path.exists() and not path.is_file():  # a device or a pipe can't be replaced
        with path.open("wb") as file:
            for chunk in _chunks(response, transfer):
                file.write(chunk)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            for chunk in _chunks(response, transfer):
                file.write(chunk)
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        part.replace(path)
    except BaseException as error:
        transfer.clear()
        part.unlink(missing_ok=True)
        if isinstance(error, KeyboardInterrupt):
            say("error", f"interrupted after {transfer.counts()}; {path} was not written")
        raise
    say("note", f"{path}: {transfer.done} bytes")


def _say_failure(response: httpx.Response, who: str, head: bytes) -> None:
    """Tell the apiserver's own refusal from the app's answer."""
    from proxyurls.status import parse_status, phrase, status_error

    sys.stdout.flush()
    if head and not head.endswith(b"\n") and sys.stdout.isatty():
        print()
    status = response.status_code
    # An app may answer a Status object too, but the apiserver never sends a Server header.
    if parse_status(head) and "Server" not in response.headers:
        say("error", status_error(_server(response), status, head))
    else:
        say("error", f"{who or 'the apiserver'} answered {phrase(status)}")


def _server(response: httpx.Response) -> str:
    return f"{response.url.scheme}://{response.url.netloc.decode()}"
