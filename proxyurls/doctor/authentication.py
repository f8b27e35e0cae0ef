"""Step 3: whether the apiserver believes who is asking, and whom it takes them for."""

from __future__ import annotations

from http import HTTPStatus

from proxyurls.doctor.case import Case, Found
from proxyurls.doctor.identity import user
from proxyurls.doctor.review import review
from proxyurls.doctor.trust import moment
from proxyurls.doctor.validity import Validity, look_into
from proxyurls.errors import APIStatusError, ConnectionFailed, CredentialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proxyurls.config import Config

_ANONYMOUS = 'User "system:anonymous" '
_IMPERSONATION = "cannot impersonate resource"
# Any question that everybody who is known may ask; what is allowed, is the next step's.
_QUESTION = {"nonResourceAttributes": {"path": "/version", "verb": "get"}}


def check(case: Case) -> str:
    """Ask the apiserver something with the credentials.

    Args:
        case: its client is used.

    Raises:
        Found: "no-credential", "credential-failed", "credential-refused", "credential-expired",
            "not-allowed" (to act as somebody else) or "no-apiserver".
        ClusterError: the apiserver failed.
    """
    try:
        _ask(case)
        who = user(case, "")
        validity = look_into(case.config, case.credentials)
    except CredentialError as error:
        text, _, remedy = str(error).partition("; ")
        raise Found("credential-failed", text, remedy) from error
    except ConnectionFailed as error:
        if not error.causes:
            raise
        text, _, remedy = str(error).rpartition("; ")
        raise Found(error.causes[0], text, remedy) from error
    except APIStatusError as error:
        raise _refusal(case, error) from error
    taken = f"{case.config.server} takes you for {who}" if who else "the apiserver believes you"
    if case.config.impersonate:
        taken = f"you may act as {who}"
    until = f", valid until {moment(validity.expires)}" if validity.expires else ""
    return f"{taken}, by {validity.text}{until}"


def _ask(case: Case) -> None:
    """Ask, and take a no for an answer where it is meant for somebody who is known."""
    try:
        review(case, "authorization.k8s.io", "SelfSubjectAccessReview", _QUESTION, {"status": {}})
    except APIStatusError as error:
        nobody = _ANONYMOUS in error.detail or _IMPERSONATION in error.detail
        if error.status != HTTPStatus.FORBIDDEN or error.reason != "Forbidden" or nobody:
            raise


def _refusal(case: Case, error: APIStatusError) -> Exception:
    """The cause of an answer that is no success; the answer itself where that says it all."""
    config = case.config
    if "no-apiserver" in error.causes:
        text, _, remedy = str(error).rpartition("; ")
        return Found("no-apiserver", text, remedy)
    if error.status == HTTPStatus.NOT_FOUND:
        text = (
            f"{config.server} answered 404 Not Found to a SelfSubjectAccessReview, "
            "which every apiserver knows"
        )
        remedy = "check the server's URL, its path too (see `proxyurls config`)"
        return Found("no-apiserver", text, remedy)
    anonymous = error.status == HTTPStatus.FORBIDDEN and _ANONYMOUS in error.detail
    if error.status != HTTPStatus.UNAUTHORIZED and not anonymous:
        if _IMPERSONATION in error.detail:
            return _no_impersonation(config, error)
        return error
    if config.credential.kind == "none":
        return _nobody(config)
    # Of a user name and password the apiserver takes no notice at all.
    if anonymous and config.credential.kind != "basic":
        return Found(
            "credential-refused",
            f"{config.server} takes you for system:anonymous: what was sent did not get there "
            f"({look_into(config, case.credentials).text})",
            "what ends TLS in front of the apiserver lets no client certificate through: use a "
            "token (--token, --user), or give --server with the apiserver's own address",
        )
    return _refused(config, look_into(config, case.credentials))


def _nobody(config: Config) -> Found:
    withheld = config.sources.get("credential", "").startswith("withheld")
    if withheld:
        return Found(
            "no-credential",
            f"the credential was not sent: {config.server} is plain http, and not this machine",
            "give the server's https address: --server https://HOST:PORT",
        )
    who = f'user "{config.user}" has none' if config.user else "no user is chosen"
    return Found("no-credential", f"no credential was sent, and {config.server} wants one: {who}")


def _refused(config: Config, validity: Validity) -> Found:
    text = f"{config.server} does not accept {validity.text}"
    if validity.expired and validity.expires:
        text = f"{validity.text}, has expired on {moment(validity.expires)}"
        return Found("credential-expired", text, validity.renewal)
    if validity.early and validity.not_before:
        text += f", not valid before {moment(validity.not_before)}"
    elif validity.expires:
        text += f", valid until {moment(validity.expires)}"
    return Found("credential-refused", text, validity.renewal)


def _no_impersonation(config: Config, error: APIStatusError) -> Found:
    import shlex

    who = config.impersonate.user
    make = ["kubectl", "create", "clusterrole", "impersonator", "--verb=impersonate"]
    make += ["--resource=users", f"--resource-name={who}"]
    return Found(
        "not-allowed",
        f'you may not act as "{who}": {error.detail}',
        f"leave --as out, or have an admin allow it: {shlex.join(make)}, and bind it to you",
    )
