"""Orders that change in every way a read model has to follow, and what each read model should hold."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, Stage
from tests.end_to_end.truth import Item

Rows = dict[tuple[str, ...], tuple[object, ...]]
"""A read model by the keys of its rows."""

CANCELLED = "CANCELLED"

_SHARES = {"swap": 1, "put": 3, "move": 2, "update": 3, "delete": 2}
"""Of the changes of an order that is there."""

_STATUSES = ("PLACED", "PLACED", "SHIPPED", CANCELLED)
_DAYS = 7
_SKUS = 12
_SPARE_CODES = 10
_LARGE, _LARGE_LINES = 0.02, 110
"""So many of the puts are of an order with so many lines: more than a transaction of DynamoDB takes."""


class Orders(Shop):
    """Places, changes, cancels and deletes orders.

    Each has a code that no other order has at that time; codes move to other orders, and two orders swap
    theirs.
    """

    def __init__(self, stage: Stage, *, orders: int = 80, seed: int = 1) -> None:
        super().__init__(stage, "order", items=orders, seed=seed)
        self._free = [f"code-{number:03d}" for number in range(orders + _SPARE_CODES)]
        self._codes: dict[str, str] = {}

    async def _write_one(self, client: Any) -> None:  # noqa: ANN401 - the stage's client
        order = self._draw()
        other = self._draw() if self._idle else None
        (change,) = self._random.choices(tuple(_SHARES), tuple(_SHARES.values()))
        if order not in self._codes or change == "put":
            await self._put(client, order)
        elif change == "swap" and other in self._codes:
            await self._swap(client, order, other)
        elif change == "move":
            await self._move(client, order)
        elif change == "delete":
            await self._delete(client, order)
        else:
            await self._update(client, order, {"status": self._status(), "total": self._total()})
        self._idle += [order] if other is None else [order, other]

    async def _swap(self, client: Any, order: str, other: str) -> None:  # noqa: ANN401
        codes = self._codes
        codes[order], codes[other] = codes[other], codes[order]
        updates = [{"Update": self._updated(each, {"code": {"S": codes[each]}})} for each in (order, other)]
        await client.call("TransactWriteItems", {"TransactItems": updates})
        self.written += 2

    async def _put(self, client: Any, order: str) -> None:  # noqa: ANN401
        if order not in self._codes:
            self._codes[order] = self._take_code()
        item = {
            KEY: {"S": order},
            "code": {"S": self._codes[order]},
            "day": {"S": f"2026-11-{self._random.randrange(1, _DAYS + 1):02d}"},
            "status": self._status(),
            "total": self._total(),
            "lines": self._lines(),
        }
        await self._write(client, "PutItem", {"TableName": self._stage.table, "Item": item})

    async def _move(self, client: Any, order: str) -> None:  # noqa: ANN401
        old, self._codes[order] = self._codes[order], self._take_code()
        await self._update(client, order, {"code": {"S": self._codes[order]}})
        self._free.append(old)  # only now: no two orders have it at once

    async def _delete(self, client: Any, order: str) -> None:  # noqa: ANN401
        await self._write(client, "DeleteItem", {"TableName": self._stage.table, "Key": {KEY: {"S": order}}})
        self._free.append(self._codes.pop(order))

    async def _update(self, client: Any, order: str, values: dict[str, Item]) -> None:  # noqa: ANN401
        await self._write(client, "UpdateItem", self._updated(order, values))

    async def _write(self, client: Any, operation: str, request: Item) -> None:  # noqa: ANN401
        await client.call(operation, request)
        self.written += 1

    def _updated(self, order: str, values: dict[str, Item]) -> dict[str, object]:
        return {
            "TableName": self._stage.table,
            "Key": {KEY: {"S": order}},
            "UpdateExpression": "SET " + ", ".join(f"#{place} = :{place}" for place in range(len(values))),
            "ExpressionAttributeNames": {f"#{place}": name for place, name in enumerate(values)},
            "ExpressionAttributeValues": {f":{place}": value for place, value in enumerate(values.values())},
        }

    def _take_code(self) -> str:
        return self._free.pop(self._random.randrange(len(self._free)))

    def _status(self) -> Item:
        return {"S": self._random.choice(_STATUSES)}

    def _total(self) -> Item:
        return {"N": f"{self._random.randrange(1, 100_000)}.{self._random.randrange(100):02d}"}

    def _lines(self) -> Item:
        if self._random.random() < _LARGE:
            skus = [f"rare-{number:03d}" for number in range(_LARGE_LINES)]
        else:
            count = self._random.randrange(5)
            skus = [f"sku-{number:02d}" for number in self._random.sample(range(_SKUS), count)]
        return {
            "L": [
                {"M": {"sku": {"S": sku}, "quantity": {"N": str(self._random.randrange(1, 10))}}}
                for sku in skus
            ]
        }


def orders_by_id(items: Iterable[Item]) -> Rows:
    """A row for each order."""
    return {(text(item, KEY),): (text(item, "code"), text(item, "status"), total(item)) for item in items}


def lines_by_code(items: Iterable[Item]) -> Rows:
    """A row for each line of an order that is not cancelled, by the order's code."""
    return {
        (text(item, "code"), sku): (text(item, KEY), quantity)
        for item in items
        if text(item, "status") != CANCELLED
        for sku, quantity in lines(item)
    }


def reserved_by_sku(items: Iterable[Item]) -> Rows:
    """What the orders that are not cancelled reserve."""
    sums: dict[str, Decimal] = {}
    for item in items:
        for sku, quantity in lines(item) if text(item, "status") != CANCELLED else ():
            sums[sku] = sums.get(sku, Decimal()) + quantity
    return {(sku,): (reserved,) for sku, reserved in sums.items()}


def sales_by_day(items: Iterable[Item]) -> Rows:
    """How many orders were placed on a day, cancelled ones too, and their revenue."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for item in items:
        orders, revenue = sums.get(text(item, "day"), (Decimal(), Decimal()))
        sums[text(item, "day")] = (orders + 1, revenue + total(item))
    return {(day,): both for day, both in sums.items()}


def text(item: Item, name: str) -> str:
    """An attribute that is a text."""
    return str(item[name]["S"])


def total(item: Item) -> Decimal:
    """What an order costs."""
    return Decimal(item["total"]["N"])


def lines(item: Item) -> list[tuple[str, Decimal]]:
    """An order's lines: SKU and quantity."""
    return [(line["M"]["sku"]["S"], Decimal(line["M"]["quantity"]["N"])) for line in item["lines"]["L"]]
