"""docs/expressions.md is held to the code: each function, and every example of it."""

import json
import re
from decimal import Decimal
from typing import cast

import pytest
import yaml
from jmespath.functions import Functions

from consumer.attributes import Plain
from consumer.expressions import Expression
from consumer.expressions.functions import FUNCTIONS
from tests.support.pages import ROOT, blocks, code, rows

PAGE = ROOT / "docs" / "expressions.md"
TABLE = rows(PAGE, "Functions")
EXAMPLES = [pytest.param(code(text)[0], code(gives)[0], id=code(text)[0]) for _, _, text, gives in TABLE]


def plain(text: str) -> Plain:
    return cast("Plain", json.loads(text, parse_int=Decimal, parse_float=Decimal))


def scope() -> dict[str, Plain]:
    item, _ = blocks(PAGE, "json")
    return {"new": plain(item.text)}


def test_every_function_of_ours_is_told_with_its_arguments() -> None:
    told = {
        name: arguments for row in TABLE for name, arguments in re.findall(r"(\w+)\((.*?)\)", code(row[0])[0])
    }
    ours = FUNCTIONS.FUNCTION_TABLE.keys() - Functions.FUNCTION_TABLE.keys()

    assert told.keys() == ours
    for name, arguments in told.items():
        (*_, last) = FUNCTIONS.FUNCTION_TABLE[name]["signature"]
        assert arguments.endswith("…") is last.get("variadic", False)


@pytest.mark.parametrize(("text", "gives"), EXAMPLES)
def test_an_example_of_a_function_gives_what_the_page_says(text: str, gives: str) -> None:
    assert Expression(text).search(scope()) == plain(gives)


def test_the_example_of_fields_gives_what_the_page_says() -> None:
    (settings,) = blocks(PAGE, "yaml")
    fields = yaml.safe_load(settings.text)["processors"][0]["projection"]["fields"]
    _, row = blocks(PAGE, "json")
    found = {name: Expression(text).search(scope()) for name, text in fields.items()}

    assert {name: value for name, value in found.items() if value is not None} == plain(row.text)
    assert found.keys() - {"note"} == cast("dict[str, Plain]", plain(row.text)).keys()
