"""``fetch``: a request with the kubeconfig's credentials, streamed both ways."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

from proxyurls.cli.console import say
from proxyurls.cli.options import load, trace
from proxyurls.cli.parser import UsageError, examples
from proxyurls.cli.url import add_query, compare_servers, look_up, pair
from proxyurls.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import httpx

    from proxyurls.cli.download import Download
    from proxyurls.cli.parser import Parser
    from proxyurls.cli.target_text import TargetText
    from proxyurls.cluster import Cluster
    from proxyurls.target import Target

# What may be sent to a service that was found under another name or in another namespace.
_SAFE = ("GET", "HEAD", "OPTIONS")
_STATUS_LIMIT = 64 * 1024  # a Status object is smaller, and a larger body is the app's
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_RAW = re.compile(r"/[!\"$-~]*")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def add_arguments(parser: Parser) -> None:
    """Add TARGET, SUFFIX and the request's own options."""
    parser.description = (
        "Request TARGET and print what it answers. A service is looked up for its scheme and\n"
        "port where TARGET names neither; for GET and HEAD also by its display name, by a part of\n"
        "its name, and in other namespaces, if none has that name in this one. The exit code is 1\n"
        "from status 400 on; the body is printed all the same."
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
    add_query(parser)
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
        action=_Once,
        help="the body: text, @FILE as it is, or @- for stdin",
    )
    parser.add_argument(
        "-i", "--include", action="store_true", help="print the status and headers first"
    )
    parser.add_argument("--save", metavar="FILE", help="write the body to a file, once it is whole")


def run(args: argparse.Namespace) -> int:
    """Send the request; 1 if the answer's status is 400 or more, or it breaks off."""
    from proxyurls.cli.download import download
    from proxyurls.cluster import Cluster

    method, headers = _method(args), _headers(args)
    typed = _typed(args)
    if sys.stdout is None:
        raise UsageError("stdout is closed, so the answer can't be printed")
    with ExitStack() as stack:
        target = None
        if args.save is not None:
            if method == "HEAD":
                raise UsageError("--save has nothing to save with -X HEAD; leave one of them out")
            target = stack.enter_context(download(args.save))
        body, size = stack.enter_context(_body(args.data))
        if size is not None:
            headers.append(("Content-Length", str(size)))
        config = load(args)
        timeout = args.request_timeout or None
        cluster = stack.enter_context(Cluster(config, timeout=timeout, trace=trace(args)))
        asked, path = _locate(cluster, typed, args, method)
        response = stack.enter_context(
            cluster.client.stream(method, path, headers=headers, body=body)
        )
        body_read = cluster.client.limited(response.iter_raw())
        answer = _Answer(response, body_read, asked, config.server)
        return answer.receive(target, head=args.include)


def _typed(args: argparse.Namespace) -> TargetText | None:
    """The TARGET; None with --raw."""
    from proxyurls.cli.target_text import parse_target

    if args.raw is not None:
        if args.target is not None:
            raise UsageError(f"--raw takes the place of TARGET; leave {args.target!r} out")
        if not _RAW.fullmatch(args.raw):
            raise UsageError(
                f"--raw {args.raw!r} is no path of the API: it starts with '/', is already encoded "
                "and has no fragment, as /api/v1/namespaces?limit=5"
            )
        return None
    if args.target is None:
        raise UsageError(
            "TARGET is missing; type a service's name, pod/NAME, node/NAME or --raw PATH"
        )
    return parse_target(args.target, namespace=args.namespace, resolves=True)


def _locate(
    cluster: Cluster, typed: TargetText | None, args: argparse.Namespace, method: str
) -> tuple[Target | None, str]:
    """Who will answer (None is the API itself), and the path to ask."""
    from proxyurls.suffix import alterations, received, with_query

    pairs = [pair(item) for item in args.query]
    if typed is None:
        query = with_query("", pairs)[1:]
        path = args.raw + (query.replace("?", "&", 1) if "?" in args.raw else query)
        return _target_of(path), path
    compare_servers(typed.server, cluster.config.base_url)
    suffix = typed.with_suffix(args.suffix)
    suffix = with_query(suffix, pairs) if pairs else suffix
    target = _resolve(cluster, typed, method, verbose=args.verbosity > 0)
    for change in alterations(suffix):
        if change.kind != "fragment":
            say("note", f"the app gets {received(suffix)!r}: {change.reason}")
    return target, target.path(suffix)


