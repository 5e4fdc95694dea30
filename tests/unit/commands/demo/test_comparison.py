from typing import Any

from consumer.commands.demo.comparison import compare


def order(number: int, **changed: dict[str, str]) -> dict[str, Any]:
    return {
        "orderId": {"S": f"order-{number}"},
        "customerId": {"S": "customer-1"},
        "totalPrice": {"N": "10.50"},
        "status": {"S": "PAID"},
        "items": {"L": [{"M": {"product": {"S": "cup"}, "quantity": {"N": "1"}}}]},
        "updatedAt": {"S": "2026-01-31T00:00:00+00:00"},
        **changed,
    }


def row(number: int, **changed: dict[str, str]) -> dict[str, Any]:
    return {
        "orderId": {"S": f"order-{number}"},
        "customer": {"S": "customer-1"},
        "total": {"N": "10.5"},
        "status": {"S": "PAID"},
        "items": {"L": [{"M": {"quantity": {"N": "1"}, "product": {"S": "cup"}}}]},
        "_tidemark": {"M": {"v": {"N": "1"}, "p": {"S": "us"}, "d": {"S": "a1b2"}}},
        **changed,
    }


def tombstone(number: int) -> dict[str, Any]:
    return {
        "orderId": {"S": f"order-{number}"},
        "_tidemark": {"M": {"v": {"N": "1"}, "p": {"S": "us"}, "d": {"S": "-"}}},
    }


def test_a_true_read_model_matches_in_every_row() -> None:
    comparison = compare([order(1), order(2)], [row(2), row(1), tombstone(3)])

    assert (comparison.expected, comparison.matching, comparison.tombstones) == (2, 2, 1)
    assert comparison.differences == ()


def test_a_row_that_is_missing_is_told() -> None:
    comparison = compare([order(1), order(2)], [row(1), tombstone(2)])

    assert comparison.matching == 1
    assert comparison.differences == ("order-2: not in the read model",)


def test_a_deleted_order_that_came_back_is_told() -> None:
    comparison = compare([order(1)], [row(1), row(2)])

    assert comparison.matching == 1
    assert comparison.differences == ("order-2: in the read model, but there is no such order",)


def test_a_row_of_an_older_state_is_told_with_both_states() -> None:
    (difference,) = compare([order(1)], [row(1, status={"S": "PLACED"})]).differences

    assert "PLACED" in difference
    assert "PAID" in difference


def test_a_row_with_an_attribute_too_many_differs() -> None:
    assert compare([order(1)], [row(1, note={"S": "x"})]).matching == 0


def test_a_number_that_became_text_differs() -> None:
    assert compare([order(1)], [row(1, total={"S": "10.5"})]).matching == 0
