"""Step 10: what comes back, and from whom."""

from __future__ import annotations

from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from shlex import quote

from proxyurls.causes import CAUSES, typed
from proxyurls.doctor.answer import get
from proxyurls.doctor.case import Found
from proxyurls.doctor.existence import label
from proxyurls.doctor.links import in_page, leads_to
from proxyurls.errors import ConnectionFailed
from proxyurls.status import phrase
from proxyurls.suffix import alterations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.doctor.answer import Answer
    from proxyurls.doctor.case import Case
    from proxyurls.doctor.links import Place
    from proxyurls.target import Target

_HOPS = 10
_LIKELY = 2
_LOG_LINES = 50


def check(case: Case) -> str:
    """GET the suffix, and follow redirects as long as they stay in the target.

    Raises:
        Found: the apiserver refused, or the app does not work behind it.
    """
    path = case.target.path(case.suffix).partition("#")[0]
    cookies: SimpleCookie = SimpleCookie()
    seen = set()
    while True:
        answer = _ask(case, path, cookies)
        if answer.refusal is not None or answer.causes:
            raise _refused(case, path, answer)
        seen.add((path, _sent(cookies)))
        location = answer.headers.get("Location", "")
        if answer.status not in range(300, 400) or not location:
            break
        _keep(cookies, answer)
        place = _place(case, path, location)
        if place.service:
            how = f"the app redirects from {_app(case, path)} to {place.url}"
            raise _unreachable(how, *place.service)
        if not place.path:
            return (
                f"the app redirects from {_app(case, path)} to {place.url}, "
                "which does not lead through the apiserver to this app"
            )
        if (place.path, _sent(cookies)) in seen or len(seen) > _HOPS:
            raise _circle(case, path, location, place.path)
        path = place.path
    return _judge(case, path, answer)


def _ask(case: Case, path: str, cookies: SimpleCookie) -> Answer:
    try:
        return get(case, case.target, path, _sent(cookies))
    except ConnectionFailed as error:
        if {"no-answer", "no-connection"} & set(error.causes):
            raise Found(
                "no-answer",
                f"no answer came from {_app(case, path)} within {case.timeout:g} second"
                + "s" * (case.timeout != 1),
                f"{case.command()} --request-timeout {int(case.timeout * 6)}s",
            ) from error
        why = (
            "the apiserver closed the connection without an answer, as it does when the app's "
            "breaks off or is no proper HTTP"
        )
        if "broken-off" in error.causes:
            why = f"the answer to {_app(case, path)} broke off"
        raise Found("app-broke-off", why, _log(case)) from error


def _circle(case: Case, path: str, location: str, to: str) -> Found:
    text = f"the app redirects in a circle, at {_app(case, path)}"
    if to == path and location.startswith("https:"):
        return Found("redirect-loop", text)
    # The table's remedy is for an app that wants the scheme that it has got already.
    return Found("redirect-loop", text, "check what the app's settings say of its own URL")


def _refused(case: Case, path: str, answer: Answer) -> Found:
    """The cause, where the apiserver or a TLS server in front of the app says it."""
    said = answer.refusal or f"the app answered {phrase(answer.status)} to plain http"
    # What was looked up and is there, can't be missing.
    absent = f"no-such-{case.kind}" if case.lookup.found else None
    causes = [cause for cause in answer.causes if cause.name != absent]
    names = [cause.name for cause in causes]
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        # The steps before have found that the apiserver knows the user and allows the request.
        text = f"the app itself answers {phrase(answer.status)} to {_app(case, path)} ({said})"
        return Found("app-answered", text, _log(case))
    if not names:
        return Found("apiserver-failed", f"the apiserver says: {said}")
    asked = case.target.scheme or "http"
    if names[0] == "speaks-http":
        speaks = "speaks" if len(names) == 1 else "seems to speak"
        text = f"the app {speaks} http there, and https is asked for ({said})"
        return Found("speaks-http", text, case.command(scheme="http"))
    if "speaks-https" in names and asked == "http" and not case.mute:
        text = f"the app seems to speak https, and http is asked for ({said})"
        return Found("speaks-https", text, case.command(scheme="https"))
    if "no-http" in names or names == ["speaks-https"]:
        may_be = "" if names == ["no-http"] else ", or wants a client certificate"
        text = f"what listens there speaks no HTTP{may_be} ({said})"
        return Found("no-http", text, _forward(case))
    either = ", or ".join(cause.text for cause in causes[:_LIKELY])
    if len(causes) == 1:
        if case.kind == "node":
            either = either.replace("of the pod", "of the node")
        return Found(names[0], f"{either} ({said})")
    either += ", or more" * (len(causes) > _LIKELY)
    command = case.command().replace("proxyurls fetch", "proxyurls doctor", 1)
    remedy = (
        f"`{command}` tells which, if it is run by somebody who may read services, endpoints "
        f"and pods of namespace {case.target.namespace!r}"
    )
    return Found(names[0], f"{label(case)}: {either} ({said})", remedy)


