"""``cluster-info``: stdout and exit code as kubectl's, failures included; stderr is ours."""

from __future__ import annotations

from proxyurls.cli.parser import examples

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from proxyurls.cli.parser import Parser

_TRAILER = "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'."


def add_arguments(parser: Parser) -> None:
    """Nothing but the shared options: kubectl's command has no others."""
    parser.description = (
        "List the apiserver and the services that call themselves cluster services (label\n"
        "kubernetes.io/cluster-service=true), in kube-system or the namespace of -n. What it\n"
        "prints is what `kubectl cluster-info` prints, its mistakes included: `services\n"
        "--cluster-services` has the corrected URLs."
    )
    parser.epilog = examples(
        "%(prog)s",
        "%(prog)s --context prod -n monitoring",
    )


def run(args: argparse.Namespace) -> int:
    """Print the list; 1 where kubectl's exit code is 1, which is at any failure."""
    from urllib.parse import quote

    from proxyurls.cli.console import say
    from proxyurls.cli.options import load
    from proxyurls.discovery import CLUSTER_SERVICE_LABEL, cluster_service
    from proxyurls.errors import ConfigNotFound, InvalidTarget, ProxyURLsError, one_line
    from proxyurls.objects import SERVICE, items_of
    from proxyurls.oneshot import get_json

    asked = False
    try:
        config = load(args)
        asked = True
        namespace = args.namespace or "kube-system"
        if namespace in (".", "..") or "/" in namespace or "%" in namespace:
            # What kubectl itself refuses. Other names it asks for, and finds nothing.
            raise InvalidTarget(
                f"invalid namespace {namespace!r}: it can't be '.' or '..' or hold '/' or '%'"
            )
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/services"
        path += f"?labelSelector={CLUSTER_SERVICE_LABEL}%3Dtrue"
        found = get_json(config, path, timeout=args.request_timeout or None)
        services = [
            cluster_service(item, config.server) for item in items_of(found, SERVICE, config.server)
        ]
    except ProxyURLsError as error:
        # kubectl gets as far as asking its default, localhost:8080, where it finds no config.
        if asked or isinstance(error, ConfigNotFound):
            print(_TRAILER, flush=True)
        say("error", error)
        return 1
    print(f"Kubernetes control plane is running at {config.server}")
    for service in services:
        # kubectl prints it raw. No real apiserver lets any of it hold what is escaped here.
        print(one_line(f"{service.display_name} is running at {service.url}"))
    print(_TRAILER)
    return 0
