"""The judge: what the read model should hold, told from the table alone and in plain Python."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Item = Mapping[str, Any]
"""An item in DynamoDB JSON."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the read model's rows stand to those expected."""

    expected: int
    matching: int
    tombstones: int
    differences: tuple[str, ...]
    """A line for each order that is missing, differs, or should not be there."""


def compare(orders: Iterable[Item], view: Iterable[Item]) -> Comparison:
    """Compare item by item."""
    expected = {order["orderId"]["S"]: _row(order) for order in orders}
    rows = list(view)
    kept = {row["orderId"]["S"]: _row_found(row) for row in rows if row["_tidemark"]["M"]["d"]["S"] != "-"}
    differences = [
        _difference(order_id, expected.get(order_id), kept.get(order_id))
        for order_id in sorted(expected.keys() | kept.keys())
        if expected.get(order_id) != kept.get(order_id)
    ]
    matching = sum(1 for order_id, row in expected.items() if kept.get(order_id) == row)
    return Comparison(len(expected), matching, len(rows) - len(kept), tuple(differences))


def _row(order: Item) -> dict[str, Any]:
    """The row of an order: what examples/shop/tidemark.yaml says, said once more without Tidemark."""
    row = {
        "orderId": order["orderId"],
        "customer": order["customerId"],
        "total": order["totalPrice"],
        "status": order["status"],
        "items": order["items"],
    }
    return {name: _value(attribute) for name, attribute in row.items()}


def _row_found(row: Item) -> dict[str, Any]:
    return {name: _value(attribute) for name, attribute in row.items() if name != "_tidemark"}


def _value(attribute: Item) -> Any:  # noqa: ANN401 - an attribute's value is of any shape
    """A value that equals another if DynamoDB would say so: 10.50 and 10.5 are one number."""
    ((kind, content),) = attribute.items()
    match kind:
        case "N":
            return Decimal(content)
        case "L":
            return [_value(element) for element in content]
        case "M":
            return {name: _value(element) for name, element in content.items()}
    return (kind, content)


def _difference(order_id: str, expected: object, found: object) -> str:
    if found is None:
        return f"{order_id}: not in the read model"
    if expected is None:
        return f"{order_id}: in the read model, but there is no such order"
    return f"{order_id}: is {found}, should be {expected}"
