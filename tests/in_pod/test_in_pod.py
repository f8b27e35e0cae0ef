"""In a pod: a service account's folder, two variables, and the real apiserver's own token."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING

import pytest
from contract.upstream import Upstream, arrived

from in_pod.pod import PLACE, Pod
from proxyurls import APIStatusError, Cluster, Config, load_config

if TYPE_CHECKING:
    from pathlib import Path

    from contract.cluster import APIServer
    from contract.fixtures import Serve

NAMESPACE = "garden"
NUMBERS = itertools.count()
IPV6 = pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])


@pytest.fixture(scope="module")
def app(apiserver: APIServer, serve: Serve) -> Upstream:
    """The app behind the namespace's one service, ``shed``."""
    made = serve()
    apiserver.add_namespace(NAMESPACE)
    apiserver.add_service("shed", NAMESPACE, upstream=made.address)
    return made


@pytest.fixture
def account(apiserver: APIServer, app: Upstream) -> str:
    """A service account that may list services, and use the proxy of one segment."""
    name = f"gardener-{next(NUMBERS)}"
    apiserver.service_account_token(NAMESPACE, name)
    user = f"system:serviceaccount:{NAMESPACE}:{name}"
    apiserver.grant(user, verbs=["list", "get"], resources=["services"], namespace=NAMESPACE)
    apiserver.grant(
        user,
        verbs=["get"],
        resources=["services/proxy"],
        names=["shed:80"],
        namespace=NAMESPACE,
    )
    return name


@pytest.fixture
def pod(apiserver: APIServer, account: str, tmp_path: Path) -> Pod:
    token = apiserver.service_account_token(NAMESPACE, account)
    return Pod(tmp_path, apiserver, NAMESPACE, token)


def config_of(pod: Pod, *, ipv6: bool = False) -> Config:
    """The Config that a program in the pod gets."""
    return load_config(environ=pod.environ(ipv6=ipv6), _service_account=str(pod.mount))


def skip_without_ipv6(apiserver: APIServer, *, ipv6: bool) -> None:
    if ipv6 and apiserver.server6 is None:
        pytest.skip("this machine has no ::1")


@IPV6
def test_library(pod: Pod, *, ipv6: bool) -> None:
    """Server, CA, token and namespace are the pod's, and the server takes them."""
    skip_without_ipv6(pod.apiserver, ipv6=ipv6)
    config = config_of(pod, ipv6=ipv6)
    assert config.server == (pod.apiserver.server6 if ipv6 else pod.apiserver.server)
    assert config.namespace == NAMESPACE
    assert config.credential.kind == "token-file"
    with Cluster(config) as cluster:
        (service,) = cluster.services()
        assert str(cluster.resolve("shed").target.segment) == "shed:80"
    assert service.url == (f"{config.server}/api/v1/namespaces/{NAMESPACE}/services/shed:80/proxy/")


@IPV6
def test_fetch(pod: Pod, app: Upstream, *, ipv6: bool) -> None:
    """The command line in a process of its own, with nothing at home."""
    skip_without_ipv6(pod.apiserver, ipv6=ipv6)
    done = pod.proxyurls("fetch", "shed", "/x", ipv6=ipv6)
    assert (done.returncode, done.stderr) == (0, "")
    assert arrived(done.stdout.encode()).target == "/x"
    assert app.last.values("Authorization") == []
    assert list(pod.home.iterdir()) == []


@IPV6
def test_services_and_url(pod: Pod, *, ipv6: bool) -> None:
    skip_without_ipv6(pod.apiserver, ipv6=ipv6)
    server = pod.apiserver.server6 if ipv6 else pod.apiserver.server
    root = f"{server}/api/v1/namespaces/{NAMESPACE}/services"
    done = pod.proxyurls("services", "-o", "url", ipv6=ipv6)
    assert (done.returncode, done.stdout) == (0, f"{root}/shed:80/proxy/\n")
    done = pod.proxyurls("url", "shed", "/x", ipv6=ipv6)
    assert (done.stdout, done.stderr) == (f"{root}/shed/proxy/x\n", "")


