"""What is wrong with where a processor writes, as far as the file alone tells."""

from pathlib import Path

import pytest

from consumer.settings.document import Problem
from consumer.settings.doubts import doubts
from consumer.settings.load import InvalidSettingsError, load_settings
from consumer.settings.model import Settings

HEAD = """\
application: shop-orders
source: { kinesis: { stream: orders-changes, table: orders } }
processors:
"""
VIEW = """\
  - name: {name}
    projection:
      store: {{ {store} }}
      key: {{ orderId: keys.orderId }}
      fields: {{ total: new.totalPrice }}
"""
SUMS = """\
  - name: {name}
    aggregate:
      store: {{ {store} }}
      group_by: {{ day: new.day }}
      add: {{ {add}: "`1`" }}
"""


def load(directory: Path, processors: str) -> Settings:
    file = directory / "tidemark.yaml"
    file.write_text(HEAD + processors, encoding="utf-8")
    return load_settings(file)


def problems(directory: Path, processors: str) -> tuple[Problem, ...]:
    try:
        load(directory, processors)
    except InvalidSettingsError as error:
        return error.problems
    return ()


def view(store: str, name: str = "view") -> str:
    return VIEW.format(name=name, store=store)


def sums(store: str, name: str = "sums", add: str = "orders") -> str:
    return SUMS.format(name=name, store=store, add=add)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@db.example.com/shop",
        "postgres://me:secret@db.example.com",
        "postgresql://db.example.com/shop?user=me&password=secret",
        "postgresql://db.example.com/shop?sslpassword=secret",
        "host=db.example.com password=secret",
        "host=db.example.com user=me password = 'se cret'",
        "postgresql://me:[secret@db.example.com/shop",
        "postgresql://me@[::1/shop?password=secret",
    ],
)
def test_a_password_in_a_postgresql_address_is_refused(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, view(f'postgresql: {{ url: "{url}", table: view }}'))

    assert (problem.line, problem.field) == (6, "processors[0].projection.store.postgresql.url")
    assert problem.message.startswith("`url` has a password in it")
    assert "secret" not in problem.message


@pytest.mark.parametrize("url", ["mysql://me@db.example.com/shop", "db.example.com/shop", "host=db shop"])
def test_an_address_that_libpq_does_not_take_is_refused(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, view(f'postgresql: {{ url: "{url}", table: view }}'))

    assert problem.line == 6
    assert "it looks like postgresql://user@host:5432/database" in problem.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@db.example.com:5432/shop?sslmode=verify-full",
        "postgresql://me:@one:5432,two:5432/shop",
        "postgresql:///shop?host=/var/run/postgresql",
        "postgres://db.example.com/password=a:b@c",
        "host=db.example.com dbname=shop application_name='password = x'",
        "host = db user=it\\\\'s",
        "",
    ],
)
def test_an_address_without_a_password_is_taken(tmp_path: Path, url: str) -> None:
    assert problems(tmp_path, view(f'postgresql: {{ url: "{url}", table: view }}')) == ()


@pytest.mark.parametrize(
    ("store", "field", "said"),
    [
        ("url: search.example.com", "url", "an address of OpenSearch begins with https:// or http://"),
        ('url: "https://x.us-east-1.aoss.amazonaws.com"', "url", "OpenSearch Serverless lacks"),
        ('url: "https://search.example.com", sigv4: es', "region", "names none, and requests are signed"),
    ],
)
def test_an_address_that_is_none_of_opensearch_is_refused(
    tmp_path: Path, store: str, field: str, said: str
) -> None:
    (problem,) = problems(tmp_path, view(f"opensearch: {{ {store}, index: view }}"))

    assert (problem.line, problem.field) == (6, f"processors[0].projection.store.opensearch.{field}")
    assert said in problem.message


@pytest.mark.parametrize(
    "store",
    [
        'url: "https://search.us-east-1.es.amazonaws.com", sigv4: es',
        'url: "https://search.example.com", sigv4: es, region: us-east-1',
        "url_env: SEARCH, sigv4: es",
    ],
)
def test_a_region_that_can_be_told_or_comes_with_the_environment_is_not_missed(
    tmp_path: Path, store: str
) -> None:
    assert problems(tmp_path, view(f"opensearch: {{ {store}, index: view }}")) == ()


def test_a_type_of_no_column_is_refused(tmp_path: Path) -> None:
    store = "postgresql: { table: view, types: { total: numeric, orderId: text, totl: numeric } }"

    (problem,) = problems(tmp_path, view(store))

    assert (problem.line, problem.field) == (6, "processors[0].projection.store.postgresql.types.totl")
    assert problem.message == ("no column `totl`, which is in `types`, is written; these are: orderId, total")


def test_the_whole_item_is_a_column_where_no_fields_are_given(tmp_path: Path) -> None:
    text = view("postgresql: { table: view, types: { item: json } }")

    assert problems(tmp_path, text.replace("      fields: { total: new.totalPrice }\n", "")) == ()


def test_sums_and_groups_are_columns(tmp_path: Path) -> None:
    types = "types: {{ day: date, orders: bigint, {} }}"

    assert problems(tmp_path, sums(f"postgresql: {{ table: sums, {types.format('')} }}")) == ()
    assert problems(tmp_path, sums(f"postgresql: {{ table: sums, {types.format('x: text')} }}"))


