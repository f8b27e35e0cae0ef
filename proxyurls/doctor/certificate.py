"""What a certificate says: for whom it is, by whom, and until when. Nothing is verified.

Python's ``ssl`` tells it of certificates alone that it trusts; doctor looks at the others. This
reads just these fields of X.509's DER (RFC 5280, section 4.1; X.690, sections 8.1 and 10.1).
"""

from __future__ import annotations

import ssl
from datetime import datetime, timezone

from proxyurls.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_OID, _UTC_TIME = 0x06, 0x17
_VERSION, _EXTENSIONS = 0xA0, 0xA3  # context-specific [0] and [3]
_DNS, _IP = 0x82, 0x87  # of a GeneralName
_COMMON_NAME, _ORGANIZATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")

Item = tuple[int, bytes]  # tag and content
_NOTHING: Item = (0, b"")


class Certificate(Record):
    """What was read of one.

    Attributes:
        subject: the common name of whom it is for; the organization where it has none; or "".
        issuer: likewise, of whom it is by.
        names: the host names and addresses that it is for.
        not_before: from when on it is valid.
        not_after: until when.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


def read_pem(pem: bytes) -> Certificate | None:
    """The first certificate in a PEM text; None where there is none that can be read.

    Args:
        pem: what a kubeconfig or a file holds.
    """
    text = pem.decode("ascii", "ignore")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    inner = text.partition(begin)[2].partition(end)[0]
    try:
        return read(ssl.PEM_cert_to_DER_cert(f"{begin}{inner}{end}"))
    except ValueError:  # no base64
        return None


def read(der: bytes) -> Certificate | None:
    """Read a certificate; None where it can't be read.

    Args:
        der: its bytes.
    """
    try:
        ((_, outer),) = _items(der)
        fields = list(_items(next(_items(outer), _NOTHING)[1]))
        if fields[0][0] == _VERSION:
            del fields[0]
        _, _, issuer, validity, subject = (content for _, content in fields[:5])
        begin, end = (_time(item) for item in _items(validity))
        extensions = next((content for tag, content in fields if tag == _EXTENSIONS), b"")
        return Certificate(
            subject=_name(subject),
            issuer=_name(issuer),
            names=tuple(_names(extensions)),
            not_before=begin,
            not_after=end,
        )
    except (ValueError, IndexError):
        return None


def _items(data: bytes) -> Iterator[Item]:
    """The elements of a DER content, one behind the other."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise ValueError("it is cut short")
        yield tag, data[at : at + length]
        at += length


def _name(content: bytes) -> str:
    """A Name: a sequence of sets of pairs of an object identifier and a text."""
    found: dict[bytes, str] = {}
    for _, relative in _items(content):
        for _, pair in _items(relative):
            (_, kind), (_, value) = _items(pair)
            found[kind] = value.decode(errors="replace")
    return found.get(_COMMON_NAME) or found.get(_ORGANIZATION) or ""


def _names(extensions: bytes) -> Iterator[str]:
    import ipaddress

    for _, listed in _items(extensions):
        for _, extension in _items(listed):
            parts = list(_items(extension))
            if parts[0] != (_OID, _ALTERNATIVE_NAMES):
                continue
            ((_, names),) = _items(parts[-1][1])
            for tag, value in _items(names):
                if tag == _DNS:
                    yield value.decode("ascii", "replace")
                elif tag == _IP and len(value) in (4, 16):
                    yield str(ipaddress.ip_address(value))


def _time(item: Item) -> datetime:
    """UTCTime has two digits for the year, GeneralizedTime four (RFC 5280, section 4.1.2.5)."""
    tag, content = item
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