def test_config(pod: Pod) -> None:
    """It is told that it is the pod's, and no token is shown."""
    done = pod.proxyurls("config", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["server"] == pod.apiserver.server
    assert told["namespace"] == NAMESPACE
    assert told["credential"] == "token-file"
    assert told["tls"]["ca"] == f"{PLACE}/ca.crt"
    assert told["sources"]["server"] == f"service account {PLACE}"
    assert told["sources"]["namespace"] == f"{PLACE}/namespace"
    text = pod.proxyurls("config")
    token = (pod.mount / "token").read_text()
    for part in token.split("."):
        assert part not in done.stdout + text.stdout + text.stderr


def test_kubeconfig_comes_first(pod: Pod) -> None:
    """A kubeconfig is stronger, wherever it is."""
    kubeconfig = str(pod.apiserver.kubeconfig)
    done = pod.proxyurls("config", "-o", "json", KUBECONFIG=kubeconfig)
    assert json.loads(done.stdout)["sources"]["server"] == f"$KUBECONFIG {kubeconfig}"
    (pod.home / ".kube").mkdir()
    (pod.home / ".kube" / "config").symlink_to(kubeconfig)
    done = pod.proxyurls("config", "-o", "json")
    assert json.loads(done.stdout)["context"] == "admin"


def test_flags_come_first(pod: Pod) -> None:
    """-n is stronger than the pod's namespace, --token than its token."""
    assert "/namespaces/other/" in pod.proxyurls("url", "shed", "-n", "other").stdout
    done = pod.proxyurls("fetch", "shed:80", "--token", "wrong")
    assert done.returncode == 1
    assert "answered 401 Unauthorized" in done.stderr


def test_account_is_named_in_refusals(pod: Pod, account: str) -> None:
    """What the role doesn't allow is refused, in the words that an admin needs."""
    done = pod.proxyurls("fetch", "https:shed:")
    assert done.returncode == 1
    assert (
        f'services "https:shed:" is forbidden: User "system:serviceaccount:{NAMESPACE}:{account}" '
        'cannot get resource "services/proxy"'
    ) in done.stderr


def test_another_ca(pod: Pod) -> None:
    """Only the pod's own ca.crt is believed."""
    from trustme import CA

    ca = pod.mount / "ca.crt"
    ca.unlink()
    ca.write_bytes(CA().cert_pem.bytes())
    done = pod.proxyurls("fetch", "shed:80")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the certificate of {pod.apiserver.server} is not trusted" in done.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "is empty; it must hold one token"), ("a\nb", "holds more than one line")],
)
def test_rubbish_for_a_token(pod: Pod, content: str, reason: str) -> None:
    pod.rotate(content)
    done = pod.proxyurls("fetch", "shed:80")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: token file {PLACE}/token {reason}")
    assert done.stderr.count("\n") == 1


def test_not_in_a_pod(pod: Pod) -> None:
    """Without the variables there is no cluster: one line that names all four sources."""
    done = pod.proxyurls("fetch", "shed", KUBERNETES_SERVICE_HOST="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    for source in ("--server", "--kubeconfig", "$KUBECONFIG", ".kube/config", "service account"):
        assert source in done.stderr


def works(cluster: Cluster) -> bool:
    return [service.name for service in cluster.services()] == ["shed"]


def invalidate(apiserver: APIServer, account: str, token: str) -> None:
    """Remove the account, and wait until the server has forgotten that the token was good."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}"
    assert apiserver.request("DELETE", path).status == 200
    end = time.monotonic() + 30  # ten seconds with a real server
    while apiserver.get(path, token=token).status != 401:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_rotation(pod: Pod, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Cluster that runs on takes up the new token, however the old one ends.

    First as the kubelet does it, long before the old one ends; then a token is put there without
    a sign of it, as on a file system that hides changes, so that the server's 401 tells first.
    """
    apiserver = pod.apiserver
    first = (pod.mount / "token").read_text()
    with Cluster(config_of(pod)) as cluster, Cluster(config_of(pod)) as other:
        assert works(cluster)
        assert works(other)
        freeze_signature(monkeypatch)
        invalidate(apiserver, account, first)
        with pytest.raises(APIStatusError) as refusal:
            list(cluster.services())
        assert refusal.value.status == 401
        second = apiserver.service_account_token(NAMESPACE, account)
        assert second != first
        pod.rotate(second)
        assert works(cluster)  # it had to be told by a 401
        monkeypatch.undo()
        assert works(other)  # it saw for itself


def freeze_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the token file look as if it never changed."""
    monkeypatch.setattr("proxyurls.config.token_file.file_signature", lambda _: (0, 0, 0))


def test_rotation_is_seen_at_once(pod: Pod) -> None:
    """The request after a rotation has the new token: the old one isn't tried again."""
    with Cluster(config_of(pod)) as cluster:
        assert works(cluster)
        good = (pod.mount / "token").read_text()
        pod.rotate("no-token-at-all")
        with pytest.raises(APIStatusError) as refusal:
            list(cluster.services())
        assert refusal.value.status == 401
        pod.rotate(good)
        assert works(cluster)


def test_token_file_goes_away_for_a_while(pod: Pod) -> None:
    """While the file is being replaced, the token that was read stays good."""
    with Cluster(config_of(pod)) as cluster:
        assert works(cluster)
        (pod.mount / "token").unlink()
        assert works(cluster)
        (pod.mount / "token").symlink_to("..data/token")
        assert works(cluster)
