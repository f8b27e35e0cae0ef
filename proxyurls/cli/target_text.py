"""What people type for a TARGET, and what is meant by it.

::

    TARGET  = [KIND "/"] segment            KIND: svc service services po pod pods no node nodes
            | NAME "." NAMESPACE [":" PORT]                   services only: the dots in a
            | SCHEME ":" NAME "." NAMESPACE ":" [PORT]        pod's or node's name are its own
            | in-cluster URL                http://grafana.monitoring.svc:3000/d/x
            | proxy URL or path             https://host/api/v1/namespaces/…/proxy/…
    segment = NAME | NAME ":" PORT | SCHEME ":" NAME ":" [PORT]
"""

from __future__ import annotations

import re

from proxyurls.errors import InvalidInput, InvalidSuffix, InvalidTarget, InvalidURL
from proxyurls.record import Record
from proxyurls.segment import check_name, check_port, join_segment, split_segment
from proxyurls.target import Target
from proxyurls.urls import ProxyURL, from_cluster_url, is_removed_form, parse_url

KINDS = {
    **dict.fromkeys(("svc", "service", "services"), "service"),
    **dict.fromkeys(("po", "pod", "pods"), "pod"),
    **dict.fromkeys(("no", "node", "nodes"), "node"),
}
# What people proxy to with kubectl port-forward, and the apiserver does not.
_OTHER_KINDS = (
    "deploy deployment deployments rs replicaset replicasets sts statefulset statefulsets ds "
    "daemonset daemonsets job jobs ing ingress ingresses ep endpoints ns namespace"
)
_HOST = r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)"


class TargetText(Record):
    """A TARGET as it was typed, each part validated.

    Attributes:
        kind: "service", "pod" or "node".
        name: its name.
        namespace: the one in TARGET or in -n; None if neither names one, and for nodes.
        port: a number, a name, or None. A name on a pod only where it will be resolved.
        scheme: "http", "https" or None.
        suffix: what a URL had behind the target: "" or text that starts with "/".
        server: the server that a URL was pasted from, or "".
        removed: whether that URL had the form that Kubernetes 1.10 removed.
    """

    kind: str
    name: str
    namespace: str | None
    port: int | str | None = None
    scheme: str | None = None
    suffix: str = ""
    server: str = ""
    removed: bool = False

    def target(self, namespace: str = "default") -> Target:
        """The target.

        Args:
            namespace: the one to use where none was typed: the context's.

        Raises:
            InvalidTarget: the namespace can't exist, or a pod's port is a name.
        """
        where = None if self.kind == "node" else self.namespace or namespace
        return Target(self.kind, self.name, where, self.port, self.scheme)

    def with_suffix(self, suffix: str | None) -> str:
        """The suffix to use: the SUFFIX argument, or the pasted URL's.

        Raises:
            InvalidSuffix: both are there.
        """
        if suffix and self.suffix:
            raise InvalidSuffix(
                f"TARGET already holds the suffix {self.suffix!r} and SUFFIX is {suffix!r}; "
                "drop SUFFIX, or cut TARGET off behind its host or /proxy/",
                text=suffix,
            )
        return suffix or self.suffix


def parse_target(text: str, *, namespace: str | None = None, resolves: bool = False) -> TargetText:
    """Read a TARGET.

    Args:
        text: what was typed.
        namespace: what -n says, if it was given.
        resolves: whether the command looks the target up in the cluster, so that a pod's port
            may be a name.

    Raises:
        InvalidInput: it is none, or contradicts -n.
    """
    if namespace is not None:
        check_name("namespace", namespace)
    if not text:
        raise InvalidTarget("TARGET is empty; type a service's name, or pod/NAME or node/NAME")
    found = _parse_link(text) if is_link(text) else _parse_words(text, resolves=resolves)
    if found.kind == "node":
        if namespace is not None:
            raise InvalidTarget(
                f"a node has no namespace, so node {found.name!r} can't be in {namespace!r}; "
                "leave -n out",
                text=namespace,
            )
        return found
    if namespace is None or namespace == found.namespace:
        return found
    if found.namespace is not None:
        raise InvalidTarget(
            f"TARGET says namespace {found.namespace!r} and -n says {namespace!r}; "
            "leave one of them out",
            text=text,
        )
    return found.replaced(namespace=namespace)


def is_link(text: str) -> bool:
    """Whether a TARGET is a URL or a path, and not a name."""
    return "://" in text or text[:1] == "/" or "/api/v1/" in f"/{text}"


def parse_link(text: str) -> tuple[ProxyURL, str | None]:
    """Read a proxy URL or path, or an in-cluster URL.

    Args:
        text: what was pasted.

    Returns:
        the URL in parts, and the host of an in-cluster URL, which None tells from a proxy URL.

    Raises:
        InvalidInput: it is neither, or of something that can't exist.
    """
    text = text.strip()
    if text.startswith("api/v1/"):
        text = f"/{text}"
    scheme = re.match(_HOST, text)
    host = re.sub(r":[^:\]]*$", "", scheme[1]) if scheme else ""
    try:
        return parse_url(text), None
    except InvalidURL:
        path = re.split(r"[?#]", text[scheme.end() :] if scheme else text)[0]
        if not scheme or "@" in host or (re.search(r"/apis?/", path) and ".svc" not in host):
            raise
    if host == "localhost" or re.fullmatch(r"\[.*|[0-9.]+", host):
        raise InvalidURL(
            f"not a proxy URL and not an in-cluster URL: {text!r}: {host!r} is no service; "
            "type a service's name, or http://NAME.NAMESPACE.svc:PORT/…",
            text=text,
        )
    target, suffix = from_cluster_url(text)
    return ProxyURL("", target, suffix), host


