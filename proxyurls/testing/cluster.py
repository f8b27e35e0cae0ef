"""The fake cluster itself: a loopback apiserver in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiohttp import web

from proxyurls.config import load_config
from proxyurls.testing import auth, resources, upstreams
from proxyurls.testing.api import API
from proxyurls.testing.credentials import Authority, Credentials, kubeconfig
from proxyurls.testing.protocol import Server
from proxyurls.testing.proxy import Proxy
from proxyurls.testing.refusal import Object, Refusal
from proxyurls.testing.server import Front

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from typing_extensions import Self

    from proxyurls.config import Config
    from proxyurls.testing.upstreams import App, Upstream

T = TypeVar("T")
_NOT_RUNNING = "the fake cluster isn't running: start it, or use it in a with"


class FakeCluster:
    """A loopback apiserver that proxies as the real one does, for tests.

    It runs in a thread of its own from `start` to `stop`, or as long as its ``with`` (or
    ``async with``) lasts. It is no Kubernetes: nothing is scheduled, and what it has is what
    was added. Its user ``admin`` may do everything.

    Args:
        tls: serve https, and let users have client certificates. Needs the extra ``testing``.

    Raises:
        ImportError: with ``tls``, where trustme is not installed.

    >>> with FakeCluster() as cluster:
    ...     cluster.add_service("web", upstream=lambda request: f"you asked {request.target}")
    ...     import httpx
    ...     headers = {"Authorization": f"Bearer {cluster.admin.token}"}
    ...     url = cluster.url + "/api/v1/namespaces/default/services/web/proxy/a%2Fb?q"
    ...     print(httpx.get(url, headers=headers, trust_env=False).text)
    you asked /a/b?q
    """

    def __init__(self, *, tls: bool = False) -> None:
        self._authority = Authority() if tls else None
        self._api = API()
        self._port, self._ipv6 = 0, False
        self._front: Front | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stack = contextlib.ExitStack()
        self._runners: list[web.ServerRunner] = []
        self._pods = 0
        self._users: list[tuple[Credentials, str]] = []
        self._folder: Path | None = None

    # its life

    def start(self) -> Self:
        """Start it.

        Raises:
            RuntimeError: it's running already.
        """
        if self._loop is not None:
            raise RuntimeError("the fake cluster is running already")
        folder = tempfile.TemporaryDirectory(prefix="proxyurls-fake-")
        self._folder = Path(self._stack.enter_context(folder))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._run(self._open())
            for name in ("default", "kube-system"):
                self.add_namespace(name)
            self.add_service("kubernetes", ports={"https": 443})
            self.admin = self.add_user(
                "admin", groups=[auth.MASTERS], certificate=self._authority is not None
            )
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it, and forget all that it had written to disk. Twice is no error."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._run(self._close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._loop = None
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.stop)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the cluster's own loop, and wait for it."""
        if self._loop is None:
            work.close()
            raise RuntimeError(_NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        self._proxy = Proxy()
        self._front = Front(self._api, self._proxy)
        runner = web.ServerRunner(Server(self._front.handle), shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        tls = self._authority.server() if self._authority else None
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self._port = runner.addresses[0][1]
        with contextlib.suppress(OSError):
            await web.TCPSite(runner, "::1", self._port, ssl_context=tls).start()
            self._ipv6 = True

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._proxy.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # how to reach it

    @property
    def url(self) -> str:
        """Its address: ``https://127.0.0.1:PORT``, or http without TLS."""
        return f"http{'s' if self._authority else ''}://127.0.0.1:{self._port}"

    @property
    def url6(self) -> str | None:
        """Its address by IPv6, None where this machine has none."""
        return self.url.replace("127.0.0.1", "[::1]") if self._ipv6 else None

    @property
    def ca_pem(self) -> bytes:
        """The certificate of its authority; empty without TLS."""
        return self._authority.pem if self._authority else b""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with a context for each user, named as the user; ``admin`` is current."""
        if self._folder is None or self._loop is None:
            raise RuntimeError(_NOT_RUNNING)
        return kubeconfig(self.url, self.ca_pem, self._users, self._folder)

    def config(self, user: str = "admin") -> Config:
        """What `proxyurls.load_config` makes of its kubeconfig.

        Args:
            user: who is to ask.
        """
        return load_config(str(self.kubeconfig), context=user)

    # what there is

    def create(self, plural: str, content: Object, namespace: str = "", *, group: str = "") -> None:
        """Store any object, as ``kubectl create`` would.

        Args:
            plural: what it is: "services", "roles" …
            content: the object; its metadata needs a name.
            namespace: where it is.
            group: the API group, "" for the core's.

        Raises:
            LookupError: the fake cluster has no such resource.
            ValueError: there is one of that name.
        """
        resource = resources.find(group, "v1", plural)
        if resource is None:
            raise LookupError(f"the fake cluster has no {plural} in API group {group!r}")
        try:
            self._api.create(resource, namespace, content)
        except Refusal as refused:
            raise ValueError(refused.message) from None

    def add_namespace(self, name: str) -> None:
        """Make a namespace, unless it's there."""
        with contextlib.suppress(ValueError):
            self.create("namespaces", {"metadata": {"name": name}})

    def add_service(
        self,
        name: str,
        namespace: str = "default",
        *,
        upstream: Upstream | None = None,
        ports: Mapping[str, int] | int = 80,
        labels: Mapping[str, str] | None = None,
        type: str = "ClusterIP",  # noqa: A002  (the field's name)
    ) -> None:
        """Make a service, and what is behind it.

        Args:
            name: its name.
            namespace: where it is; made, if it isn't there.
            upstream: what answers: a URL or (host, port), an ASGI app, a WSGI app, or a
                function that takes a `Request` and returns text, bytes, something for JSON, or
                a `Response`. With None the service has no endpoints.
            ports: its one port, unnamed, or the numbers of its named ports. All lead to the
                same upstream.
            labels: its labels.
            type: ClusterIP, NodePort or LoadBalancer.

        Raises:
            ValueError: there is one of that name.

        Example: ``cluster.add_service("grafana", "monitoring", ports=3000, upstream=app)``
        """
        self.add_namespace(namespace)
        numbers = {"": ports} if isinstance(ports, int) else ports
        listed = [{"name": key, "port": number} for key, number in numbers.items()]
        service: Object = {"metadata": {"name": name, "labels": dict(labels or {})}}
        service["spec"] = {"type": type, "ports": listed}
        self.create("services", service, namespace)
        subsets: list[Object] = []
        pieces: list[Object] = []
        ready = [{**port, "protocol": "TCP"} for port in listed]
        if upstream is not None:
            pod = f"{name}-0"
            ip = self.add_pod(pod, namespace, upstream=upstream, ports=list(numbers.values()))
            reference = {"kind": "Pod", "name": pod, "namespace": namespace}
            subsets = [{"addresses": [{"ip": ip, "targetRef": reference}], "ports": ready}]
            pieces = [{"addresses": [ip], "conditions": {"ready": True}, "targetRef": reference}]
        self.create("endpoints", {"metadata": {"name": name}, "subsets": subsets}, namespace)
        piece: Object = {"addressType": "IPv4", "endpoints": pieces, "ports": ready}
        piece["metadata"] = {"name": f"{name}-0", "labels": {"kubernetes.io/service-name": name}}
        self.create("endpointslices", piece, namespace, group="discovery.k8s.io")

    def add_pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        upstream: Upstream | None = None,
        ports: Sequence[int] = (80,),
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Make a pod, all of whose ports lead to the upstream.

        Args:
            name: its name.
            namespace: where it is; made, if it isn't there.
            upstream: as for `add_service`.
            ports: what its container declares; the first one is the default.
            labels: its labels.

        Returns:
            its made-up address.

        Raises:
            ValueError: there is one of that name.
        """
        self.add_namespace(namespace)
        ip = self._lead(upstream, ports)
        declared = [{"containerPort": port, "protocol": "TCP"} for port in ports]
        content = {
            "metadata": {"name": name, "labels": dict(labels or {})},
            "spec": {"containers": [{"name": "main", "image": "none", "ports": declared}]},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
        }
        self.create("pods", content, namespace)
        return ip

    def add_node(self, name: str, *, upstream: Upstream | None = None, port: int = 9100) -> None:
        """Make a node, one port of which leads to the upstream.

        Args:
            name: its name.
            upstream: as for `add_service`.
            port: that port. 10250 is the kubelet's, which is spoken to by https.

        Raises:
            ValueError: there is one of that name.
        """
        ip = self._lead(upstream, [port])
        status = {
            "addresses": [{"type": "InternalIP", "address": ip}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        }
        self.create("nodes", {"metadata": {"name": name}, "spec": {}, "status": status})

    def _lead(self, upstream: Upstream | None, ports: Sequence[int]) -> str:
        """A new address, whose ports lead to an upstream."""
        self._pods += 1
        ip = f"10.244.{self._pods // 250}.{self._pods % 250 + 1}"
        if upstream is None:
            return ip
        address = upstreams.address_of(upstream)
        if address is None:
            address, runner = self._run(upstreams.serve(cast("App", upstream)))
            self._runners.append(runner)
        for port in ports:
            self._running.routes[ip, port] = address
        return ip

    @property
    def _running(self) -> Front:
        if self._front is None:
            raise RuntimeError(_NOT_RUNNING)
        return self._front

    # who may do what

    def add_user(
        self,
        name: str,
        *,
        groups: Sequence[str] = (),
        certificate: bool = False,
        namespace: str = "",
    ) -> Credentials:
        """Make a user, who gets a context in the kubeconfig, and may do nothing until granted.

        Args:
            name: the user's name, and the context's.
            groups: the user's groups; a certificate can hold one at most.
            certificate: a client certificate instead of a token; needs TLS.
            namespace: the context's namespace.

        Raises:
            ValueError: a certificate without TLS, or for two groups.
        """
        if certificate:
            if self._authority is None or len(groups) > 1:
                raise ValueError("a client certificate needs FakeCluster(tls=True), and one group")
            made = self._authority.issue(name, next(iter(groups), ""))
        else:
            made = Credentials(name, secrets.token_urlsafe())
            self._api.tokens[made.token] = auth.User(name, (*groups, auth.AUTHENTICATED))
        self._users.append((made, namespace))
        return made

    def grant(
        self,
        user: str,
        *,
        verbs: Sequence[str],
        resources: Sequence[str],
        names: Sequence[str] = (),
        namespace: str | None = None,
    ) -> None:
        """Let a user do something, by a role and its binding.

        Args:
            user: who.
            verbs: what: "get", "list", "create" …
            resources: with what: "services", "services/proxy" …
            names: with which ones alone; the proxy's are whole segments, as "https:web:".
            namespace: where; everywhere with None.

        Example: ``cluster.grant("jane", verbs=["get"], resources=["services/proxy"])``
        """
        name = f"grant-{secrets.token_hex(4)}"
        kind = "Role" if namespace else "ClusterRole"
        role, binding = auth.granted(
            name, kind, user, verbs=verbs, resources=resources, names=names
        )
        for plural, content in (("s", role), ("bindings", binding)):
            self.create(kind.lower() + plural, content, namespace or "", group=auth.RBAC)

    def expire_continue_tokens(self) -> None:
        """Make every continue token that was given out so far too old."""
        self._api.store.compact()

    def allow_address(self, ip: str) -> None:
        """Let pods and nodes be at a loopback address, which a real server does not proxy to."""
        self._running.reachable.add(ip)
