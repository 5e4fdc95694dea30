"""What a write changes of an item's rows, and in which transactions it is done. Pure.

    the ledger's entry holds   A:1 B:2 C:3        by key text, each row's digest
    the item should have           B:2 C:4 D:5
                               |   |   |   |
                               delete  put put    and B is left as it is

A write that is too large for one transaction is done in steps. After each but the last the entry has the
version and digest that it had before, and says exactly which rows are there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from consumer.attributes import RESERVED, digest
from consumer.processors.gate import Stamp
from consumer.processors.keys import key_text, key_values
from consumer.processors.ledger.entry import Entry, Held
from consumer.processors.ledger.transactions import MOST_ACTIONS, MOST_BYTES, Action, action
from consumer.processors.projection.mapping import ProjectionMapping, Row
from consumer.record import AttributeValue, Image
from consumer.settings.model import Projection

_MOST_BYTES_OF_ROWS = MOST_BYTES - 500_000
"""An entry, as any item, has 400 KB at most."""

_MINE = "#t.o = :me"


def needs_ledger(settings: Projection) -> bool:
    """Whether it takes a ledger in DynamoDB: an item may have several rows, or another row than before.

    One with fixed keys has it if the settings name one: then its read model has no tombstones.

    Raises:
        SettingsError: an expression is wrong.
    """
    table = settings.store.dynamodb
    return table is not None and (table.ledger is not None or not ProjectionMapping(settings).is_fixed)


class Part(NamedTuple):
    """One row's part of a write.

    Attributes:
        text: its key, as the entry has it.
        digest: what the entry says of it after the write; None: the item has it no more.
        action: None where there is nothing to do but to drop it from the entry.
    """

    text: str
    digest: str | None
    action: Action | None


class Step(NamedTuple):
    """One transaction: its parts, and the entry after it."""

    parts: tuple[Part, ...]
    entry: Entry

    @property
    def actions(self) -> list[Action]:
        """What is done to rows."""
        return [part.action for part in self.parts if part.action is not None]


class RowActions:
    """Makes the actions on one table's rows."""

    def __init__(self, table: str, keys: Sequence[str], *, adopt: bool) -> None:
        """Take the table's name, its key attributes, and whether rows without an owner are taken over."""
        self._table = table
        self._keys = keys
        self._free = "attribute_not_exists(#t.o)" if adopt else "attribute_not_exists(#k)"
        self._names = {"#t": RESERVED} if adopt else {"#t": RESERVED, "#k": keys[0]}

    def text(self, row: Row) -> str:
        """The row's key as the entry has it: by the table's order, whatever that of the settings."""
        return key_text([row.key[name] for name in self._keys])

    def put(self, row: Row, owner: str) -> Action:
        """Write the row, if there is none or the owner's own."""
        fields = cast("Mapping[str, AttributeValue]", row.fields)
        mark: AttributeValue = {"M": {"o": {"S": owner}}}
        item: Image = {**fields, **row.key, RESERVED: mark}
        return action(
            "Put",
            {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": f"{self._free} OR {_MINE}",
                "ExpressionAttributeNames": self._names,
                "ExpressionAttributeValues": {":me": {"S": owner}},
            },
        )

    def delete(self, text: str, owner: str) -> Action:
        """Take the row away, if it is the owner's or gone already."""
        return action(
            "Delete",
            {
                "TableName": self._table,
                "Key": dict(zip(self._keys, key_values(text), strict=True)),
                "ConditionExpression": f"attribute_not_exists(#k) OR {_MINE}",
                "ExpressionAttributeNames": {"#t": RESERVED, "#k": self._keys[0]},
                "ExpressionAttributeValues": {":me": {"S": owner}},
            },
        )


def difference(
    held: Mapping[str, Held], rows: Mapping[str, Row], owner: str, actions: RowActions
) -> Iterator[Part]:
    """What turns the rows that an item has into those it should have; what goes comes first.

    Args:
        held: the digest of each row it has, by the text of its key.
        rows: those it should have, by the same.
        owner: the item, as its rows name it.
        actions: makes the actions.
    """
    yield from departure(held, rows.keys(), owner, actions)
    for text, row in rows.items():
        content = digest(cast("Mapping[str, AttributeValue]", row.fields))
        if held.get(text) != content:
            yield Part(text, content, actions.put(row, owner))


def departure(
    held: Mapping[str, Held], stays: Collection[str], owner: str, actions: RowActions
) -> Iterator[Part]:
    """What takes away the rows that an item has and should not have."""
    for text in held:
        if text not in stays:
            yield Part(text, None, actions.delete(text, owner))


def steps(entry: Entry, parts: Sequence[Part], stamp: Stamp) -> Iterator[Step]:
    """The transactions that carry out the parts; the last one gives the entry this stamp."""
    holds = dict(entry.holds)
    batches = list(_batches(parts))
    for number, batch in enumerate(batches, 1):
        for part in batch:
            holds.pop(part.text, None)
            if part.digest is not None:
                holds[part.text] = part.digest
        reached = stamp if number == len(batches) else entry.stamp
        yield Step(batch, Entry(reached._replace(round=entry.stamp.round + number), dict(holds)))


def _batches(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """The parts by transactions, each with room for the entry; one at least."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        length = len(part.action or b"")
        if batch and (len(batch) == MOST_ACTIONS - 1 or size + length > _MOST_BYTES_OF_ROWS):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(part)
        size += length
    yield tuple(batch)