def test_a_column_whose_name_postgresql_would_cut_short_is_refused(tmp_path: Path) -> None:
    long = "t" * 64

    (problem,) = problems(tmp_path, view("postgresql: { table: view }").replace("total:", f"{long}:"))

    assert (problem.line, problem.field) == (8, f"processors[0].projection.fields.{long}")
    assert "is longer than the 63 bytes it can have" in problem.message


@pytest.mark.parametrize(
    ("first", "second", "home"),
    [
        (
            view("postgresql: { url_env: DB, table: shop.view }", "one"),
            view("postgresql: { url_env: DB, table: shop.view }", "two"),
            "PostgreSQL table 'shop.view'",
        ),
        (
            sums("postgresql: { table: sums }", "one"),
            sums("postgresql: { table: sums }", "two", add="others"),
            "PostgreSQL table 'sums'",
        ),
        (
            view("opensearch: { url_env: SEARCH, index: view }", "one"),
            view("opensearch: { url_env: SEARCH, index: view }", "two"),
            "OpenSearch index 'view'",
        ),
        (
            view("dynamodb: { table: view }", "one"),
            sums("dynamodb: { table: view }", "two"),
            "table 'view'",
        ),
        (
            sums("dynamodb: { table: sums }", "one"),
            sums("dynamodb: { table: sums }", "two"),
            "table 'sums'",
        ),
    ],
)
def test_two_processors_in_one_place_are_refused(tmp_path: Path, first: str, second: str, home: str) -> None:
    (problem,) = problems(tmp_path, first + second)

    assert problem.line == 11
    assert problem.message.startswith(f"processor 'one' writes to {home} already")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("postgresql: { url_env: DB, table: view }", "postgresql: { url_env: OTHER, table: view }"),
        ("postgresql: { table: view }", "dynamodb: { table: view }"),
        ("dynamodb: { table: view }", "dynamodb: { table: view, region: eu-west-1 }"),
    ],
)
def test_places_that_may_be_two_are_taken(tmp_path: Path, first: str, second: str) -> None:
    assert problems(tmp_path, view(first, "one") + view(second, "two")) == ()


def test_aggregates_share_a_dynamodb_table_each_with_sums_of_its_own(tmp_path: Path) -> None:
    first, second = sums("dynamodb: { table: sums }", "one"), "dynamodb: { table: sums }"

    assert problems(tmp_path, first + sums(second, "two", add="others")) == ()


def test_a_ledger_is_nothing_else(tmp_path: Path) -> None:
    one = sums("dynamodb: { table: sums, ledger: both }", "one")
    two = sums("dynamodb: { table: other, ledger: both }", "two")
    three = view("dynamodb: { table: third, ledger: orders }", "three")

    found = problems(tmp_path, one + two + three)

    assert [(problem.line, problem.field) for problem in found] == [
        (11, "processors[1].aggregate.store.dynamodb.ledger"),
        (16, "processors[2].projection.store.dynamodb.ledger"),
    ]
    assert all("its ledger would be table" in problem.message for problem in found)


def test_the_source_is_no_target(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, view("dynamodb: { table: orders }"))

    assert (problem.line, problem.message) == (
        6,
        "table 'orders' is the source itself; name another table",
    )


@pytest.mark.parametrize("literal", ["'x'", '`"5"`', "`true`", "`null`", "`[1]`"])
def test_a_literal_that_is_no_number_can_not_be_added(tmp_path: Path, literal: str) -> None:
    text = sums("dynamodb: { table: sums }").replace('"`1`"', f"'{literal.replace(chr(39), chr(39) * 2)}'")

    (problem,) = problems(tmp_path, text)

    assert (problem.line, problem.field) == (8, "processors[0].aggregate.add.orders")
    assert problem.message == f"`{literal}` is no number, and only numbers can be added"


@pytest.mark.parametrize("number", ["`1`", "`-0.5`", "`1e3`", "new.total", "to_number('1')"])
def test_numbers_and_what_may_be_one_can_be_added(tmp_path: Path, number: str) -> None:
    assert problems(tmp_path, sums("dynamodb: { table: sums }").replace("`1`", number)) == ()


@pytest.mark.parametrize(
    ("key", "for_each", "said"),
    [
        ("{ orderId: keys.orderId }", True, "is the same for all elements of an item"),
        ("{ orderId: keys.orderId, line: item.id }", True, None),
        ("{ orderId: keys.orderId, line: index }", True, None),
        ("""{ all: "'all'" }""", False, "is the same for every item"),
        ("""{ all: "'all'" }""", True, "is the same for every item"),
        ("{ customer: new.customer }", False, None),
    ],
)
def test_a_key_that_several_rows_would_have_is_doubted(
    tmp_path: Path, key: str, said: str | None, *, for_each: bool
) -> None:
    text = view("dynamodb: { table: view }").replace("{ orderId: keys.orderId }", key)
    settings = load(tmp_path, text + ("      for_each: new.lines\n" if for_each else ""))

    found = [(path, message[: len(said or "")]) for path, message in doubts(settings)]

    assert found == ([] if said is None else [(("processors", 0, "projection", "key"), said)])
