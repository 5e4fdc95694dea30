"""Sums that are above the number beside them: told, and never refused, since the item is a fact."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from consumer.errors import Rejected, Unavailable
from consumer.processors.aggregate.rows import SumRows
from consumer.processors.base import Above
from consumer.record import AttributeValue


def sums_above(
    group: str, row: Mapping[str, Decimal | None], warn_above: Mapping[str, str]
) -> Iterator[Above]:
    """The sums of a row that are above their numbers; one that is not there is above nothing."""
    for name, limit in warn_above.items():
        value, number = row.get(name), row.get(limit)
        if value is not None and number is not None and value > number:
            yield Above(name, group, value, limit, number)


class RowsAbove:
    """Looks at rows after they were written, on DynamoDB."""

    def __init__(
        self, rows: SumRows, warn_above: Mapping[str, str], on_above: Callable[[Above], None]
    ) -> None:
        """Take the rows, for each sum the number it should not be above, and who is told."""
        self._rows = rows
        self._warn_above = warn_above
        self._on_above = on_above

    async def look(self, groups: Iterable[str]) -> None:
        """Tell of the sums that are above; what can't be read now is looked at when it is written again."""
        try:
            rows = await self._rows.read(groups)
        except (Rejected, Unavailable):
            return
        for group, row in rows.items():
            numbers = {name: _number(value) for name, value in row.items()}
            for above in sums_above(group, numbers, self._warn_above):
                self._on_above(above)


def _number(value: AttributeValue) -> Decimal | None:
    return Decimal(str(value["N"])) if "N" in value else None
