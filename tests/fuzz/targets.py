"""All targets, by name."""

from . import cluster, core, gateway, words
from .registry import TARGETS

__all__ = ["TARGETS", "cluster", "core", "gateway", "words"]
