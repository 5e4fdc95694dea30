"""The proxy that refuses every second write, held to what OpenSearch itself says."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest

from tests.support.servers.busy import BusyProxy
from tests.support.servers.opensearch import OpenSearchServer

Answer = tuple[int, dict[str, Any]]


@pytest.fixture
async def proxy(opensearch: OpenSearchServer) -> AsyncIterator[BusyProxy]:
    async with BusyProxy(opensearch.url) as proxy:
        yield proxy


async def bulk(proxy: BusyProxy, index: str, *names: str) -> Answer:
    lines = "".join(f'{{"index":{{"_id":"{name}"}}}}\n{{"name":"{name}"}}\n' for name in names)
    url = f"http://127.0.0.1:{proxy.port}/{index}/_bulk"
    headers = {"Content-Type": "application/x-ndjson"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, data=lines, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def documents(proxy: BusyProxy, index: str) -> set[str]:
    url = f"http://127.0.0.1:{proxy.port}/{index}"
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{url}/_refresh"):
            pass
        async with client.get(f"{url}/_search") as answer:
            return {hit["_id"] for hit in (await answer.json())["hits"]["hits"]}


async def test_it_passes_everything_until_it_is_told_to_refuse(proxy: BusyProxy, index_prefix: str) -> None:
    status, answer = await bulk(proxy, index_prefix, "a", "b")
    assert (status, answer["errors"]) == (HTTPStatus.OK, False)
    assert await documents(proxy, index_prefix) == {"a", "b"}


async def test_every_second_request_is_refused_as_a_whole(proxy: BusyProxy, index_prefix: str) -> None:
    proxy.refuses = "requests"
    status, answer = await bulk(proxy, index_prefix, "a")
    assert status == HTTPStatus.TOO_MANY_REQUESTS
    assert answer["error"]["type"] == "opensearch_rejected_execution_exception"
    assert (await bulk(proxy, index_prefix, "b"))[0] == HTTPStatus.OK
    assert await documents(proxy, index_prefix) == {"b"}
    assert proxy.refused == 1


async def test_every_second_document_is_refused_and_the_others_are_written(
    proxy: BusyProxy, index_prefix: str
) -> None:
    proxy.refuses = "documents"
    status, answer = await bulk(proxy, index_prefix, "a", "b", "c")
    assert status == HTTPStatus.OK
    assert [item["index"]["status"] for item in answer["items"]] == [429, 201, 429]
    assert await documents(proxy, index_prefix) == {"b"}
    assert proxy.refused == 2
