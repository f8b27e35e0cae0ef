"""``proxyurls parse``: explain a URL."""

from __future__ import annotations

from proxyurls.cli.console import json_text
from proxyurls.cli.parser import examples
from proxyurls.cli.target_text import parse_link
from proxyurls.suffix import alterations, received
from proxyurls.urls import is_removed_form, to_cluster_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from proxyurls.cli.parser import Parser
    from proxyurls.suffix import Alteration
    from proxyurls.target import Target
    from proxyurls.urls import ProxyURL

NEEDS_CLUSTER = False
_DEFAULT_PORTS = {
    "service": "the service's unnamed port",
    "pod": "the first port of the pod's first container",
    "node": "the kubelet's",
}


def add_arguments(parser: Parser) -> None:
    """Add what `run` reads."""
    from proxyurls.cli.options import add_output

    parser.description = (
        "Explain a proxy URL or path, or an in-cluster URL: what it names, what arrives at the\n"
        "app and what the apiserver alters on the way. No network, no kubeconfig."
    )
    parser.epilog = examples(
        "%(prog)s https://k8s:6443/api/v1/namespaces/prod/services/https:web:443/proxy/a%%2Fb",
        "%(prog)s /api/v1/namespaces/prod/pods/web-0:8080/proxy/metrics -o json",
        "%(prog)s http://grafana.monitoring.svc.cluster.local:3000/d/home",
    )
    parser.add_argument("url", metavar="URL", help="the URL, or its path alone")
    add_output(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Print the explanation."""
    url, host = parse_link(args.url)
    facts = _facts(args.url, url, host)
    if args.output == "json":
        facts["alterations"] = [_as_dict(change) for change in alterations(url.suffix)]
        print(json_text(facts))
    else:
        _print_text(facts, url)
    return 0


def _facts(text: str, url: ProxyURL, host: str | None) -> dict[str, object]:
    target = url.target
    cluster_url = None
    if target.kind == "service" and isinstance(target.port, int):
        cluster_url = to_cluster_url(target, url.suffix)
    return {
        "url": str(url),
        "server": url.server or None,
        "kind": target.kind,
        "namespace": target.namespace,
        "name": target.name,
        "scheme": target.scheme,
        "port": target.port,
        "segment": str(target.segment),
        "suffix": url.suffix,
        "received": received(url.suffix),
        "cluster_url": cluster_url,
        "notes": _notes(text, url, host),
    }


def _notes(text: str, url: ProxyURL, host: str | None) -> list[str]:
    target = url.target
    notes = []
    if host is not None:
        notes.append("this is an in-cluster URL; its proxy path is for any apiserver")
        if "." not in host:
            notes.append("no namespace is named: it means that of the caller; shown is 'default'")
    elif is_removed_form(text):
        notes.append("Kubernetes 1.10 removed this form of URL; url is today's equivalent")
    elif text not in (str(url), str(url).removesuffix("/")):
        notes.append("spelled otherwise than here; url is the canonical text")
    if target.name in ("http", "https") and target.scheme is None:
        notes.append(_scheme_note(target))
    return notes


def _scheme_note(target: Target) -> str:
    """What ``https:web`` means, which is seldom what was meant."""
    if isinstance(target.port, int) or target.port is None:
        meant = f"{target.name}:NAME:{target.port or ''}"
    else:
        meant = f"{target.name}:{target.port}:"
    return (
        f"two parts are NAME:PORT, so this is a {target.kind} named {target.name!r}; "
        f"did you mean {meant!r}?"
    )


def _as_dict(change: Alteration) -> dict[str, str]:
    return {key: getattr(change, key) for key in ("kind", "before", "after", "reason", "remedy")}


def _print_text(facts: dict[str, object], url: ProxyURL) -> None:
    target = url.target
    scheme = target.scheme or (
        "default: the kubelet's own, https" if target.kind == "node" else "default: http"
    )
    rows = {
        "url": str(url),
        "server": url.server or "none (a path alone)",
        "kind": target.kind,
        "namespace": target.namespace,
        "name": target.name,
        "scheme": scheme,
        "port": target.port or f"default: {_DEFAULT_PORTS[target.kind]}",
        "suffix": url.suffix or "none: the app's root",
        "arrives as": facts["received"],
        "in-cluster": facts["cluster_url"],
    }
    for key, value in rows.items():
        if value is not None:
            print(f"{f'{key}:':12} {value}")
    for change in alterations(url.suffix):
        print(f"\naltered:     {change.before} -> {change.after or '(nothing)'}")
        print(f"  reason:    {change.reason}")
        print(f"  remedy:    {change.remedy}")
    notes = facts["notes"]
    if isinstance(notes, list) and notes:
        print()
        for note in notes:
            print(f"note:        {note}")
