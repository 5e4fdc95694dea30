"""Filters in the settings: every mistake has its line, every number is as it was written."""

import json
import re
from pathlib import Path

import pytest

from consumer.commands.validate import validate
from consumer.processors.base import fingerprint
from consumer.settings.context import read_context, write_context
from consumer.settings.document import Problem
from consumer.settings.load import InvalidSettingsError, load_settings
from consumer.settings.model import Settings
from tests.support.context import shard_context

FILE = """\
application: shop-orders
source: { kinesis: { stream: orders-changes, table: orders } }
processors:
  - name: order-view
    projection: { store: { dynamodb: { table: order-view } }, key: { orderId: keys.orderId } }
    filters:
"""
DIGITS_38 = "12345678901234567890123456789012345678"


def load(directory: Path, *filters: str) -> Settings:
    file = directory / "tidemark.yaml"
    file.write_text(FILE + "".join(f"      - {pattern}\n" for pattern in filters), encoding="utf-8")
    return load_settings(file)


def patterns(settings: Settings) -> list[str]:
    return list(settings.processors[0].filters or ())


def problems(directory: Path, *filters: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidSettingsError) as caught:
        load(directory, *filters)
    return caught.value.problems


def keys(entry: str, name: str = "n") -> str:
    return f"dynamodb: {{ Keys: {{ {name}: {{ N: [{entry}] }} }} }}"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("100.10", "100.10"),
        (DIGITS_38, DIGITS_38),
        ("0." + DIGITS_38, "0." + DIGITS_38),
        ("1e400", "1e400"),
        ("-5", "-5"),
        ("+.5", "0.5"),
        ("010", "10"),
        ("5.", "5"),
        ('"010"', '"010"'),
        ("true", "true"),
        ("~", "null"),
        ("2026-01-31", '"2026-01-31"'),
    ],
)
def test_a_value_is_kept_as_it_is_written(tmp_path: Path, written: str, kept: str) -> None:
    settings = load(tmp_path, keys(written))

    assert patterns(settings) == [f'{{"dynamodb":{{"Keys":{{"n":{{"N":[{kept}]}}}}}}}}']


def test_a_pattern_may_be_its_json_text(tmp_path: Path) -> None:
    text = '{"tableName": ["orders"], "dynamodb": {"Keys": {"n": {"N": [{"numeric": [">=", 100.10]}]}}}}'

    assert patterns(load(tmp_path, f"'{text}'")) == [text]


def test_shard_processes_get_the_patterns_as_they_are(tmp_path: Path) -> None:
    settings = load(tmp_path, keys(DIGITS_38), keys("100.10"))
    context = shard_context().model_copy(update={"settings": settings})

    write_context(tmp_path, context)

    assert patterns(read_context(tmp_path).settings) == patterns(settings)
    assert read_context(tmp_path).settings == settings


@pytest.mark.parametrize(
    ("pattern", "line", "column", "field", "said"),
    [
        (
            keys('{ numeric: ["<", 5, ">", 1] }'),
            7,
            50,
            "dynamodb.Keys.n.N[0].numeric[0]",
            "the lower bound stands first",
        ),
        (
            keys("{ prefix: 5 }"),
            7,
            40,
            "dynamodb.Keys.n.N[0].prefix",
            "5 is not allowed: write a text",
        ),
        (keys(f"{{ numeric: ['>=', {DIGITS_38}] }}"), 7, 56, "dynamodb.Keys.n.N[0].numeric[1]", DIGITS_38),
        ("{ tableName: orders }", 7, 11, "tableName", 'write a list such as ["orders"]'),
        ("""'{"tableName": "orders"}'""", 7, 9, "tableName", 'write a list such as ["orders"]'),
        ("""'{"tableName": ["orders"'""", 7, 9, "", "not JSON: Expecting ',' delimiter"),
        ("5", 7, 9, "", "`5` is not allowed: write a mapping of names to values or its JSON text"),
    ],
)
def test_a_mistake_has_its_line_and_its_path(
    tmp_path: Path, pattern: str, line: int, column: int, field: str, said: str
) -> None:
    (problem,) = problems(tmp_path, pattern)

    assert (problem.line, problem.column) == (line, column)
    assert problem.field == f"processors[0].filters[0].{field}".removesuffix(".")
    assert said in problem.message


def test_mistakes_of_several_patterns_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "{ tableName: orders }", "{ tableName: [orders] }", "{ tableName: [] }")

    assert [problem.field for problem in found] == [
        "processors[0].filters[0].tableName",
        "processors[0].filters[2].tableName",
    ]


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "{ tableName: [a], tableName: [b] }")

    assert "`tableName` is given twice" in problem.message


def test_an_empty_list_of_filters_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(FILE.rstrip() + " []\n", encoding="utf-8")

    with pytest.raises(InvalidSettingsError, match="is empty: at least one entry is needed"):
        load_settings(file)


