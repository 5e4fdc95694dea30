from decimal import Decimal

import pytest

from consumer.attributes import Plain
from consumer.errors import Rejected, SettingsError
from consumer.expressions import Expression, follow
from consumer.record import AttributeValue, Image

DIGITS_38 = "12345678901234567890123456789012345678"

SCOPE: dict[str, Plain] = {
    "keys": {"id": "a"},
    "new": {
        "total": Decimal("100.10"),
        "long": Decimal(DIGITS_38),
        "count": Decimal(0),
        "flag": True,
        "name": "Ann",
        "empty": "",
        "nothing": None,
        "raw": b"\x00\xff",
        "amounts": [Decimal("0.1"), Decimal("0.2"), Decimal(DIGITS_38)],
        "extremes": [Decimal("1E125"), Decimal("1E-130")],
        "thirds": [Decimal(1), Decimal(0), Decimal(0)],
        "items": [{"sku": "x", "price": Decimal("2.50")}, {"sku": "y", "price": Decimal(10)}],
        "address": {"city": "Bern"},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("new.total", Decimal("100.10")),
        ("new.total == `100.10`", True),
        ("new.total == `100.1`", True),
        ("new.total > `100`", True),
        ("new.total >= `100.11`", False),
        ("new.total < `1e3`", True),
        ("new.long > `12345678901234567890123456789012345677`", True),
        ("new.long == `12345678901234567890123456789012345678`", True),
        ("new.count == `0`", True),
        ("new.count == `false`", False),
        ("new.flag == `1`", False),
        ("new.missing", None),
        ("new.missing.deeper", None),
        ("new.missing != 'x'", True),
        ("new.name == 'Ann' && new.flag", True),
        ("new.address.city", "Bern"),
        ("new.items[?price > `5`].sku", ["y"]),
        ("new.items[0].price", Decimal("2.50")),
        ("contains(new.amounts, `0.2`)", True),
        ("{a: keys.id, b: `[1.5]`}", {"a": "a", "b": [Decimal("1.5")]}),
    ],
)
def test_comparisons_and_literals_are_exact(text: str, expected: Plain) -> None:
    found = Expression(text).search(SCOPE)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(new.amounts)", Decimal(f"{DIGITS_38}.3")),
        ("sum(new.extremes)", Decimal("1" + "0" * 125 + "." + "0" * 129 + "1")),
        ("max(new.amounts)", Decimal(DIGITS_38)),
        ("min(new.amounts)", Decimal("0.1")),
        ("sort(new.amounts)[0]", Decimal("0.1")),
        ("abs(new.long)", Decimal(DIGITS_38)),
        ("ceil(new.total)", 101),
        ("floor(new.total)", 100),
        ("avg(new.items[].price)", Decimal("6.25")),
        ("avg(new.thirds)", Decimal("0." + "3" * 38)),
        ("max_by(new.items, &price).sku", "y"),
        ("sort_by(new.items, &price)[*].sku", ["x", "y"]),
        ("to_number(new.total)", Decimal("100.10")),
        ("to_number('100.10')", Decimal("100.10")),
        ("to_number('ten')", None),
        ("to_number('NaN')", None),
        ("to_number(new.flag)", None),
        ("to_string(new.total)", "100.1"),
        ("to_string(`1e3`)", "1000"),
        ("type(new.total)", "number"),
        ("length(new.items)", 2),
        ("not_null(new.missing, new.count)", Decimal(0)),
    ],
)
def test_functions_take_exact_numbers_and_give_exact_numbers(text: str, expected: Plain | int) -> None:
    found = Expression(text).search(SCOPE)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "text",
    [
        "sum(new.items)",
        "sum([new.name])",
        "max(`5`)",
        "ceil(new.name)",
        "join(',', new.amounts)",
        "merge(new.address, new.name)",
    ],
)
def test_values_that_do_not_fit_the_expression_are_the_records_fault(text: str) -> None:
    with pytest.raises(Rejected, match="fails on this record") as rejected:
        Expression(text).search(SCOPE)
    assert rejected.value.code == "ExpressionFailed"


