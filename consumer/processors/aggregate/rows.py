"""The rows of a target table in DynamoDB: a group each, of which only the sums are ours.

AWS API references used: TransactWriteItems (Update), UpdateItem (ADD), BatchGetItem.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from consumer.errors import Rejected, Unavailable
from consumer.processors.aggregate.sums import Sums, is_in_range, out_of_range, plus, sum_text
from consumer.processors.keys import key_text, key_values, named
from consumer.processors.ledger.transactions import Action, ActionRejected, action
from consumer.processors.source import DynamoDB
from consumer.record import AttributeValue, Image
from consumer.settings.context import TableFacts

_NOTHING: AttributeValue = {"N": "0"}


class SumRows:
    """One aggregate's."""

    def __init__(self, client: DynamoDB, target: TableFacts, group_by: Sequence[str]) -> None:
        """Take what reading and writing need.

        Args:
            client: DynamoDB in the target's region.
            target: the table.
            group_by: the names of its key attributes, in the order of the settings.
        """
        self._client = client
        self._table = target.name
        self._group_by = tuple(group_by)

    def add(self, group: str, sums: Mapping[str, Decimal]) -> Action:
        """The action that adds to a row's sums; whatever else is in the row stays as it is."""
        names = {f"#{place}": name for place, name in enumerate(sums)}
        values = {f":{place}": {"N": sum_text(number)} for place, number in enumerate(sums.values())}
        parts = (f"#{place} :{place}" for place in range(len(sums)))
        request: dict[str, object] = {
            "TableName": self._table,
            "Key": self._key(group),
            "UpdateExpression": "ADD " + ", ".join(parts),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        return action("Update", request)

    async def read(self, groups: Iterable[str]) -> dict[str, Image]:
        """The rows of at most a hundred groups; not all of them, where DynamoDB is busy.

        Raises:
            Rejected: a key does not fit the table.
            Unavailable: they can't be read now.
        """
        keys = [self._key(group) for group in groups]
        wanted = {self._table: {"Keys": keys, "ConsistentRead": True}}
        answer = (await self._client.call("BatchGetItem", {"RequestItems": wanted})).body
        rows: list[Image] = answer["Responses"].get(self._table, [])
        return {key_text([row[name] for name in self._group_by]): row for row in rows}

    async def explained(self, error: Rejected, adds: Sums) -> Rejected:
        """Why one item's sums can't be added: by the row and the sum, where they can be found."""
        groups = list(adds)
        if isinstance(error, ActionRejected):
            if error.place == 0:
                return error  # the item's entry itself
            groups = [groups[error.place - 1]]
        try:
            rows = await self.read(groups)
        except (Rejected, Unavailable):
            return error
        parts = ((group, name, number) for group in groups for name, number in adds[group].items())
        faults = (
            self._fault(part, rows.get(part[0], {}).get(part[1], _NOTHING), error.code) for part in parts
        )
        return next((fault for fault in faults if fault is not None), error)

    def _fault(self, part: tuple[str, str, Decimal], value: AttributeValue, code: str) -> Rejected | None:
        """Why a number can't be added to what stands there."""
        group, name, number = part
        ((kind, content),) = value.items()
        if kind != "N":
            message = (
                f"the attribute {name!r} of row {group} in table {self._table!r} is of type {kind}, and "
                "a sum is a number; give the sum another name, or remove the attribute"
            )
            return Rejected(message, code=code, by_store=True)
        total = plus(Decimal(str(content)), number)
        return None if is_in_range(total) else out_of_range(name, group, sum_text(total))

    def _key(self, group: str) -> Mapping[str, AttributeValue]:
        return named(self._group_by, key_values(group))
