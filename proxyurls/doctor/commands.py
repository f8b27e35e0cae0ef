"""Commands that a remedy consists of. `examine` adds the options that chose cluster and user."""

from __future__ import annotations

import json
from shlex import join, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.doctor.case import Case


def fetch(case: Case, target: str) -> str:
    """Ask another target for the same suffix.

    Args:
        case: with the suffix.
        target: the TARGET and its options, as `proxyurls.causes.typed` gives them.
    """
    suffix = "" if case.suffix in ("", "/") else case.suffix
    return join(["proxyurls", "fetch", *split(target), *([suffix] if suffix else [])])


def patch(case: Case, resource: str, change: object) -> str:
    """Change the service, or the Endpoints object of its name.

    Args:
        case: which service.
        resource: "service" or "endpoints".
        change: a list is a JSON patch (RFC 6902), anything else a merge patch (RFC 7386).
    """
    kind = "json" if isinstance(change, list) else "merge"
    words = ["kubectl", "patch", resource, case.name, "-n", case.target.namespace or ""]
    return join([*words, f"--type={kind}", "-p", json.dumps(change)])


def in_namespace(case: Case, *words: str) -> str:
    """A command of kubectl's in the target's namespace, if it has one.

    Args:
        case: whose target it is.
        words: the words behind ``kubectl``.
    """
    space = case.target.namespace
    return join(["kubectl", *words, *(["-n", space] if space else [])])
