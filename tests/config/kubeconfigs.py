"""Kubeconfig texts for the tests."""

from __future__ import annotations

import json
from typing import Any


def one_context(
    *, server: str = "https://k8s.test:6443", user: Any = None, cluster: Any = None, **context: Any
) -> str:
    """A kubeconfig of one context `ctx`, cluster `clu` and user `usr`. JSON is YAML."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "clu", "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": "usr", "user": {"token": "t0ken"} if user is None else user}],
            "contexts": [{"name": "ctx", "context": {"cluster": "clu", "user": "usr", **context}}],
            "current-context": "ctx",
        }
    )
