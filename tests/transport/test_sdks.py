"""SDKs that nobody here wrote, unchanged, with in-cluster URLs: the extra ``sdks`` has them."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from browser.apps import realapps

from proxyurls import AsyncClusterTransport, ClusterTransport, InvalidRequest, load_config

from . import apps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.cluster import APIServer

    from proxyurls import Config

NAMESPACE = "sdks"


@pytest.fixture
def config(apiserver: APIServer) -> Config:
    return load_config(str(apiserver.kubeconfig), context="admin", environ={})


@pytest.fixture(scope="module")
def prometheus(apiserver: APIServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus, which watches itself."""
    with (
        realapps.prometheus(tmp_path_factory.mktemp("prometheus")) as address,
        realapps.relayed(apiserver.listen(), address) as upstream,
    ):
        apiserver.add_namespace(NAMESPACE)
        apiserver.add_service("prometheus", NAMESPACE, upstream=upstream)
        yield f"http://prometheus.{NAMESPACE}.svc"


@pytest.fixture(scope="module")
def elasticsearch(apiserver: APIServer) -> Iterator[str]:
    """The demo's Elasticsearch."""
    with apps.served(apiserver.listen(), apps.elasticsearch()) as upstream:
        apiserver.add_namespace(NAMESPACE)
        apiserver.add_service("elasticsearch", NAMESPACE, upstream=upstream)
        yield f"http://elasticsearch.{NAMESPACE}.svc:80"


@pytest.fixture(scope="module")
def model(apiserver: APIServer) -> Iterator[str]:
    """A language model that always says the same."""
    with apps.served(apiserver.listen(), apps.model) as upstream:
        apiserver.add_namespace(NAMESPACE)
        apiserver.add_service("model", NAMESPACE, upstream=upstream)
        yield f"http://model.{NAMESPACE}.svc"


def test_prometheus(config: Config, prometheus: str) -> None:
    """Aiopromql asks a real Prometheus for what it knows of itself."""
    sdk = pytest.importorskip("aiopromql")
    with sdk.PrometheusSync(prometheus) as client:
        client.session.close()
        client.session = httpx.Client(transport=ClusterTransport(config))
        (found,) = client.query('up{job="prometheus"}').data.result
        assert float(found.value[1]) == 1
        now = dt.datetime.now(dt.timezone.utc)
        before = now - dt.timedelta(seconds=60)
        many = client.query_range("up", before, now, step="1s", raw=True)
        assert many["data"]["result"][0]["metric"]["job"] == "prometheus"
        with pytest.raises(httpx.HTTPStatusError, match="400 Bad Request' for url 'http://prom"):
            client.query("up{")


def test_prometheus_in_tasks(config: Config, prometheus: str) -> None:
    """The same by its client for tasks, which knows its base URL."""
    sdk = pytest.importorskip("aiopromql")

    async def run() -> Any:
        async with sdk.PrometheusAsync(prometheus) as client:
            await client.client.aclose()
            client.client = httpx.AsyncClient(
                base_url=prometheus, transport=AsyncClusterTransport(config)
            )
            return await client.query("count(up)", raw=True)

    assert asyncio.run(run())["data"]["result"][0]["value"][1] == "1"


def node_class(transport: Any) -> Any:
    """What elasticsearch-py takes for its connections: its own node, with our transport."""
    sdk = pytest.importorskip("elastic_transport")
    if not hasattr(sdk, "HttpxHttpNode"):
        pytest.skip("elastic-transport has no HttpxHttpNode: 9.4 has")

    class Node(sdk.HttpxHttpNode):  # type: ignore[misc, name-defined]
        client: Any

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.client.close()
            self.client = httpx.Client(base_url=self.base_url, transport=transport)

    return Node


def test_elasticsearch(config: Config, elasticsearch: str) -> None:
    """The official client searches, and its errors are its own."""
    sdk = pytest.importorskip("elasticsearch")
    with sdk.Elasticsearch(
        elasticsearch, node_class=node_class(ClusterTransport(config))
    ) as client:
        assert client.cluster.health()["cluster_name"] == "kubernetes_logging"
        found = client.search(index="twitter", query={"match": {"user": "kimchy"}})
        assert found["hits"]["total"] == 3
        assert client.get(index="twitter", id="3")["_source"]["user"] == "elastic"
        with pytest.raises(sdk.NotFoundError, match="index_not_found_exception"):
            client.search(index="nothing")


def test_elasticsearch_that_is_not_there(config: Config) -> None:
    """What the apiserver refuses is an error of the client's that has the apiserver's words."""
    sdk = pytest.importorskip("elasticsearch")
    url = f"http://nowhere.{NAMESPACE}.svc:9200"
    node = node_class(ClusterTransport(config))
    with (
        sdk.Elasticsearch(url, node_class=node, max_retries=0) as client,
        pytest.raises(sdk.ApiError, match='services "nowhere" not found'),
    ):
        client.info()


def test_openai(config: Config, model: str) -> None:
    """OpenAI's SDK always sends a key. The apiserver would remove it; a local model needs none."""
    sdk = pytest.importorskip("openai")
    question: Any = [{"role": "user", "content": "Does it?"}]
    refusing = httpx.Client(transport=ClusterTransport(config))
    with sdk.OpenAI(base_url=f"{model}/v1", api_key="s3cret", http_client=refusing) as client:
        with pytest.raises(sdk.APIConnectionError) as caught:
            client.with_options(max_retries=0).chat.completions.create(
                model="tiny", messages=question
            )
        assert isinstance(caught.value.__cause__, InvalidRequest)
    dropping = httpx.Client(transport=ClusterTransport(config, drop_authorization=True))
    with sdk.OpenAI(base_url=f"{model}/v1", api_key="none", http_client=dropping) as client:
        ask = client.chat.completions.create
        assert ask(model="tiny", messages=question).choices[0].message.content == apps.REPLY
        chunks = ask(model="tiny", messages=question, stream=True)
        assert " ".join(chunk.choices[0].delta.content for chunk in chunks) == apps.REPLY


def test_ollama(config: Config, model: str) -> None:
    """Ollama's client passes a transport on to httpx."""
    sdk = pytest.importorskip("ollama")
    client = sdk.Client(host=f"{model}:80", transport=ClusterTransport(config))
    assert [one.model for one in client.list().models] == ["tiny"]
    with pytest.raises(sdk.ResponseError, match="no such path: /api/generate"):
        client.generate(model="tiny", prompt="Does it?")
    client.close()
