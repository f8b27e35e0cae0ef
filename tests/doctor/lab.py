"""A namespace of the real apiserver in which a test sets up a fault, and mends it as it is told.

Neither kubelets nor controllers run there: what they would do, a test does by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contract import objects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contract.controlplane import RealAPIServer
    from contract.upstream import Upstream

    from .asking import Doctor, Report

READY = {"type": "Ready", "status": "True"}
SINCE = "2026-11-25T01:02:03Z"


@dataclass
class Lab:
    """A namespace, an app that any service there may lead to, and the command."""

    apiserver: RealAPIServer
    namespace: str
    app: Upstream
    doctor: Doctor

    @property
    def ip(self) -> str:
        """The app's address."""
        return self.app.address[0]

    @property
    def port(self) -> int:
        """The app's port."""
        return self.app.address[1]

    def make(self, plural: str, content: Mapping[str, Any], group: str = "") -> None:
        """Make an object of the namespace."""
        root = f"/apis/{group}" if group else "/api/v1"
        self.apiserver.create(f"{root}/namespaces/{self.namespace}/{plural}", content)

    def service(
        self,
        name: str,
        *ports: Mapping[str, Any],
        selector: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """Make a Service alone; headless, unless its spec says otherwise."""
        whole = {"clusterIP": "None", "selector": selector, "ports": list(ports), **spec}
        self.make("services", {**objects.meta(name, self.namespace), "spec": whole})

    def pod(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        ports: Sequence[Mapping[str, Any]] = (),
        status: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """Make a Pod, and report what its kubelet would: it runs at the app's address."""
        container: dict[str, Any] = {"name": "app", "image": "none", "ports": list(ports)}
        container["readinessProbe"] = {"tcpSocket": {"port": self.port}}
        pod = {**objects.meta(name, self.namespace), "spec": {"containers": [container], **spec}}
        pod["metadata"]["labels"] = labels
        self.make("pods", pod)
        self.report(name, running(self.ip) if status is None else status)

    def report(self, pod: str, status: Mapping[str, Any]) -> None:
        """Report a pod's status, as its kubelet would."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/status"
        self.apiserver.create(path, {"status": status}, method="PATCH")

    def endpoints(self, name: str, *subsets: Mapping[str, Any]) -> None:
        """Make or replace an Endpoints object, as the endpoints controller would."""
        content = {**objects.meta(name, self.namespace), "subsets": list(subsets)}
        path = f"/api/v1/namespaces/{self.namespace}/endpoints"
        if self.apiserver.get(f"{path}/{name}").status == 200:
            self.apiserver.create(f"{path}/{name}", content, method="PATCH")
        else:
            self.apiserver.create(path, content)

    def serve(self, name: str, *ports: Mapping[str, Any], pod: str) -> None:
        """Have a pod behind a service, whose ports all lead to the app."""
        rows = [{"name": p.get("name"), "port": self.port} for p in ports] or [{"port": self.port}]
        self.endpoints(name, {"addresses": [self.address(pod)], "ports": rows})

    def address(self, pod: str | None) -> dict[str, Any]:
        """The app's address in an Endpoints object, as that of a pod."""
        if pod is None:
            return {"ip": self.ip}
        reference = {"kind": "Pod", "namespace": self.namespace, "name": pod}
        return {"ip": self.ip, "targetRef": reference}

    def target(self, segment: str) -> str:
        """A service's segment as a TARGET with the namespace."""
        scheme, name, port = (
            segment.split(":") if segment.count(":") == 2 else ["", *f"{segment}:".split(":")[:2]]
        )
        named = f"{name}.{self.namespace}"
        return f"{scheme}:{named}:{port}" if scheme else f"{named}:{port}" if port else named

    def said(self, segment: str, kind: str = "services", **headers: str) -> tuple[int, str]:
        """The status and message of the apiserver itself to a request of a target."""
        scope = "" if kind == "nodes" else f"/namespaces/{self.namespace}"
        answer = self.apiserver.get(f"/api/v1{scope}/{kind}/{segment}/proxy/", **headers)
        return answer.status, answer.message

    def web(self, name: str) -> str:
        """Make a service that works, and give its TARGET."""
        self.pod(f"{name}-0")
        self.service(name, {"port": 80})
        self.serve(name, pod=f"{name}-0")
        return self.target(name)

    def remedy(self, report: Report) -> str:
        """The remedy, without the option that names the kubeconfig of this run."""
        return report.cause["remedy"].replace(f" --kubeconfig {self.apiserver.kubeconfig}", "")

    def run(self, report: Report, *, stdin: bool = False) -> str:
        """Do what the remedy says, to the letter: a command, or a manifest for kubectl apply."""
        kubectl = self.apiserver.kubectl
        if kubectl is None:
            pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
        remedy = report.cause["remedy"]
        done = subprocess.run(
            ["sh", "-c", "kubectl apply -f -" if stdin else remedy],
            input=remedy if stdin else "",
            env={
                "PATH": f"{kubectl.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.apiserver.kubeconfig.parent),
                "KUBECONFIG": str(self.apiserver.kubeconfig),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (remedy, done)
        return done.stdout


def running(ip: str, *, ready: bool = True) -> dict[str, Any]:
    """The status of a pod that runs."""
    condition = {**READY, "status": "True" if ready else "False"}
    return {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [condition]}


def waiting(reason: str, message: str, **more: object) -> dict[str, Any]:
    """The status of a container that waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "app", "ready": False, "restartCount": 0, "state": state, **more}


def not_ready(*containers: dict[str, Any], **more: object) -> dict[str, Any]:
    """The status of a pod that is not ready since a known time."""
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": SINCE}
    return {
        "phase": "Pending",
        "conditions": [{**ready, "reason": "ContainersNotReady", "message": "app"}],
        "containerStatuses": [{"image": "none", "imageID": "", **one} for one in containers],
        **more,
    }


CRASH = waiting(
    "CrashLoopBackOff",
    "back-off",
    restartCount=7,
    lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
)


def grant(lab: Lab, user: str, *resources: str) -> str:
    """Let a user read some kinds of objects, and use the proxy."""
    lab.apiserver.grant(user, verbs=["get", "list"], resources=resources, namespace=lab.namespace)
    lab.apiserver.grant(user, verbs=["get"], resources=["services/proxy"], namespace=lab.namespace)
    return f"--as={user}"
