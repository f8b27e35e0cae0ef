"""A user with rights in some namespaces alone: what is refused is said, and nothing looks whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from discovery.commands import Done, kubeconfig, proxyurls, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from contract.cluster import APIServer

    Typed = Callable[..., Done]

SEEN, HIDDEN = "faults-seen", "faults-hidden"
USER = f"system:serviceaccount:{SEEN}:partly"
REFUSED = (
    'error: the apiserver at {server} answered 403 Forbidden: services is forbidden: User "{user}" '
    'cannot list resource "services" in API group "" {where}; ask for that permission (RBAC), or '
    "choose another --context or --namespace"
)


@pytest.fixture(scope="module")
def token(apiserver: APIServer) -> str:
    """Of one who may list services in one of two namespaces, and reach no app."""
    for namespace in (SEEN, HIDDEN):
        apiserver.add_namespace(namespace)
        apiserver.add_service(f"in-{namespace}", namespace, endpoints=False)
    apiserver.grant(USER, verbs=["get", "list"], resources=["services"], namespace=SEEN)
    return apiserver.service_account_token(SEEN, "partly")


@pytest.fixture
def typed(apiserver: APIServer, token: str, tmp_path: Path) -> Typed:
    """Type a command as that user."""
    path = kubeconfig(
        tmp_path / "config",
        apiserver.server,
        user={"token": token},
        cluster={"certificate-authority": str(apiserver.ca_file)},
        namespace=SEEN,
    )
    env = {**os.environ, "KUBECONFIG": str(path)}

    def typed(*words: str, program: str = "") -> Done:
        return run(program, *words, env=env) if program else proxyurls(*words, env=env)

    return typed


def refused(apiserver: APIServer, where: str) -> str:
    return REFUSED.format(server=apiserver.server, user=USER, where=where)


@pytest.mark.parametrize("output", ["", "name", "url", "json", "yaml", "wide"])
def test_all_namespaces(apiserver: APIServer, typed: Typed, output: str) -> None:
    """The list of all is refused as a whole, and not made of those that may be read."""
    done = typed("services", "-A", *(["-o", output] if output else []))
    assert (done.code, done.out) == (1, b"")
    assert done.error == refused(apiserver, "at the cluster scope")


def test_so_does_kubectl(apiserver: APIServer, typed: Typed) -> None:
    """It says the same of the same request."""
    if apiserver.kubectl is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    done = typed("get", "services", "-A", program=str(apiserver.kubectl))
    assert (done.code, done.out) == (1, b"")
    assert b"Error from server (Forbidden): services is forbidden" in done.err
    assert b"at the cluster scope" in done.err


def test_what_is_allowed(typed: Typed) -> None:
    """The remedy's -n: the namespace that may be read, and a look-up in it."""
    assert typed("services", "-n", SEEN, "-o", "name").lines == [f"service/in-{SEEN}"]
    found = typed("url", "--resolve", f"in-{SEEN}")
    assert found.code == 0
    assert found.text.endswith(f"/api/v1/namespaces/{SEEN}/services/in-{SEEN}:80/proxy/\n")


@pytest.mark.parametrize("words", [("url", "--resolve"), ("fetch",)])
def test_a_bare_name(typed: Typed, words: tuple[str, ...]) -> None:
    """It's looked for in the context's namespace, and said to be missing there and nowhere else."""
    done = typed(*words, f"in-{HIDDEN}")
    assert (done.code, done.out) == (1, b"")
    assert done.error.startswith(
        f"error: no service fits 'in-{HIDDEN}' in namespace '{SEEN}'; near: "
    )
    assert f".{HIDDEN}" not in done.error


def test_a_name_in_the_other_namespace(apiserver: APIServer, typed: Typed) -> None:
    """A look-up needs the list, and says so; `fetch` asks for the app itself, and is refused."""
    where = f'in the namespace "{HIDDEN}"'
    done = typed("url", "--resolve", f"in-{HIDDEN}.{HIDDEN}")
    assert (done.code, done.out) == (1, b"")
    assert done.error == refused(apiserver, where)
    done = typed("fetch", f"in-{HIDDEN}.{HIDDEN}")
    note, error = done.err.decode().splitlines()
    assert done.code == 1
    assert note.startswith("note: services can't be looked up (services is forbidden: ")
    assert f'cannot get resource "services/proxy" in API group "" {where}' in error
    assert b'"kind":"Status"' in done.out  # the apiserver's answer, as curl shows it
