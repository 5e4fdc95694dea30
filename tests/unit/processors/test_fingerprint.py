"""What a target holds decides a processor's fingerprint: not its name, and not what a later version adds."""

from collections.abc import Mapping

import pytest

from consumer.processors.base import fingerprint
from consumer.settings.model import Processor, Projection

PROJECTION = {"store": {"dynamodb": {"table": "view"}}, "key": {"id": "keys.id"}}


class LaterProjection(Projection):
    """A projection of a version to come, with one more setting."""

    for_each: str | None = None


class LaterProcessor(Processor):
    """A processor of that version."""

    projection: LaterProjection


def of(**changes: object) -> str:
    return fingerprint(Processor.model_validate({"name": "view", "projection": {**PROJECTION, **changes}}))


def test_what_decides_the_rows_decides_the_fingerprint() -> None:
    fingerprints = {
        of(),
        of(when="new.total"),
        of(fields={"total": "new.total"}),
        of(key={"order": "keys.id"}),
        of(store={"dynamodb": {"table": "other"}}),
    }
    assert len(fingerprints) == 5
    assert of(adopt=True) == of(when=None) == of()


def test_a_version_with_one_more_setting_does_not_ask_for_a_rebuild() -> None:
    document = {"name": "view", "projection": PROJECTION}
    assert fingerprint(LaterProcessor.model_validate(document)) == of()


def test_a_table_that_comes_to_have_ttl_does_not_ask_for_a_rebuild_of_sums_that_lose_what_expires() -> None:
    def of_sums(on_expiry: str | None) -> str:
        sums = {"store": {"dynamodb": {"table": "sums"}}, "group_by": {"g": "new.g"}, "add": {"n": "`1`"}}
        document = {"name": "sums", "aggregate": {**sums, "on_expiry": on_expiry}}
        return fingerprint(Processor.model_validate(document))

    assert of_sums("remove") == of_sums(None) != of_sums("keep")


ELSEWHERE = [
    {"postgresql": {"table": "view"}},
    {"opensearch": {"url": "http://127.0.0.1:9200", "index": "view"}},
]


@pytest.mark.parametrize("store", ELSEWHERE)
def test_another_order_of_a_key_asks_for_a_rebuild_where_rows_are_found_by_it(
    store: Mapping[str, object],
) -> None:
    key = {"id": "keys.id", "at": "keys.at"}
    assert of(store=store, key=key) != of(store=store, key=dict(sorted(key.items())))


def test_a_dynamodb_tables_own_order_is_the_one_that_counts() -> None:
    key = {"id": "keys.id", "at": "new.at"}
    assert of(key=key) == of(key=dict(sorted(key.items())))


@pytest.mark.parametrize("store", [{"dynamodb": {"table": "sums"}}, {"postgresql": {"table": "sums"}}])
def test_another_order_of_a_group_asks_for_a_rebuild(store: Mapping[str, object]) -> None:
    """The ledger has a group's values by their order, and would take the day for the product."""

    def of_groups(group_by: Mapping[str, str]) -> str:
        sums = {"store": store, "group_by": group_by, "add": {"n": "`1`"}}
        return fingerprint(Processor.model_validate({"name": "sums", "aggregate": sums}))

    group_by = {"product": "new.product", "day": "new.day"}
    assert of_groups(group_by) != of_groups(dict(sorted(group_by.items())))
