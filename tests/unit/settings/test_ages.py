"""maximum_record_age is refused where it would only lose changes, and does not reach a processor of state."""

from pathlib import Path

import pytest

from consumer.settings.ages import age_mistakes
from consumer.settings.load import InvalidSettingsError, load_settings
from consumer.settings.model import Delivery, Processor, Settings

FILE = """\
application: shop-orders
source: { kinesis: { stream: orders-changes, table: orders } }
processors:
  - name: order-view
    projection: { store: { dynamodb: { table: order-view } }, key: { orderId: keys.orderId } }
"""


class Teller(Processor):
    """A processor that tells events."""

    @property
    def keeps_state(self) -> bool:
        return False


def settings_of(directory: Path, text: str) -> Settings:
    file = directory / "tidemark.yaml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


@pytest.mark.parametrize(
    ("more", "line", "column", "field"),
    [
        (
            "    delivery: { batch_size: 5, maximum_record_age: 1d }\n",
            *(6, 32),
            "processors[0].delivery.maximum_record_age",
        ),
        ("delivery:\n  maximum_record_age: 60s\n", 7, 3, "delivery.maximum_record_age"),
    ],
)
def test_a_file_of_read_models_refuses_it_at_its_line_and_says_why(
    tmp_path: Path, more: str, line: int, column: int, field: str
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        settings_of(tmp_path, FILE + more)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.field) == (line, column, field)
    assert problem.message.startswith("is for processors that tell events; ")
    assert problem.message.endswith("is part of that: take it out")


def mixed(directory: Path, **ages: int) -> Settings:
    """A projection and a processor of events; ages are of the file, and of either's own."""
    view = settings_of(directory, FILE).processors[0]
    deliveries = {
        name: Delivery.model_validate({"maximum_record_age": f"{age}s"}) for name, age in ages.items()
    }
    told = Teller(name="told", projection=view.projection, delivery=deliveries.get("told"))
    kept = view.model_copy(update={"delivery": deliveries.get("view")})
    update = {"processors": (kept, told), "delivery": deliveries.get("file", Delivery())}
    return settings_of(directory, FILE).model_copy(update=update)


def test_where_some_tell_events_the_files_own_is_for_those_only(tmp_path: Path) -> None:
    settings = mixed(tmp_path, file=60)
    view, told = settings.processors
    assert list(age_mistakes(settings)) == []
    assert settings.delivery_of(view).maximum_record_age is None
    assert settings.delivery_of(told).maximum_record_age == 60.0


def test_a_processor_of_events_may_have_its_own_and_one_of_state_may_not(tmp_path: Path) -> None:
    assert list(age_mistakes(mixed(tmp_path, told=60))) == []
    paths = [path for path, _ in age_mistakes(mixed(tmp_path, view=60, told=60))]
    assert paths == [("processors", 0, "delivery", "maximum_record_age")]


def test_what_a_processor_sets_itself_stands_beside_what_the_file_says(tmp_path: Path) -> None:
    settings = mixed(tmp_path, file=60, told=90)
    assert settings.delivery_of(settings.processors[1]).maximum_record_age == 90.0
    own = settings.processors[0].model_copy(update={"delivery": Delivery(batch_size=7)})
    assert settings.delivery_of(own) == Delivery(batch_size=7)
