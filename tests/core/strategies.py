"""What Hypothesis makes its texts, targets and suffixes of; one profile for all of them."""

from __future__ import annotations

import os
import string

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from proxyurls import InvalidInput, NameSegment, Target, node, pod, service
from proxyurls.segment import PORT_LIMIT
from proxyurls.suffix import clean

SETTINGS = settings(
    max_examples=int(os.environ.get("PROXYURLS_EXAMPLES", "200")),
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too

_ALNUM = string.ascii_lowercase + string.digits


def labels(limit: int = 63) -> st.SearchStrategy[str]:
    """RFC 1123 labels."""
    return st.one_of(
        st.sampled_from(["web", "http", "https", "a", "0", "80", "proxy", "kube-system", "a--b"]),
        st.builds(
            "{}{}{}".format,
            st.sampled_from(_ALNUM),
            st.text(_ALNUM + "-", max_size=limit - 2),
            st.sampled_from(_ALNUM),
        ),
    )


LABELS = labels()
SUBDOMAINS = st.lists(labels(30), min_size=1, max_size=5).map(".".join)
PORT_NUMBERS = st.one_of(
    st.sampled_from([1, 80, 443, 8443, PORT_LIMIT]), st.integers(1, PORT_LIMIT)
)
PORT_NAMES = (
    st.lists(st.text(_ALNUM, min_size=1, max_size=7), min_size=1, max_size=3)
    .map("-".join)
    .filter(lambda name: len(name) <= 15 and not name.replace("-", "").isdigit())
)
SCHEMES = st.sampled_from([None, "http", "https"])
_OPTIONAL_NUMBERS = st.none() | PORT_NUMBERS

SERVICES = st.builds(service, LABELS, LABELS, port=_OPTIONAL_NUMBERS | PORT_NAMES, scheme=SCHEMES)
PODS = st.builds(pod, SUBDOMAINS, LABELS, port=_OPTIONAL_NUMBERS, scheme=SCHEMES)
NODES = st.builds(node, SUBDOMAINS, port=_OPTIONAL_NUMBERS, scheme=SCHEMES)
TARGETS: st.SearchStrategy[Target] = st.one_of(SERVICES, PODS, NODES)

_SEGMENT_TEXT = st.text(st.characters(exclude_categories=(), exclude_characters=":"))
SEGMENTS = st.builds(
    NameSegment,
    LABELS | _SEGMENT_TEXT.filter(bool),
    st.just("") | PORT_NAMES | _SEGMENT_TEXT,
    st.sampled_from(["", "http", "https"]),
)

SERVERS = st.sampled_from(
    [
        *("", "/prefix", "/k8s/clusters/c-1"),
        *("https://host", "http://localhost:8001", "https://10.0.0.1:6443", "HTTPS://Host"),
        *("https://[::1]:6443", "https://rancher.example/k8s/clusters/c-1", "https://h/a%2Fb"),
    ]
)
HOSTS = SERVERS.filter(lambda server: server[:4].lower() == "http")

# Each of these has meant "up", "another host" or "another part" to some program or other.
NASTY = st.sampled_from(
    [
        *(
            "..",
            ".",
            "/",
            "//",
            "\\",
            "?",
            "#",
            "%",
            ":",
            ";",
            "@",
            "&",
            "=",
            "+",
            "~",
            "..;",
            "...",
        ),
        *("%2e", "%2E", "%252e", "%25252E", "%2f", "%2F", "%252F", "%5c", "%255C", "%25", "%2525"),
        *("%2", "%zz", "%u002e", "%c0%ae", "%c0%af", "%e0%80%ae", "%ff", "%E2%80%AE", "%00", "%0a"),
        *(
            "%0d%0a",
            "%09",
            "%20",
            "%2520",
            "%3f",
            "%23",
            "%3F",
            "%2523",
            "%7f",
            "%85",
            "%3a",
            "%40",
        ),
        *("\0", "\t", "\n", "\r", "\x0b", "\x1b", " ", "\x7f", "\x85", "\xa0", "\u2028", "\u3000"),
        *("\u2024", "\uff0e", "\uff0f", "\u2215", "\uff3c", "\u200b", "\u202e", "\ufeff"),
        *("\ud800", "\udc2e", "\udcff", "\udfff", "é", "e\u0301", "日", "😀", "\u212a"),
        *(
            "http://",
            "https://evil.example",
            "//evil.example",
            "https:web:443",
            "javascript:",
            "C:",
        ),
        *("/proxy/", "/proxy", "/api/v1/", "/api/v1/proxy/nodes/n/", "/api/v1/nodes/n/proxy/"),
        *("/api/v1/namespaces/a/services/b/proxy/", "/api/v1/namespaces/kube-system/secrets", "a"),
        *(
            "x",
            "user:pw@",
            "<",
            ">",
            '"',
            "'",
            "`",
            "{",
            "}",
            "|",
            "^",
            "[",
            "]",
            "*",
            "(",
            ")",
            "!",
        ),
    ]
)
SUFFIXES = st.one_of(
    st.lists(NASTY, max_size=12).map("".join),
    st.lists(
        st.sampled_from(
            [
                "..",
                "%2e%2e",
                ".%2E",
                "%252e.",
                "a",
                "",
                ".",
                "a%2Fb",
                "..%2F..",
                "..%5c..",
                "%20..",
                "..%2f",
                "%5c..",
                "a%5Cb",
                "a%252Fb",
            ]
        ),
        max_size=9,
    ).map("/".join),
    st.lists(st.one_of(NASTY, ANY_TEXT), max_size=6).map("".join),
    ANY_TEXT,
)
PLAIN_SUFFIXES = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/?%[]")


@st.composite
def urls(draw: st.DrawFn) -> str:
    """Valid proxy URLs, the removed form, and both after somebody's blunders."""
    target = draw(TARGETS)
    text = draw(SERVERS) + target.path("") + draw(st.one_of(SUFFIXES, PLAIN_SUFFIXES))
    if draw(st.booleans()):
        text = text.replace("/proxy", "").replace("/api/v1/", "/api/v1/proxy/", 1)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 4))
        text = text[:start] + draw(st.one_of(st.just(""), NASTY, ANY_TEXT)) + text[end:]
    return text


URLS = urls()
CLUSTER_URLS = st.one_of(
    ANY_TEXT,
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(["http://", "https://", "HTTP://", "ftp://", "//", "", "http:/"]),
        st.lists(st.one_of(LABELS, st.just("svc"), NASTY), max_size=6).map(".".join),
        st.sampled_from(["", ".svc", ".svc.cluster.local", ".svc.cluster.local.", "."]),
        st.one_of(st.just(""), st.builds(":{}".format, st.one_of(PORT_NUMBERS, PORT_NAMES, NASTY))),
        SUFFIXES,
    ),
)


def accepted(text: str) -> str:
    """The canonical text of a suffix; those that are refused are none of this test's business."""
    try:
        return clean(text)
    except InvalidInput:
        assume(False)
        raise
