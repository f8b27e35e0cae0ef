"""``services``: the services of a namespace or of all, each with its URL."""

from __future__ import annotations

import sys

from proxyurls.cli.console import json_text, say
from proxyurls.cli.options import add_output, load, trace
from proxyurls.cli.parser import UsageError, examples
from proxyurls.cli.progress import Line
from proxyurls.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from proxyurls.cli.parser import Parser
    from proxyurls.cluster import Cluster
    from proxyurls.discovery import ServiceRecord

_EMPTY_CELL = "-"
_LEFT_OUT_SHOWN = 5
_PRINTED_AT_THE_END = ("table", "wide")


def add_arguments(parser: Parser) -> None:
    """Add -A, -l, --cluster-services and -o."""
    parser.description = (
        "List services with the proxy URL of the port that is most likely the web's. -o json and\n"
        "yaml have the URL of every port, and say why it has that scheme; -o wide adds types,\n"
        "reasons and the addresses of LoadBalancers and NodePorts."
    )
    parser.epilog = examples(
        "%(prog)s -A",
        "%(prog)s -n monitoring -l app=grafana -o url",
        "%(prog)s --cluster-services -o json",
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="in all namespaces")
    parser.add_argument(
        "-l", "--selector", metavar="LABELS", help="only these, as app=web,tier!=db"
    )
    parser.add_argument(
        "--cluster-services",
        action="store_true",
        help="only what cluster-info lists (of kube-system, unless -n or -A says where)",
    )
    add_output(parser, "table", "wide", "json", "yaml", "name", "url")


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    from proxyurls.cluster import Cluster
    from proxyurls.discovery import CLUSTER_SERVICE_LABEL
    from proxyurls.errors import ClusterError

    if sys.stdout is None:
        raise UsageError("stdout is closed, so the list can't be printed")
    if args.namespace is not None:
        from proxyurls.segment import check_name

        check_name("namespace", args.namespace)
    config = load(args)
    namespace = args.namespace or ("kube-system" if args.cluster_services else config.namespace)
    selectors = [args.selector] if args.selector else []
    selectors += [f"{CLUSTER_SERVICE_LABEL}=true"] if args.cluster_services else []
    selector = ",".join(selectors) or None
    with Cluster(config, timeout=args.request_timeout or None, trace=trace(args)) as cluster:
        progress = Line()
        where = None if args.all_namespaces else namespace
        # Lines that come as they are read show the progress themselves, on a terminal.
        quiet = args.output in ("name", "url") and sys.stdout.isatty()

        read = 0

        def on_read(count: int) -> None:
            nonlocal read
            read = count
            sys.stdout.flush()
            if not quiet:
                progress.show(f"{count} services read")

        try:
            if args.output == "name":
                count = _print_names(cluster, where, selector, on_read)
            else:
                records = cluster.services(
                    where,
                    all_namespaces=args.all_namespaces,
                    label_selector=selector,
                    node_ports=args.output in ("wide", "json", "yaml"),
                    on_read=on_read,
                )
                count = _PRINTERS[args.output](records, progress)
        except ClusterError as error:
            if read and args.output not in _PRINTED_AT_THE_END:
                error.args = (f"{error}; what is printed is not whole: {read} services",)
            raise
        finally:
            progress.clear()
        if count == 0:
            _say_where(cluster, where, selector, cluster_services=args.cluster_services)
    return 0


def _print_names(
    cluster: Cluster, namespace: str | None, selector: str | None, on_read: Callable[[int], None]
) -> int:
    """As ``kubectl get -o name``; with -A also the namespace, so that a TARGET is complete."""
    from proxyurls.discovery import list_objects, services_path
    from proxyurls.objects import NAMESPACED

    count = 0
    path = services_path(namespace)
    for item in list_objects(
        cluster.client, path, label_selector=selector, on_read=on_read, shape=NAMESPACED
    ):
        meta = item["metadata"]
        print(f"service/{meta['name']}" + ("" if namespace else f".{meta['namespace']}"))
        count += 1
    return count


def _print_urls(records: Iterable[ServiceRecord], progress: Line) -> int:
    count, left_out = 0, []
    for record in records:
        count += 1
        if record.url:
            print(one_line(record.url))
        else:
            left_out.append(record)
    progress.clear()
    if left_out:
        say("note", _left_out(left_out))
    return count


def _print_json(records: Iterable[ServiceRecord], progress: Line) -> int:
    count = 0
    for record in records:
        text = json_text(record.as_dict())
        print("[" if count == 0 else ",")
        print("  " + text.replace("\n", "\n  "), end="")
        count += 1
    progress.clear()
    print("\n]" if count else "[]")
    return count


