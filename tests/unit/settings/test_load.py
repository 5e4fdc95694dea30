from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.errors import SettingsError
from consumer.settings.document import Problem
from consumer.settings.load import InvalidSettingsError, load_settings
from consumer.settings.model import Settings

GOOD = """\
application: shop-orders
source:
  kinesis:
    stream: orders-changes
    table: orders
processors:
  - name: order-view
    projection:
      store: { dynamodb: { table: order-view } }
      key: { orderId: keys.orderId }
      fields: { total: new.totalPrice }
"""
EXAMPLE = Path(__file__).parents[3] / "examples" / "shop" / "tidemark.yaml"


def load(directory: Path, text: str) -> Settings:
    file = directory / "tidemark.yaml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def problems(directory: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidSettingsError) as caught:
        load(directory, text)
    return caught.value.problems


def test_the_example_is_good() -> None:
    settings = load_settings(EXAMPLE)

    assert settings.application == "shop-orders"
    assert [processor.name for processor in settings.processors] == ["order-view"]


def test_a_start_time_is_taken_with_its_zone(tmp_path: Path) -> None:
    settings = load(
        tmp_path, GOOD.replace("orders\nproc", "orders\n    start: 2026-01-31T01:00:00+01:00\nproc")
    )

    assert settings.source.kinesis.start == datetime(2026, 1, 31, tzinfo=UTC)


def test_durations_are_read_in_seconds(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD + "checkpoint_interval: 500ms\nkcl: { failover_time: 2m }\n")

    assert settings.checkpoint_interval == 0.5
    assert settings.kcl.failover_time == 120


