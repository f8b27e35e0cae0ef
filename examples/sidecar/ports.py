"""Ask a pod's app, its sidecar, and whichever of them is the default.

    $ python examples/sidecar/ports.py shop http metrics:/metrics

The apiserver looks up no port names for pods (a name even makes it drop the connection), so
`Cluster.resolve` turns a name into its number. Who asks needs the right to "get" the pod, and
"pods/proxy" for each whole segment: "shop:8080" and "shop:9100" are two resourceNames.
"""

import argparse
import sys

import httpx

from proxyurls import Cluster, ProxyURLsError, load_config, pod


def main() -> None:
    """Ask each port, and print what answers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pod")
    parser.add_argument("ports", nargs="*", metavar="PORT[:PATH]", help="numbers or names")
    parser.add_argument("-n", "--namespace", help="default: the context's")
    args = parser.parse_args()
    config = load_config()
    namespace = args.namespace or config.namespace
    asked = {"default port": pod(args.pod, namespace).url(config.server)}
    with Cluster(config, timeout=30) as cluster:
        for each in args.ports:
            port, _, path = each.partition(":")
            found = cluster.resolve(args.pod, namespace, kind="pod", port=port)
            asked[f"port {port}"] = found.target.url(config.server, path)
    credentials = config.credentials()
    verify = credentials.ssl_context() or True
    with httpx.Client(verify=verify, proxy=config.proxy_url) as client:
        for name, url in asked.items():
            answer = client.get(str(url), headers=credentials.headers())
            first = next(iter(answer.text.splitlines()), "")
            print(f"{name}: {url}\n    {answer.status_code} {first:.70}")


if __name__ == "__main__":
    try:
        main()
    except (ProxyURLsError, httpx.HTTPError) as error:
        sys.exit(f"error: {error}")
