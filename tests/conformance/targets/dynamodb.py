"""What a read model in DynamoDB is to the pod and to its readers, in memory and in the sandbox alike."""

from collections.abc import Iterable, Mapping
from typing import Literal, cast

from consumer.attributes import RESERVED, image_to_plain
from consumer.record import Image
from consumer.settings.context import TableFacts
from tests.conformance.cases import Case
from tests.conformance.truth import ReadModel, shown

SOURCE_REGION = "source-region"
TARGET_REGION = "target-region"

KeyTypes = dict[str, Literal["S", "N", "B"]]


def table_facts(
    name: str,
    region: str,
    keys: Mapping[str, str],
    *,
    ledger: str | None = None,
    ttl_attribute: str | None = None,
) -> TableFacts:
    """What the pod finds out about a table; `keys`: its key attributes to their types."""
    partition_key, *sort_keys = keys
    return TableFacts(
        name=name,
        region=region,
        partition_key=partition_key,
        sort_key=sort_keys[0] if sort_keys else None,
        key_types=cast("KeyTypes", dict(keys)),
        ledger=ledger,
        ttl_attribute=ttl_attribute,
    )


def read_model(case: Case, rows: Iterable[Image]) -> ReadModel:
    """Rows as readers see them: without what is ours; tombstones are filtered where the page says so."""
    model: ReadModel = {}
    for row in rows:
        plain = image_to_plain(row)
        mark = plain.pop(RESERVED, None)
        if case.is_fixed and isinstance(mark, dict) and mark["d"] == "-":
            continue
        model[tuple(plain[name] for name in case.key)] = plain
    return shown(case, model)
