"""Give the components of a software catalogue links to what they run, as in Backstage.

    $ python examples/catalog.py catalog-info.yaml > with-links.yaml

Reads entities, looks up the Services that their annotations select, and writes the entities with a
link to each. Run it again and its own links are replaced, the others kept. (YAML comments are not.)
Whoever edits the file chooses which Services are looked for, and can make no other URL than theirs.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from proxyurls import Cluster, ProxyURLsError, load_config

# https://backstage.io/docs/features/kubernetes/configuration
SELECTOR = "backstage.io/kubernetes-label-selector"
NAMESPACE = "backstage.io/kubernetes-namespace"
OURS = "apiserver-proxy"  # a link's type, which is any text


def add_links(metadata: dict[str, Any], cluster: Cluster) -> None:
    """Replace our links of an entity by those of today."""
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict) or SELECTOR not in annotations:
        return
    kept = metadata.get("links") or []
    links = [one for one in kept if not (isinstance(one, dict) and one.get("type") == OURS)]
    namespace = str(annotations.get(NAMESPACE, "default"))
    links += [
        {"url": service.url, "title": service.display_name, "type": OURS}
        for service in cluster.services(namespace, label_selector=str(annotations[SELECTOR]))
        if service.url  # that of the port for browsers; service.ports has all
    ]
    metadata["links"] = links


def main() -> None:
    """Read, look up, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="a catalog-info.yaml")
    file = parser.parse_args().file
    entities = list(yaml.safe_load_all(file.read_text("utf-8")))
    with Cluster(load_config(), timeout=30) as cluster:
        for entity in entities:
            if not isinstance(entity, dict) or not isinstance(entity.get("metadata"), dict):
                sys.exit(f"error: {file}: an entity is a mapping that has metadata")
            add_links(entity["metadata"], cluster)
    yaml.safe_dump_all(entities, sys.stdout, sort_keys=False, allow_unicode=True, width=1000)


if __name__ == "__main__":
    try:
        main()
    except (ProxyURLsError, OSError, ValueError, yaml.YAMLError) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
