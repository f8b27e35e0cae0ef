"""An apiserver that is filled through its own API, as kubectl and the kubelet would."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import objects
from .cluster import Address, APIServer, ContainerPort, Port, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass
class FilledByAPI(APIServer):
    """What needs nothing but requests to make it."""

    def create(self, path: str, content: Mapping[str, Any], *, method: str = "POST") -> Response:
        """Send an object to the API; that it's there already is no failure."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        body = json.dumps(content).encode()
        answer = self.request(method, path, headers={"Content-Type": kind}, body=body)
        if answer.status not in {200, 201, 409}:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.message}")
        return answer

    def add_namespace(self, name: str) -> None:
        """Make a namespace, unless it's there."""
        self.create("/api/v1/namespaces", objects.meta(name, None))

    def add_service(
        self,
        name: str,
        namespace: str = "default",
        *,
        ports: Sequence[Port] = (Port(80),),
        upstream: Address | None = None,
        endpoints: bool = True,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        type: str = "ClusterIP",  # noqa: A002
        external_name: str | None = None,
        ingress: Iterable[Mapping[str, str]] = (),
    ) -> None:
        """Make the Service, its Endpoints (and slices, where they're served) and their Pods."""
        root = f"/api/v1/namespaces/{namespace}"
        service = objects.service(name, namespace, ports, type=type, external_name=external_name)
        service["metadata"].update(labels=labels, annotations=annotations)
        self.create(f"{root}/services", service)
        if balancer := list(ingress):
            status = {"status": {"loadBalancer": {"ingress": balancer}}}
            self.create(f"{root}/services/{name}/status", status, method="PATCH")
        if not endpoints:
            return
        subsets = objects.subsets(namespace, ports, upstream)
        for ip in subsets:
            self.add_pod(objects.pod_of(ip), namespace, ip=ip)
        self.create(f"{root}/endpoints", objects.endpoints(name, namespace, subsets))
        if self.serves_slices:
            for piece in objects.slices(name, namespace, subsets):
                path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
                self.create(path, piece)

    @property
    def serves_slices(self) -> bool:
        """Whether the server is new enough to proxy by EndpointSlices."""
        return self.get("/apis/discovery.k8s.io/v1").status == 200

    def add_pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        ip: str | None,
        ports: Sequence[Sequence[ContainerPort]] = ((),),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Make the Pod, then do what its kubelet would: report its address."""
        root = f"/api/v1/namespaces/{namespace}/pods"
        pod = objects.pod(name, namespace, ports)
        pod["metadata"]["labels"] = labels
        self.create(root, pod)
        if ip is not None:
            status = {"status": {"podIP": ip, "podIPs": [{"ip": ip}], "phase": "Running"}}
            self.create(f"{root}/{name}/status", status, method="PATCH")

    def add_node(self, name: str, *, ip: str, kubelet_port: int) -> None:
        """Make the Node, then do what its kubelet would: report its address and port."""
        self.create("/api/v1/nodes", objects.meta(name, None))
        status = {
            "addresses": [{"type": "InternalIP", "address": ip}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        }
        self.create(f"/api/v1/nodes/{name}/status", {"status": status}, method="PATCH")

    def grant(
        self,
        user: str,
        *,
        verbs: Sequence[str],
        resources: Sequence[str],
        names: Sequence[str] = (),
        namespace: str | None = None,
    ) -> None:
        """Make a role and bind it; wait until the authorizer has seen both."""
        role = f"grant-{secrets.token_hex(4)}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        root = f"/apis/rbac.authorization.k8s.io/v1{scope}"
        kind = "Role" if namespace else "ClusterRole"
        made = objects.roles(
            role, namespace, kind, user=user, verbs=verbs, resources=resources, names=names
        )
        for plural, content in zip(
            (f"{kind.lower()}s", f"{kind.lower()}bindings"), made, strict=True
        ):
            self.create(f"{root}/{plural}", content)
        review = objects.access_review(user, verbs[0], resources[0], names, namespace)
        for _ in range(200):
            path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
            if self.create(path, review).json()["status"]["allowed"]:
                return
            time.sleep(0.02)
        raise AssertionError(f"the authorizer never saw {role}")

    def service_account_token(self, namespace: str, name: str) -> str:
        """Ask the TokenRequest API."""
        root = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.create(root, objects.meta(name, namespace))
        answer = self.create(f"{root}/{name}/token", {"spec": {"expirationSeconds": 3600}})
        return str(answer.json()["status"]["token"])