def _parse_link(text: str) -> TargetText:
    url, host = parse_link(text)
    target = url.target
    return TargetText(
        target.kind,
        target.name,
        # http://grafana:3000 means the namespace that one is in.
        None if host is not None and "." not in host else target.namespace,
        target.port,
        target.scheme,
        url.suffix,
        url.server,
        host is None and is_removed_form(text),
    )


def _parse_words(text: str, *, resolves: bool) -> TargetText:
    prefix, slash, rest = text.partition("/")
    kind = KINDS.get(prefix) if slash else None
    if kind is None:
        prefix = ""
        kind, rest = "service", text
        if slash:
            raise _slash_refusal(text)
    else:
        prefix += "/"
    cut = re.search(r"[/?#]", rest)
    if cut:
        head, tail = rest[: cut.start()], rest[cut.start() :]
        raise InvalidTarget(
            f"invalid TARGET {text!r}: a name holds no {cut[0]!r}; "
            f"type the suffix as a word of its own: {prefix}{head} '{tail}'",
            text=text,
            span=(len(prefix) + cut.start(), len(text)),
        )
    if rest[:1] == "[" or rest.count("::"):
        raise InvalidTarget(
            f"invalid TARGET {text!r}: an address can't stand in a proxy URL; "
            "type the name of its service, pod or node",
            text=text,
        )
    name, port, scheme = split_segment(rest)
    if name in ("http", "https") and rest.count(":") == 1:
        raise _scheme_refusal(text, prefix, name, port)
    if kind == "service" and "." in port and "." not in name:
        number, _, where = port.partition(".")
        raise InvalidTarget(
            f"invalid TARGET {text!r}: the port stands behind the namespace; "
            f"did you mean {f'{prefix}{name}.{where}:{number}'!r}?",
            text=text,
        )
    namespace = None
    if kind == "service" and "." in name:
        name, namespace = _split_dots(text, name, port, scheme)
    return _check(kind, name, namespace, port, scheme, resolves=resolves)


def _check(
    kind: str, name: str, namespace: str | None, port: str, scheme: str, *, resolves: bool
) -> TargetText:
    """Validate the parts as Target does, and let a pod's port be a name if it is resolved."""
    if kind == "pod" and port and not port.isdigit():
        check_name(kind, name)
        if not resolves:
            try:
                check_port(kind, port)
            except InvalidInput as error:
                raise InvalidTarget(
                    f"{error}, or use --resolve, which looks it up", text=port
                ) from None
        return TargetText(kind, name, namespace, check_port("service", port), scheme or None)
    where = None if kind == "node" else "default" if namespace is None else namespace
    target = Target(kind, name, where, port, scheme)
    return TargetText(kind, name, namespace, target.port, target.scheme)


def _split_dots(text: str, name: str, port: str, scheme: str) -> tuple[str, str]:
    """NAME.NAMESPACE, as in DNS."""
    parts = name.split(".")
    if len(parts) == 2:
        return parts[0], parts[1]
    if all(part.isdigit() for part in parts):
        remedy = f"an address is no service; a node of that name is node/{name}"
    elif parts[2] == "svc":
        meant = join_segment(f"{parts[0]}.{parts[1]}", port, scheme)
        url = f"{scheme or 'http'}://{name}{port and ':' + port}/"
        remedy = f"did you mean {meant!r}, or the in-cluster URL {url!r}?"
    else:
        remedy = f"type NAME.NAMESPACE, or pod/{name} or node/{name}, whose dots are their own"
    raise InvalidTarget(
        f"invalid TARGET {text!r}: a service is NAME.NAMESPACE and {name!r} has "
        f"{len(parts)} parts; {remedy}",
        text=text,
    )


def _scheme_refusal(text: str, prefix: str, scheme: str, rest: str) -> InvalidTarget:
    """``https:web`` means port "web" of a service "https", which nobody means."""
    if rest.isdigit():
        meant = f"{prefix}{scheme}:NAME:{rest}"
    else:
        meant = f"{prefix}{scheme}:{rest or 'NAME'}:"
    kind = KINDS.get(prefix[:-1], "service")
    return InvalidTarget(
        f"invalid TARGET {text!r}: two parts are NAME:PORT, so this is a {kind} named {scheme!r}; "
        f"did you mean {meant!r}? (for a {kind} really named {scheme!r}: "
        f"{f'{prefix}:{scheme}:{rest}'!r})",
        text=text,
    )


def _slash_refusal(text: str) -> InvalidTarget:
    head, _, tail = text.partition("/")
    known = KINDS.get(head.lower())
    if known:
        remedy = f"kinds are written in lower case; did you mean {f'{head.lower()}/{tail}'!r}?"
    elif head.lower() in _OTHER_KINDS.split():
        remedy = (
            "the apiserver proxies to services, pods and nodes alone; "
            f"type the name of its service, or pod/NAME, and not {head}/…"
        )
    else:
        remedy = f"type the suffix as a word of its own: {head} '/{tail}'"
        if re.fullmatch(r"[a-z][a-z0-9-]*(?::.*)?", tail) and ":" not in head:
            name, colon, port = tail.partition(":")
            remedy += f" (or, if {head!r} is the namespace: {name}.{head}{colon}{port})"
    return InvalidTarget(
        f"invalid TARGET {text!r}: {head!r} is no kind (svc, pod, node); {remedy}",
        text=text,
        span=(0, len(head)),
    )
