"""Finds out why a target can't be reached or does not work: ten steps, down to the first cause.

It changes nothing: it sends GET, and the reviews by which users ask about themselves.
A step is a module with one function ``check(case)``. It returns what it found (`Skipped` where it
does not apply or can't tell) or raises `Found`, which ends the examination.
"""

from __future__ import annotations

from proxyurls.doctor import (
    authentication,
    authorization,
    configuration,
    connection,
    endpoints,
    existence,
    port,
    protocol,
    response,
    scheme,
)
from proxyurls.doctor.case import FAILED, OK, SKIPPED, Case, Found, Skipped, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["STEPS", "Case", "Step", "examine"]

STEPS = (
    configuration,
    connection,
    authentication,
    authorization,
    existence,
    port,
    protocol,
    endpoints,
    scheme,
    response,
)


def examine(case: Case) -> Iterator[Step]:
    """Go through the steps, and stop where the cause is found.

    Args:
        case: what to look into. Close it afterwards.

    Returns:
        each step as it is done. The last one bears the cause, if one was found.

    Raises:
        ClusterError: the apiserver failed in the middle, in a way that no step looks for.
    """
    for step in STEPS:
        name = step.__name__.rpartition(".")[2]
        try:
            text = step.check(case)
        except Found as found:
            yield Step(name, FAILED, found.text, found.cause, _complete(found.remedy, case.options))
            return
        yield Step(name, SKIPPED if isinstance(text, Skipped) else OK, text)


def _complete(remedy: str, options: str) -> str:
    """A remedy that is a command, with the options that chose the cluster."""
    is_command = remedy.startswith(("proxyurls ", "kubectl ")) and "\n" not in remedy
    return f"{remedy} {options}" if is_command and options else remedy
