"""Tokens of service accounts, signed with the apiserver's own key: for any time there is."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from contract.cluster import APIServer

ISSUER = "https://kubernetes.default.svc"


def account_token(
    apiserver: APIServer, namespace: str, name: str, *, seconds: float, since: float = 0
) -> str:
    """A token of a service account that is there.

    Args:
        apiserver: whose.
        namespace: the account's.
        name: the account's.
        seconds: how long it is good from now on; less than none is how long it has expired.
        since: seconds until it is good.
    """
    account = apiserver.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}").json()
    now = time.time()
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "iat": int(now + min(seconds, 0) - 60),
        "nbf": int(now + since + min(seconds, 0) - 60),
        "exp": int(now + seconds),
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
        },
    }
    key = load_pem_private_key((apiserver.ca_file.parent / "sa.key").read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    signed = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ECDSA(SHA256())))
    return f"{signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(content: dict[str, Any]) -> str:
    return _text(json.dumps(content).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
