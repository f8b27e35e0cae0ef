"""Why a request through the apiserver fails: one table, and how to read what is said about it.

``doctor`` finds out which cause it is; ``fetch``, the gateway's pages and the library's errors name
those that an answer alone leaves possible. All take their words from here. docs/doctor.md lists it.
"""

from __future__ import annotations

import re

from proxyurls.record import Record
from proxyurls.segment import join_segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.target import Target


class Cause(Record):
    """One reason why a target can't be reached, or does not work.

    Attributes:
        name: a stable name, for tools.
        text: what is wrong, as a clause that can follow a colon or "because".
        remedy: what to do or to type, where no more is known than the cause itself.
    """

    name: str
    text: str
    remedy: str


_TABLE = (
    # configuration
    (
        "no-config",
        "nothing says where the apiserver is",
        "give --kubeconfig FILE, or type: export KUBECONFIG=FILE",
    ),
    (
        "wrong-config",
        "the configuration is wrong",
        "mend the file that is named, or choose another --kubeconfig or --context",
    ),
    # connection
    ("unknown-host", "the host name is not known", "check --server or --context"),
    ("refused", "connection refused", "is it running there? Check --server or --context"),
    (
        "no-connection",
        "no answer within the time limit",
        "check the network, or raise --request-timeout",
    ),
    (
        "no-answer",
        "connected, but no answer came within the time limit",
        "raise --request-timeout",
    ),
    ("not-tls", "it does not speak TLS", "is it http://…?"),
    ("tls-expected", "it speaks TLS, and was asked without", "is it https://…?"),
    (
        "unknown-authority",
        "its certificate is signed by none that is trusted",
        "check certificate-authority (see `proxyurls config`)",
    ),
    (
        "wrong-certificate-name",
        "its certificate is for another name",
        "check the server's name, or give --tls-server-name",
    ),
    (
        "certificate-expired",
        "its certificate has expired",
        "have it renewed (`kubeadm certs renew apiserver`, on a control plane that kubeadm made)",
    ),
    (
        "certificate-not-yet-valid",
        "its certificate is not valid yet",
        "wait until it is, or have it issued anew by a machine whose clock is right",
    ),
    (
        "tls-refused",
        "no TLS connection comes about",
        "does a firewall or proxy in between break TLS? Check --server and --tls-server-name",
    ),
    (
        "wrong-clock",
        "the clocks of this machine and of the apiserver differ",
        "set the clock (`timedatectl set-ntp true`)",
    ),
    (
        "proxy-refused",
        "a proxy in between refused",
        "check proxy-url in the kubeconfig, or HTTPS_PROXY",
    ),
    (
        "no-apiserver",
        "it is no apiserver, or a login page or gateway stands in front of it",
        "check --server or --context",
    ),
    (
        "closed",
        "it closed the connection without an HTTP answer",
        (
            "an apiserver does so when the app behind breaks off, and anything else there does "
            "not speak HTTP (is it https://…?)"
        ),
    ),
    (
        "broken-off",
        "its answer broke off",
        "try again; if it happens again, what stands in between cuts it",
    ),
    (
        "wrong-compression",
        "its answer is not compressed as its Content-Encoding says",
        "what stands in between garbles it: try --server with the apiserver's own address",
    ),
    # authentication and authorization
    ("no-credential", "there is no credential", "choose a --context or --user that has one"),
    (
        "credential-failed",
        "there is no usable credential",
        "mend the kubeconfig's user (`proxyurls config` says where), or choose another --user",
    ),
    (
        "credential-refused",
        "it does not accept these credentials",
        "see `proxyurls config`",
    ),
    ("credential-expired", "the credential has expired", "log in again"),
    (
        "not-allowed",
        "these credentials are not allowed to do that",
        "ask for that permission (RBAC), or choose another --context or --namespace",
    ),
    # the object
    ("no-such-namespace", "there is no such namespace", "`kubectl get namespaces` lists them"),
    ("no-such-service", "there is no such service", "`proxyurls services -A` lists them"),
    ("no-such-pod", "there is no such pod", "`kubectl get pods` lists them"),
    ("no-such-node", "there is no such node", "`kubectl get nodes` lists them"),
    # its port and protocol
    ("no-such-port", "it has no such port", "`proxyurls services` lists its ports"),
    ("port-needed", "its ports have names, so one must be typed", "type NAME:PORT"),
    (
        "not-tcp",
        "the apiserver proxies HTTP, and the port is not TCP",
        "`kubectl port-forward` takes no UDP either: ask from a pod",
    ),
    (
        "external-name",
        "an ExternalName is a DNS alias: there is nothing to proxy to",
        "ask that host itself",
    ),
    # its endpoints
    (
        "no-endpoints",
        "nothing says which addresses are behind the service",
        "give it a selector, or an Endpoints object",
    ),
    (
        "selector-mismatch",
        "no pod has the labels that the service selects",
        "mend the selector or the pods' labels",
    ),
    (
        "scaled-to-zero",
        "the workload behind it is to have no pods",
        "`kubectl scale --replicas=1` its deployment or statefulset",
    ),
    (
        "pods-not-ready",
        "no ready pod is behind it",
        "`kubectl get pods` and `kubectl describe pod` say why",
    ),
    (
        "port-not-served",
        "its endpoints have no port of that name",
        "compare the service's targetPort with the containers' ports",
    ),
    (
        "no-target-ref",
        "the endpoint names no pod of its namespace that has its address",
        "give the endpoint a targetRef, or ask it without the apiserver",
    ),
    (
        "address-not-allowed",
        "the pod has no address yet, or one that is never proxied to (loopback, link-local)",
        "wait until the pod runs",
    ),
    ("nothing-listens", "nothing listens on that port of the pod", "check the app's own port"),
    (
        "no-way-to-pod",
        "the apiserver has no way to the pod",
        "check network policies and the firewall between apiserver and nodes",
    ),
    # the scheme
    ("speaks-http", "the app speaks http there", "type http:NAME:PORT"),
    ("speaks-https", "the app seems to speak https", "type https:NAME:PORT"),
    ("no-http", "the app may speak no HTTP at all", "use `kubectl port-forward`"),
    # the response
    ("redirect-loop", "the app redirects in a circle", "tell it that TLS ends in front of it"),
    (
        "in-cluster-links",
        "the app leads to a host that is known in the cluster alone",
        "set its external URL, or open that service by itself",
    ),
    (
        "needs-authorization",
        "the app asks for an Authorization header, and the apiserver removes it",
        "use `kubectl port-forward`, or a login by cookie",
    ),
    (
        "websocket-query",
        "a WebSocket loses its query at the apiserver (kubernetes#77142)",
        "use `kubectl port-forward`",
    ),
    ("altered-suffix", "the app gets another path than was asked for", "see `proxyurls parse`"),
    ("app-broke-off", "the app broke off its answer", "look at its log"),
    ("apiserver-failed", "the apiserver could not pass the request on", "look at its message"),
    ("app-answered", "the app itself answered so", "look at its log"),
)
CAUSES = {row[0]: Cause(*row) for row in _TABLE}

