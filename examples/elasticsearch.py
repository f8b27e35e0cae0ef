"""Ask the Elasticsearch of the cluster's logging how it is, and what it has on a query.

    $ python examples/elasticsearch.py user:kimchy
    kubernetes_logging is yellow: 5 shards have no node
    2 found
    {"user": "kimchy", "message": "trying out Elasticsearch"}
    {"user": "kimchy", "message": "it works through the apiserver"}

Server and credentials are kubectl's. Elasticsearch itself sees no credential: the apiserver reads
the Authorization header and removes it, so this is for one without a login of its own.
"""

import argparse
import json
import sys
from typing import Any

import httpx

from proxyurls import ClusterTransport, ProxyURLsError, load_config

# As code in the cluster calls it.
ELASTICSEARCH = "http://elasticsearch-logging.kube-system.svc:9200"


def main() -> None:
    """Ask twice, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("query", help="in Lucene's syntax, as FIELD:VALUE")
    query = parser.parse_args().query
    transport = ClusterTransport(load_config())
    with httpx.Client(base_url=ELASTICSEARCH, transport=transport) as client:

        def ask(path: str, **query: str) -> Any:
            answer = client.get(path, params=query)
            if answer.is_error or "json" not in answer.headers.get("Content-Type", ""):
                said = " ".join(answer.text.split())[:300]  # of the apiserver's own, maybe
                sys.exit(f"error: {answer.url} answered {answer.status_code}: {said}")
            return answer.json()

        health = ask("_cluster/health")
        hits = ask("_search", q=query)["hits"]
    unassigned = health["unassigned_shards"]
    print(f"{health['cluster_name']} is {health['status']}: {unassigned} shards have no node")
    total = hits["total"]  # a number until Elasticsearch 6
    print(total["value"] if isinstance(total, dict) else total, "found")
    for hit in hits["hits"]:
        print(json.dumps(hit["_source"], ensure_ascii=False))


if __name__ == "__main__":
    try:
        main()
    except (ProxyURLsError, httpx.HTTPError) as error:
        sys.exit(f"error: {error}")
