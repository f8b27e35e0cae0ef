"""``services -A -o name`` with lightkube: pages of 500, names printed as they come."""

from lightkube import Client
from lightkube.resources.core_v1 import Service

for service in Client().list(Service, namespace="*", chunk_size=500):
    meta = service.metadata
    assert meta is not None
    print(f"service/{meta.name}.{meta.namespace}")
