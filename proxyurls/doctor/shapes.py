"""What the objects that doctor reads must look like: as far as it looks at them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyurls.objects import Shape


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
    return value is None or (isinstance(value, dict) and all(map(word, value.values())))


_WHY: Mapping[str, Shape] = {"reason": text, "message": text}
_STATE: Shape = {"waiting": _WHY, "terminated": {**_WHY, "exitCode": number}}
_CONTAINERS: Shape = [
    {"name": word, "ready": flag, "restartCount": number, "state": _STATE, "lastState": _STATE}
]
_REFERENCE: Shape = {"name": text, "namespace": text}
_PORTS: Shape = [{"name": text, "port": number}]
_ADDRESSES: Shape = [{"ip": word, "targetRef": _REFERENCE}]

LABELLED: Mapping[str, Shape] = {"metadata": {"name": word, "namespace": word, "labels": _labels}}
POD: Shape = {
    **LABELLED,
    "spec": {
        "containers": [
            {
                "name": word,
                "readinessProbe": anything,
                "ports": [{"name": text, "containerPort": number, "protocol": text}],
            }
        ]
    },
    "status": {
        **_WHY,
        "phase": text,
        "podIP": text,
        "podIPs": [{"ip": word}],
        "conditions": [{**_WHY, "type": word, "status": word, "lastTransitionTime": text}],
        "containerStatuses": _CONTAINERS,
        "initContainerStatuses": _CONTAINERS,
    },
}
WORKLOAD: Shape = {
    "metadata": {"name": word},
    "spec": {"replicas": number, "template": {"metadata": {"labels": _labels}}},
}
ENDPOINTS: Shape = {
    "subsets": [{"addresses": _ADDRESSES, "notReadyAddresses": _ADDRESSES, "ports": _PORTS}]
}
SLICE: Shape = {
    "metadata": {"name": word, "namespace": word},
    "addressType": text,
    "endpoints": [{"addresses": [word], "conditions": {"ready": flag}, "targetRef": _REFERENCE}],
    "ports": _PORTS,
}
SELECTOR: Shape = {"spec": {"selector": _labels}}
ACCESS: Shape = {"status": {"allowed": lambda value: isinstance(value, bool)}}
WHO: Shape = {"status": {"userInfo": {"username": word}}}