@pytest.mark.parametrize(
    "text",
    [
        "new.",
        "new..a",
        "",
        "new[",
        "'open",
        "no_such(new.a)",
        "length()",
        "sort_by(new.a)",
        "&new.a",
        "coalesce(new.a, &new.b)",
        "new.[a, &b]",
        "{a: &new.b}",
        "sort_by(&new.a, &price)",
        "new[?f(@)]",
        "new.items[::0]",
        "new.total > `NaN`",
        "new.total > `[-Infinity]`",
        f"new[{'1' * 5000}]",
        f"{'!' * 5000}new",
    ],
)
def test_an_expression_that_can_never_work_is_refused_at_start(text: str) -> None:
    with pytest.raises(SettingsError):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lenght(new.items)", "there is no function lenght(); did you mean length()?"),
        ("isodate(new.at)", "there is no function isodate(); did you mean iso_date()?"),
        ("[add(new.a, divide(new.a, new.b))]", "there is no function divide()"),
        ("length()", "Expected 1 argument for function length(), received 0"),
        ("subtract(new.a, new.b, new.c)", "Expected 2 arguments for function subtract(), received 3"),
        ("add(new.a)", "Expected at least 2 arguments for function add(), received 1"),
        ("new.total > 100", "a number stands in backticks, such as `100`"),
        ("multiply(new.total, 2)", "a number stands in backticks, such as `2`"),
    ],
)
def test_what_is_wrong_with_an_expression_is_told(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match="is not a JMESPath expression") as refused:
        Expression(text)
    assert str(refused.value).endswith(said)


def test_a_number_in_the_wrong_place_is_not_said_to_need_backticks() -> None:
    with pytest.raises(SettingsError) as refused:
        Expression("new.items.0")
    assert "backticks" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`0.12345678901234567890`", Decimal("0.12345678901234567890")),
        ("`12345678901234567890.5`", Decimal("12345678901234567890.5")),
        ('`[1.10, {"a": 1e400}]`', [Decimal("1.10"), {"a": Decimal("1e400")}]),
        (f"`{'9' * 5000}`", Decimal("9" * 5000)),
        ('`"1.5"`', "1.5"),
        ('`"a\\`b"`', "a`b"),
        ('`["a\\`b", 1.10]`', ["a`b", Decimal("1.10")]),
        ("`bare`", "bare"),
        ("`true`", True),
        ("`null`", None),
        ("'`1.5`'", "`1.5`"),
        ("'it\\'s `2`'", "it's `2`"),
        ("[`\"'\"`, `2`, '`', `3`]", ["'", Decimal(2), "`", Decimal(3)]),
        ('{"a`1`": `7`, b: `true`}', {"a`1`": Decimal(7), "b": True}),
        ("new.items[?price > `9`] | [?price < `11`].sku", ["y"]),
    ],
)
def test_a_literal_is_what_is_written(text: str, expected: Plain) -> None:
    found = Expression(text).search(SCOPE)
    assert (found, type(found)) == (expected, type(expected))


def test_expressions_that_differ_in_a_literal_do_not_share_it() -> None:
    first, second = Expression("new.total > `0`"), Expression("new.total > `100.11`")
    assert (first.search(SCOPE), second.search(SCOPE)) == (True, False)
    assert Expression("`0`").search(SCOPE) == Decimal(0)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("new", ("new",)),
        ("new.a", ("new", "a")),
        ("new.a.b.c", ("new", "a", "b", "c")),
        ('new."a.b"."c d"', ("new", "a.b", "c d")),
        ("new.a[0]", None),
        ("new.*", None),
        ("new.a || new.b", None),
        ("length(new.a)", None),
        ("new.{a: b}", None),
        ("@", None),
        ("'new.a'", None),
    ],
)
def test_only_names_with_dots_between_are_a_plain_path(text: str, path: tuple[str, ...] | None) -> None:
    assert Expression(text).path == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("n",), {"N": "1.0"}),
        (("set",), {"NS": ["2", "1"]}),
        (("nothing",), {"NULL": True}),
        (("m", "inner", "b"), {"B": "AA=="}),
        (("m",), {"M": {"inner": {"M": {"b": {"B": "AA=="}}}}}),
        (("missing",), None),
        (("missing", "a"), None),
        (("n", "a"), None),
        (("m", "missing", "a"), None),
        (("nothing", "a"), None),
    ],
)
def test_a_value_at_a_plain_path_keeps_its_exact_type(
    path: tuple[str, ...], expected: AttributeValue | None
) -> None:
    image: Image = {
        "n": {"N": "1.0"},
        "set": {"NS": ["2", "1"]},
        "nothing": {"NULL": True},
        "m": {"M": {"inner": {"M": {"b": {"B": "AA=="}}}}},
    }
    assert follow(path, image) == expected


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("new.address.city", ("new",)),
        ("new.a == old.b && !foo", ("new", "old", "foo")),
        ("[keys.a, {b: event.name}]", ("keys", "event")),
        ("sort_by(new.items, &price)[?kind == 'x'].[a, b] | length(@)", ("new",)),
        ("new.items[].tags[0:2] || new.*.a", ("new",)),
        ("@.new || 'x' || `1`", ()),
    ],
)
def test_the_roots_of_an_expression_are_the_names_it_asks_the_scope_itself_for(
    text: str, roots: tuple[str, ...]
) -> None:
    assert Expression(text).roots == roots
