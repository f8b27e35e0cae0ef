"""A link to a Grafana dashboard, with its variables and its time range filled in.

    $ python examples/grafana_link.py pods namespace=shop pod=web-0 pod=web-1 --via http://localhost:8001
    http://localhost:8001/api/v1/namespaces/monitoring/services/grafana:3000/proxy/d/pods?from=now-1h&to=now&var-namespace=shop&var-pod=web-0&var-pod=web-1

For a runbook, an alert's message, a terminal. Grafana is looked up, so its namespace and its port
need not be known. Whoever clicks needs credentials, and a browser has none for the apiserver: with
--via the link goes through the `kubectl proxy` that the reader runs.
"""

import argparse
import sys
from urllib.parse import quote

from proxyurls import Cluster, ProxyURLsError, load_config


def main() -> None:
    """Find Grafana, and print the link."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("uid", help="the dashboard's: what follows /d/ in its address")
    parser.add_argument("variables", nargs="*", metavar="NAME=VALUE", help="the same NAME adds up")
    parser.add_argument("--from", dest="since", default="now-1h", metavar="TIME")
    parser.add_argument("--to", dest="until", default="now", metavar="TIME")
    parser.add_argument("-n", "--namespace", help="where to look for Grafana")
    parser.add_argument("--via", metavar="URL", help="another base than the apiserver")
    args = parser.parse_args()
    query = [("from", args.since), ("to", args.until)]
    for variable in args.variables:
        name, equals, value = variable.partition("=")
        if not equals:
            parser.error(f"{variable!r} is no NAME=VALUE")
        query.append((f"var-{name}", value))  # raw: `query=` encodes it
    with Cluster(load_config()) as cluster:
        grafana = cluster.resolve("grafana", args.namespace).target
        server = args.via or cluster.config.server
    print(grafana.url(server, f"/d/{quote(args.uid, safe='')}", query=query))


if __name__ == "__main__":
    try:
        main()
    except ProxyURLsError as error:
        sys.exit(f"error: {error}")
