"""Print the proxy URL of every service in this pod's namespace, again whenever they change.

deployment.yaml runs it. There is no kubeconfig and no token here: `load_config` finds the pod's
service account, and a Cluster takes up each new token that the kubelet puts there.

    PUBLIC_SERVER   the apiserver's address for people outside; the pod's own if not set
    PERIOD          seconds between two looks; 0 looks once (default: 60)
"""

import os
import sys
import time

from proxyurls import Cluster, ProxyURLsError, load_config, parse_url


def links(cluster: Cluster, server: str) -> list[str]:
    """One line for each service that the apiserver can proxy to."""
    return [
        f"{service.display_name}: {parse_url(service.url).target.url(server)}"
        for service in cluster.services()
        if service.url
    ]


def main() -> None:
    """Print the links, and go on as long as the pod lives."""
    period = float(os.environ.get("PERIOD", "60"))
    shown: list[str] = []
    with Cluster(load_config(), timeout=30) as cluster:
        server = os.environ.get("PUBLIC_SERVER") or cluster.config.server
        while True:
            try:
                found = links(cluster, server)
            except ProxyURLsError as error:  # one line that says what is wrong
                if not period:
                    sys.exit(f"error: {error}")
                print(error, file=sys.stderr, flush=True)
            else:
                if found != shown:
                    print(*found, sep="\n", flush=True)
                    shown = found
            if not period:
                return
            time.sleep(period)


if __name__ == "__main__":
    main()
