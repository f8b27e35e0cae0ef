"""The API itself: what a request does with objects."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from proxyurls.testing import auth, listing, patches, refusal, resources, shapes
from proxyurls.testing.defaults import Defaults
from proxyurls.testing.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxyurls.testing.call import Call
    from proxyurls.testing.refusal import Object
    from proxyurls.testing.resources import Resource


class Wish(NamedTuple):
    """The rest of a request for a resource, beside its path."""

    method: str
    query: Mapping[str, str]
    accept: str
    media: str  # the body's type
    body: bytes


class API:
    """The fake cluster's objects, and who may have them.

    Args:
        nobody: who somebody without a credential is.
    """

    def __init__(self, nobody: auth.User) -> None:
        self.store = Store()
        self.tokens: dict[str, auth.User] = {}
        self.nobody = nobody
        self._defaults = Defaults()

    def has_namespace(self, name: str) -> bool:
        """Whether there's such a namespace."""
        return self.has(resources.core("namespaces"), "", name)

    def has(self, resource: Resource, namespace: str, name: str) -> bool:
        """Whether there's such an object."""
        found = self.store.at(resource, namespace, self.store.revision)
        return any(one["metadata"]["name"] == name for one in found)

    def create(self, resource: Resource, namespace: str, content: Object) -> Object:
        """Make an object, with what a server fills in.

        Raises:
            Refusal: there is one of that name, or it makes no sense, or has no namespace.
        """
        if resource.namespaced and not self.has_namespace(namespace):
            raise refusal.not_found("namespaces", namespace)
        return self.store.create(resource, namespace, self._defaults.complete(resource, content))

    def answer(self, user: auth.User, call: Call, wish: Wish) -> tuple[int, Object]:
        """What a request for a resource is answered with: a status and an object.

        Raises:
            Refusal: it can't be done. That the user may do it has been checked.
        """
        if call.group == resources.REVIEW_GROUP and call.plural in resources.REVIEWS:
            if wish.method != "POST":
                raise refusal.wrong_method()
            return 201, auth.review(user, call.plural, shapes.read(wish.body), self.store)
        resource = resources.find(call.group, call.version, call.plural)
        if resource is None or (call.subresource and call.subresource not in resource.subresources):
            raise refusal.unknown_path()
        namespace = call.namespace if resource.namespaced else ""
        if "dryRun" in wish.query:
            raise refusal.bad_request("the fake cluster has no dry runs")
        if wish.method in ("GET", "HEAD"):
            shape = shapes.shape_of(wish.accept)
            if call.name:
                found = self.store.get(resource, namespace, call.name)
                return 200, shapes.one(resource, found, shape)
            page = listing.page(self.store, resource, namespace or None, wish.query)
            return 200, shapes.many(resource, page, shape)
        if wish.method == "POST" and call.subresource == "token":
            self.store.get(resource, namespace, call.name)
            return 201, self._token(namespace, call.name)
        if wish.method == "POST" and not call.name and (namespace or not resource.namespaced):
            made = self.create(resource, namespace, shapes.read(wish.body))
            return 201, shapes.one(resource, made, "")
        if wish.method in ("PUT", "PATCH") and call.name:
            changed = self._changed(resource, call, wish)
            made = self.store.change(resource, namespace, call.name, changed)
            return 200, shapes.one(resource, made, "")
        if wish.method == "DELETE" and call.name and not call.subresource:
            gone = self._delete(resource, namespace, call.name)
            return 200, shapes.deleted(resource, gone)
        raise refusal.wrong_method()

    def _delete(self, resource: Resource, namespace: str, name: str) -> Object:
        """Forget an object; with a service go its endpoints, by which it would stay reachable."""
        gone = self.store.delete(resource, namespace, name)
        if resource.plural == "services":
            endpoints = resources.core("endpoints")
            slices = resources.core("endpointslices", "discovery.k8s.io")
            if self.has(endpoints, namespace, name):
                self.store.delete(endpoints, namespace, name)
            for piece in self.store.at(slices, namespace, self.store.revision):
                metadata = piece["metadata"]
                if (metadata.get("labels") or {}).get(resources.SLICE_OF) == name:
                    self.store.delete(slices, namespace, metadata["name"])
        return gone

    def _changed(self, resource: Resource, call: Call, wish: Wish) -> Callable[[Object], Object]:
        """What a PUT or PATCH makes of an object; the status is a thing of its own."""
        content = shapes.read(wish.body)
        patch = patches.of(wish.media, resource.plural) if wish.method == "PATCH" else None

        def changed(old: Object) -> Object:
            new = patch(old, content) if patch else {**content}
            if call.subresource == "status":
                return {**old, "status": new.get("status") or {}}
            if "status" in resource.subresources:
                new["status"] = old["status"]
            if resource.plural == "services":  # an address is for life
                kept = {"clusterIP": old["spec"].get("clusterIP")}
                new["spec"] = {**kept, **(new.get("spec") or {})}
            return self._defaults.complete(resource, new)

        return changed

    def _token(self, namespace: str, name: str) -> Object:
        """A new token of a service account."""
        token = secrets.token_urlsafe()
        self.tokens[token] = auth.account(namespace, name)
        head = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
        return {**head, "status": {"token": token}}