def _unreachable(how: str, other: Target, suffix: str) -> Found:
    words = typed("service", other.name, other.namespace, other.port, other.scheme)
    words += f" {quote(suffix)}" if suffix else ""
    text = f"{how}, a host that is known in the cluster alone"
    return Found("in-cluster-links", text, f"proxyurls fetch {words}")


def _judge(case: Case, path: str, answer: Answer) -> str:
    """What to think of the app's own answer."""
    what, at = phrase(answer.status), _app(case, path)
    changes = [one for one in alterations(case.suffix) if one.kind != "fragment"]
    if answer.status == 401 and "WWW-Authenticate" in answer.headers:
        raise Found(
            "needs-authorization",
            f"the app answers {what} to {at}, and asks for an Authorization header, "
            "which the apiserver removes",
            _forward(case),
        )
    if _wants_websocket(answer):
        lost = alterations(case.suffix, websocket=True)
        for one in lost:
            if one.kind == "websocket-query":
                text = f"{at} is a WebSocket, and {one.reason}: it does not get {one.before}"
                raise Found("websocket-query", text, _forward(case))
        return f"{at} is a WebSocket: it answers {what} to a plain GET, as it should"
    if answer.status >= 400 and changes:
        one = changes[0]
        text = f"the app answers {what}: it gets {one.after!r} and not {one.before!r}, as "
        raise Found("altered-suffix", text + one.reason, one.remedy)
    if answer.status >= 400:
        text = f"the app itself answers {what} to {at}; the way to it is fine"
        raise Found("app-answered", text, _log(case))
    if "text/html" in answer.headers.get("Content-Type", ""):
        for link in in_page(answer.body):
            place = _place(case, path, link)
            if place.service:
                raise _unreachable(f"the page {at} links to {place.url}", *place.service)
    note = f"; it gets {changes[0].after!r}, as {changes[0].reason}" if changes else ""
    return f"the app answers {what} to {at}{note}"


def _place(case: Case, path: str, link: str) -> Place:
    server, target = case.config.base_url, case.target
    return leads_to(link, server=server, path=path, root=target.path(), namespace=target.namespace)


def _wants_websocket(answer: Answer) -> bool:
    upgrade = answer.headers.get("Upgrade", "").lower()
    return answer.status >= 400 and (
        upgrade == "websocket" or answer.status == 426 or "Sec-WebSocket-Version" in answer.headers
    )


def _keep(cookies: SimpleCookie, answer: Answer) -> None:
    """Keep the cookies of a redirect, without which many a login goes round in a circle."""
    for text in answer.headers.get_list("Set-Cookie"):
        try:
            cookies.load(text)
        except CookieError:
            continue  # as browsers: what can't be read is not kept


def _sent(cookies: SimpleCookie) -> str:
    return "; ".join(f"{name}={morsel.coded_value}" for name, morsel in sorted(cookies.items()))


def _app(case: Case, path: str) -> str:
    """A path of the server as the app sees it."""
    return "/" + path.removeprefix(case.target.path())


def _log(case: Case) -> str:
    """The command that shows what the app logs."""
    target = case.target
    if target.kind == "pod":
        return f"kubectl logs -n {target.namespace} {target.name} --tail={_LOG_LINES}"
    selector = ((case.service or {}).get("spec") or {}).get("selector") or {}
    if target.kind == "node" or not selector:
        return CAUSES["app-answered"].remedy
    wanted = quote(",".join(f"{key}={value}" for key, value in sorted(selector.items())))
    return f"kubectl logs -n {target.namespace} -l {wanted} --tail={_LOG_LINES}"


def _forward(case: Case) -> str:
    """The command that leads to the app without HTTP in between."""
    target = case.target
    if target.kind == "node":
        return CAUSES["no-http"].remedy
    short = {"service": "svc", "pod": "pod"}[target.kind]
    port = target.port or {"https": 443}.get(target.scheme or "", 80)
    return f"kubectl port-forward -n {target.namespace} {short}/{target.name} 8080:{port}"