def _print_yaml(records: Iterable[ServiceRecord], progress: Line) -> int:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    count = 0
    for record in records:
        values = [_whole(record.as_dict())]
        # Written as it is, or all but ASCII escaped: nothing between that a terminal can't take.
        plain = _printable(values)
        print(yaml.dump(values, Dumper=dumper, sort_keys=False, allow_unicode=plain), end="")
        count += 1
    progress.clear()
    if count == 0:
        print("[]")
    return count


def _whole(value: Any) -> Any:
    """The value with half characters spelled out: YAML has no word for them."""
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value


def _printable(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_printable, value.values()))
    if isinstance(value, list):
        return all(map(_printable, value))
    return str(value).isprintable()


def _print_table(records: Iterable[ServiceRecord], progress: Line) -> int:
    return _table(records, progress, wide=False)


def _print_wide(records: Iterable[ServiceRecord], progress: Line) -> int:
    return _table(records, progress, wide=True)


_PRINTERS: dict[str, Callable[[Iterable[ServiceRecord], Line], int]] = {
    "table": _print_table,
    "wide": _print_wide,
    "json": _print_json,
    "yaml": _print_yaml,
    "url": _print_urls,
}


def _table(records: Iterable[ServiceRecord], progress: Line, *, wide: bool) -> int:
    import shutil

    from tabulate import tabulate

    headers = ["NAMESPACE", "NAME", "PORTS", "URL"]
    headers += ["TYPE", "ADDRESSES", "WHY"] if wide else []
    rows, left_out = [], []
    for record in records:
        rows.append([one_line(cell) for cell in _cells(record, wide=wide)])
        if not record.url:
            left_out.append(record)
    progress.clear()
    if not rows:
        return 0
    # Words are words: tabulate would read 1e5 as a number and align it.
    text = tabulate(rows, headers, tablefmt="plain", disable_numparse=True)
    on_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns
    if on_terminal and max(map(len, text.splitlines())) > width:
        text = "\n".join(_stacked(headers, row) for row in rows)
    print(text)
    if on_terminal:
        sys.stdout.flush()
        print(f"\n{len(rows)} service{'s' * (len(rows) != 1)}", file=sys.stderr, end="")
        print(f"; {one_line(_left_out(left_out))}" if left_out else "", file=sys.stderr)
    return len(rows)


def _cells(record: ServiceRecord, *, wide: bool) -> Iterator[str]:
    yield record.namespace
    other = record.display_name != record.name
    yield f"{record.name} ({record.display_name})" if other else record.name
    ports = [
        (f"{port.name}:" if port.name else "")
        + str(port.port)
        + (f"/{port.protocol}" if port.protocol != "TCP" else "")
        for port in record.ports
    ]
    yield ",".join(ports) or _EMPTY_CELL
    yield record.url or _EMPTY_CELL
    if wide:
        yield record.type
        yield ",".join(record.addresses) or _EMPTY_CELL
        yield record.why


def _stacked(headers: list[str], row: list[str]) -> str:
    """A row that is wider than the terminal: a URL cut short is of no use, so it gets a line."""
    lines = [f"{row[0]}/{row[1]}  {row[2]}", f"  {row[3]}"]
    lines += [
        f"  {name.lower()}: {cell}"
        for name, cell in zip(headers[4:], row[4:], strict=True)
        if cell != _EMPTY_CELL
    ]
    return "\n".join(lines)


def _left_out(records: list[ServiceRecord]) -> str:
    shown = "; ".join(f"{r.name}.{r.namespace}: {r.why}" for r in records[:_LEFT_OUT_SHOWN])
    more = len(records) - _LEFT_OUT_SHOWN
    rest = f"; and {more} more (-o wide shows why)" if more > 0 else ""
    return f"{len(records)} without a proxy URL ({shown}{rest})"


def _say_where(
    cluster: Cluster, namespace: str | None, selector: str | None, *, cluster_services: bool
) -> None:
    """An empty list says where services are, as far as the user may know."""
    from collections import Counter

    from proxyurls.discovery import list_objects, services_path
    from proxyurls.errors import APIStatusError
    from proxyurls.objects import NAMESPACED

    what = f"no services with {selector!r}" if selector else "no services"
    if cluster_services:
        what = "no cluster services"
    if namespace is None:
        say("note", f"{what} in any namespace")
        return
    try:
        found = Counter(
            item["metadata"]["namespace"]
            for item in list_objects(
                cluster.client,
                services_path(None),
                label_selector=selector,
                metadata_only=True,
                shape=NAMESPACED,
            )
        )
    except APIStatusError:  # who may not look everywhere is not told where to look
        say("note", f"{what} in namespace {namespace!r}; -n or -A chooses another")
        return
    places = ", ".join(f"{name} ({count})" for name, count in found.most_common(10))
    hint = (
        f"there are some in: {places}; choose with -n, or -A for all"
        if found
        else "there are none elsewhere"
    )
    say("note", f"{what} in namespace {namespace!r}; {hint}")
