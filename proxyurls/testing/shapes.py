"""What objects look like on the wire: plain, as metadata alone, and as rows of a Table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from proxyurls.testing import refusal, tables
from proxyurls.testing.refusal import Object, Refusal

if TYPE_CHECKING:
    from proxyurls.testing import listing
    from proxyurls.testing.resources import Resource

_MEDIA = ("application/json", "application/*", "*/*")
_SHAPES = {
    "": "",
    "Table": "Table",
    "PartialObjectMetadataList": "PartialObjectMetadata",
    "PartialObjectMetadata": "PartialObjectMetadata",
}


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


def deleted(resource: Resource, item: Object) -> Object:
    """What is said of an object that has gone."""
    metadata = item["metadata"]
    details = {"name": metadata["name"], "kind": resource.plural, "uid": metadata["uid"]}
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return {**head, "status": "Success", "details": details}