def _target_of(path: str) -> Target | None:
    """Who answers a raw path that is a proxy path."""
    from proxyurls.errors import InvalidInput
    from proxyurls.urls import parse_url

    try:
        return parse_url(path).target
    except InvalidInput:
        return None


def _resolve(cluster: Cluster, typed: TargetText, method: str, *, verbose: bool) -> Target:
    """Look up what TARGET leaves open, as far as the user may."""
    from proxyurls.errors import APIStatusError, ServiceNotFound

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
    if moved and method not in _SAFE:
        name = f"{found.target.name}.{found.target.namespace}"
        raise ServiceNotFound(
            f"no service {typed.name!r} in namespace "
            f"{typed.namespace or cluster.config.namespace!r}; {method} is sent to no near one: "
            f"if {name} is meant, type that",
            candidates=[name],
        )
    if verbose or moved:
        say("note", found.why)
    return found.target


def _method(args: argparse.Namespace) -> str:
    default = "GET" if args.data is None else "POST"
    method: str = default if args.request is None else args.request
    if not _TOKEN.fullmatch(method):
        raise UsageError(f"-X {method!r} is no HTTP method; type GET, POST, PUT, PATCH or DELETE")
    return method.upper()


def _headers(args: argparse.Namespace) -> list[tuple[str, str]]:
    found = []
    for text in args.header:
        name, colon, value = text.partition(":")
        value = value.strip()
        if colon and not name:
            raise UsageError("-H has no name before the colon; type 'NAME: VALUE'")
        if not colon or not _TOKEN.fullmatch(name):
            raise UsageError(f"-H {_first_word(name)!r} is no header; type 'NAME: VALUE'")
        if not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the value of -H {name!r} is not plain ASCII text; encode it")
        if name.lower() in ("content-length", "transfer-encoding"):
            raise UsageError(f"-H {name!r} is told by the body itself; leave it out")
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


def _first_word(text: str) -> str:
    """The beginning of what was to be a header's name: its value may follow without a colon."""
    word = re.split(r"[^A-Za-z0-9-]", text)[0]
    word = word if len(word) <= 20 else ""  # rather a token than a name
    return word if word == text else f"{word}…"


@contextmanager
def _body(data: str | None) -> Iterator[tuple[bytes | BinaryIO | None, int | None]]:
    """The body and, for a file that has one, its size."""
    if data is None or not data.startswith("@"):
        yield (None if data is None else data.encode(errors="surrogateescape")), None
    elif data == "@-":
        if sys.stdin is None:
            raise UsageError("-d @- reads stdin, and that is closed; pipe something in")
        yield sys.stdin.buffer, _size(sys.stdin.fileno())
    else:
        try:
            file = Path(data[1:]).open("rb")  # noqa: SIM115  (closed below)
        except OSError as error:
            raise UsageError(
                f"-d {data!r}: can't read the file ({error.strerror}); "
                "for a text that starts with @, type -d @- and pipe it in"
            ) from error
        with file:
            yield file, _size(file.fileno())


def _size(descriptor: int) -> int | None:
    """How many bytes a regular file still has to give; None for pipes and the like."""
    import stat

    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        return None
    return max(info.st_size - os.lseek(descriptor, 0, os.SEEK_CUR), 0)


