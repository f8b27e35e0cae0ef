"""Reading certificates and tokens that nobody vouches for: right, or not at all."""

from __future__ import annotations

import base64
import json
import ssl
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from proxyurls.doctor.certificate import read, read_pem
from proxyurls.doctor.claims import Claims, read_claims

NOW = datetime.now(timezone.utc).replace(microsecond=0)
CA = trustme.CA(organization_name="Größte CA")
LEAF = CA.issue_cert("*.k8s.test", "10.0.0.1", "2001:db8::1", common_name="ann")
PEM = LEAF.cert_chain_pems[0].bytes()
DER = ssl.PEM_cert_to_DER_cert(PEM.decode())


@pytest.mark.parametrize(
    "until", [NOW + timedelta(days=1), datetime(2300, 1, 1, tzinfo=NOW.tzinfo)]
)
def test_as_cryptography_reads_it(until: datetime) -> None:
    """Both ways to write a time: since 2050 the year has four digits."""
    since = NOW - timedelta(days=2)
    leaf = CA.issue_cert("a.test", "10.0.0.1", common_name="ann", not_before=since, not_after=until)
    pem = leaf.cert_chain_pems[0].bytes()
    other = x509.load_pem_x509_certificate(pem)
    found = read_pem(b"Gr\xc3\xb6\xc3\x9fe\n" + pem)
    assert found is not None
    assert (found.not_before, found.not_after) == (since, until)
    assert (found.not_before, found.not_after) == (
        other.not_valid_before_utc,
        other.not_valid_after_utc,
    )
    assert (found.subject, found.issuer) == ("ann", "Größte CA")
    names = other.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(found.names) == [str(name.value) for name in names]


def test_all_kinds_of_names() -> None:
    found = read(DER)
    assert found is not None
    assert found.names == ("*.k8s.test", "10.0.0.1", "2001:db8::1")


def test_a_ca_has_no_names() -> None:
    found = read_pem(CA.cert_pem.bytes())
    assert found is not None
    assert (found.subject, found.issuer, found.names) == ("Größte CA", "Größte CA", ())


@pytest.mark.parametrize("length", range(0, len(DER), 7))
def test_cut_short(length: int) -> None:
    assert read(DER[:length]) is None


@given(st.binary(max_size=60), st.integers(0, len(DER)), st.integers(0, 20))
def test_garbled(junk: bytes, at: int, over: int) -> None:
    """Whatever stands there, it's a certificate or None, and takes no time."""
    read(junk)
    read(DER[:at] + junk + DER[at + over :])
    read_pem(PEM[:at] + junk + PEM[at + over :])


def token(content: object) -> str:
    """A JSON Web Token that nobody signed."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return f"e30.{base64.urlsafe_b64encode(raw).decode().rstrip('=')}.c2ln"


def test_claims() -> None:
    content = {"iss": "https://sso.test", "sub": "ann", "exp": 1e9, "nbf": 0}
    assert read_claims(token(content)) == Claims(
        issuer="https://sso.test",
        account=None,
        not_before=datetime(1970, 1, 1, tzinfo=timezone.utc),
        expires=datetime(2001, 9, 9, 1, 46, 40, tzinfo=timezone.utc),
    )
    account = read_claims(token({"sub": "system:serviceaccount:shop:robot"}))
    assert account == Claims(account=("shop", "robot"))


@pytest.mark.parametrize(
    "text", ["", "abc", "a.b", "a.b.c", "a.b.c.d", token([1]), token(b"\xff"), token(b"[" * 9999)]
)
def test_no_claims(text: str) -> None:
    assert read_claims(text) is None


@pytest.mark.parametrize(
    "value", ["soon", None, [], 1e300, -1e300, float("inf"), 10**400, "2020-01-01"]
)
def test_a_time_that_is_none(value: Any) -> None:
    assert read_claims(token({"exp": value})) == Claims()
