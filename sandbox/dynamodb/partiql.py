"""Writes by PartiQL send their change records too.

The gap: ministack's ExecuteStatement, BatchExecuteStatement and ExecuteTransaction write without a record.
AWS ("DynamoDB Streams"): every change of an item is captured, whatever made it. A ministack that tells of
these writes lets this go.
"""

import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.emulator import Service

Table = Mapping[str, Any]


def apply(dynamodb: Service) -> None:
    """Emit a change for what ministack stores or removes while it carries out a statement that writes."""
    in_statement = contextvars.ContextVar("in_statement", default=False)
    store, remove = dynamodb["_set_item"], dynamodb["_remove_item"]

    def set_item(table: Table, partition: object, sort: object, item: object) -> object:
        old: object = store(table, partition, sort, item)
        if in_statement.get():
            event_name = "INSERT" if old is None else "MODIFY"
            dynamodb["_emit_stream_event"](table["TableName"], event_name, old, item)
        return old

    def remove_item(table: Table, partition: object, sort: object) -> object:
        old: object = remove(table, partition, sort)
        if in_statement.get() and old is not None:
            dynamodb["_emit_stream_event"](table["TableName"], "REMOVE", old, None)
        return old

    def telling(write: Callable[..., object]) -> Callable[..., object]:
        def statement(*arguments: object) -> object:
            token = in_statement.set(True)
            try:
                return write(*arguments)
            finally:
                in_statement.reset(token)

        return statement

    dynamodb["_set_item"] = set_item
    dynamodb["_remove_item"] = remove_item
    for name in ("_partiql_insert", "_partiql_update", "_partiql_delete"):
        dynamodb[name] = telling(dynamodb[name])
