"""What customers of a small shop do: place orders, move them along, change them, take them back."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

INSERTS = 0.40
UPDATES = 0.45
"""What is left of all writes are deletes."""

_NEXT: Mapping[str, tuple[str, ...]] = {
    "PLACED": ("PAID", "PAID", "PAID", "CANCELLED"),
    "PAID": ("PACKED", "PACKED", "CANCELLED"),
    "PACKED": ("SHIPPED",),
    "SHIPPED": ("DELIVERED",),
    "DELIVERED": ("RETURNED",),
    "RETURNED": ("REFUNDED",),
}
_CHANCE_TO_MOVE_ON = 0.7
_PRICES: Mapping[str, Decimal] = {
    "teapot": Decimal("34.90"),
    "cup": Decimal("7.50"),
    "green tea 100 g": Decimal("11.20"),
    "oolong 50 g": Decimal("14.95"),
    "strainer": Decimal("4.05"),
    "kettle": Decimal("129.00"),
    "honey 250 g": Decimal("6.40"),
}
_KEPT = timedelta(days=90)
_MOST_OF_ONE = 4
_MOST_LINES = 3
_CUSTOMERS = 500

Attribute = dict[str, Any]


@dataclass(slots=True)
class Order:
    """An order as the shop knows it."""

    number: int
    customer: int
    created: datetime
    quantities: dict[str, int]
    status: str = "PLACED"
    changes: int = 0

    @property
    def order_id(self) -> str:
        """The table's key."""
        return f"order-{self.number:07d}"


@dataclass(frozen=True, slots=True)
class Write:
    """One call to DynamoDB that changes one order: each becomes one record of the stream."""

    operation: str
    request: dict[str, Any]
    order: Order
    leaves_order: bool
    """Whether the order is still there afterwards."""


@dataclass(slots=True)
class OrderBook:
    """The orders there are, but for those with a write under way: no order has two at a time."""

    table: str
    random: random.Random
    idle: list[Order] = field(default_factory=list)
    size: int = 0
    """Orders in the table, as far as writes have come back."""
    _placed: int = 0

    def next_write(self, now: datetime) -> Write:
        """Choose what happens next, and take its order out of the book until `done`."""
        dice = self.random.random()
        if not self.idle or dice < INSERTS:
            return self._place(now)
        order = self._take()
        return self._change(order, now) if dice < INSERTS + UPDATES else self._delete(order)

    def done(self, write: Write) -> None:
        """The write has come back."""
        if write.leaves_order:
            self.idle.append(write.order)
        self.size += {"PutItem": 1, "DeleteItem": -1}.get(write.operation, 0)

    def _take(self) -> Order:
        index = self.random.randrange(len(self.idle))
        self.idle[index], self.idle[-1] = self.idle[-1], self.idle[index]
        return self.idle.pop()

    def _place(self, now: datetime) -> Write:
        self._placed += 1
        products = self.random.sample(sorted(_PRICES), self.random.randint(1, _MOST_LINES))
        order = Order(
            number=self._placed,
            customer=self.random.randrange(_CUSTOMERS),
            created=now,
            quantities={product: self.random.randint(1, _MOST_OF_ONE) for product in products},
        )
        return Write(
            "PutItem", {"TableName": self.table, "Item": item_of(order, now)}, order, leaves_order=True
        )

    def _change(self, order: Order, now: datetime) -> Write:
        choices = _NEXT.get(order.status)
        if choices and self.random.random() < _CHANCE_TO_MOVE_ON:
            order.status = self.random.choice(choices)
        else:
            product = self.random.choice(sorted(order.quantities))
            order.quantities[product] = order.quantities[product] % _MOST_OF_ONE + 1
        order.changes += 1
        item = item_of(order, now)
        changed = ("status", "items", "totalPrice", "updatedAt", "changes")
        request = {
            "TableName": self.table,
            "Key": {"orderId": item["orderId"]},
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changed),
            "ExpressionAttributeNames": {f"#{name}": name for name in changed},
            "ExpressionAttributeValues": {f":{name}": item[name] for name in changed},
        }
        return Write("UpdateItem", request, order, leaves_order=True)

    def _delete(self, order: Order) -> Write:
        request = {"TableName": self.table, "Key": {"orderId": {"S": order.order_id}}}
        return Write("DeleteItem", request, order, leaves_order=False)


def item_of(order: Order, now: datetime) -> dict[str, Attribute]:
    """The order as DynamoDB JSON."""
    total = sum((_PRICES[product] * quantity for product, quantity in order.quantities.items()), Decimal(0))
    return {
        "orderId": {"S": order.order_id},
        "customerId": {"S": f"customer-{order.customer:03d}"},
        "status": {"S": order.status},
        "items": {"L": [_line(product, quantity) for product, quantity in order.quantities.items()]},
        "totalPrice": {"N": str(total)},
        "createdAt": {"S": order.created.isoformat()},
        "updatedAt": {"S": now.isoformat()},
        "changes": {"N": str(order.changes)},
        "expiresAt": {"N": str(int((order.created + _KEPT).timestamp()))},
    }


def _line(product: str, quantity: int) -> Attribute:
    price = _PRICES[product]
    return {"M": {"product": {"S": product}, "quantity": {"N": str(quantity)}, "price": {"N": str(price)}}}


def utc_now() -> datetime:
    """The shop's clock."""
    return datetime.now(UTC)