@pytest.mark.parametrize(
    ("before", "after", "line", "field", "said"),
    [
        ("    table: orders\n", "", 3, "source.kinesis", "`table` is missing: it takes 3 to 255 letters"),
        (
            "    table: orders",
            "    tabel: orders",
            5,
            "source.kinesis.tabel",
            "no such setting; did you mean `table`?",
        ),
        (
            "application: shop-orders",
            "application: a",
            1,
            "application",
            "`a` is not allowed: write 3 to 236 letters, digits",
        ),
        (
            "application: shop-orders",
            "application: 2026",
            1,
            "application",
            "(in quotes, so that YAML takes it as text)",
        ),
        (
            "    table: orders",
            "    table: orders\n    start: lately",
            6,
            "source.kinesis.start",
            "`lately` is not allowed: write `trim_horizon`, `latest` or a time with its zone",
        ),
        (
            "    table: orders",
            "    table: orders\n    start: 2026-01-31T00:00:00",
            6,
            "source.kinesis.start",
            "or a time with its zone, such as 2026-01-31T00:00:00Z",
        ),
        (
            "processors:",
            "delivery: { batch_size: 0 }\nprocessors:",
            6,
            "delivery.batch_size",
            "`0` is not allowed: write a whole number from 1 to 10000",
        ),
        (
            "processors:",
            "on_trimmed: skip\nprocessors:",
            6,
            "on_trimmed",
            "`skip` is not allowed: write `park` or `continue`",
        ),
        (
            "processors:",
            "kcl: { failover_time: 10ms }\nprocessors:",
            6,
            "kcl.failover_time",
            "10ms is out of range: from 1s to 300s is allowed",
        ),
        (
            "processors:",
            "kcl: { failover_time: 10 }\nprocessors:",
            6,
            "kcl.failover_time",
            "10 is not a duration: write a number and a unit (ms, s, m, h or d)",
        ),
        (
            "processors:",
            "window:\nprocessors:",
            6,
            "window",
            "is empty: a mapping with `records`, `mebibytes` is expected",
        ),
        (
            "processors:",
            "window: 3\nprocessors:",
            6,
            "window",
            "`3` is not allowed: write a mapping with `records`, `mebibytes`",
        ),
        (
            "key: { orderId: keys.orderId }",
            "key: {}",
            10,
            "processors[0].projection.key",
            "is empty: at least one entry is needed",
        ),
        (
            "key: { orderId: keys.orderId }",
            "key: { a: keys.a, b: keys.b, c: keys.c }",
            10,
            "processors[0].projection.key",
            "a key in dynamodb has at most 2 attributes, not 3",
        ),
        (
            "key: { orderId: keys.orderId }",
            "key: { orderId: old.orderId }",
            10,
            "processors[0].projection.key.orderId",
            "`old.orderId` leads nowhere: begin with `keys` (its key attributes) or `new`",
        ),
        (
            "total: new.totalPrice",
            "total: item.totalPrice",
            11,
            "processors[0].projection.fields.total",
            "`item.totalPrice` leads nowhere: begin with `keys`",
        ),
        (
            "total: new.totalPrice",
            'total: "coalesce(nwe.totalPrice, `0`)"',
            11,
            "processors[0].projection.fields.total",
            "`nwe` in `coalesce(nwe.totalPrice, `0`)` leads nowhere: begin with `keys`",
        ),
        (
            "key: { orderId: keys.orderId }",
            "key: { orderId: keys.orderId }\n      when: \"event.name == 'INSERT'\"",
            11,
            "processors[0].projection.when",
            "`event` in `event.name == 'INSERT'` leads nowhere: begin with `keys`",
        ),
        (
            "total: new.totalPrice",
            "_tidemark: new.x",
            11,
            "processors[0].projection.fields._tidemark",
            "the name _tidemark is kept for Tidemark's own use",
        ),
        (
            "total: new.totalPrice",
            "orderId: new.x",
            11,
            "processors[0].projection.fields.orderId",
            "`orderId` is in `key` already",
        ),
        (
            "  - name: order-view\n",
            "  - name: order-view\n    name: again\n",
            8,
            "processors[0].name",
            "`name` is given twice: here and in line 7",
        ),
        (
            "fields: { total: new.totalPrice }",
            'when: "new.status =="',
            11,
            "processors[0].projection.when",
            "'new.status ==' is not a JMESPath expression",
        ),
        (
            "    projection:\n",
            "    replication: {}\n    projection:\n",
            8,
            "processors[0].replication",
            "no such setting; allowed here: `name`, `filters`, `projection`, `aggregate`, `delivery`",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_its_field_and_what_is_allowed(
    tmp_path: Path, before: str, after: str, line: int, field: str, said: str
) -> None:
    (problem,) = problems(tmp_path, GOOD.replace(before, after))

    assert (problem.line, problem.field) == (line, field)
    assert said in problem.message


def test_two_processors_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = GOOD + GOOD[GOOD.index("  - name") :]

    (problem,) = problems(tmp_path, twice)

    assert problem.field == "processors"
    assert "the name 'order-view' is given twice" in problem.message


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        GOOD.replace("shop-orders", "a").replace("stream:", "streem:")
        + "window: { records: 0 }\nfoo: 1\nfoo: 2\n"
    )

    assert [(problem.line, problem.field) for problem in problems(tmp_path, text)] == [
        (1, "application"),
        (4, "source.kinesis.streem"),
        (12, "window.records"),
        (13, "foo"),
        (14, "foo"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# only this\n", "is empty"),
        ("- a list\n", "top level must be a mapping"),
        ("just text\n", "top level must be a mapping"),
    ],
)
def test_a_file_without_settings_is_told_as_such(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, text)


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: there is no such file"):
        load_settings(tmp_path / "nowhere.yaml")


def test_a_directory_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a directory"):
        load_settings(tmp_path)


def test_bytes_that_are_no_text_are_no_settings(tmp_path: Path) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_bytes(b"application: \xff\xfe")

    with pytest.raises(SettingsError, match="not UTF-8 text"):
        load_settings(file)


def test_the_message_begins_each_line_as_editors_expect_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, GOOD + "foo: 1\n")

    assert str(caught.value).startswith(f"{tmp_path / 'tidemark.yaml'}:12:1: foo: no such setting")
