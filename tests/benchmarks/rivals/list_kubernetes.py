"""``services -A -o name`` with the official client: pages of 500, names printed as they come."""

from kubernetes import client, config

config.load_kube_config()  # type: ignore[no-untyped-call]
api = client.CoreV1Api()
token = None
while True:
    page = api.list_service_for_all_namespaces(limit=500, _continue=token)
    for service in page.items:
        meta = service.metadata
        assert meta is not None
        print(f"service/{meta.name}.{meta.namespace}")
    assert page.metadata is not None
    token = page.metadata._continue
    if not token:
        break
