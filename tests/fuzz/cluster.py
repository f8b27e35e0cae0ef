"""Targets: what files and apiservers say: kubeconfigs, Services, endpoints, refusals."""

from __future__ import annotations

import atexit
import json
import re
import ssl
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from proxyurls.config import load_config
from proxyurls.discovery import cluster_service, list_objects, node_address, record
from proxyurls.errors import APIStatusError, ClusterError, ConfigError, ProxyURLsError
from proxyurls.objects import SERVICE
from proxyurls.status import is_refusal, read_answer

from .registry import must_be_line, target

if TYPE_CHECKING:
    from proxyurls.objects import Shape

SERVER = "https://apiserver:6443"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FOLDER = tempfile.TemporaryDirectory(prefix="proxyurls-fuzz-")
atexit.register(_FOLDER.cleanup)


@target(
    "kubeconfig",
    *("apiVersion: v1\n", "kind: Config\n", "clusters:\n", "- name: a\n", "  cluster: "),
    *("users:\n", "{server: https://h:6443}", "contexts:\n", "current-context: a\n", "&a ", "*a"),
    *("  user: {token: hunter2}", "<<: *a", "<<: [*a, *a]", "!!binary ", "!!set ", "? ", "%TAG "),
    *("!!python/name:os.system ", "!!timestamp ", "2001-01-01", "0x1f", "1:1:1", "1_000", "---\n"),
    *("...\n", "|\n", ">\n", "[[[[[[[[", "{{{{{{{{", "- - - - ", '"\\0"', '"\\ud800"', '"\\x1b"'),
    *("exec:", "as-groups: []", "tls-server-name: ", "certificate-authority: ", "client-key: "),
    *("proxy-url: ", "tokenFile: "),
)
def kubeconfig(data: bytes) -> None:
    """Whatever bytes a kubeconfig holds, load_config gives a Config whose headers hold no control
    character and whose repr no secret, or raises ConfigError in one printable line.
    """
    path = Path(_FOLDER.name, "config")
    path.write_bytes(data)
    try:
        config = load_config(path, environ={}, _service_account=f"{_FOLDER.name}/none")
    except ConfigError as error:  # it may name what is in there, however long; `say` cuts it
        must_be_line(error, 10**6)
        return
    shown = repr(config)
    public = repr((config.sources, config.server, config.context, config.cluster, config.user,
                   config.namespace, config.warnings, config.impersonate))  # fmt: skip
    for secret in (config.credential.token, config.credential.password):
        assert len(secret) < 7 or secret not in shown or secret in public
    if config.credential.kind in ("none", "token", "basic", "client-certificate"):
        try:
            credentials = config.credentials()
            sent = credentials.headers()
            context = credentials.ssl_context()
            if context is not None:
                context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="h")
        except ProxyURLsError as error:
            must_be_line(error)
            return
        assert not any(_CONTROL.search(name + value) for name, value in sent)
        assert all(re.fullmatch("[!-9;-~]+", name) for name, _ in sent)


class Client:
    """Answers every request with the same body, but for the pages that follow the first."""

    config = SimpleNamespace(server=SERVER)

    def __init__(self, body: bytes) -> None:
        self._bodies = [body]

    def get_json(self, path: str, *, accept: str = "") -> dict[str, Any]:
        """As `APIClient.get_json`."""
        assert re.fullmatch("/[!-~]+", path + accept)
        body = self._bodies.pop() if self._bodies else b'{"kind": "ServiceList"}'
        return read_answer(SERVER, 200, body)


def _listed(body: bytes, shape: Shape) -> list[dict[str, Any]]:
    client: Any = Client(body)
    return list(list_objects(client, "/api/v1/services", shape=shape))


@target(
    "services",
    *('"metadata"', '"name"', '"namespace"', '"labels"', '"spec"', '"ports"', '"port"', '"items"'),
    *(
        '"appProtocol"',
        '"nodePort"',
        '"status"',
        '"loadBalancer"',
        '"ingress"',
        '"continue"',
        "[" * 9,
    ),
)
def services(data: bytes) -> None:
    """Whatever an apiserver answers where a ServiceList is due, each item becomes a record of texts
    and numbers that is JSON again, or ProxyURLsError is raised in one line.
    """
    try:
        for item in _listed(data, SERVICE):
            found = record(item, SERVER, node_address="192.0.2.1")
            json.dumps(found.as_dict(), allow_nan=False)
            hash(found)
            assert all(type(port.port) is int for port in found.ports)
            assert all(
                isinstance(one, str)
                for one in (found.name, found.namespace, found.display_name, found.type, found.why)
            )
            assert found.url is None or found.url.startswith(SERVER + "/api/v1/namespaces/")
            hash(cluster_service(item, SERVER))
    except ProxyURLsError as error:
        must_be_line(error)


@target(
    "nodes",
    *('"metadata"', '"items"', '"status"', '"conditions"', '"addresses"', '"type"', '"address"'),
    *('"Ready"', '"ExternalIP"', '"InternalIP"', '"False"'),
)
def nodes(data: bytes) -> None:
    """Whatever an apiserver answers where a NodeList is due, node_address gives a text or None,
    or raises ClusterError in one line.
    """
    client: Any = Client(data)
    try:
        found = node_address(client)
    except ClusterError as error:
        must_be_line(error)
    else:
        assert found is None or isinstance(found, str)


@target(
    "answer",
    *('{"kind":"Status","apiVersion":"v1"', '"code":404', '"message":', '"reason":', '"metadata":'),
    *('{"continue":"x"}', "<html>", "\x1b[2J", '"details":', 'services "', "[" * 9, "\u202e"),
)
def answer(data: bytes) -> None:
    """Whatever body an apiserver answers with, at whatever status, read_answer gives an object or
    raises APIStatusError in one line, whose fields are of the types that they are said to be.
    """
    for status in (200, 299, 301, 403, 404, 410, 503, 999):
        assert is_refusal(status, data, sure=True) <= is_refusal(status, data, sure=False)
        try:
            assert isinstance(read_answer(SERVER, status, data), dict)
        except APIStatusError as error:
            _must_be(str(error).isprintable())  # it may be long: the apiserver's words are kept
            fields = (error.reason, error.detail, error.continue_token)
            _must_be(error.status == status and all(isinstance(one, str) for one in fields))


def _must_be(fact: object) -> None:
    assert fact