# What the apiserver says, and the causes that say so: tests/contract and tests/doctor have each.
_NO_ENDPOINTS = ("selector-mismatch", "scaled-to-zero", "port-not-served", "no-target-ref")
_SAID = (
    (r'^services "[^"]*" not found', ("no-such-service", "no-endpoints")),
    (r'^pods "[^"]*" not found', ("no-such-pod",)),
    (r'^nodes "[^"]*" not found', ("no-such-node",)),
    (
        r'no endpoints available for service "(?:https?:)?[^":]*:[^":0-9][^":]*"',
        ("no-such-port", "pods-not-ready", *_NO_ENDPOINTS),
    ),
    ("no endpoints available", ("pods-not-ready", "port-needed", *_NO_ENDPOINTS)),
    ("no service port", ("no-such-port",)),
    ("address not allowed|no preferred addresses found", ("address-not-allowed",)),
    ("does not look like a TLS handshake", ("speaks-http",)),
    # An alert is how TLS servers answer what is no TLS; SSH, Redis and others have own greetings.
    (r'malformed HTTP response "\\x15\\x03', ("speaks-https",)),
    ("malformed HTTP response", ("no-http",)),
    (
        "connection reset by peer|trying to reach service: (?:unexpected )?EOF",
        ("speaks-https", "no-http"),
    ),
    # What awaits a line of HTTP lets a TLS client wait.
    ("TLS handshake timeout", ("speaks-http", "no-answer")),
    ("trying to reach service.*connection refused", ("nothing-listens",)),
    (
        "trying to reach service.*(?:timeout|deadline exceeded|no route to host|unreachable)",
        ("no-way-to-pod",),
    ),
)
_LONGEST = 4000  # characters of a message to look at: these patterns' time goes by its square
# Where the apiserver's own message says what is wrong.
_PLAIN = ("no-such-pod", "no-such-node", "no-such-port", "not-allowed")


def advice(found: tuple[Cause, ...], target: Target | None = None) -> str:
    """What to say behind an apiserver's message: the cause and its remedy, or how to tell which.

    Args:
        found: the causes that are possible, at least one.
        target: what was asked, for the command that tells which.
    """

    def fill(scheme: str | None) -> str:
        if target is None:
            return f"{scheme}:NAME:PORT" if scheme else "TARGET"
        where = target.namespace
        return typed(target.kind, target.name, where, target.port, scheme or target.scheme)

    if len(found) > 1:
        likely = ", or ".join(one.text for one in found[:2])
        more = ", or more" if len(found) > 2 else ""
        probe = " --probe" if CAUSES["no-http"] in found else ""
        return f"{likely}{more}: `proxyurls doctor {fill(None)}{probe}` tells which"
    remedy = found[0].remedy
    for scheme in ("https", "http"):
        remedy = remedy.replace(f"{scheme}:NAME:PORT", fill(scheme))
    return remedy if found[0].name in _PLAIN else f"{found[0].text}: {remedy}"


def typed(
    kind: str, name: str, namespace: str | None, port: int | str | None, scheme: str | None
) -> str:
    """How a target is typed for a command, its namespace included."""
    shown = f"{name}.{namespace}" if kind == "service" else name
    segment = join_segment(shown, "" if port is None else str(port), scheme or "")
    if kind == "service":
        return segment
    return f"{kind}/{segment}" + (f" -n {namespace}" if kind == "pod" else "")


def of_message(message: str) -> tuple[Cause, ...]:
    """The causes that a message of the apiserver's proxy leaves possible, the likeliest first.

    Args:
        message: that of its Status object.

    Returns:
        none where the message is not one of the proxy's.
    """
    for pattern, names in _SAID:
        if re.search(pattern, message[:_LONGEST]):
            return tuple(CAUSES[name] for name in names)
    return ()
