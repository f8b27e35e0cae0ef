"""What the objects that doctor reads must look like: as far as it looks at them."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyurls.objects import Shape


# apimachinery, util/validation: IsQualifiedName of a label's key, IsValidLabelValue of its value,
# IsDNS1123Subdomain of names. All of these come into commands.
_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9:.-]{1,253}")


def text(value: object) -> bool:
    """Whether it is text, or left out."""
    return value is None or isinstance(value, str)


def word(value: object) -> bool:
    """Whether it is text."""
    return isinstance(value, str)


def number(value: object) -> bool:
    """Whether it is a whole number, or left out."""
    return value is None or type(value) is int


def flag(value: object) -> bool:
    """Whether it is true, false, or left out."""
    return value is None or isinstance(value, bool)


def anything(_: object) -> bool:
    """Whether it is anything."""
    return True


def _labels(value: object) -> bool:
    if not isinstance(value, dict):
        return value is None
    return all(
        _KEY.fullmatch(key) and isinstance(text, str) and _VALUE.fullmatch(text)
        for key, text in value.items()
    )


def a_name(value: object) -> bool:
    """Whether a pod or the like may have it for its name."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _port_name(value: object) -> bool:
    return value in (None, "") or a_name(value)


def _address(value: object) -> bool:
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _target_port(value: object) -> bool:
    return type(value) is int or value is None or a_name(value)


def _port(value: object) -> bool:
    return type(value) is int


_WHY: Mapping[str, Shape] = {"reason": text, "message": text}
_STATE: Shape = {"waiting": _WHY, "terminated": {**_WHY, "exitCode": number}}
_CONTAINERS: Shape = [
    {"name": a_name, "ready": flag, "restartCount": number, "state": _STATE, "lastState": _STATE}
]
_REFERENCE: Shape = {"name": text, "namespace": text}
_PORTS: Shape = [{"name": _port_name, "port": number}]
_ADDRESSES: Shape = [{"ip": _address, "targetRef": _REFERENCE}]

LABELLED: Mapping[str, Shape] = {
    "metadata": {"name": a_name, "namespace": a_name, "labels": _labels}
}
POD: Shape = {
    **LABELLED,
    "spec": {
        "containers": [
            {
                "name": a_name,
                "readinessProbe": anything,
                "ports": [{"name": _port_name, "containerPort": _port, "protocol": text}],
            }
        ]
    },
    "status": {
        **_WHY,
        "phase": text,
        "podIP": lambda value: value in (None, "") or _address(value),
        "podIPs": [{"ip": _address}],
        "conditions": [{**_WHY, "type": word, "status": word, "lastTransitionTime": text}],
        "containerStatuses": _CONTAINERS,
        "initContainerStatuses": _CONTAINERS,
    },
}
WORKLOAD: Shape = {
    "metadata": {"name": a_name},
    "spec": {"replicas": number, "template": {"metadata": {"labels": _labels}}},
}
ENDPOINTS: Shape = {
    "subsets": [{"addresses": _ADDRESSES, "notReadyAddresses": _ADDRESSES, "ports": _PORTS}]
}
SLICE: Shape = {
    "metadata": {"name": word, "namespace": word},
    "addressType": text,
    "endpoints": [
        {"addresses": [_address], "conditions": {"ready": flag}, "targetRef": _REFERENCE}
    ],
    "ports": _PORTS,
}
SELECTOR: Shape = {"spec": {"selector": _labels, "ports": [{"targetPort": _target_port}]}}
ACCESS: Shape = {"status": {"allowed": lambda value: isinstance(value, bool)}}
WHO: Shape = {"status": {"userInfo": {"username": word}}}
