"""The API itself: what to do with objects, and the shapes that lists come in."""

from __future__ import annotations

import asyncio
import copy
import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.testing import auth, listing, refusal, resources, tables
from proxyurls.testing.refusal import Object, Refusal
from proxyurls.testing.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from proxyurls.testing.resources import Resource

_MEDIA = ("application/json", "application/*", "*/*")
_SHAPES = {
    "": "",
    "Table": "Table",
    "PartialObjectMetadataList": "PartialObjectMetadata",
    "PartialObjectMetadata": "PartialObjectMetadata",
}


class Call(NamedTuple):
    """A request for a resource, read from its path."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    rest: str

    @classmethod
    def parse(cls, path: str) -> Call | None:
        """Read a decoded path; None where it's for no resource."""
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) > 2:
            group, version, parts = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, parts = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 1:
            namespace = parts[1]
            if len(parts) > 2 and parts[2] not in ("status", "finalize"):
                parts = parts[2:]
        name, sub, *rest = [*parts[1:], "", ""]
        return cls(group, version, parts[0], namespace, name, sub, "/".join(rest[:-2]))

    def act(self, method: str, *, watch: bool) -> auth.Act:
        """What RBAC is asked."""
        verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        verb = "get" if method in ("GET", "HEAD") else verbs.get(method, "")
        if not self.name:
            verb = {"get": "watch" if watch else "list", "delete": "deletecollection"}.get(
                verb, verb
            )
        return auth.Act(verb, self.group, self.plural, self.subresource, self.namespace, self.name)


class API:
    """The fake cluster's objects, and who may have them.

    Args:
        nobody: who somebody without a credential is.
    """

    def __init__(self, nobody: auth.User) -> None:
        self.store = Store()
        self.tokens: dict[str, auth.User] = {}
        self.nobody = nobody
        self._addresses = iter(f"10.96.{n // 250}.{n % 250 + 1}" for n in range(60000))
        self._node_ports = iter(range(30000, 32768))

    def has_namespace(self, name: str) -> bool:
        """Whether there's such a namespace."""
        namespaces = self.store.at(resources.core("namespaces"), "", self.store.revision)
        return any(one["metadata"]["name"] == name for one in namespaces)

    def create(self, resource: Resource, namespace: str, content: Object) -> Object:
        """Make an object, with the defaults that a server fills in.

        Raises:
            Refusal: there is one of that name, or it lacks a name or a namespace that's there.
        """
        if not (content.get("metadata") or {}).get("name"):
            raise refusal.invalid(
                resource.kind, "", "metadata.name: Required value: name is required"
            )
        if resource.namespaced and not self.has_namespace(namespace):
            raise refusal.not_found("namespaces", namespace)
        if resource.plural == "services":
            content = self._service(content)
        elif resource.plural == "namespaces":
            content = {"spec": {}, "status": {"phase": "Active"}, **content}
        elif resource.plural == "pods":
            content = {"status": {"phase": "Pending"}, **content}
        content = {key: content[key] for key in content if key not in ("kind", "apiVersion")}
        return self.store.create(resource, namespace, content)

    def _service(self, content: Object) -> Object:
        spec = copy.deepcopy(content.get("spec") or {})
        kind = spec.setdefault("type", "ClusterIP")
        if kind != "ExternalName" and not spec.get("clusterIP"):
            spec["clusterIP"] = next(self._addresses)
        ports = []
        for port in spec.get("ports") or ():
            kept = {key: value for key, value in port.items() if value not in (None, "")}
            if kept.get("port") not in range(1, 65536):
                name, problem = content["metadata"]["name"], "spec.ports.port: Required value"
                raise refusal.invalid("Service", name, problem)
            kept = {"protocol": "TCP", "targetPort": port["port"], **kept}
            if kind in ("NodePort", "LoadBalancer") and "nodePort" not in kept:
                kept["nodePort"] = next(self._node_ports)
            ports.append(kept)
        spec = {key: value for key, value in spec.items() if value is not None}
        if ports:
            spec["ports"] = ports
        else:
            spec.pop("ports", None)
        return {"status": {"loadBalancer": {}}, **content, "spec": spec}

    def token(self, namespace: str, name: str) -> str:
        """A new token of a service account."""
        token = secrets.token_urlsafe()
        self.tokens[token] = auth.account(namespace, name)
        return token

    def answer(
        self,
        user: auth.User,
        call: Call,
        method: str,
        *,
        query: Mapping[str, str],
        accept: str,
        body: bytes,
    ) -> tuple[int, Object]:
        """What a request for a resource is answered with: a status and an object.

        Raises:
            Refusal: it can't be done. That the user may do it has been checked.
        """
        if call.group == resources.REVIEW_GROUP and call.plural in resources.REVIEWS:
            if method != "POST":
                raise refusal.wrong_method()
            return 201, self._review(user, call.plural, read(body))
        resource = resources.find(call.group, call.version, call.plural)
        if resource is None:
            raise refusal.unknown_path()
        if call.subresource and call.subresource not in resource.subresources:
            raise refusal.unknown_path()
        namespace = call.namespace if resource.namespaced else ""
        if call.subresource == "token" and method == "POST":
            self.store.get(resource, namespace, call.name)
            return 201, {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"} | {
                "status": {"token": self.token(namespace, call.name)}
            }
        if method in ("GET", "HEAD"):
            shape = shape_of(accept)
            if call.name:
                found = self.store.get(resource, namespace, call.name)
                return 200, one(resource, found, shape)
            page = listing.page(self.store, resource, namespace or None, query)
            return 200, many(resource, page, shape)
        if method == "POST" and not call.name and (namespace or not resource.namespaced):
            return 201, one(resource, self.create(resource, namespace, read(body)), "")
        if method == "PATCH" and call.name:
            changed = self.store.patch(resource, namespace, call.name, read(body))
            return 200, one(resource, changed, "")
        if method == "DELETE" and call.name and not call.subresource:
            self.store.delete(resource, namespace, call.name)
            details = {"name": call.name, "kind": call.plural}
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"} | {
                "metadata": {},
                "details": details,
            }
        raise refusal.wrong_method()

    def _review(self, user: auth.User, plural: str, content: Object) -> Object:
        spec = content.get("spec") or {}
        if plural != resources.REVIEWS[0]:
            user = auth.User(spec.get("user") or "", tuple(spec.get("groups") or ()))
        asked = spec.get("resourceAttributes") or {}
        fields = ("verb", "group", "resource", "subresource", "namespace", "name")
        act = auth.Act(*(asked.get(field) or "" for field in fields))
        if path := (spec.get("nonResourceAttributes") or {}).get("path"):
            act = auth.Act(spec["nonResourceAttributes"].get("verb") or "", path=path)
        kind = {"kind": content.get("kind") or "SelfSubjectAccessReview"}
        kind["apiVersion"] = f"{resources.REVIEW_GROUP}/v1"
        allowed = auth.may(user, act, self.store)
        return {**kind, "metadata": {}, "spec": spec, "status": {"allowed": allowed}}

    async def watch(
        self, call: Call, query: Mapping[str, str], accept: str
    ) -> AsyncGenerator[Object, None]:
        """Events of a resource, as they happen, until the time that was asked for is over.

        Raises:
            Refusal: there's no such resource.
        """
        resource = resources.find(call.group, call.version, call.plural)
        if resource is None:
            raise refusal.unknown_path()
        shape = shape_of(accept)
        namespace = call.namespace or None
        chosen = _chooser(query)
        revision = listing.number(query, "resourceVersion")
        if not revision:
            revision = self.store.revision
            for item in self.store.at(resource, namespace, revision):
                if chosen(item):
                    yield {"type": "ADDED", "object": one(resource, item, shape)}
        elif revision < self.store.oldest:
            expired = Refusal(410, "Expired", f"too old resource version: {revision}")
            yield {"type": "ERROR", "object": expired.status()}
            return
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        seconds = listing.number(query, "timeoutSeconds") or 1800
        end = loop.time() + seconds

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(news.set)

        self.store.listeners.append(tell)
        try:
            while True:
                for change in self.store.since(resource, namespace, revision):
                    revision = change.revision
                    if chosen(change.content):
                        yield {"type": change.type, "object": one(resource, change.content, shape)}
                try:
                    await asyncio.wait_for(news.wait(), end - loop.time())
                except asyncio.TimeoutError:
                    return
                news.clear()
        finally:
            self.store.listeners.remove(tell)


