"""The processors under test: their settings, and what each makes of an order, told in Python."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from consumer.attributes import Plain
from tests.conformance.history import Keys, Order

RowKey = tuple[Plain, ...]
Fields = Mapping[str, Plain]
Rows = list[tuple[RowKey, Fields]]

OUT = "OUT"
_WHEN = f"new.status != '{OUT}'"


@dataclass(frozen=True, slots=True)
class Case:
    """A processor under test.

    Attributes:
        kind: of the processor, as in the settings.
        settings: of that kind, without the store.
        key: the target's key attributes, to their DynamoDB types.
        rows: the rows that an order has, or what it adds to which groups.
        source_keys: of the source table, to their types.
        has_when: `_WHEN` is among the settings.
    """

    name: str
    kind: str
    settings: Mapping[str, object]
    key: Mapping[str, str]
    rows: Callable[[Keys, Order], Rows]
    source_keys: Mapping[str, str]
    has_when: bool = False

    @property
    def is_aggregate(self) -> bool:
        """Whether rows of one key are added, where a projection's have one owner."""
        return self.kind == "aggregate"

    @property
    def keeps_expired(self) -> bool:
        """Whether an item that expires goes on being counted."""
        return self.settings.get("on_expiry") == "keep"

    @property
    def expires(self) -> bool:
        """Whether the source table has TTL, so that the settings say what that does."""
        return "on_expiry" in self.settings

    @property
    def is_fixed(self) -> bool:
        """Whether an item has one row at most, always of the same key."""
        return self.kind == "projection" and self.key == self.source_keys

    @property
    def moves(self) -> bool:
        """Whether two items may come to claim one row."""
        return not self.is_aggregate and "id" not in self.key

    def rows_of(self, keys: Keys, order: Order | None) -> Rows:
        """The rows of an item, none where it does not belong."""
        if order is None or (self.has_when and order.status == OUT):
            return []
        return self.rows(keys, order)

    def takes(self, order: Order | None) -> bool:
        """Whether every key there is can be one, and none of an order's own is there twice."""
        keys = [key for key, _ in self.rows_of(_NO_KEYS, order)]
        return all(None not in key for key in keys) and (self.is_aggregate or len(set(keys)) == len(keys))


_NO_KEYS: Keys = {"id": {"S": ""}, "sk": {"N": "0"}}
_ONE: Mapping[str, str] = {"id": "S"}
_TWO: Mapping[str, str] = {"id": "S", "sk": "N"}


def _id(keys: Keys) -> str:
    return keys["id"]["S"]


def _whole(keys: Keys, order: Order) -> Rows:
    return [((_id(keys),), order.plain())]


def _fields(keys: Keys, order: Order) -> Rows:
    fields: dict[str, Plain] = {
        "state": order.status,
        "total": Decimal(order.total),
        "count": Decimal(len(order.lines)),
        "first": order.lines[0][0] if order.lines else None,
    }
    return [((_id(keys), Decimal(keys["sk"]["N"])), fields)]


def _moving(keys: Keys, order: Order) -> Rows:
    return [((order.code,), {"owner": _id(keys), "total": Decimal(order.total)})]


def _moving_pair(keys: Keys, order: Order) -> Rows:
    fields: Fields = {"owner": _id(keys), "part": Decimal(keys["sk"]["N"])}
    return [((order.code, Decimal(len(order.lines))), fields)]


def _lines(keys: Keys, order: Order) -> Rows:
    return [
        ((_id(keys), sku), {"qty": Decimal(qty), "place": Decimal(place), "state": order.status})
        for place, (sku, qty) in enumerate(order.lines)
    ]


def _wanted(keys: Keys, order: Order) -> Rows:
    return [((sku,), {"owner": _id(keys), "qty": Decimal(qty)}) for sku, qty in order.lines]


def _sales(_: Keys, order: Order) -> Rows:
    return [((order.code,), {"orders": Decimal(1), "revenue": Decimal(order.total)})]


def _reserved(_: Keys, order: Order) -> Rows:
    return [((sku,), {"reserved": Decimal(qty), "lines": Decimal(1)}) for sku, qty in order.lines]


_OWNER = {"owner": "keys.id", "total": "new.total"}
_SUMS = {"group_by": {"code": "new.code"}, "add": {"orders": "`1`", "revenue": "new.total"}}

CASES = (
    Case("whole-image", "projection", {"key": {"id": "keys.id"}}, _ONE, _whole, _ONE),
    Case(
        "fields",
        "projection",
        {
            "key": {"id": "keys.id", "sk": "keys.sk"},
            "fields": {
                "state": "new.status",
                "total": "new.total",
                "count": "length(new.lines)",
                "first": "new.lines[0].sku",
            },
        },
        _TWO,
        _fields,
        _TWO,
    ),
    Case("when", "projection", {"key": {"id": "keys.id"}, "when": _WHEN}, _ONE, _whole, _ONE, has_when=True),
    Case(
        "moving-key",
        "projection",
        {"key": {"code": "new.code"}, "fields": _OWNER},
        {"code": "S"},
        _moving,
        _ONE,
    ),
    Case(
        "moving-key-when",
        "projection",
        {
            "key": {"code": "new.code", "size": "length(new.lines)"},
            "fields": {"owner": "keys.id", "part": "keys.sk"},
            "when": _WHEN,
        },
        {"code": "S", "size": "N"},
        _moving_pair,
        _TWO,
        has_when=True,
    ),
    Case(
        "lines",
        "projection",
        {
            "for_each": "new.lines",
            "key": {"id": "keys.id", "sku": "item.sku"},
            "fields": {"qty": "item.qty", "place": "index", "state": "new.status"},
        },
        {"id": "S", "sku": "S"},
        _lines,
        _ONE,
    ),
    Case(
        "lines-that-move",
        "projection",
        {
            "for_each": "new.lines",
            "key": {"sku": "item.sku"},
            "fields": {"owner": "keys.id", "qty": "item.qty"},
            "when": _WHEN,
        },
        {"sku": "S"},
        _wanted,
        _TWO,
        has_when=True,
    ),
    Case("sums", "aggregate", {**_SUMS, "when": _WHEN}, {"code": "S"}, _sales, _TWO, has_when=True),
    Case(
        "sums-of-lines",
        "aggregate",
        {
            "for_each": "new.lines",
            "group_by": {"sku": "item.sku"},
            "add": {"reserved": "item.qty", "lines": "`1`"},
            "when": _WHEN,
        },
        {"sku": "S"},
        _reserved,
        _ONE,
        has_when=True,
    ),
    Case("expiry-removes", "aggregate", {**_SUMS, "on_expiry": "remove"}, {"code": "S"}, _sales, _ONE),
    Case("expiry-keeps", "aggregate", {**_SUMS, "on_expiry": "keep"}, {"code": "S"}, _sales, _ONE),
)