class _Once(argparse.Action):
    """An option of which a second one would silently take the first one's place."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  (argparse's signature)
        namespace: argparse.Namespace,
        values: object,
        option: str | None = None,
    ) -> None:
        """Keep the value, or refuse a second one."""
        if getattr(namespace, self.dest) is not None:
            raise UsageError(f"{option} stands twice; join the texts, as in -d 'a=1&b=2'")
        setattr(namespace, self.dest, values)


class _Answer:
    """An answer and who gave it."""

    def __init__(
        self, response: httpx.Response, body: Iterator[bytes], target: Target | None, server: str
    ) -> None:
        from proxyurls.cli.progress import Transfer

        self.response = response
        self.body = body
        self.target = target
        self.server = server
        length = response.headers.get("Content-Length", "")
        bodiless = response.request.method == "HEAD" or response.status_code in (204, 304)
        self.transfer = Transfer(int(length) if length.isdigit() and not bodiless else None)

    def receive(self, target: Download | None, *, head: bool) -> int:
        """Print or save it, and return the exit code."""
        status = self.response.status_code
        if head:
            self._print_head()
        if target and status in range(200, 300):
            try:
                for chunk in self._chunks():
                    target.write(chunk)
            except KeyboardInterrupt:
                counts = self.transfer.counts()
                say("error", f"interrupted after {counts}; {target.path} was not written")
                raise
            target.whole()
            say("note", f"{target.path}: {self.transfer.done} bytes")
            return 0
        beginning = self._print_body()
        failed = status >= 400
        message = self._failure(beginning) if failed else self._status()
        if "Location" in self.response.headers and not failed:
            message += f": it redirects to {self.response.headers['Location']}"
        if target:
            message += f"; {target.path} was not written"
        if failed or target:
            say("error", message)
        elif status >= 300:
            say("note", message)
        return int(failed or target is not None)

    def _status(self) -> str:
        from proxyurls.status import phrase

        return phrase(self.response.status_code)

    def _print_head(self) -> None:
        response = self.response
        print(f"{response.http_version} {response.status_code} {one_line(response.reason_phrase)}")
        for name, value in response.headers.raw:
            # Not raw, as a body is: a header is for people, and 0x9b alone begins an escape.
            print(one_line(f"{name.decode('latin-1')}: {value.decode(errors='backslashreplace')}"))
        print(flush=True)

    def _chunks(self) -> Iterator[bytes]:
        """The body as it comes. What breaks off is an error that counts its bytes."""
        import httpx

        from proxyurls.errors import ConnectionFailed

        try:
            for chunk in self.body:
                self.transfer.add(len(chunk))
                yield chunk
        except httpx.ReadTimeout as error:
            raise ConnectionFailed(
                f"the time limit is over after {self.transfer.counts()}; raise --request-timeout"
            ) from error
        except httpx.TransportError as error:
            raise ConnectionFailed(
                f"the answer broke off after {self.transfer.counts()}; what came is not whole"
            ) from error
        finally:
            self.transfer.clear()

    def _print_body(self) -> bytes:
        """Print the body, and give back its beginning, by which a Status object is known."""
        from proxyurls.cli.screen import body_writer

        out, beginning = body_writer(sys.stdout), b""
        if sys.stdout.isatty():
            self.transfer.quiet()
        for chunk in self._chunks():
            out.write(chunk)
            beginning = beginning + chunk if len(beginning) < _STATUS_LIMIT else beginning
        out.end()
        return beginning

    def _failure(self, beginning: bytes) -> str:
        """Tell the apiserver's own refusal from the app's answer."""
        from proxyurls.status import is_refusal, status_error

        status = self.response.status_code
        plain = self.response.headers.get("Content-Type", "") == "application/json"
        # A load balancer in front of an apiserver adds a Server header, and so do most apps.
        unsigned = "Server" not in self.response.headers
        target = self.target
        if target is None or (plain and is_refusal(status, beginning, sure=not unsigned)):
            return str(status_error(self.server, status, beginning, target=target))
        who = f"the app behind {target.kind} {target.name!r}"
        if self.response.request.method == "HEAD" and unsigned:
            return f"the apiserver or {who} answered {self._status()} to HEAD"
        return f"{who} answered {self._status()}"
