"""The model: what a read model's readers are to find once everything is delivered.

It knows nothing of versions, of ties, or of what came when. A projection has the rows that its items have
now. An aggregate has the sum of what its items count now, and an item that expired counts on as it did, if
the settings say so, until it is written again.
"""

from collections.abc import Mapping
from decimal import Context, Decimal
from typing import cast

from consumer.attributes import Plain
from tests.conformance.cases import Case, RowKey
from tests.conformance.history import History, Order, item_keys

ReadModel = dict[RowKey, dict[str, Plain]]
"""By row key: the fields that have a value, or the sums that are not zero."""

_EXACT = Context(prec=100)


def truth(case: Case, history: History) -> ReadModel:
    """What is to be found in the end."""
    counted: dict[int, Order | None] = {}
    for write in history.writes:
        if not (write.by_ttl and case.keeps_expired):
            counted[write.item] = write.order
    model: ReadModel = {}
    for item, order in counted.items():
        for key, fields in case.rows_of(item_keys(item, tuple(case.source_keys)), order):
            assert case.is_aggregate or key not in model, f"the history ends with two rows of one key: {key}"
            model[key] = _added(model.get(key, {}), fields) if case.is_aggregate else dict(fields)
    return shown(case, model)


def _added(sums: Mapping[str, Plain], more: Mapping[str, Plain]) -> dict[str, Plain]:
    zero = Decimal(0)
    return {
        name: _EXACT.add(cast("Decimal", sums.get(name, zero)), cast("Decimal", more.get(name, zero)))
        for name in {**sums, **more}
    }


def shown(case: Case, model: ReadModel) -> ReadModel:
    """What counts for readers, however a store tells of what is not there."""
    rows: ReadModel = {}
    for key, row in model.items():
        values = {name: value for name, value in row.items() if name not in case.key}
        if case.is_aggregate:
            values = {name: value for name, value in values.items() if value}
        if values or not case.is_aggregate:
            rows[key] = {name: value for name, value in values.items() if value is not None}
    return rows
