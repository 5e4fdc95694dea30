"""How an OpenSearch store may be named."""

import pytest
from pydantic import ValidationError

from consumer.processors.base import fingerprint
from consumer.settings.model import Processor
from consumer.settings.stores import OpenSearchIndex

URL = "https://search.example.com"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give exactly one of `url` and `url_env`"),
        ({"url": URL, "url_env": "SEARCH_URL"}, "give exactly one of `url` and `url_env`"),
        ({"url": "https://me:secret@search.example.com"}, "has no password in it"),
        ({"url": URL, "region": "us-east-1"}, "set `sigv4: es` too"),
        ({"url": URL, "sigv4": "aoss"}, "'es'"),
    ],
)
def test_a_mistake_is_told(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OpenSearchIndex.model_validate({"index": "view", **given})


def test_how_a_cluster_is_reached_does_not_decide_what_the_index_holds() -> None:
    def of(**store: object) -> str:
        projection = {"store": {"opensearch": {"index": "view", **store}}, "key": {"id": "keys.id"}}
        return fingerprint(Processor.model_validate({"name": "view", "projection": projection}))

    ways: list[dict[str, object]] = [
        {"url": URL},
        {"url_env": "SEARCH_URL"},
        {"url": URL, "sigv4": "es", "region": "us-east-1"},
        {"url": URL, "settings": {"index": {"number_of_replicas": 2}}},
    ]
    assert len({of(**way) for way in ways}) == 1
    assert of(url=URL, mappings={"dynamic": "strict"}) != of(url=URL)