@pytest.mark.parametrize(
    ("pattern", "fields"),
    [
        ("{ eventName: [INSERT] }", ["eventName"]),
        ("{ dynamodb: { NewImage: { status: { S: [PAID] } } } }", ["dynamodb.NewImage.status.S"]),
        ('{ "dynamodb.OldImage.status.S": [PAID] }', ["dynamodb.OldImage.status.S"]),
        ("{ $or: [{ tableName: [t] }, { userIdentity: [x] }] }", ["$or[1].userIdentity"]),
        ("{ dynamodb: { KeysOf: [x], SizeBytes: [1] } }", ["dynamodb.KeysOf", "dynamodb.SizeBytes"]),
    ],
)
def test_a_projections_filters_name_keys_only(tmp_path: Path, pattern: str, fields: list[str]) -> None:
    found = problems(tmp_path, pattern)

    assert [problem.field for problem in found] == [f"processors[0].filters[0].{field}" for field in fields]
    assert all("may name only `tableName` and `dynamodb.Keys`" in problem.message for problem in found)
    assert all("`when`" in problem.message for problem in found)


def test_a_projections_filters_may_name_the_table_and_the_keys_anywhere(tmp_path: Path) -> None:
    pattern = '{ $or: [{ tableName: [t] }, { dynamodb: { "Keys.id": { S: [{ prefix: a }] } } }] }'

    assert len(patterns(load(tmp_path, pattern))) == 1


def test_filters_are_part_of_what_the_target_holds(tmp_path: Path) -> None:
    of = [fingerprint(load(tmp_path, keys(entry)).processors[0]) for entry in ("'1'", "'2'")]
    (tmp_path / "tidemark.yaml").write_text(FILE.replace("    filters:\n", ""), encoding="utf-8")
    bare = load_settings(tmp_path / "tidemark.yaml").processors[0]

    assert len({*of, fingerprint(bare)}) == 3
    assert fingerprint(bare) == "7a725185bd6beea4"  # what it was before there were filters


def test_validate_shows_the_patterns_and_warns_of_a_number_that_never_matches(tmp_path: Path) -> None:
    load(tmp_path, keys("100", "orderId"))

    lines = list(validate(tmp_path / "tidemark.yaml", look_at_aws=False))

    assert '    filter     {"dynamodb":{"Keys":{"orderId":{"N":[100]}}}}' in lines
    assert lines[-1] == (
        f"warning: {tmp_path}/tidemark.yaml:7:44: processors[0].filters[0].dynamodb.Keys.orderId.N[0]: 100"
        " never matches: "
        'DynamoDB writes numbers as text; write "100", or {"numeric": ["=", 100]}'
    )
    load(tmp_path, keys('"100"', "orderId"), keys("{ numeric: ['=', 100] }", "orderId"))
    assert not any("warning" in line for line in validate(tmp_path / "tidemark.yaml", look_at_aws=False))


def test_the_schema_takes_a_pattern_as_a_mapping_or_as_text() -> None:
    schema = Settings.model_json_schema()["$defs"]["Processor"]["properties"]["filters"]

    assert '"type": "object"' in json.dumps(schema)
    assert '"type": "string"' in json.dumps(schema)


@pytest.mark.parametrize(
    ("pattern", "warned"),
    [
        ("dynamodb: { Keys: { orderID: { S: [A] } } }", "dynamodb.Keys.orderID.S: no record has this field"),
        ("dynamodb: { Keys: { orderId: [A] } }", "a key is written `dynamodb.Keys.orderId.S` (or `N`, `B`)"),
        ("dynamodb: { Keys: [{ exists: true }] }", "dynamodb.Keys: no record has this field"),
        ("tableName: [order]", "tableName: never matches: the processor is told of table 'orders' only"),
    ],
)
def test_validate_warns_of_a_filter_that_leaves_out_every_record(
    tmp_path: Path, pattern: str, warned: str
) -> None:
    load(tmp_path, pattern)

    (warning,) = [
        line for line in validate(tmp_path / "tidemark.yaml", look_at_aws=False) if "warning" in line
    ]

    assert re.match(rf"warning: {tmp_path}/tidemark.yaml:7:\d+: processors\[0\].filters\[0\]\.", warning)
    assert warned in warning


@pytest.mark.parametrize(
    "pattern",
    [
        "dynamodb: { Keys: { orderId: { S: [A] } } }",
        "{ tableName: [{ prefix: ord }], dynamodb: { Keys: { orderId: { N: ['5'] } } } }",
    ],
)
def test_validate_does_not_warn_of_a_filter_of_the_source_s_own_key(tmp_path: Path, pattern: str) -> None:
    load(tmp_path, pattern)

    assert not [line for line in validate(tmp_path / "tidemark.yaml", look_at_aws=False) if "warning" in line]
