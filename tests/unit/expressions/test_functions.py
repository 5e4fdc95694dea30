from decimal import Decimal

import pytest

from consumer.attributes import Plain
from consumer.errors import Rejected
from consumer.expressions import Expression

NINES_38 = "9" * 38

SCOPE: dict[str, Plain] = {
    "new": {
        "price": Decimal("2.50"),
        "quantity": Decimal(3),
        "nines": Decimal(NINES_38),
        "smallest": Decimal("1E-130"),
        "largest": Decimal("9E125"),
        "flag": True,
        "nothing": None,
        "name": "Ann Straße",
        "raw": b"\x00",
        "tags": ["a", "b"],
        "items": [{"price": Decimal("2.50"), "quantity": Decimal(4)}, {"price": Decimal("0.1")}],
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add(new.price, new.quantity)", Decimal("5.50")),
        ("add(new.price, `0.1`, `0.2`, length(new.tags))", Decimal("4.80")),
        ("add(new.largest, new.smallest)", Decimal("9" + "0" * 125 + "." + "0" * 129 + "1")),
        ("subtract(new.quantity, new.price)", Decimal("0.50")),
        ("subtract(new.smallest, new.largest)", Decimal("-8" + "9" * 125 + "." + "9" * 130)),
        ("multiply(new.price, new.quantity, `-1`)", Decimal("-7.50")),
        ("multiply(new.nines, new.nines)", Decimal(int(NINES_38) ** 2)),
        ("multiply(new.price, `0`)", Decimal(0)),
        ("sum(new.items[].multiply(price, quantity))", Decimal(10)),
        ("sum(new.missing[].multiply(price, quantity) || `[]`)", 0),
    ],
)
def test_arithmetic_is_exact(text: str, expected: Plain | int) -> None:
    assert Expression(text).search(SCOPE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lower(new.name)", "ann straße"),
        ("upper(new.name)", "ANN STRASSE"),
        ("concat(new.name, '#', new.price)", "Ann Straße#2.5"),
        ("concat(new.largest, '')", "9" + "0" * 125),
        ("concat(length(new.tags), new.quantity)", "23"),
        ("coalesce(new.missing, new.nothing, new.name)", "Ann Straße"),
        ("coalesce(new.missing, `0`)", Decimal(0)),
        ("coalesce('', new.name)", ""),
        ("coalesce(`false`, new.name)", False),
        ("coalesce(new.missing, new.nothing)", None),
    ],
)
def test_texts_are_made_as_the_page_says(text: str, expected: Plain) -> None:
    assert Expression(text).search(SCOPE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "add(new.price, new.missing)",
        "add(new.nothing, new.price, new.quantity)",
        "subtract(new.missing, new.price)",
        "subtract(new.price, new.missing)",
        "multiply(new.price, new.quantity, new.nothing)",
        "concat('a', new.missing)",
        "concat(new.nothing, 'a')",
        "lower(new.missing)",
        "upper(new.nothing)",
        "iso_year(new.missing)",
        "iso_month(new.missing)",
        "iso_date(new.missing)",
        "iso_hour(new.nothing)",
    ],
)
def test_of_null_comes_null(text: str) -> None:
    assert Expression(text).search(SCOPE) is None


@pytest.mark.parametrize(
    "text",
    [
        "add(new.name, new.price)",
        "add(new.price, new.price, new.name)",
        "add(new.nothing, new.name)",
        "subtract(new.price, new.flag)",
        "multiply(new.price, new.tags)",
        "lower(new.price)",
        "upper(new.tags)",
        "concat(new.name, new.tags)",
        "concat(new.name, 'b', new.flag)",
        "concat(new.raw, 'a')",
        "iso_date(new.flag)",
        "iso_hour(new.tags)",
    ],
)
def test_a_value_of_another_type_is_the_records_fault(text: str) -> None:
    with pytest.raises(
        Rejected, match=r"fails on this record: In function \w+\(\), invalid type"
    ) as rejected:
        Expression(text).search(SCOPE)
    assert rejected.value.code == "ExpressionFailed"


@pytest.mark.parametrize("text", ["add(`1e300`, new.smallest)", "sum([`1e300`, new.smallest])"])
def test_a_result_that_would_have_to_be_rounded_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="has more than 300 digits") as rejected:
        Expression(text).search(SCOPE)
    assert rejected.value.code == "ExpressionFailed"
