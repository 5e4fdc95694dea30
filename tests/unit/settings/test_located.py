from pathlib import Path

import pytest

from consumer.errors import SettingsError, Unavailable
from consumer.settings.load import locate_settings
from consumer.settings.located import Located

TEXT = """\
application: shop-orders
source:
  kinesis: { stream: orders-changes, table: orders }
processors:
  - name: other
    projection:
      store: { dynamodb: { table: other } }
      key: { orderId: keys.orderId }
  - name: order-view
    projection:
      store:
        postgresql:
          table: order_view
          types: { total: numeric }
      key: { order.id: keys.orderId }
      fields: { total: new.totalPrice }
    filters:
      - '{"dynamodb": {"Keys": {"orderId": {"S": ["1"]}}}}'
"""


@pytest.fixture
def located(tmp_path: Path) -> Located:
    file = tmp_path / "tidemark.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return locate_settings(file)


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ("application: not allowed to read", "1:1"),
        ("source.kinesis.table: table 'orders' in us-east-1: there is no such table", "3:38"),
        ("source.kinesis: table 'orders' in us-east-1 does not send", "3:3"),
        ("processors.order-view is new, and", "9:5"),
        ("processors.order-view.projection.store.postgresql: table 'order_view': no", "12:9"),
        ("processors.order-view.projection.store.postgresql.types.total: what", "14:20"),
        ("processors[1].filters[0].dynamodb: never matches", "18:9"),
    ],
)
def test_a_sentence_is_told_with_the_place_of_the_setting_it_begins_with(
    located: Located, sentence: str, place: str
) -> None:
    assert located.tell(sentence) == f"{located.file}:{place}: {sentence}"


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ("processors.nobody: not there", "4:1"),
        ("processors.other.projection.store.dynamodb.ledger: table 'x'", "7:16"),
        ("processors.order-view.aggregate.on_expiry is missing: say", "9:5"),
        ("processors.order-view.projection.key.order.id: no", "15:7"),
    ],
)
def test_a_setting_that_is_not_in_the_file_has_the_place_of_what_would_hold_it(
    located: Located, sentence: str, place: str
) -> None:
    assert located.tell(sentence) == f"{located.file}:{place}: {sentence}"


@pytest.mark.parametrize(
    "sentence",
    [
        "the ops server can't listen on 127.0.0.1:8080: in use",
        "--processor view: there is none",
        "source and table are fine",
        "JAVA_HOME is /nowhere, but there is no /nowhere/bin/java",
        "",
    ],
)
def test_a_sentence_of_no_setting_stays_as_it_is(located: Located, sentence: str) -> None:
    assert located.tell(sentence) == sentence


def test_every_line_of_an_error_is_told_with_its_own_place(located: Located) -> None:
    with pytest.raises(SettingsError) as caught, located.telling():
        raise SettingsError("application: first\nprocessors.other: second")

    assert str(caught.value).splitlines() == [
        f"{located.file}:1:1: application: first",
        f"{located.file}:5:5: processors.other: second",
    ]


def test_what_can_not_be_asked_now_is_told_with_its_place(located: Located) -> None:
    with pytest.raises(Unavailable) as caught, located.telling():
        raise Unavailable("processors.other: connection refused", code="08006")

    assert str(caught.value) == f"{located.file}:5:5: processors.other: connection refused"
    assert caught.value.code == "08006"
