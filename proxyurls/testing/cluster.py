"""The fake cluster itself: a loopback apiserver in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxyurls.config import load_config
from proxyurls.testing import auth, manifests, refusal, resources
from proxyurls.testing.api import API
from proxyurls.testing.credentials import Authority, Credentials, kubeconfig
from proxyurls.testing.faults import Faults
from proxyurls.testing.host import Host
from proxyurls.testing.refusal import Object, Refusal
from proxyurls.testing.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from typing_extensions import Self

    from proxyurls.config import Config
    from proxyurls.testing.manifests import Ports
    from proxyurls.testing.upstreams import Upstream


class FakeCluster:
    """A loopback apiserver that proxies as the real one does, for tests.

    It runs in a thread of its own from `start` to `stop`, or as long as its ``with`` (or
    ``async with``) lasts, and starts once. It is no Kubernetes: nothing is scheduled, and what
    it has is what was added. Its user ``admin`` may do everything. What it was asked is in
    ``requests`` (see `Requests`), and ``faults`` makes things go wrong (see `Faults`).

    Args:
        tls: serve https, and let users have client certificates. Needs the extra ``testing``.
        port: where to listen; a free port with 0.
        anonymous: answer a request without a credential as an administrator's. kubectl, and
            whatever else is built on client-go, sends no token to a server of plain http, so
            without ``tls`` it works with this alone. A wrong token is a 401 all the same.

    Raises:
        ImportError: with ``tls``, where trustme is not installed.
        ValueError: there can be no such port.

    >>> with FakeCluster() as cluster:
    ...     cluster.add_service("web", upstream=lambda request: f"you asked {request.target}")
    ...     import httpx
    ...     headers = {"Authorization": f"Bearer {cluster.admin.token}"}
    ...     url = cluster.url + "/api/v1/namespaces/default/services/web/proxy/a%2Fb?q"
    ...     print(httpx.get(url, headers=headers, trust_env=False).text)
    you asked /a/b?q
    """

    def __init__(self, *, tls: bool = False, port: int = 0, anonymous: bool = False) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"a port is a number from 0 to 65535, not {port}")
        self._tls = self._authority.server() if tls else None
        self._port = port
        self._anonymous = anonymous
        self._started = False
        self._running: Host | None = None
        self._stack = contextlib.ExitStack()
        self._users: list[tuple[Credentials, str]] = []
        self.requests, self.faults = Requests(), Faults()

    @cached_property
    def _authority(self) -> Authority:
        return Authority()

    # its life

    def start(self) -> Self:
        """Start it.

        Raises:
            RuntimeError: it was started before.
            OSError: it can't listen at its port.
        """
        if self._started:
            raise RuntimeError("a fake cluster starts once: make a new FakeCluster")
        self._started = True
        folder = tempfile.TemporaryDirectory(prefix="proxyurls-fake-")
        self._folder = Path(self._stack.enter_context(folder))
        try:
            api = API(auth.ADMIN if self._anonymous else auth.ANONYMOUS)
            self._running = Host(api, self.requests, self.faults, tls=self._tls, port=self._port)
            self.add_namespace("kube-system")
            self.add_service("kubernetes", ports={"https": 443})
            self.admin = self.add_user(
                "admin", groups=[auth.MASTERS], certificate=self._tls is not None
            )
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it, and forget all that it had written to disk. Twice is no error.

        Raises:
            RuntimeError: the shutdown of an ASGI app failed.
        """
        host, self._running = self._running, None
        try:
            if host is not None:
                host.stop()
        finally:
            self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def _host(self) -> Host:
        if self._running is None:
            raise RuntimeError("the fake cluster isn't running: start it, or use it in a with")
        return self._running

    # how to reach it

    @property
    def url(self) -> str:
        """Its address: ``https://127.0.0.1:PORT``, or http without TLS."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._host.port}"

    @property
    def url6(self) -> str | None:
        """Its address by IPv6, None where this machine has none."""
        return self.url.replace("127.0.0.1", "[::1]") if self._host.ipv6 else None

    @property
    def ca_pem(self) -> bytes:
        """The certificate of its authority; empty without TLS."""
        return self._authority.pem if self._tls else b""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with a context for each user, named as the user; ``admin`` is current."""
        return kubeconfig(self.url, self.ca_pem, self._users, self._folder)

    def config(self, user: str = "admin") -> Config:
        """What `proxyurls.load_config` makes of its kubeconfig.

        Args:
            user: who is to ask.
        """
        return load_config(str(self.kubeconfig), context=user)

    # what there is

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Make an object, as ``kubectl create -f`` does.

        Args:
            manifest: the whole object, with its apiVersion and kind. Its namespace is "default"
                unless its metadata say otherwise, and made, if it isn't there.

        Raises:
            ValueError: the fake cluster has no such kind, or has one of that name, or it makes
                no sense.
        """
        resource = resources.of(manifest)
        namespace = ""
        if resource.namespaced:
            namespace = (manifest.get("metadata") or {}).get("namespace") or "default"
            self.add_namespace(namespace)
        try:
            self._host.api.create(resource, namespace, dict(manifest))
        except Refusal as refused:
            raise ValueError(refused.message) from None

    def _create_all(self, namespace: str, made: Sequence[Object]) -> None:
        """Make all of some objects, or none: a service without its endpoints is of no use."""
        for one in made:
            resource, name = resources.of(one), one["metadata"]["name"]
            if self._host.api.has(resource, namespace, name):
                raise ValueError(refusal.exists(resource.qualified, name).message)
        for one in made:
            self.create(one)

    def add_namespace(self, name: str) -> None:
        """Make a namespace, unless it's there."""
        if not self._host.api.has_namespace(name):
            self.create(manifests.manifest("Namespace", name))

    def add_service(
        self,
        name: str,
        namespace: str = "default",
        *,
        upstream: Upstream | None = None,
        ports: Ports = 80,
        labels: Mapping[str, str] | None = None,
        type: str = "ClusterIP",  # noqa: A002  (the field's name)
        tls: bool = False,
    ) -> None:
        """Make a service, and what is behind it.

        Args:
            name: its name.
            namespace: where it is; made, if it isn't there.
            upstream: what answers: a URL or (host, port), an ASGI app, a WSGI app, or a
                function that takes a `Request` and returns text, bytes, something for JSON, or
                a `Response`. With None the service has no endpoints. A URL has no path, and its
                scheme chooses no more than its default port: whether the upstream is spoken to
                by https is up to the segment (``https:web:``) and a node's kubelet port.
            ports: the number of its one port, which is unnamed; or the numbers of its ports by
                name; or its ports as a manifest has them. All TCP ports lead to the upstream.
            labels: its labels.
            type: ClusterIP, NodePort or LoadBalancer.
            tls: serve the upstream's app by https, with a certificate of the cluster's
                authority. Needs the extra ``testing``.

        Raises:
            ValueError: there is one of that name, or ``ports`` makes no sense.

        Examples:
            ``cluster.add_service("grafana", "monitoring", ports=3000, upstream=app)``

            ``cluster.add_service("dns", ports=[{"name": "dns", "port": 53, "protocol": "UDP"}])``
        """
        listed = manifests.service_ports(ports)
        behind, ip = manifests.endpoint_ports(listed), ""
        if upstream is not None:
            ip = self._lead(upstream, behind, tls=tls)
        service = manifests.manifest("Service", name, namespace, labels)
        made = [{**service, "spec": {"type": type, "ports": listed}}]
        pods = resources.core("pods")
        names = (f"{name}-{number}" for number in itertools.count())
        pod = next(one for one in names if not self._host.api.has(pods, namespace, one))
        made += manifests.endpoints(name, namespace, behind, pod, ip)
        if ip:
            made.append(manifests.pod(pod, namespace, behind, ip))
        self._create_all(namespace, made)

    def add_pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        upstream: Upstream | None = None,
        ports: Sequence[int] | int = 80,
        labels: Mapping[str, str] | None = None,
        tls: bool = False,
    ) -> None:
        """Make a pod, all of whose ports lead to the upstream.

        Args:
            name: its name.
            namespace: where it is; made, if it isn't there.
            upstream: as for `add_service`.
            ports: the numbers that its container declares; the first one is the default.
            labels: its labels.
            tls: as for `add_service`.

        Raises:
            ValueError: there is one of that name.
        """
        numbers = [ports] if isinstance(ports, int) else ports
        declared = [one for port in numbers for one in manifests.service_ports(port)]
        ip = self._lead(upstream, declared, tls=tls)
        self.create(manifests.pod(name, namespace, declared, ip, labels))

    def add_node(
        self, name: str, *, upstream: Upstream | None = None, port: int = 9100, tls: bool = False
    ) -> None:
        """Make a node, one port of which leads to the upstream.

        Args:
            name: its name.
            upstream: as for `add_service`.
            port: that port. 10250 is the kubelet's, which is spoken to by https.
            tls: as for `add_service`.

        Raises:
            ValueError: there is one of that name.
        """
        ip = self._lead(upstream, manifests.service_ports(port), tls=tls)
        self.create(manifests.node(name, ip))

    def _lead(self, upstream: Upstream | None, ports: list[Object], *, tls: bool) -> str:
        """A new address, whose TCP ports lead to an upstream."""
        return self._host.lead(upstream, ports, self._authority.server() if tls else None)

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
            ValueError: there is one of that name; a certificate without TLS, or for two groups.
        """
        if any(known.user == name for known, _ in self._users):
            raise ValueError(f"the fake cluster has a user {name!r} already")
        if certificate:
            if self._tls is None or len(groups) > 1:
                raise ValueError("a client certificate needs FakeCluster(tls=True), and one group")
            made = self._authority.issue(name, next(iter(groups), ""))
        else:
            made = Credentials(name, secrets.token_urlsafe())
            self._host.api.tokens[made.token] = auth.User(name, (*groups, auth.AUTHENTICATED))
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

        Raises:
            TypeError: a text stands where a list of them should.

        Example: ``cluster.grant("jane", verbs=["get"], resources=["services/proxy"])``
        """
        for texts in (verbs, resources, names):
            if isinstance(texts, str):
                raise TypeError(f"a list of texts is wanted, [{texts!r}], not {texts!r}")
        kind = "Role" if namespace else "ClusterRole"
        made = manifests.roles(
            *(f"grant-{secrets.token_hex(4)}", kind, user, namespace or ""),
            verbs=verbs,
            plurals=resources,
            names=names,
        )
        for one in made:
            self.create(one)

    def down(self) -> AbstractContextManager[None]:
        """Reset all connections, and refuse any other, until the ``with`` ends."""
        return self._host.down()

    def restart(self) -> None:
        """Reset all connections, as a restart of the apiserver does; its objects stay."""
        with self.down():
            pass

    def expire_continue_tokens(self) -> None:
        """Make every continue token that was given out so far too old."""
        self._host.api.store.compact()

    def allow_address(self, ip: str) -> None:
        """Let pods and nodes be at a loopback address, which a real server does not proxy to."""
        self._host.allow(ip)