def _chooser(query: Mapping[str, str]) -> Callable[[Object], bool]:
    from proxyurls.testing import selectors

    tests = [
        selectors.labels(query.get("labelSelector", "")),
        selectors.fields(query.get("fieldSelector", "")),
    ]
    return lambda item: all(test is None or test(item) for test in tests)


def read(body: bytes) -> Object:
    """The object in a request's body.

    Raises:
        Refusal: it's no JSON object, but protobuf (as kubectl's own generators send) or else.
    """
    if body.startswith(b"k8s\0"):
        message = "the body of the request was in an unknown format: send JSON, no protobuf"
        raise Refusal(415, "UnsupportedMediaType", message)
    try:
        content = json.loads(body)
    except ValueError as error:
        raise refusal.bad_request(f"the body is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise refusal.bad_request("the body is no JSON object")
    return content


def shape_of(accept: str) -> str:
    """The first shape in an Accept header that can be had: "", Table or PartialObjectMetadata.

    Raises:
        Refusal: none can.
    """
    for part in (accept or "*/*").split(","):
        media, *parameters = (text.strip() for text in part.split(";"))
        shape = dict(text.partition("=")[::2] for text in parameters).get("as", "")
        if media in _MEDIA and shape in _SHAPES:
            return _SHAPES[shape]
    raise Refusal(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json",
    )


def one(resource: Resource, item: Object, shape: str) -> Object:
    """One object in a shape."""
    if shape == "Table":
        metadata = {"resourceVersion": item["metadata"]["resourceVersion"]}
        return tables.table(resource.plural, [item], metadata)
    if shape == "PartialObjectMetadata":
        return {"kind": shape, "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
    return {"kind": resource.kind, "apiVersion": resource.api_version, **item}


def many(resource: Resource, page: listing.Page, shape: str) -> Object:
    """A page of a list in a shape."""
    if shape == "Table":
        return tables.table(resource.plural, page.items, page.metadata)
    if shape == "PartialObjectMetadata":
        items = [one(resource, item, shape) for item in page.items]
        head = {"kind": f"{shape}List", "apiVersion": "meta.k8s.io/v1"}
        return {**head, "metadata": page.metadata, "items": items}
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
    return {**head, "metadata": page.metadata, "items": page.items}
