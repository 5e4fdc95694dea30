"""What a target holds decides a processor's fingerprint: not its name, and not what a later version adds."""

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
