"""What objects of the API must look like before anything is made of them.

A real apiserver sends no others: it refuses to keep them. Somebody in between may, and of their
names are made the lines that we print, the commands that we suggest and the words that a shell
completes.
"""

from __future__ import annotations

import re

from proxyurls.errors import APIStatusError, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    # A mapping with such members, a list of such items, or a test of the value itself.
    Shape: TypeAlias = "Mapping[str, Shape] | list[Shape] | Callable[[object], bool]"
    Members: TypeAlias = Mapping[str, Shape]

# apimachinery, util/validation: IsDNS1123Subdomain names pods and nodes, IsDNS1123Label
# namespaces, services and their ports.
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _name(value: object) -> bool:
    return isinstance(value, str) and _SUBDOMAIN.fullmatch(value) is not None


def _label(value: object) -> bool:
    return isinstance(value, str) and _LABEL.fullmatch(value) is not None


def _port_name(value: object) -> bool:
    return value is None or value == "" or _label(value)


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _word(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _port(value: object) -> bool:
    return type(value) is int and 0 < value < 65536


def _node_port(value: object) -> bool:
    return value is None or value == 0 or _port(value)


def _version(value: object) -> bool:  # it goes into the URL of a watch as it is
    return value is None or (isinstance(value, str) and _UNRESERVED.fullmatch(value) is not None)


def _labels(value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_word, value.values())))


NAMED: Members = {"metadata": {"name": _name}}
NAMESPACED: Members = {"metadata": {"name": _name, "namespace": _label}}
SERVICE: Members = {
    "metadata": {"name": _label, "namespace": _label, "labels": _labels},
    "spec": {
        "type": _text,
        "externalName": _text,
        "ports": [
            {
                "port": _port,
                "nodePort": _node_port,
                "name": _port_name,
                "protocol": _text,
                "appProtocol": _text,
            }
        ],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": _text, "hostname": _text}]}},
}
# The gateway shows a service, and why it can't be reached, whatever its name.
_OF_ANY_NAME: Members = {"name": _word, "namespace": _word, "labels": _labels}
LISTED_SERVICE: Members = {**SERVICE, "metadata": _OF_ANY_NAME}
SLICE: Members = {
    "metadata": _OF_ANY_NAME,
    "endpoints": [
        {"addresses": [_word], "conditions": {"ready": _flag}, "targetRef": {"name": _text}}
    ],
}
_ADDRESS: Members = {"ip": _word, "targetRef": {"name": _text}}
ENDPOINTS: Members = {
    "metadata": _OF_ANY_NAME,
    "subsets": [{"addresses": [_ADDRESS], "notReadyAddresses": [_ADDRESS]}],
}
VERSIONED: Members = {"metadata": {"resourceVersion": _version}}
POD: Members = {
    "spec": {
        "containers": [{"ports": [{"containerPort": _port, "name": _port_name, "protocol": _text}]}]
    }
}
NODE: Members = {
    "status": {
        "conditions": [{"type": _word, "status": _word}],
        "addresses": [{"type": _word, "address": _word}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": _node_port}},
    }
}


def check(value: object, shape: Shape, server: str, *, where: str = "object") -> None:
    """Refuse an object that no apiserver would send. Lists and mappings may be left out.

    Args:
        value: what was sent.
        shape: what it must look like; what the shape does not name may be anything.
        server: who sent it, for the message.
        where: how the message calls the value.

    Raises:
        APIStatusError: it does not look like that.
    """
    if callable(shape):
        fits = shape(value)
    elif isinstance(shape, list):
        fits = value is None or isinstance(value, list)
    else:
        fits = value is None or isinstance(value, dict)
    if not fits:
        raise _odd(where, value, server)
    if isinstance(shape, list) and isinstance(value, list):
        for item in value:
            if item is None:
                raise _odd(f"{where}[]", item, server)
            check(item, shape[0], server, where=f"{where}[]")
    elif not callable(shape) and not isinstance(shape, list):
        members = value if isinstance(value, dict) else {}
        for name, inner in shape.items():
            check(members.get(name), inner, server, where=f"{where}.{name}")


def _odd(where: str, value: object, server: str) -> APIStatusError:
    what = "null" if value is None else shown(value, 60)
    return APIStatusError(
        f"{server} answered with {where} = {what}, which no apiserver does; "
        "check --server or --context",
        status=200,
    )


def items_of(answer: dict[str, Any], shape: Shape, server: str) -> list[dict[str, Any]]:
    """The objects of a list, taken out of it.

    Args:
        answer: the list.
        shape: what each must look like.
        server: who sent it.

    Raises:
        APIStatusError: it is no list, or one of them does not look like that.
    """
    check(answer, list_of(shape), server, where="list")
    items: list[dict[str, Any]] = answer.pop("items", None) or []
    return items


def list_of(shape: Shape) -> Shape:
    """What a list of such objects must look like."""
    return {"metadata": {"continue": _text, "resourceVersion": _version}, "items": [shape]}
